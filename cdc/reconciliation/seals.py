"""Closed versions are sealed: their number and the sum of their hashes, by the month they ended in.

Every instant is later than all before it, so no version can come to be that ended before a seal was made: what a seal covers must
be the same for ever. It covers columns by name; what has been added since is NULL in its versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import polars_hash as plh

from model.system_columns import END

# No column of a source can be called so: these hold a blank and our own name.
_MONTH, _VERSIONS, _SUM, _SEALED, _NAMES = (f"{END} {name}" for name in ("month", "versions", "sum", "sealed", "names"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Of the versions that ended in a month and before `up_to` (naive UTC): their number and the sum of their hashes."""

    month: date
    up_to: datetime
    versions: int
    checksum: str
    columns: tuple[str, ...]


def seal_versions(frames: Iterable[pl.DataFrame], columns: Sequence[str], up_to: datetime, known: Mapping[date, Seal]) -> Sealed:
    """Add up frames of closed versions, in one pass: as they are sealed now, and as the `known` seals would be today."""
    now: list[pl.DataFrame] = []
    again: list[pl.DataFrame] = []
    groups = {seal.columns for seal in known.values()}
    ends = pl.DataFrame(
        {_MONTH: list(known), _SEALED: [seal.up_to for seal in known.values()], _NAMES: [_text(s) for s in known.values()]},
        schema={_MONTH: pl.Date, _SEALED: pl.Datetime("us"), _NAMES: pl.String},
    )
    for frame in frames:
        placed = frame.filter(pl.col(END) < up_to).with_columns(pl.col(END).dt.month_start().dt.date().alias(_MONTH))
        now.append(_sums(placed, columns))
        dated = placed.join(ends, on=_MONTH, how="inner").filter(pl.col(END) < pl.col(_SEALED))
        again += [_sums(dated.filter(pl.col(_NAMES) == "\n".join(names)), names) for names in groups]
    return Sealed(
        now={m: Seal(month=m, up_to=up_to, versions=v, checksum=c, columns=tuple(columns)) for m, v, c in _totals(now)},
        again={month: (versions, checksum) for month, versions, checksum in _totals(again)},
        known=known,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The seals of `now`, and what the `known` ones cover `again`."""

    now: Mapping[date, Seal]
    again: Mapping[date, tuple[int, str]]
    known: Mapping[date, Seal]

    @property
    def broken(self) -> list[date]:
        """Months whose sealed versions are not what they were."""
        nothing = (0, f"{0:032x}")
        return [m for m, seal in sorted(self.known.items()) if self.again.get(m, nothing) != (seal.versions, seal.checksum)]

    @property
    def versions(self) -> int:
        """How many versions were found as they were, or not, against a seal."""
        return sum(versions for versions, _ in self.again.values())

    def renewed(self) -> list[Seal]:
        """The seals to write: of months that have more versions, or columns, than are sealed. A broken one stays."""
        kept = set(self.broken)
        return [seal for month, seal in sorted(self.now.items()) if month not in kept and self._differs(seal)]

    def _differs(self, seal: Seal) -> bool:
        known = self.known.get(seal.month)
        return known is None or (known.versions, known.columns) != (seal.versions, seal.columns)


def _text(seal: Seal) -> str:
    return "\n".join(seal.columns)


def _sums(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    absent = [pl.lit(None, dtype=pl.Boolean).alias(name) for name in columns if name not in frame.columns]
    hashes = plh.hash_rows(list(columns), version=1).nchash.xxh3_128().alias(_SUM)
    return frame.with_columns(absent).select(_MONTH, hashes).group_by(_MONTH).agg(pl.len().alias(_VERSIONS), pl.col(_SUM).sum())


def _totals(parts: Sequence[pl.DataFrame]) -> list[tuple[date, int, str]]:
    if not parts:
        return []
    whole = pl.concat(parts).group_by(_MONTH).agg(pl.col(_VERSIONS).sum(), pl.col(_SUM).sum())
    return [(month, int(versions), f"{total:032x}") for month, versions, total in whole.iter_rows()]
