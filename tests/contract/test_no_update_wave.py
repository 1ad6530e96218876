"""No change of a table's columns makes a version of a row whose values are the same: counted over 20,000 rows.

DESIGN.md section 11: a new column re-hashing the whole table into updates.
"""

from __future__ import annotations

from tests.contract.pipeline import Pipeline
from tests.contract.rules import exclude

TABLE, ROWS, CHANGED = "ACCT", 20_000, 7
A, B, C = "range % 97 AS A", "'row ' || range AS B", "CAST(range AS DECIMAL(9,2)) AS C"
NEW = f"CASE WHEN range < {CHANGED} THEN 'x' END AS NEW"
WIDER_C = f"CAST(range + CASE WHEN range < {CHANGED} THEN 0.0001 ELSE 0 END AS DECIMAL(18,4)) AS C"
OTHER_B = f"'row ' || CASE WHEN range < {CHANGED} THEN -1 ELSE range END AS B"
OTHER_A = "range % 89 AS A"
# What happens, the source's columns from then on, and the rows whose values differ.
STEPS = [
    ("the first load", ("range AS ID", A, B, C), ROWS),
    ("a column is added", ("range AS ID", NEW, A, B, C), CHANGED),
    ("columns change their order", (C, B, "range AS ID", A, NEW), 0),
    ("a column becomes wider", (WIDER_C, B, "range AS ID", A, NEW), CHANGED),
    ("a column is dropped", ("range AS ID", A, WIDER_C, NEW), 0),
    ("it comes back", ("range AS ID", A, OTHER_B, WIDER_C, NEW), CHANGED),
    ("a column is excluded, and all of its values change", ("range AS ID", OTHER_A, OTHER_B, WIDER_C, NEW), 0),
]


def test_only_rows_that_differ_get_versions_whatever_happens_to_the_columns(pipeline: Pipeline) -> None:
    expected = 0
    for step, columns, differing in STEPS:
        if "excluded" in step:
            exclude(pipeline, TABLE, "A")
        pipeline.source.execute(
            f"CREATE OR REPLACE TABLE {TABLE} AS SELECT {', '.join(columns)} FROM range({ROWS})",
            f"ALTER TABLE {TABLE} ADD PRIMARY KEY (ID)",
        )
        pipeline.load(TABLE, batch_rows=ROWS)
        expected += differing
        assert (step, pipeline.query("SELECT count(*) FROM {bronze}", TABLE)) == (step, [(expected,)])
        assert (step, pipeline.load(TABLE, batch_rows=ROWS).changed) == (step, 0)
    assert pipeline.query('SELECT count(*) FROM {bronze} WHERE "UdmActiveFlag" = {true}', TABLE) == [(ROWS,)]
