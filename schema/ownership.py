"""Whether a table that is there in the warehouse is the pipeline's own, a predecessor's or somebody else's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from connections.target import Target
from model import system_columns as sc
from model.errors import SchemaEvolutionError
from model.names import TableName
from model.types import Column

ESSENTIAL_STAGE = (sc.CDC_OPERATION, sc.CDC_VALID_FROM, sc.CDC_VALID_TO, sc.CDC_IS_CURRENT)
ESSENTIAL_BRONZE = (sc.EFFECTIVE, sc.END, sc.ACTIVE, sc.SCD2_OPERATION)


def check_ours(
    target: Target, table: str, name: TableName, source: Sequence[Column], held: Sequence[Column], system: Sequence[str]
) -> None:
    """Refuse a table of the warehouse, with the columns `held`, that lacks some of the pipeline's own, `system`.

    Raises:
        SchemaEvolutionError: a predecessor left it, a takeover of it has not come to its end, or somebody else made it.
    """
    there = {column.name for column in held}
    lacking = [column for column in system if column not in there]
    if sc.ADOPTING in there:
        raise SchemaEvolutionError(
            f"{table}: {name} is being taken over from a predecessor, and that has not come to its end.",
            remedy=f"Finish it: python main_small_tables.py --adopt {table} --yes",
        )
    if lacking and is_predecessors(there, system):
        raise SchemaEvolutionError(
            f"{table}: {name} exists already, as a predecessor of this pipeline left it: it lacks {', '.join(lacking)}.",
            remedy=f"It is not loaded into as it is. python main_small_tables.py --adopt {table} shows what taking it over with "
            "its history would do, and --yes does it. For a history that begins anew set StageTableName and BronzeTableName to "
            "other names.",
        )
    if lacking:
        has = ", ".join(column for column in system if column in there)
        differences = _difference(target, source, [column for column in held if column.name not in system])
        raise SchemaEvolutionError(
            f"{table}: {name} exists, but lacks the pipeline's columns {', '.join(lacking)}. Beside the source's columns "
            f"{'; '.join(differences) or 'it differs in nothing'}.",
            remedy=f"It was made by something else (of ours it has {has or 'none'}) and is never loaded into: rename it, or set "
            "StageTableName or BronzeTableName to another name.",
        )


def _difference(target: Target, source: Sequence[Column], held: Sequence[Column]) -> Iterator[str]:
    """How a table's columns differ from the source's, in words."""
    wanted, there = ({column.name: column for column in columns} for columns in (source, held))
    if lacking := [name for name in wanted if name not in there]:
        yield f"it lacks {', '.join(lacking)}"
    if others := [name for name in there if name not in wanted]:
        yield f"it also has {', '.join(others)}"
    for name in (name for name in wanted if name in there):
        if (type_text := target.type_text(wanted[name].type)) != there[name].source_type:
            yield f"{name} is {there[name].source_type} and not {type_text}"


def is_predecessors(there: Collection[str], system: Sequence[str]) -> bool:
    """Whether a table that is not ours, with the columns `there`, has what tells versions: their dates, flags and kinds."""
    essential = ESSENTIAL_STAGE if sc.CDC_IS_CURRENT in system else ESSENTIAL_BRONZE
    return sc.KEY_HASH not in there and all(column in there for column in essential)


def check_spelling(table: str, name: TableName, source: Sequence[Column], held: Sequence[Column]) -> None:
    """Refuse a source column that the target holds in another spelling of upper and lower case.

    Raises:
        SchemaEvolutionError: naming both.
    """
    spelled = {column.name.casefold(): column.name for column in held}
    for column in source:
        stored = spelled.get(column.name.casefold(), column.name)
        if stored != column.name:
            raise SchemaEvolutionError(
                f"{table}: the source spells column {stored!r} as {column.name!r} now, and {name} takes the two for one.",
                remedy="Load a view that gives the column its old name.",
            )
