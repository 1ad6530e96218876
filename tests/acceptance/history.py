"""What Stage and Bronze of an embedded target hold, in a form that two runs can be compared by, and DESIGN.md's invariants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

Rows = list[tuple[object, ...]]

_BRONZE_SYSTEM = (
    "_scd2_key",
    "_key_hash",
    "UdmHash",
    "_hash_layout",
    "UdmEffectiveDateTime",
    "UdmEndDateTime",
    "UdmActiveFlag",
    "UdmScd2Operation",
    "_batch_id",
    "_end_batch_id",
)

# A table's own columns, and of ours what does not depend on when and in which batch a row was written. An interval is given by
# how it ends: still open, at the instant its successor begins, before that, or with no successor at all.
_BRONZE = """
SELECT COLUMNS(lambda c: NOT list_contains({system}, c)), hex(_key_hash), hex(UdmHash), UdmScd2Operation, UdmActiveFlag,
    row_number() OVER w AS version,
    CASE WHEN UdmEndDateTime IS NULL THEN 'open'
         WHEN lead(UdmEffectiveDateTime) OVER w IS NULL THEN 'closed'
         WHEN UdmEndDateTime = lead(UdmEffectiveDateTime) OVER w THEN 'meets'
         WHEN UdmEndDateTime < lead(UdmEffectiveDateTime) OVER w THEN 'gap' ELSE 'overlap' END AS ending
FROM bronze.{schema}.{table}_scd2_python
WINDOW w AS (PARTITION BY _key_hash ORDER BY UdmEffectiveDateTime) ORDER BY ALL"""

_STAGE = """
SELECT COLUMNS(lambda c: NOT starts_with(c, '_')), hex(_key_hash), hex(_row_hash), _cdc_operation, _cdc_is_current,
    row_number() OVER w AS event,
    CASE WHEN _cdc_valid_to IS NULL THEN 'open' WHEN _cdc_valid_to = _cdc_valid_from THEN 'event'
         WHEN _cdc_valid_to = lead(_cdc_valid_from) OVER w THEN 'meets' ELSE 'wrong' END AS ending
FROM stage.{schema}.{table}_cdc
WINDOW w AS (PARTITION BY _key_hash ORDER BY _cdc_valid_from) ORDER BY ALL"""

# Each selects the rows that break a rule.
_RULES = {
    "a key has more than one active version": """
        SELECT hex(_key_hash) FROM bronze.{schema}.{table}_scd2_python WHERE UdmActiveFlag GROUP BY ALL HAVING count(*) > 1""",
    "a current key has no active version, or the other way round": """
        (SELECT _key_hash FROM stage.{schema}.{table}_cdc WHERE _cdc_is_current) EXCEPT ALL
        (SELECT _key_hash FROM bronze.{schema}.{table}_scd2_python WHERE UdmActiveFlag)
        UNION ALL (SELECT _key_hash FROM bronze.{schema}.{table}_scd2_python WHERE UdmActiveFlag) EXCEPT ALL
        (SELECT _key_hash FROM stage.{schema}.{table}_cdc WHERE _cdc_is_current)""",
    "active and open are not the same": """
        FROM bronze.{schema}.{table}_scd2_python
        WHERE UdmActiveFlag <> (UdmEndDateTime IS NULL) OR (UdmEndDateTime IS NULL) <> (_end_batch_id IS NULL)""",
    "current and open are not the same": """
        FROM stage.{schema}.{table}_cdc WHERE _cdc_is_current <> (_cdc_valid_to IS NULL)""",
    "a version is empty or runs backwards": """
        FROM bronze.{schema}.{table}_scd2_python WHERE UdmEndDateTime <= UdmEffectiveDateTime""",
    "versions overlap, or a gap is not between a D and its R": """
        FROM (SELECT *, lead(UdmEffectiveDateTime) OVER w AS next_begin, lead(UdmScd2Operation) OVER w AS next_operation
              FROM bronze.{schema}.{table}_scd2_python WINDOW w AS (PARTITION BY _key_hash ORDER BY UdmEffectiveDateTime))
        WHERE next_begin IS NOT NULL AND NOT (
            (UdmEndDateTime = next_begin AND UdmScd2Operation <> 'D' AND next_operation IN ('U', 'D'))
            OR (UdmEndDateTime < next_begin AND UdmScd2Operation = 'D' AND next_operation IN ('R', 'D')))""",
    "a first version is no I, or a D stands where nothing was deleted": """
        FROM (SELECT *, lag(_batch_id) OVER w AS earlier, lead(_batch_id) OVER w AS later
              FROM bronze.{schema}.{table}_scd2_python WINDOW w AS (PARTITION BY _key_hash ORDER BY UdmEffectiveDateTime))
        WHERE (earlier IS NULL AND UdmScd2Operation NOT IN ('I', 'D')) OR (UdmActiveFlag AND UdmScd2Operation = 'D')
            OR (later IS NULL AND NOT UdmActiveFlag AND UdmScd2Operation <> 'D')""",
    "a surrogate key occurs twice": """
        SELECT _scd2_key FROM bronze.{schema}.{table}_scd2_python GROUP BY ALL HAVING count(*) > 1""",
    "Stage and Bronze tell another story of when a version began": """
        (SELECT _key_hash, _row_hash, _cdc_valid_from, _cdc_batch_id FROM stage.{schema}.{table}_cdc WHERE _cdc_operation <> 'D')
        EXCEPT ALL
        (SELECT _key_hash, UdmHash, UdmEffectiveDateTime, _batch_id FROM bronze.{schema}.{table}_scd2_python)
        UNION ALL (SELECT _key_hash, UdmHash, UdmEffectiveDateTime, _batch_id FROM bronze.{schema}.{table}_scd2_python)
        EXCEPT ALL
        (SELECT _key_hash, _row_hash, _cdc_valid_from, _cdc_batch_id FROM stage.{schema}.{table}_cdc
         WHERE _cdc_operation <> 'D')""",
    "Stage and Bronze tell another story of what was deleted": """
        (SELECT _key_hash, _cdc_valid_from, _cdc_batch_id FROM stage.{schema}.{table}_cdc WHERE _cdc_operation = 'D') EXCEPT ALL
        (SELECT _key_hash, UdmEndDateTime, _end_batch_id FROM bronze.{schema}.{table}_scd2_python WHERE UdmScd2Operation = 'D')
        UNION ALL
        (SELECT _key_hash, UdmEndDateTime, _end_batch_id FROM bronze.{schema}.{table}_scd2_python WHERE UdmScd2Operation = 'D')
        EXCEPT ALL
        (SELECT _key_hash, _cdc_valid_from, _cdc_batch_id FROM stage.{schema}.{table}_cdc WHERE _cdc_operation = 'D')""",
    "a batch is in Stage, and is not in Bronze or not published": """
        SELECT BatchId, Instant FROM stage.ops.PromotionMarker WHERE SourceName = '{schema}' AND TableName = '{table}'
            AND (BatchId NOT IN (SELECT BatchId FROM bronze.ops.PromotionMarker
                                 WHERE SourceName = '{schema}' AND TableName = '{table}')
                 OR BatchId NOT IN (SELECT BatchId FROM general.ops.TablePublished
                                    WHERE SourceName = '{schema}' AND TableName = '{table}'))""",
    "a batch is published twice": """
        SELECT BatchId FROM general.ops.TablePublished WHERE SourceName = '{schema}' AND TableName = '{table}'
        GROUP BY ALL HAVING count(*) > 1""",
    "a staging table was left": """
        SELECT database_name, table_name FROM duckdb_tables() WHERE table_name LIKE '\\_staging%' ESCAPE '\\'""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Stage and Bronze of one table, comparable between runs."""

    stage: Rows
    bronze: Rows


@contextmanager
def opened(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The target's three files, read-only, as `stage`, `bronze` and `general`."""
    with duckdb.connect(config={"threads": 1}) as connection:  # the tables are small, the connections many
        for name, file in (("stage", "UDM_Stage"), ("bronze", "UDM_Bronze"), ("general", "General")):
            connection.execute(f"ATTACH '{warehouse / file}.duckdb' AS {name} (READ_ONLY)")
        yield connection


