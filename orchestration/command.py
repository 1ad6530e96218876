"""One run of a command, from the settings to the exit status."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa

from config import Settings, load_settings
from connections import open_target
from connections.target import Target
from extract.source_connections import SourceConnections
from extract.spool import SpoolFolder
from model.errors import ConfigurationError, PipelineError, TargetHeld
from model.ops import Status
from observability.event_tracker import PipelineEventTracker, describe
from observability.log_handler import configure_logging
from orchestration.arguments import Arguments
from orchestration.batch import begin_batch, command_of, end_batch, logging_to_ops
from orchestration.cancellation import Cancellation
from orchestration.embedded import BANNER, prepare_samples, seed_tables
from orchestration.freshness import read_freshness
from orchestration.process import signals
from orchestration.reporting import Output, looked_at, open_output, summary
from orchestration.results import TableResult, exit_status
from orchestration.retention import purge_ops
from orchestration.retry import Retry
from orchestration.run_context import Options, RunContext
from orchestration.table_config import TableConfig, TableConfigLoader, select_tables, table_named

if TYPE_CHECKING:
    from orchestration.reconciliation_command import ReconciliationCommand

LOG = logging.getLogger("udm.run")
Load = Callable[[RunContext, Sequence[TableConfig]], list[TableResult]]
Summarise = Callable[[Sequence[TableResult], Target, Output, Options], None]


def run_command(arguments: Arguments, *, large: bool, load: Load) -> int:
    """Run the command and return its exit status; every error ends as one clear line."""
    configure_logging("json" if arguments.json else "text", "INFO")
    with signals(_give_up) as received:
        try:
            return _run_explained(arguments, large=large, load=load)
        except (KeyboardInterrupt, RuntimeError):
            # DuckDB makes a RuntimeError of what a signal's handler raises while a statement runs.
            if not received:
                raise
            LOG.error("interrupted while no table was being loaded")
            return 128 + received[0]


def _run_explained(arguments: Arguments, *, large: bool, load: Load) -> int:
    try:
        settings = load_settings(os.environ, Path.cwd())
        configure_logging("json" if arguments.json else "text", "DEBUG" if arguments.verbose else settings.log_level)
        output = open_output(arguments)
        if settings.embedded:
            output.say(BANNER.format(folder=settings.data_folder))
            settings = replace(settings, sources=prepare_samples(settings.data_folder))
        target = open_target(settings, create_databases=arguments.create_databases)
        try:
            for warning in target.start_up_warnings():
                LOG.warning("%s", warning)
            return _run(arguments, settings, target, output, large=large, load=load)
        finally:
            target.close()
    except TargetHeld as error:
        LOG.warning("SKIPPED: %s", describe(error))
        return 3
    except ConfigurationError as error:
        LOG.error("%s", describe(error))
        return 2
    except (PipelineError, OSError, sa.exc.SQLAlchemyError) as error:
        LOG.error("%s", describe(error))
        return 1


def _run(
    arguments: Arguments, settings: Settings, target: Target, output: Output, *, large: bool, load: Load
) -> int:
    if settings.embedded:
        seed_tables(target, settings.data_folder)
    if arguments.onboard:
        from orchestration.onboarding import onboard  # noqa: PLC0415 - a load takes no time for what it does not use

        return onboard(target, settings, arguments.onboard, output.say, yes=arguments.yes)
    configs = TableConfigLoader(target).load()
    if name := arguments.adopt or arguments.rekey:
        named = [table_named(configs, name)]
        shown = replace(arguments, dry_run=not arguments.yes)
        maintain = partial(_maintenance(arguments), say=output.say)
        return _load_tables(shown, settings, target, output, named, maintain, summarise=_only_failures)
    chosen = select_tables(configs, large=large, table=arguments.table, source=arguments.source)
    if arguments.list_tables:
        _list_tables(chosen, settings, target, output, arguments, large=large)
        return 0
    if not chosen:
        output.say(f"No {'large' if large else 'small'} table is listed with StageLoadTool = 'Python'; nothing to do.")
        return 0
    reconciliation = None
    if arguments.report is not None:
        from orchestration.report import check_writable  # noqa: PLC0415 - only where there is to be one

        check_writable(arguments.report)
    if arguments.reconcile:
        from orchestration.reconciliation_command import ReconciliationCommand  # noqa: PLC0415 - loads do without it

        reconciliation = ReconciliationCommand(arguments, settings)
        load = reconciliation.run
    return _load_tables(arguments, settings, target, output, chosen, load, reconciliation=reconciliation)


def _maintenance(arguments: Arguments) -> Callable[..., list[TableResult]]:
    if arguments.adopt:
        from orchestration.adopting import run_adoption  # noqa: PLC0415 - see above

        return run_adoption
    from orchestration.rekeying import run_rekey  # noqa: PLC0415 - see above

    return run_rekey


def _load_tables(
    arguments: Arguments,
    settings: Settings,
    target: Target,
    output: Output,
    configs: Sequence[TableConfig],
    load: Load,
    *,
    summarise: Summarise | None = None,
    reconciliation: ReconciliationCommand | None = None,
) -> int:
    options = Options(
        force=arguments.force,
        dry_run=arguments.dry_run,
        workers=min(arguments.workers or settings.workers, len(configs)),
        asked=arguments.asked,
    )
    cancellation = Cancellation(target)
    retry = Retry.of(settings, target, cancellation)
    with signals(cancellation.request) as received:
        batch = 0 if options.dry_run else begin_batch(retry, target, command_of(arguments))
        tracker = PipelineEventTracker(None if options.dry_run else target, batch)
        with logging_to_ops(retry, target, batch), SpoolFolder(settings.spool_folder) as spool_folder:
            with output.progress(len(configs)) as reporter:
                run = RunContext(
                    settings=settings,
                    options=options,
                    target=target,
                    tracker=tracker,
                    reporter=reporter,
                    cancellation=cancellation,
                    connections=SourceConnections(),
                    spool_folder=spool_folder,
                    batch=batch,
                    command=command_of(arguments),
                )
                results = load(run, configs)
                purge_ops(run)
            if reconciliation is not None:
                results = reconciliation.finish(run, configs, results, output)
            retry.ops("writing events to ops", tracker.flush)
        if summarise is None:
            _summarise(results, target, output, options, reconciliation)
        else:
            summarise(results, target, output, options)
        status = 128 + received[0] if received else exit_status(results)
        if reconciliation is not None and reconciliation.differs and not received:
            status = 1
        if arguments.report is not None:
            from orchestration.report import write_report  # noqa: PLC0415 - see above

            reconciled = None if reconciliation is None else reconciliation.reconciled
            write_report(arguments.report, target, batch, command_of(arguments), results, reconciled)
            output.say(f"The report is in {arguments.report}.")
        if batch:
            retry.ops("ending the batch", partial(end_batch, target, batch, status))
    return status


def _give_up() -> NoReturn:
    raise KeyboardInterrupt


def _list_tables(
    configs: Sequence[TableConfig], settings: Settings, target: Target, output: Output, arguments: Arguments, *, large: bool
) -> None:
    kind = "large" if large else "small"
    if not configs:
        output.say(f"{settings.general_db}.dbo.UdmTablesList lists no {kind} table with StageLoadTool = 'Python'.")
        return
    from orchestration.large_plan import plan_in_words  # noqa: PLC0415 - see above

    freshness = read_freshness(target, configs)
    rows = [
        (
            config.source,
            config.table,
            config.source_schema or "",
            config.aggregate_column or "",
            str(freshness[config]),
            "yes" if config.source in settings.sources else f"no: set UDM_SOURCE_{config.source.upper()}",
            *([plan_in_words(target, settings, config, arguments.asked)] if large else []),
        )
        for config in configs
    ]
    headers = ["source", "table", "schema", "date column", "as of (UTC)", "source configured"]
    headers += ["next run reads"] if large else []
    output.table(headers, rows, left=len(headers))


def _only_failures(results: Sequence[TableResult], target: Target, output: Output, options: Options) -> None:
    del target, options
    for result in results:
        if result.status is not Status.SUCCESS:
            output.say(f"{result.source}.{result.table}: {result.message}")


def _summarise(
    results: Sequence[TableResult],
    target: Target,
    output: Output,
    options: Options,
    reconciliation: ReconciliationCommand | None,
) -> None:
    if reconciliation is None:
        headers, rows = summary(results)
        output.table(headers, rows, left=2)
    for result in results:
        if result.status is not Status.SUCCESS:
            output.say(f"{result.source}.{result.table}: {result.message}")
    if reconciliation is not None:
        return
    if options.dry_run:
        output.say("Dry run: nothing was written.")
    elif all(result.status is Status.SUCCESS and not result.changed for result in results):
        output.say("Nothing changed since the last run.")
    shown = looked_at(results)
    if shown and not options.dry_run:
        output.say(f"The history is in {shown}; look at it with\n  {target.query_hint(shown)}")
