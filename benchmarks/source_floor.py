"""The floor of a server as a source: ``-m benchmarks.source_floor NAME SCHEMA TABLE DATE SINCE BATCH``.

The pipeline's own extractor reads the rows of some days, and they are conformed and hashed while they arrive, as a run does it.
The URL is in UDM_SOURCE_<NAME>.
"""

from __future__ import annotations

import os
import sys
from datetime import date

import polars as pl
from sqlalchemy.engine import make_url

from cdc.hashing import hash_frame
from extract.extractor import SourceTable, open_extractor
from extract.hashing import in_order, prefetched
from extract.selection import Between
from model.conform import conform
from model.row_hash import layout_of
from sources.registry import Source


def main(url: str, place: SourceTable, since: date, batch_rows: int) -> int:
    """Extract and hash the rows from the day ``since`` on; returns their number."""
    with open_extractor(Source(name=place.source, url=make_url(url))) as extractor:
        described = extractor.describe(place)
        layout = layout_of(described.columns, described.key)
        days = [Between(column=column, start=since) for column in described.columns if column.name == place.date_column]

        def hashed(frame: pl.DataFrame) -> int:
            return hash_frame(conform(str(place), frame, described.columns), layout).hashes.height

        with prefetched(extractor.read(place, described.columns, batch_rows, days[0])) as arriving:
            return sum(in_order(arriving, hashed))


if __name__ == "__main__":
    _name, _schema, _table, _date, _since, _batch = sys.argv[1:]
    _place = SourceTable(source=_name, schema=_schema, table=_table, date_column=_date)
    print(main(os.environ[f"UDM_SOURCE_{_name}"], _place, date.fromisoformat(_since), int(_batch)))
