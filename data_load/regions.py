"""A region as SQL, for targets that read less by it."""

from __future__ import annotations

import sqlalchemy as sa

from connections.literals import typed
from connections.target import Target
from model.region import Region


def enclosed(target: Target, table: sa.TableClause, region: Region | None) -> list[sa.ColumnElement[bool]]:
    """The conditions that a table's rows lie in a region; none where it is not known, or the target finds rows by index."""
    if region is None or not target.reads_by_region:
        return []
    column = table.c[region.column]
    ends = [column >= typed(region.start)] if region.start is not None else []
    return [*ends, *([column < typed(region.end)] if region.end is not None else [])]
