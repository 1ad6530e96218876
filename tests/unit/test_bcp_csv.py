"""The character file: read back by its own terminators it is the frame, or it was refused."""

from __future__ import annotations

import stat
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_load.bcp_csv import NotInCharacters, Terminators, choose_terminators, write_characters
from model import types as t
from model.types import Column

COLUMNS = (Column(name="ID", type=t.integer(64)), Column(name="TEXT", type=t.TEXT), Column(name="OTHER", type=t.TEXT))
# Everything that text may hold but NUL, which stands for ''; the characters that end fields by default among them, often.
_OFTEN = st.sampled_from('\x1f\x1e\x1d\x1c\t\n\r \\"')
TEXTS = st.one_of(st.none(), st.text(st.one_of(_OFTEN, st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))


def read_back(path: Path, terminators: Terminators, encoding: str) -> list[list[str | None]]:
    text = path.read_bytes().decode(encoding)
    assert text.endswith(terminators.row)
    rows = text.removesuffix(terminators.row).split(terminators.row)
    return [[None if cell == "" else "" if cell == "\0" else cell for cell in row.split(terminators.field)] for row in rows]


@settings(deadline=None)  # it writes files
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20))
def test_the_file_is_the_frame(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, str | None]]) -> None:
    """Never again: tabs, newlines, trailing spaces and `''` altered to suit a CSV."""
    texts = [[row[0] for row in rows], [row[1] for row in rows]]
    schema = {"ID": pl.Int64, "TEXT": pl.String, "OTHER": pl.String}
    frame = pl.DataFrame([range(len(rows)), *texts], schema=schema)
    path = tmp_path_factory.mktemp("bcp") / "file"
    terminators = write_characters(frame, COLUMNS, path, freetds=False)
    expected = [[str(number), *row] for number, row in enumerate(rows)]
    assert read_back(path, terminators, "utf-16-le") == expected


def test_the_first_characters_of_both_terminators_are_absent_from_the_text() -> None:
    found = choose_terminators(pl.DataFrame({"a": ["\x1f\x1e"], "b": ["\x1d"]}))
    assert not {*found.field, *found.row} & set("\x1f\x1e\x1d")
    assert found.field[0] != found.row[0]


def test_text_full_of_control_characters_is_ended_by_others() -> None:
    everything = "".join(map(chr, range(1, 0x20)))
    found = choose_terminators(pl.DataFrame({"a": [everything]}))
    assert not {*found.field, *found.row} & set(everything)


def test_every_kind_is_written_in_the_form_that_bcp_reads(tmp_path: Path) -> None:
    values: dict[str, tuple[t.ColumnType, object, str]] = {
        "bool": (t.BOOLEAN, True, "1"),
        "int": (t.integer(64), -(2**63), str(-(2**63))),
        "decimal": (t.decimal(38, 10), Decimal("-0.0000000001"), "-0.0000000001"),
        "float": (t.FLOAT64, 0.1, "0.1"),
        "text": (t.TEXT, "", "\0"),
        "binary": (t.BINARY, b"\x00\xff", "00ff"),
        "date": (t.DATE, date(2024, 2, 29), "2024-02-29"),
        "timestamp": (t.TIMESTAMP, datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02 03:04:05.000006"),  # noqa: DTZ001
        "offset": (t.TIMESTAMPTZ, datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02 03:04:05.000000 +00:00"),
        "uuid": (t.UUID, "6f9619ff-8b86-d011-b42d-00c04fc964ff", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    }
    frame = pl.DataFrame({name: pl.Series([value, None], dtype=kind.dtype) for name, (kind, value, _) in values.items()})
    columns = [Column(name=name, type=kind) for name, (kind, _, _) in values.items()]
    ends = write_characters(frame, columns, tmp_path / "file", freetds=True)
    first, second, rest = (tmp_path / "file").read_bytes().decode().split(ends.row)
    assert first.split(ends.field) == [shown for _, _, shown in values.values()]
    assert second.split(ends.field) == [""] * len(values)
    assert rest == ""


@pytest.mark.parametrize("value", [1e22, 0.1, 1 / 3, 2.0**-1022, 1.7976931348623157e308, -0.0])
def test_a_floats_digits_give_it_back(tmp_path: Path, value: float) -> None:
    frame = pl.DataFrame({"f": [value]})
    ends = write_characters(frame, [Column(name="f", type=t.FLOAT64)], tmp_path / "file", freetds=True)
    assert repr(float((tmp_path / "file").read_text().removesuffix(ends.row))) == repr(value)


@pytest.mark.parametrize(
    ("kind", "value", "freetds"),
    [
        (t.TEXT, "a\0b", False),
        (t.TEXT, "\0", False),
        (t.BINARY, b"", False),
        (t.FLOAT64, 5e-324, False),
        (t.FLOAT32, 1e-45, False),
        (t.TEXT, "a ", True),
        (t.DATE, date(999, 12, 31), True),
        (t.TIMESTAMP, datetime(1, 1, 1), True),  # noqa: DTZ001
    ],
    ids=str,
)
def test_what_the_file_cannot_say_is_refused_by_column(tmp_path: Path, kind: t.ColumnType, value: object, freetds: bool) -> None:
    frame = pl.DataFrame({"The Column": pl.Series([None, value], dtype=kind.dtype)})
    with pytest.raises(NotInCharacters, match="'The Column'"):
        write_characters(frame, [Column(name="The Column", type=kind)], tmp_path / "file", freetds=freetds)
    assert not (tmp_path / "file").exists()


def test_the_file_is_private_and_new(tmp_path: Path) -> None:
    frame = pl.DataFrame({"ID": [1]})
    write_characters(frame, COLUMNS[:1], tmp_path / "file", freetds=False)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_characters(frame, COLUMNS[:1], tmp_path / "file", freetds=False)
