"""A target that cannot be written, and a login that lacks a right in mid-run: each is named, and the next run goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from connections import open_target
from model.errors import TargetUnavailable
from tests.contract.backends import POSTGRESQL, DuckDB, settings_for
from tests.contract.pipeline import Pipeline, opened_pipeline
from tests.postgresql_server import postgresql_server

STAGE, BRONZE = '"UDM_Stage.DNA"."ACCT_cdc"', '"UDM_Bronze.DNA"."ACCT_scd2_python"'
TABLE, COLUMNS = "ACCT", "ID INTEGER PRIMARY KEY, V VARCHAR"
NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, where the tests have them."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_files_that_cannot_be_written_are_named_at_the_start(open_folder: Path) -> None:
    url = DuckDB().fresh(open_folder)
    for path in (open_folder / "warehouse").iterdir():
        path.chmod(0o444)
    (open_folder / "warehouse").chmod(0o555)
    with as_nobody(), pytest.raises(TargetUnavailable) as caught:
        open_target(settings_for(url, open_folder)).close()
    assert str(open_folder / "warehouse") in str(caught.value)
    assert "Check the folder's permissions" in str(caught.value)


def fill(pipeline: Pipeline, value: str, more: str = "") -> None:
    named = f", {more} VARCHAR" if more else ""
    pipeline.source.table(TABLE, COLUMNS + named, [(key, value, *([value] if more else [])) for key in (1, 2)])


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Pipeline]:
    """A warehouse of PostgreSQL with a table in it, used by a role that owns this and may read and write the rest."""
    with opened_pipeline(POSTGRESQL, tmp_path) as pipeline:
        fill(pipeline, "x")
        pipeline.load(TABLE)
        url = pipeline.settings.target
        role = f"limited_{url.database}"
        everything = [f'"{schema}"' for schema in SCHEMAS]
        POSTGRESQL.execute(
            url, "", f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
            *(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}" for schema in everything),
            *(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}" for schema in everything),
            *(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}" for schema in everything),
            *(f"ALTER TABLE {table} OWNER TO {role}" for table in (STAGE, BRONZE)),
        )  # fmt: skip
        pipeline.target.close()
        pipeline.settings = replace(pipeline.settings, target=url.set(username=role, password="secret"))
        pipeline.target = open_target(pipeline.settings)
        try:
            yield pipeline
        finally:
            pipeline.target.close()
            POSTGRESQL.execute(url, "", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def owner_of(pipeline: Pipeline) -> URL:
    """The URL of the server's superuser for the pipeline's database."""
    return postgresql_server().url.set(database=pipeline.settings.target.database)


SCHEMAS = ("UDM_Stage.DNA", "UDM_Bronze.DNA", "UDM_Stage.ops", "UDM_Bronze.ops", "General.ops", "General.dbo")


@pytest.mark.parametrize("right", ["INSERT", "UPDATE"])
def test_a_right_that_is_missing_in_mid_run_is_named_and_the_next_run_goes_on(limited: Pipeline, right: str) -> None:
    about = f"{right} ON {BRONZE}"
    owner, role = owner_of(limited), limited.settings.target.username
    POSTGRESQL.execute(owner, "", f"REVOKE {about} FROM {role}")
    fill(limited, "changed")
    message = limited.fail(TABLE, retry_attempts=2)
    assert "permission denied for table ACCT_scd2_python" in message
    assert "let an administrator GRANT it" in message
    [(status,)] = limited.query('SELECT "Status" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = :kind',
                                batch=limited.batch, kind="SCD2_PROMOTION")  # fmt: skip
    assert status == "FAILED"
    POSTGRESQL.execute(owner, "", f"GRANT {about} TO {role}")
    assert limited.load(TABLE).changed == 0  # what Stage had of it is brought to Bronze first
    versions = limited.query('SELECT "V", "UdmActiveFlag" FROM {bronze}', TABLE)
    assert sorted(versions) == [("changed", True)] * 2 + [("x", False)] * 2


def test_a_table_that_the_login_does_not_own_gets_no_new_column_and_says_so(limited: Pipeline) -> None:
    POSTGRESQL.execute(owner_of(limited), "", f"ALTER TABLE {STAGE} OWNER TO CURRENT_USER")
    POSTGRESQL.execute(owner_of(limited), "", f"GRANT ALL ON {STAGE} TO {limited.settings.target.username}")
    before = limited.dumps(TABLE)
    fill(limited, "x", more="NEW")
    message = limited.fail(TABLE)
    assert "must be owner of table ACCT_cdc" in message
    assert "or make it the owner" in message
    assert limited.dumps(TABLE) == before


def test_a_database_that_takes_no_writes_is_named_at_the_start(limited: Pipeline) -> None:
    role = limited.settings.target.username
    owner = owner_of(limited)
    POSTGRESQL.execute(owner, "", f"ALTER ROLE {role} SET default_transaction_read_only = on")
    with pytest.raises(TargetUnavailable, match="is read-only"):
        open_target(limited.settings)
