"""What came of a table's reconciliation: one check after the other, and the table as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cdc.reconciliation.repair import RepairCounts


class CheckStatus(StrEnum):
    """How a check ended."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of one table. `columns` counts keys by column whose value differs, `details` whatever else was counted.

    `advice` are statements of SQL that would mend what nobody but a person may decide.
    """

    name: str
    compared: int
    different: int
    seconds: float
    columns: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def status(self) -> CheckStatus:
        """Whether anything differs."""
        return CheckStatus.DIFFERENT if self.different else CheckStatus.EQUAL

    @property
    def said(self) -> str:
        """The check's outcome in words."""
        words = [f"{name} {value}" for name, value in self.details.items() if value]
        columns = [f"{name} ({count:,})" for name, count in self.columns.items()]
        return "; ".join([*words, *([f"columns {', '.join(columns)}"] if columns else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """All checks of one table; what a repair would change, and whether it was made."""

    source: str
    table: str
    checks: tuple[Check, ...]
    plan: RepairCounts | None = None
    refused: str = ""
    repaired: bool = False

    @property
    def different(self) -> int:
        """Differences of all checks."""
        return sum(check.different for check in self.checks)

    @property
    def rows(self) -> int:
        """Rows of the longer side: what the first check of all compared."""
        return self.checks[0].compared if self.checks else 0

    @property
    def said(self) -> str:
        """The outcome as a line of the log."""
        failed = [f"{check.name} {check.different:,}" for check in self.checks if check.different]
        outcome = f"differs: {', '.join(failed)}" if failed else f"all of {len(self.checks)} checks are equal"
        return f"{outcome}{'; repaired' if self.repaired else ''}"
