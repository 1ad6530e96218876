"""`--reconcile` as a command: reconcile, show, ask, repair, and what the exit status says of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from config import Settings
from extract.spool import Spool
from orchestration.arguments import COUNTS, Arguments
from orchestration.reconciliation import Reconciliation, Reconciling
from orchestration.reconciliation_log import DifferenceLog
from orchestration.reconciliation_report import show
from orchestration.reconciliation_results import Reconciled
from orchestration.reporting import Output
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig


class ReconciliationCommand:
    """Stands in the place of a load: `run` the tables, then `finish` with the summary."""

    def __init__(self, arguments: Arguments, settings: Settings) -> None:
        self._arguments = arguments
        self._differences = DifferenceLog(settings, arguments.differences, show_keys=arguments.show_keys)
        self.reconciled: list[Reconciled] = []

    def run(self, run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
        """Reconcile the tables; with `--repair --yes` repair them under the same lock."""
        asked = self._arguments
        with self._differences as differences:
            differences.start(run.target, run.batch, partial(Spool, run.spool_folder, run.settings.spool_bytes // 4))
            results = self._pass(run, configs, repair=asked.repair and asked.yes)
            differences.write_file()
        return results

    def repair(self, run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
        """Reconcile again, and repair, the tables for which a plan was shown."""
        wanted = {(found.source, found.table) for found in self.reconciled if self._open(found)}
        return self._pass(run, [config for config in configs if (config.source, config.table) in wanted], repair=True)

    def _pass(self, run: RunContext, configs: Sequence[TableConfig], *, repair: bool) -> list[TableResult]:
        asked = self._arguments
        reconciling = Reconciling(
            counts_only=asked.reconcile == COUNTS, full=asked.full, plan=asked.repair, repair=repair
        )
        reconciliation = Reconciliation(asked=reconciling, differences=self._differences)
        results = reconciliation.run(run, configs)
        found = {(one.source, one.table): one for one in self.reconciled}
        found |= {(one.source, one.table): one for one in reconciliation.reconciled.values()}
        self.reconciled = list(found.values())
        return results

    def finish(
        self, run: RunContext, configs: Sequence[TableConfig], results: list[TableResult], output: Output
    ) -> list[TableResult]:
        """Show what was found, and carry a plan out that somebody at the terminal says yes to."""
        show(output, self.reconciled, run.settings.general_db, run.batch)
        if run.cancellation.requested or not self._wants_answer:
            return results
        if not is_confirmed():
            output.say("Nothing was repaired.")
            return results
        with output.progress(len(configs)) as reporter:
            repaired = self.repair(replace(run, reporter=reporter), configs)
        show(output, self.reconciled, run.settings.general_db, run.batch)
        done = {(result.source, result.table) for result in repaired}
        return [*repaired, *(result for result in results if (result.source, result.table) not in done)]

    @property
    def _wants_answer(self) -> bool:
        """Whether a plan was shown that somebody at the terminal can say yes to."""
        is_asked = self._arguments.repair and not self._arguments.yes and not self._arguments.json
        return is_asked and sys.stdin is not None and sys.stdin.isatty() and any(map(self._open, self.reconciled))

    @property
    def differs(self) -> bool:
        """Whether any check of any table found something."""
        return any(found.different for found in self.reconciled)

    @staticmethod
    def _open(found: Reconciled) -> bool:
        return bool(found.plan and not found.plan.is_empty and not found.refused and not found.repaired)


def is_confirmed() -> bool:
    """Ask at the terminal; an interrupt there is a no."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input("Repair this? [y/N] ").strip().casefold() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False
    finally:
        signal.signal(signal.SIGINT, before)
