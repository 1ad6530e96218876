"""Which way rows are sent to SQL Server, and that a failure of one engine names the other."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pytest

from connections.bulk_copy import BulkCopy, BulkSettings
from connections.mssql_login import Login
from data_load import bcp_arrow, bulk_engines
from data_load.bcp_arrow import load_arrow, unsendable
from data_load.bcp_process import Utility
from data_load.bulk_engines import FEW_ROWS, Engine, choose_engine
from model import types as t
from model.errors import TerminalError, ValueNotExact
from model.names import TableName
from model.types import Column

NAME = TableName(database="UDM_Stage", schema="DNA", table="_staging_ACCT_1")
PLAIN = (Column(name="ID", type=t.integer(64)), Column(name="NAME", type=t.TEXT))
SECONDS = (*PLAIN, Column(name="SEEN", type=t.TIMESTAMP))
OFFSET = (*PLAIN, Column(name="SENT", type=t.TIMESTAMPTZ))
BCP, FREEBCP = Utility(path="/opt/bcp", freetds=False), Utility(path="/usr/bin/freebcp", freetds=True)
MANY = FEW_ROWS + 1


@pytest.mark.parametrize(
    ("setting", "utility", "columns", "rows", "engine"),
    [
        ("auto", BCP, PLAIN, FEW_ROWS, Engine.INSERT),
        ("bcp", None, PLAIN, 1, Engine.INSERT),
        ("auto", BCP, OFFSET, MANY, Engine.BCP),
        ("auto", None, PLAIN, MANY, Engine.ARROW),
        ("auto", None, SECONDS, MANY, Engine.INSERT),
        ("arrow", BCP, PLAIN, MANY, Engine.ARROW),
        ("bcp", BCP, SECONDS, MANY, Engine.BCP),
        ("auto", FREEBCP, SECONDS, MANY, Engine.BCP),
        ("auto", FREEBCP, OFFSET, MANY, Engine.INSERT),
    ],
)
def test_rows_go_the_fastest_way_that_is_exact(
    setting: str, utility: Utility | None, columns: tuple[Column, ...], rows: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bcp_arrow, "version", lambda _: "1.16.0")
    assert choose_engine(setting, utility, columns, rows) is engine


@pytest.mark.parametrize(
    ("setting", "utility", "columns", "says"),
    [("bcp", None, PLAIN, "mssql-tools18"), ("arrow", BCP, SECONDS, "SEEN"), ("bcp", FREEBCP, OFFSET, "SENT")],
)
def test_an_engine_that_the_setting_insists_on_is_not_replaced_in_silence(
    setting: str, utility: Utility | None, columns: tuple[Column, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bcp_arrow, "version", lambda _: "1.16.0")
    with pytest.raises(TerminalError, match=says) as caught:
        choose_engine(setting, utility, columns, MANY)
    assert "BCP_ENGINE=auto" in caught.value.remedy


@pytest.mark.parametrize(
    ("installed", "expected"), [("1.16.0", ["SEEN"]), ("1.17.0", []), ("2.0", []), ("odd", ["ID", "NAME", "SEEN"])]
)
def test_below_1_17_the_arrow_engine_takes_no_seconds(
    installed: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bcp_arrow, "version", lambda _: installed)
    assert unsendable(SECONDS) == expected


class PanicException(BaseException):
    """What pyo3 makes of a Rust panic."""


def sent_through(monkeypatch: pytest.MonkeyPatch, bulkcopy: Any) -> list[bool]:
    """mssql-python with this bulk copy in place; says whether its connection was closed."""
    closed: list[bool] = []
    cursor = SimpleNamespace(bulkcopy_arrow=bulkcopy)
    connection = SimpleNamespace(cursor=lambda: cursor, close=lambda: closed.append(True))
    module = ModuleType("connections.mssql_arrow")
    module.connect = lambda *_: connection  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "connections.mssql_arrow", module)
    return closed


COPY = BulkCopy(login=Login(host="h"), settings=BulkSettings(), watched=lambda _: nullcontext())
FRAME = pl.DataFrame({"ID": [1, 2], "NAME": ["a", None]})


def test_a_rust_panic_is_an_error_that_names_the_other_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def panics(*_: object, **__: object) -> None:
        raise PanicException("customer Jane Doe")

    closed = sent_through(monkeypatch, panics)
    with pytest.raises(TerminalError, match="PanicException") as caught:
        load_arrow(COPY, NAME, PLAIN, [FRAME])
    assert "BCP_ENGINE=bcp" in caught.value.remedy
    assert "Jane" not in str(caught.value)
    assert closed == [True]


def test_frames_arrive_as_arrow_in_the_types_of_their_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[pl.DataFrame] = []

    def takes(table: str, source: Iterable[Any], **_: object) -> None:
        assert table == "[UDM_Stage].[DNA].[_staging_ACCT_1]"
        received.extend(pl.DataFrame(batch) for batch in source)

    sent_through(monkeypatch, takes)
    columns = (*PLAIN, Column(name="U", type=t.integer(64, unsigned=True)))
    frame = FRAME.with_columns(U=pl.Series([0, 2**64 - 1], dtype=pl.UInt64))
    load_arrow(COPY, NAME, columns, [frame, frame])
    assert pl.concat(received).rows() == [*frame.rows(), *frame.rows()]
    assert received[0].schema["U"] == pl.Decimal(20, 0)


def test_a_refused_value_is_not_hidden_by_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def takes(_: str, source: Iterable[Any], **__: object) -> None:
        try:
            list(source)
        except Exception as error:
            raise RuntimeError("Arrow stream failed") from error

    def frames() -> Iterable[pl.DataFrame]:
        yield FRAME
        raise ValueNotExact("column 'RATE'")

    sent_through(monkeypatch, takes)
    with pytest.raises(ValueNotExact, match="RATE"):
        load_arrow(COPY, NAME, PLAIN, frames())


def test_few_rows_ask_for_no_utility(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []
    target = SimpleNamespace(
        bulk_copy=lambda: COPY,
        engine=SimpleNamespace(begin=lambda: nullcontext(None)),
        check_values=lambda *arguments: arguments[-1],
        analyze=lambda *_: None,
        bulk_load=lambda *arguments: loaded.append(sum(frame.height for frame in arguments[-1])),
    )
    monkeypatch.setattr(bulk_engines, "find_utility", lambda _: pytest.fail("looked for a utility"))
    bulk_engines.load(target, NAME, PLAIN, [FRAME], 2, lambda: pytest.fail("asked for a folder"))  # type: ignore[arg-type]
    assert loaded == [2]
