"""The sample files: each is generated under a temporary name and appears complete or not at all."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from datetime import date
from pathlib import Path

from model.errors import ConfigurationError
from sources.sample.business_days import first_business_day
from sources.sample.catalogue import SAMPLE_SOURCES
from sources.sample.recipe import SourceRecipe, create_statements, initial_seeds, insert_statement
from sources.sample.state import create_state, open_sample, read_first_day

_LEFTOVER_SECONDS = 3600
"""A temporary file this old belongs to a killed process: generating one takes well under a minute."""


def sample_path(folder: Path, source_name: str) -> Path:
    """Where the sample source's file is, as an absolute path."""
    return folder.absolute() / f"{source_name}.duckdb"


def ensure_samples(folder: Path) -> dict[str, Path]:
    """Generate the sample files that `folder` lacks (it is created too); source name -> absolute path.

    Existing files are left as they are, and new ones begin on the same day; the first of all begin on the Friday before today, so
    that windows of recent days have rows. Several processes may call this at once. Raises `ConfigurationError`
    when the folder cannot be written.
    """
    paths = {source.name: sample_path(folder, source.name) for source in SAMPLE_SOURCES}
    missing = [source for source in SAMPLE_SOURCES if not paths[source.name].exists()]
    try:
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(folder)
        for source in missing:
            _generate(source, paths[source.name], first_day_of(folder))
    except OSError as error:
        raise ConfigurationError(
            f"The sample sources cannot be generated in {folder.absolute()}: {error.strerror or error}.",
            remedy="Make the folder writable, or configure real sources with UDM_SOURCE_<NAME>.",
        ) from error
    return paths


def first_day_of(folder: Path) -> date:
    """The day on which the samples in `folder` begin, or would begin today where there are none."""
    paths = (sample_path(folder, source.name) for source in SAMPLE_SOURCES)
    known = [day for path in paths if path.exists() and (day := read_first_day(path))]
    if known:
        return known[0]
    return first_business_day(date.today())  # noqa: DTZ011 - the user's own calendar


def _generate(source: SourceRecipe, path: Path, first_day: date) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    # A folder that cannot be written shows here, as an OSError; DuckDB refuses a file that exists but is
    # empty.
    temporary.touch()
    temporary.unlink()
    try:
        with open_sample(temporary) as connection:
            connection.execute("BEGIN")
            create_state(connection, first_day)
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{source.schema_name}"')
            for table in source.tables:
                for statement in create_statements(source, table):
                    connection.execute(statement)
                connection.execute(insert_statement(source, table, initial_seeds(table), first_day))
            connection.execute("COMMIT")
        _publish(temporary, path)
    finally:
        for leftover in (temporary, _log_of(temporary)):
            leftover.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> None:
    """Give the finished file its name, unless another process was quicker: its file may be in use already."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links. The file replaced here, if any, has the same content.
        temporary.replace(path)


def _log_of(path: Path) -> Path:
    """DuckDB's write-ahead log of a file; gone after a proper close."""
    return path.with_name(path.name + ".wal")


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left behind, never what another one may be writing at this moment."""
    oldest = time.time() - _LEFTOVER_SECONDS
    for source in SAMPLE_SOURCES:
        for file in folder.glob(f".{source.name}.duckdb.*.tmp*"):
            with suppress(FileNotFoundError):  # another process may be clearing up, too
                if file.stat().st_mtime < oldest:
                    file.unlink()
