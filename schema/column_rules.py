"""Masks and exclusions that the users set in UdmTablesColumnsList, checked against the source's columns. Pure.

A rule that cannot be applied fails the table: a misspelt one, passed over, would load personal data in clear.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.errors import UnusableColumnRule
from model.masking import MaskMethod, can_mask, stored_column
from model.types import Column
from schema.column_sync import ListedColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRules:
    """The source's columns, how some are masked, which take no part in `_row_hash`, and listed names that the source lacks."""

    columns: tuple[Column, ...]
    masks: tuple[tuple[str, MaskMethod], ...]
    excluded: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns as Stage and Bronze hold them."""
        methods = dict(self.masks)
        return tuple(
            stored_column(column, methods[column.name]) if column.name in methods else column for column in self.columns
        )


def choose_rules(
    table: str, listed: Sequence[ListedColumn], columns: Sequence[Column], key: Collection[str], general: str
) -> ColumnRules:
    """The rules of a table, with columns spelled as the source spells them.

    Raises:
        UnusableColumnRule: naming the column, and what to correct in UdmTablesColumnsList.
    """
    where = f"{table}: {general}.dbo.UdmTablesColumnsList"
    by_fold = {column.name.casefold(): column for column in columns}
    ruled = [(row, by_fold.get(row.name.casefold())) for row in listed if row.mask or row.is_excluded]
    masks: dict[str, MaskMethod] = {}
    for row, column in ruled:
        if column is None or not row.mask:
            continue
        method = _method(where, column, row.mask, in_key=column.name in key)
        if masks.setdefault(column.name, method) is not method:
            raise UnusableColumnRule(f"{where} masks column {column.name!r} in two ways.", remedy="Keep one of its rows there.")
    excluded = dict.fromkeys(column.name for row, column in ruled if column is not None and row.is_excluded)
    for name in excluded:
        if name in key:
            raise UnusableColumnRule(
                f"{where} excludes column {name!r} from the hash, and it is part of the key.",
                remedy="Clear IsExcludedFromHash there: without its key a row cannot be recognised.",
            )
    unknown = tuple(dict.fromkeys(row.name for row, column in ruled if column is None))
    return ColumnRules(columns=tuple(columns), masks=tuple(masks.items()), excluded=tuple(excluded), unknown=unknown)


def _method(where: str, column: Column, text: str, *, in_key: bool) -> MaskMethod:
    try:
        method = MaskMethod(text.lower())
    except ValueError:
        raise UnusableColumnRule(
            f"{where} masks column {column.name!r} with {text!r}, and there is no such mask.",
            remedy=f"Set MaskWith to one of {', '.join(MaskMethod)}, or to NULL.",
        ) from None
    if in_key and method is not MaskMethod.HMAC:
        raise UnusableColumnRule(
            f"{where} masks column {column.name!r} with {method}, and it is part of the key.",
            remedy=f"Set MaskWith to {MaskMethod.HMAC}: any other mask would make different keys equal.",
        )
    if not can_mask(column.type, method):
        raise UnusableColumnRule(
            f"{where} masks column {column.name!r} with {method}, and it is {column.type}: no text, integer, decimal or UUID.",
            remedy=f"Set MaskWith to {MaskMethod.HMAC} or {MaskMethod.NULL}.",
        )
    return method


def check_no_rule_is_lost(table: str, rules: ColumnRules, vanished: Collection[str], general: str) -> None:
    """Refuse rules for columns that the source does not have and Stage never had.

    Raises:
        UnusableColumnRule: naming them.
    """
    had = {name.casefold() for name in vanished}
    lost = [name for name in rules.unknown if name.casefold() not in had]
    if lost:
        raise UnusableColumnRule(
            f"{table}: {general}.dbo.UdmTablesColumnsList has rules for {', '.join(lost)}, but the source has no such column.",
            remedy="Correct ColumnName there, or remove the row.",
        )
