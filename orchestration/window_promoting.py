"""Windows that have been read are promoted, several at once, or one by one where that fails; with the last what was missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from connections.target import Session
from extract.spool import Spool
from model.windows import Window
from observability.event_tracker import describe
from orchestration.confirmation import Confirmation, ask_missing
from orchestration.healing import heal, is_published
from orchestration.large_table import LargeTable
from orchestration.run_context import RunContext
from orchestration.so_far import SoFar
from orchestration.source_reading import SourceReading
from orchestration.window_attempts import Attempts, Begun
from orchestration.window_loading import promote_windows
from orchestration.window_reading import WindowRead
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Windows that have been read."""

    begun: Begun
    read: WindowRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoting:
    """One table's promotions of one run, under the table's lock."""

    run: RunContext
    session: Session
    table: LargeTable
    source: SourceReading
    so_far: SoFar
    attempts: Attempts

    def finish(
        self, group: Sequence[Read], run: RunContext, confirmation: Confirmation | None = None, *, last: bool = False
    ) -> Sequence[Window]:
        """Promote what was read, under the run's batch, and record how the attempts ended; returns windows to be read again.

        Where several fail together they are promoted, or where they were read together read, one by one: one of them alone may be
        the reason.
        """
        reads = [one.read for one in group]
        promoted = {window for read in reads for window in read.windows.windows}
        to_come = [] if last else [window for window in self.so_far.left if window not in promoted]
        try:
            loads = promote_windows(run, self.session, self.table, reads, to_come, confirmation)
        except BaseException as error:
            if self.attempts.is_of_the_run(error) or not group:
                raise
            return self._one_by_one(group, error, again=len(group) > 1 or confirmation is not None)
        if confirmation is not None:
            self.so_far.settled, self.so_far.withheld = confirmation.changes, confirmation.withheld
        read_and_loaded = [(one.begun, one.read, load) for one, load in zip(group, loads, strict=True)]
        self.attempts.loaded(read_and_loaded, run.batch, settled=confirmation is not None and not confirmation.withheld)
        return ()

    def finish_last(self, group: Sequence[Read]) -> Sequence[Window]:
        """The same with the windows that are read last, if there are any, and with what has become of the missing keys.

        If the source cannot be asked for them the windows are promoted all the same, and then its error is raised.
        """
        if self.run.options.dry_run:
            return self.finish(group, self.run, last=True)
        run = group[0].begun.run if group else self.attempts.of_new_batch()
        confirmation, failed = None, None
        with Spool(self.run.spool_folder, self.run.settings.spool_bytes) as spool:
            try:
                missing = self.so_far.missing(self.table, [one.read for one in group])
                confirmation = ask_missing(run, self.table, self.source, missing, spool)
            except Exception as error:
                if self.attempts.is_of_the_run(error) or not group:
                    raise
                failed = error
            again = self.finish(group, run, confirmation, last=True)
        if not group:
            self.attempts.end_batch(run, failed=bool(self.so_far.withheld))
        if failed is not None:
            raise failed
        return again

    def _one_by_one(self, group: Sequence[Read], error: BaseException, *, again: bool) -> list[Window]:
        first, tables = group[0].begun.run, self.table.of_batch(group[0].begun.run)
        if again:
            LOG.warning("%s: what was read could not be promoted together, and is promoted one by one (%s)",
                        self.table, describe(error))  # fmt: skip
        if again or len(group[0].read.windows.windows) > 1:
            heal(self.run, self.session, self.table.config)
            drop_staging(self.run.target, tables.staging)
        left: list[Window] = []
        # Where Stage had them all, what was compared with Stage as it was before must not be promoted again.
        is_in = again and is_published(self.run.target, tables, first.batch)
        for one in group:
            if is_in:
                left += self.attempts.read_again(one.begun, error)
            elif not again:
                left += self.attempts.failed(one.begun, error)
            else:
                begun = self.attempts.under_new_batch(one.begun)
                left += self.finish([Read(begun=begun, read=one.read)], begun.run)
        return left