def read_history(warehouse: Path, schema: str, table: str) -> History:
    """What the table holds now."""
    names = {"schema": schema, "table": table, "system": list(_BRONZE_SYSTEM)}
    with opened(warehouse) as connection:
        stage, bronze = (connection.execute(text.format(**names)).fetchall() for text in (_STAGE, _BRONZE))
    return History(stage=stage, bronze=bronze)


def check_invariants(warehouse: Path, schema: str, table: str, source: Path | None = None, source_schema: str = "main") -> None:
    """Fail where Stage and Bronze break a rule; with `source` also where the active versions are not the source's rows."""
    with opened(warehouse) as connection:
        for rule, text in _RULES.items():
            broken = connection.execute(text.format(schema=schema, table=table)).fetchall()
            assert not broken, f"{schema}.{table}: {rule}: {broken[:5]}"
        if source is not None:
            connection.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
            rows = f"FROM source.{source_schema}.{table}"
            names = [name for (name, *_) in connection.execute(f"DESCRIBE {rows}").fetchall()]
            columns = ", ".join(f'"{name}"' for name in names)
            active = f"SELECT {columns} FROM bronze.{schema}.{table}_scd2_python WHERE UdmActiveFlag"
            wanted = f"SELECT {columns} {rows}"
            different = f"(({wanted}) EXCEPT ALL ({active})) UNION ALL (({active}) EXCEPT ALL ({wanted}))"
            assert connection.execute(different).fetchall() == [], f"{schema}.{table}: Bronze is not what the source holds"


def contents(warehouse: Path) -> dict[str, Rows]:
    """Every row of every table of the target."""
    with opened(warehouse) as connection:
        ours = "database_name IN ('stage', 'bronze', 'general')"
        tables = connection.execute(f"SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE {ours}").fetchall()
        return {
            ".".join(name): connection.execute('FROM "{}"."{}"."{}" ORDER BY ALL'.format(*name)).fetchall() for name in tables
        }


def ops(warehouse: Path, statement: str) -> Rows:
    """Rows of `general`'s ops tables."""
    with opened(warehouse) as connection:
        return connection.execute(statement).fetchall()
