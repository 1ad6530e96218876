"""PartitionOn: ranges read side by side hold every row once, in one snapshot, with no more connections than a source allows."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlalchemy.engine import URL

from extract.connectorx_extractor import ConnectorXExtractor
from extract.extractor import SourceTable, open_extractor
from extract.partitions import plan_ranges
from extract.source_connections import SourceConnections
from model.errors import IncompleteExtract, Interrupted
from orchestration.table_config import TableConfig
from sources.registry import Source, SourceRegistry
from tests.contract.backends import DuckDB
from tests.contract.conftest import Records
from tests.contract.pipeline import opened_pipeline
from tests.contract.source_server import SourceServer, source_server

ROWS = 9_000
LASTING = 25  # looks, of which each takes 0.02 s or more
COLUMNS = {
    "i": "CASE WHEN n % 50 = 0 THEN NULL ELSE n - 4000 END::bigint",
    "d": "CASE WHEN n % 3 = 0 THEN NULL ELSE n / 7.0 END::numeric(20, 6)",
    "day": "DATE '2020-02-28' + n / 10",
    "at": "TIMESTAMP '2020-02-28 23:59:59.999999' + n * interval '1 minute'",
    "tz": "CASE WHEN n % 10 > 0 THEN TIMESTAMPTZ '2020-02-28 23:59:59.999999+05:30' + n * interval '1 minute' END",
    "t": "n::text",
    "ended": "CASE WHEN n = 17 THEN 'infinity' ELSE DATE '2020-02-28' END",
    "Odd %Name": "n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[SourceServer]:
    with source_server() as started:
        chosen = ", ".join(f'{expression} AS "{name}"' for name, expression in COLUMNS.items())
        started.execute(
            "ALTER DATABASE postgres SET timezone = 'Asia/Kolkata'",
            "ALTER DATABASE postgres SET datestyle = 'German'",
            f"CREATE TABLE parts AS SELECT n AS id, {chosen} FROM generate_series(1, {ROWS}) n",
            "ALTER TABLE parts ADD PRIMARY KEY (id)",
            f"CREATE TABLE skew AS SELECT CASE WHEN n = 1 THEN 1000000 ELSE n END AS id FROM generate_series(1, {ROWS}) n",
            "ALTER TABLE skew ADD PRIMARY KEY (id)",
        )
        yield started


def read(
    source: Source, name: str, partition_on: str | None, batch_rows: int = 500, without: Sequence[str] = (), **where: Any
) -> pl.DataFrame:
    table = SourceTable(source=source.name, table=name, partition_on=partition_on, **where)
    with open_extractor(source) as extractor:
        columns = [column for column in extractor.describe(table).columns if column.name not in without]
        return pl.concat(extractor.read(table, columns, batch_rows))


@pytest.mark.parametrize("column", ["id", "i", "d", "day", "at", "tz", "Odd %Name", "ODD %NAME"])
def test_ranges_hold_every_row_once(server: SourceServer, column: str, logged: Records) -> None:
    arrived = read(server.source(), "parts", column, without=["ended"]).sort("id")
    assert arrived.equals(read(server.source(), "parts", None, without=["ended"]).sort("id"))
    assert arrived.height == ROWS
    [line] = [message for message in logged.messages() if "PG.parts" in message]
    assert f"was read in 3 ranges of {column}".casefold() in line.casefold()


@pytest.mark.parametrize(
    ("column", "level", "why"),
    [
        ("t", 30, "PartitionOn t is text, neither"),
        ("nowhere", 30, "it has no column nowhere"),
        ("ended", 20, "ended holds what is no day of the years 1 to 9999"),
    ],
)
def test_a_column_that_has_no_ranges_is_read_in_one_stream_and_a_line_says_so(
    server: SourceServer, column: str, level: int, why: str, logged: Records
) -> None:
    extractor = ConnectorXExtractor(server.source())
    table = SourceTable(source="PG", table="parts", partition_on=column)
    with extractor:
        columns = extractor.describe(table).columns
        if column == "ended":
            columns = tuple(one for one in columns if one.name in {"id", "ended"})
            with suppress(Exception):  # infinity is refused all the same
                list(extractor.read(table, columns, 500))
        else:
            columns = tuple(one for one in columns if one.name != "ended")
            assert sum(frame.height for frame in extractor.read(table, columns, 500)) == ROWS
    [line] = logged.messages(level)
    assert why in line


def test_uneven_ranges_are_warned_of(server: SourceServer, logged: Records) -> None:
    assert read(server.source(), "skew", "id").height == ROWS
    [line] = logged.messages(30)
    assert "PG.skew: the ranges of PartitionOn id are uneven, one holds 8,999 of 9,000 rows" in line


def test_ranges_see_one_snapshot_however_the_table_changes(server: SourceServer) -> None:
    server.execute("CREATE TABLE busy AS SELECT n AS id, repeat(md5(n::text), 8) AS v FROM generate_series(1, 60000) n")
    table = SourceTable(source="PG", table="busy", partition_on="id")
    with open_extractor(server.source()) as extractor:
        frames = extractor.read(table, extractor.describe(table).columns, 500)
        first = next(frames)
        server.execute("DELETE FROM busy WHERE id % 2 = 0", "INSERT INTO busy VALUES (0, 'late')")
        arrived = pl.concat([first, *frames])
    assert arrived.get_column("id").sort().to_list() == list(range(1, 60_001))


def test_a_range_that_is_missing_is_no_complete_extract(server: SourceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract.connectorx_extractor.snapshot.plan_ranges", lambda *about: plan_ranges(*about)[1:])
    with pytest.raises(IncompleteExtract, match=r"PG\.parts: the source counted 9000 rows, and its ranges delivered 6000"):
        read(server.source(), "parts", "id", without=["ended"])


def test_rows_by_ranges_are_the_rows_of_one_stream_to_the_pipeline(server: SourceServer, tmp_path: Path) -> None:
    """POSITION tells rows of one run apart, whatever order they come in; with duplicates and a NULL key in them."""
    server.execute(
        "CREATE TABLE twice AS SELECT n % 4000 + CASE WHEN n % 4000 = 7 THEN NULL ELSE 0 END AS k,"
        f" CASE WHEN n IN (11, 4011) THEN n ELSE n % 4000 END AS v FROM generate_series(0, {ROWS - 1001}) n"
    )
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        registry = SourceRegistry(sources=(server.source(),))
        found = []
        for partition_on in (None, "k"):
            pipeline.configs["twice"] = TableConfig(
                source="PG", table="twice", source_schema="public", partition_on=partition_on
            )
            if partition_on is None:
                pipeline.source = type(pipeline.source)(name="PG", path=pipeline.source.path)
                pipeline.set_key("twice", "k")
            result = pipeline.load("twice", sources=registry, batch_rows=500)
            found.append((result.extracted, result.duplicates, result.quarantined, result.unchanged))
        assert result.changed == 0
    assert found == [(8000, 3998, 4, 0), (8000, 3998, 4, 3998)]


@pytest.mark.parametrize("at", ["the ends are looked for", "the ranges are read"])
def test_an_interrupt_ends_all_ranges(server: SourceServer, at: str) -> None:
    a_row, at_all = "LATERAL (SELECT pg_sleep(0.01)::text || n AS s) x", "(SELECT pg_sleep(3)::text AS s) x"
    slow = a_row if at == "the ends are looked for" else at_all
    server.execute("DROP VIEW IF EXISTS slow", f"CREATE VIEW slow AS SELECT n AS id, s FROM generate_series(1, 9000) n, {slow}")
    table = SourceTable(source="PG", table="slow", partition_on="id")
    with open_extractor(server.source()) as extractor:
        assert isinstance(extractor, ConnectorXExtractor)
        columns = extractor.describe(table).columns
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(lambda: list(extractor.read(table, columns, 500)))
            until = time.monotonic() + 60
            wanted = 3 if at == "the ranges are read" else 0
            while (extractor._cancel is None or len(extractor._readers) < wanted) and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(0.3)
            began = time.monotonic()
            extractor.interrupt()
            with pytest.raises(Interrupted):
                reading.result(60)
            assert time.monotonic() - began < 10


@pytest.mark.parametrize("limit", [2, 4])
def test_a_source_is_never_asked_for_more_connections_than_it_allows(
    server: SourceServer, tmp_path: Path, limit: int, logged: Records
) -> None:
    """Three workers, each of which would like three ranges."""
    names = [f"many{number}" for number in range(3)]
    for name in names:
        server.execute(
            f"DROP TABLE IF EXISTS {name}",
            f"CREATE TABLE {name} AS SELECT id, t FROM parts",
            f"ALTER TABLE {name} ADD PRIMARY KEY (id)",
        )
    counts: list[int] = []
    done = threading.Event()

    def watch() -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'udm-pipeline'"
        while not done.is_set():
            counts.append(server.execute(query)[0][0])
            time.sleep(0.02)

    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        for name in names:
            pipeline.configs[name] = TableConfig(source="PG", table=name, source_schema="public", partition_on="id")
        watcher = threading.Thread(target=watch)
        watcher.start()
        registry = SourceRegistry(sources=(server.source(max_connections=limit),))
        results = pipeline.run_tables(*names, workers=3, sources=registry, batch_rows=500)
        done.set()
        watcher.join()
    assert [(result.message, result.extracted) for result in results] == [("", ROWS)] * 3
    # The server counts a session for a moment longer than the client has it, and on a busy machine for longer.
    lasting = [min(counts[start : start + LASTING]) for start in range(max(len(counts) - LASTING, 1))]
    assert max(lasting) <= limit
    waits = [message for message in logged.messages() if f"waits for one of the {limit} connections" in message]
    alone = [message for message in logged.messages() if "SOURCE_MAX_CONNECTIONS leaves no connections for ranges" in message]
    assert alone
    assert bool(waits) == (limit == 2)


def test_a_place_is_waited_for_and_given_back() -> None:
    source = Source(name="PG", url=URL.create("postgresql"))
    connections = SourceConnections()
    with connections.further(source, 9) as all_four:
        assert all_four == 4
        with connections.further(source, 1) as none:
            assert none == 0

        def given_up(seconds: float) -> None:
            raise Interrupted("stop")

        with pytest.raises(Interrupted), connections.one(source, given_up):
            pass
        other = Source(name="OTHER", url=source.url)
        with connections.one(other, given_up):
            pass
    with connections.one(source, given_up), connections.further(source, 9) as three:
        assert three == 3


def test_files_are_read_in_one_stream_and_a_line_says_so(tmp_path: Path, logged: Records) -> None:
    with sqlite3.connect(tmp_path / "s.db") as lite:
        lite.executescript("CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)")
    lite.close()
    with duckdb.connect(str(tmp_path / "d.duckdb")) as duck:
        duck.execute("CREATE TABLE t AS SELECT 1 AS id")
    for kind, file in (("sqlite", "s.db"), ("duckdb", "d.duckdb")):
        source = Source(name=kind.upper(), url=URL.create(kind, database=str(tmp_path / file)))
        assert read(source, "t", "id").height == 1
        assert read(source, "t", None).height == 1
    assert [line for line in logged.messages(20) if "one stream" in line] == [
        "SQLITE.t: PartitionOn is set, but it is read in one stream: a file of SQLite is read no faster by several connections",
        "DUCKDB.t: PartitionOn is set, but it is read in one stream: DuckDB reads with all cores by itself",
    ]
