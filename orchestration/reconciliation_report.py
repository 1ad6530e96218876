"""What a person reads of a reconciliation: a table of checks, what differs, what a repair would do and what it cannot decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestration.reconciliation_results import CheckStatus, Reconciled
from orchestration.reporting import Output

_ADVICE = 20
_TIMED_ALREADY = "SOURCE_BRONZE"  # with SOURCE_STAGE, in one reading


def show(output: Output, reconciled: Sequence[Reconciled], general: str, batch: int) -> None:
    """Say it all."""
    names = list(dict.fromkeys(check.name for found in reconciled for check in found.checks))
    headers = ("table", "status", "rows", *(name.lower().replace("_", " ") for name in names), "seconds")
    if reconciled:
        output.table(headers, [_row(found, names) for found in reconciled], left=2)
    for found in reconciled:
        for line in _lines(found):
            output.say(line)
    if any(found.different for found in reconciled):
        output.say(
            f"Differing rows: {general}.ops.ReconciliationDifference, the checks: {general}.ops.ReconciliationLog "
            f"(BatchId {batch})."
        )
    elif reconciled:
        output.say("Nothing differs.")


def _row(found: Reconciled, names: Sequence[str]) -> tuple[str, ...]:
    """A table's differences by check."""
    different = {check.name: f"{check.different:,}" for check in found.checks}
    status = CheckStatus.DIFFERENT if found.different else CheckStatus.EQUAL
    seconds = sum({check.name: check.seconds for check in found.checks if check.name != _TIMED_ALREADY}.values())
    cells = (different.get(name, "") for name in names)
    return (f"{found.source}.{found.table}", str(status), f"{found.rows:,}", *cells, f"{seconds:.1f}")


def _lines(found: Reconciled) -> Iterable[str]:
    name = f"{found.source}.{found.table}"
    for check in found.checks:
        if check.said and (check.status is CheckStatus.DIFFERENT or check.name == "SOURCE_STAGE"):
            yield f"{name} {check.name}: {check.said}"
    advice = [line for check in found.checks for line in check.advice]
    if advice:
        yield f"{name}: nobody but a person can decide these; nothing of it was executed:"
        yield from (f"  {line}" for line in advice[:_ADVICE])
        if len(advice) > _ADVICE:
            yield f"  … and {len(advice) - _ADVICE:,} more, in ops.ReconciliationLog"
    if found.plan is None or (found.plan.is_empty and not found.plan.left):
        return
    if found.refused:
        yield f"{name}: not repaired: {found.refused}."
    elif found.repaired:
        yield f"{name}: repaired: {found.plan}."
    else:
        yield f"{name}: repair: {found.plan}."
