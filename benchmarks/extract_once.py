"""One reading of one table, as a process of its own: ``-m benchmarks.extract_once WHAT URL SCHEMA TABLE BATCH``.

It prints the rows, and the gigabytes that it and its largest child held. ``udm`` is the pipeline's extractor with all its
checks. ``driver`` is the bare driver's own loop over the same columns, which makes Python objects and looks at none of them;
of SQLAlchemy it uses the connection alone. ``pandas`` is ``pandas.read_sql`` in chunks.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import duckdb
import sqlalchemy as sa
from duckdb_engine import ConnectionWrapper
from sqlalchemy.engine import URL, make_url

from benchmarks.measure import RSS_UNIT
from extract.extractor import Extractor, SourceTable, open_extractor
from model.types import Column
from sources.registry import Source

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "oracle": "oracle+oracledb", "mssql": "mssql+pyodbc"}


def read(what: str, url: URL, schema: str | None, table: str, batch: int) -> int:
    """Read the table once and count its rows."""
    place = SourceTable(source="BENCH", schema=schema, table=table)
    with _extractor(what, Source(name="BENCH", url=url)) as extractor:
        described = extractor.describe(place)
        columns = described.columns
        if what == "udm-ranges":
            place = replace(place, partition_on=described.key[0])
        if what.startswith("udm"):
            return sum(frame.height for frame in extractor.read(place, columns, batch))
    loop = {"driver": _driver, "pandas": _pandas}[what]
    return sum(loop(_engine(url, batch), _query(columns, schema, table), batch))


def _extractor(what: str, source: Source) -> Extractor:
    if what == "udm-mssql-python":
        from extract.connectorx_sqlserver_extractor import SQLServerExtractor  # noqa: PLC0415 - one source's driver
        from extract.connectorx_sqlserver_extractor.routes import ArrowRoute  # noqa: PLC0415 - likewise

        return SQLServerExtractor(source, (ArrowRoute,))
    return open_extractor(source)


def peak_gb() -> float:
    """The most that this process held, and with it the most that one of its children did."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(one).ru_maxrss for one in who) * RSS_UNIT / 1e9


def _query(columns: Sequence[Column], schema: str | None, table: str) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*(sa.column(column.name) for column in columns)).select_from(sa.table(table, schema=schema))


def _engine(url: URL, batch: int) -> sa.Engine:
    if url.get_backend_name() == "duckdb":
        root = duckdb.connect(str(url.database), read_only=True)
        return sa.create_engine("duckdb://", creator=lambda: ConnectionWrapper(root.cursor()), poolclass=sa.NullPool)
    if url.get_backend_name() == "mssql":
        from connections.mssql_login import source_login_of  # noqa: PLC0415 - of one source
        from connections.mssql_session import connect  # noqa: PLC0415 - likewise
        from connections.odbc import driver_for  # noqa: PLC0415 - likewise

        login = source_login_of(url, "BENCH").login
        driver = driver_for(login)
        return sa.create_engine("mssql+pyodbc://", creator=lambda: connect(login, driver, url.database or ""))
    first: dict[str, Any] = {}
    if url.get_backend_name() == "oracle":
        import oracledb  # noqa: PLC0415 - one source's driver

        oracledb.defaults.prefetchrows = oracledb.defaults.arraysize = batch
        # What SQLAlchemy asks at first, PL/SQL among it, is nothing that the stand-in answers, and not the reading.
        first = {"_initialize": False, "arraysize": batch}
    return sa.create_engine(url.set(drivername=DRIVERS.get(url.get_backend_name(), url.drivername)), **first)


def _driver(engine: sa.Engine, query: sa.Select[*tuple[Any, ...]], batch: int) -> Iterator[int]:
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        # Without a name psycopg's cursor, and without this class PyMySQL's, fetches the whole answer first.
        match engine.dialect.name:
            case "postgresql":
                cursor = raw.cursor(name="bench")
            case "mysql":
                from pymysql.cursors import SSCursor  # noqa: PLC0415 - only where it is asked for

                cursor = raw.cursor(SSCursor)
            case _:
                cursor = raw.cursor()
        cursor.arraysize = batch
        cursor.execute(str(query.compile(engine)))
        for _ in repeat(None):
            rows = cursor.fetchmany(batch)
            if not rows:
                return
            yield len(rows)


def _pandas(engine: sa.Engine, query: sa.Select[*tuple[Any, ...]], batch: int) -> Iterator[int]:
    import pandas as pd  # noqa: PLC0415 - no requirement

    with engine.connect().execution_options(stream_results=True) as connection:
        for frame in pd.read_sql(query, connection, chunksize=batch):
            yield len(frame)


if __name__ == "__main__":
    _what, _url, _schema, _table, _batch = sys.argv[1:]
    print(read(_what, make_url(_url), _schema or None, _table, int(_batch)), f"{peak_gb():.3f}")
