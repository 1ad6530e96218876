"""The plan of a takeover as it is shown, with the SQL that would mend what the tables disagree about."""

from __future__ import annotations

from collections.abc import Iterator

from connections.target import Target
from orchestration.adoption_findings import disagreeing, orphans
from orchestration.adoption_plan import Adoption
from schema.adoption_mending import close_orphans, keep_newest


def lines_of(target: Target, plan: Adoption) -> Iterator[str]:
    """The plan, as it is shown."""
    tables = plan.tables
    yield f"{tables}: its tables are a predecessor's. To take them over:"
    for takeover, found in zip(plan.takeovers, plan.found, strict=True):
        for step in takeover.steps(target):
            yield f"  {step}"
        key = ", ".join(tables.keys)
        yield (
            f"  hash {found.unhashed:,} of the {found.rows:,} rows of {takeover.layer.name} by their key ({key}), of which "
            f"{found.current.height:,} are current also by their values"
        )
    yield "  create the indexes that the pipeline reads by; closed versions keep their values, dates and flags"
    yield from _first_run_lines(plan)
    yield from _mending_lines(target, plan)
    yield "  Until this is done no run loads the table."


def _first_run_lines(plan: Adoption) -> Iterator[str]:
    if plan.first is None:
        yield "  What the first run would change is not known while current rows share their key."
        return
    changes, since = plan.first.changes, plan.first.since
    what = f"{changes.updated:,} updates and {changes.inserted:,} inserts"
    read = f"the {changes.extracted:,} rows that the source has now"
    if since is None:
        what = f"{changes.updated:,} updates, {changes.inserted:,} inserts and {changes.deleted:,} deletes"
    else:
        read = f"the {changes.extracted:,} rows that the source has from {since:%Y-%m-%d} on, and no others,"
    yield (
        f"  The first run would make {what}, and leave {changes.unchanged:,} rows as they are: counted by hashing {read} and "
        "comparing them with the hashes of the values stored."
    )


def _mending_lines(target: Target, plan: Adoption) -> Iterator[str]:
    (stage, bronze), (one, other) = ((takeover.layer for takeover in plan.takeovers), plan.found)
    with target.engine.connect() as connection:
        now = target.now(connection)
    for layer, found in ((stage, one), (bronze, other)):
        if found.doubled:
            yield f"  {found.doubled:,} current rows of {layer.name} share a key with another. This would keep the newest:"
            yield f"    {keep_newest(target, plan.tables, layer)};"
        if found.nulls:
            yield f"  {found.nulls:,} current rows of {layer.name} have a NULL in the key: the first run takes them for deleted."
    for layer, beside, count in ((stage, bronze, orphans(one, other)), (bronze, stage, orphans(other, one))):
        if count:
            yield f"  {count:,} keys are current in {layer.name} and not in {beside.name}. This would close them there:"
            yield f"    {close_orphans(target, plan.tables, layer, beside, now)};"
    if count := disagreeing(one, other):
        yield f"  {count:,} keys are current in both with different values: --reconcile --repair settles them once this is done."
