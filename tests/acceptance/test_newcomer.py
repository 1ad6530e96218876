"""A newcomer on a fresh machine, from the first command of the README to the history of the third day, and every option."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.harness import (
    LARGE,
    ROOT,
    Outcome,
    configure,
    execute,
    list_tables,
    next_day,
    query,
    run,
    run_on_terminal,
    shell,
)
from tests.acceptance.history import Rows, check_invariants, contents, ops

ACCT = ("--table", "ACCT", "--source", "DNA")
SMALL_TABLES = {
    *("CCM.Card", "CCM.CardAuthorization", "CCM.Cardholder", "EPICOR.Customer", "EPICOR.OrderDtl", "EPICOR.Part"),
    *(f"DNA.{name}" for name in ("ACCT", "ACCTACCTROLEPERS", "ACCTLOCK", "ACCTTYP", "ACCTUSERFIELD", "EDGEVALUE", "ORG", "PERS")),
}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Story:
    """What happened in one folder, in this order."""

    folder: Path
    first: Outcome
    pasted: Outcome
    second: Outcome
    written_by_second: tuple[bool, bool]
    moved: Outcome
    dry: Outcome
    written_by_dry: bool
    third: Outcome
    moved_again: Outcome
    terminal: Outcome
    after_fourth: dict[str, Rows]
    everything: Outcome
    quiet_terminal: Outcome
    forced: Outcome


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("newcomer")
    warehouse = folder / "udm_data"
    first = run(folder, *ACCT)
    pasted = shell(folder, _query_line(first.out))
    before = contents(warehouse)
    second = run(folder, *ACCT)
    after = contents(warehouse)
    moved = next_day(folder)
    dry = run(folder, "--dry-run")
    written_by_dry = contents(warehouse) != after
    third = run(folder, *ACCT)
    moved_again = next_day(folder)
    terminal = run_on_terminal(folder, *ACCT)
    return Story(
        folder=folder,
        first=first,
        pasted=pasted,
        second=second,
        written_by_second=(_data(before) != _data(after), before != after),
        moved=moved,
        dry=dry,
        written_by_dry=written_by_dry,
        third=third,
        moved_again=moved_again,
        terminal=terminal,
        after_fourth=contents(warehouse),
        everything=run(folder, "--workers", "4", "--log-format", "json"),
        quiet_terminal=run_on_terminal(folder, "--no-progress", "-v", "--table", "ACCT"),
        forced=run(folder, "--force", "--table", "ORG", "--no-progress", "-v"),
    )


def _query_line(text: str) -> str:
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if "look at it with" in line)
    return lines[at + 1]


def _data(held: dict[str, Rows]) -> dict[str, Rows]:
    return {name: rows for name, rows in held.items() if not name.startswith("general.")}


def test_the_first_run_says_what_it_is_and_what_it_did(story: Story) -> None:
    assert story.first.status == 0
    assert story.first.out.startswith("Embedded default")
    for part in (str(story.folder / "udm_data"), "UDM_TARGET", "UDM_SOURCE_<NAME>", ".env", "python -m sources next-day"):
        assert part in story.first.out
    assert story.first.counts("DNA.ACCT") == (60_000, 60_000, 0, 0, 0, 0)
    row = story.first.summary["DNA.ACCT"]
    assert row["status"] == "SUCCESS"
    assert float(row["seconds"]) > 0
    assert int(row["rows/s"].replace(",", "")) > 0
    assert "UDM_Bronze.DNA.ACCT_scd2_python" in story.first.out


def test_the_query_can_be_pasted_into_a_shell(story: Story) -> None:
    assert story.pasted.status == 0
    assert story.pasted.err == ""
    for part in ("ACCTNBR", "UdmActiveFlag", "UdmScd2Operation", "40000"):
        assert part in story.pasted.out
    assert story.pasted.out.count("│ I") >= 5 or story.pasted.out.count(" I ") >= 5


def test_the_second_run_says_that_nothing_changed_and_writes_none_to_stage_and_bronze(story: Story) -> None:
    assert story.second.status == 0
    assert story.second.counts("DNA.ACCT") == (60_000, 0, 0, 0, 60_000, 0)
    story.second.line("Nothing changed")
    data, everything = story.written_by_second
    assert not data
    assert everything, "the run itself is recorded"


def test_the_third_run_shows_what_the_next_day_brought(story: Story) -> None:
    inserted, updated, deleted, returned = _moved(story.moved, "DNA.OSIBANK.ACCT")
    assert min(inserted, updated, deleted) > 0
    assert returned == 0
    rows = 60_000 + inserted - deleted
    assert story.third.counts("DNA.ACCT") == (rows, inserted, updated, deleted, rows - inserted - updated, 0)
    assert "Nothing changed" not in story.third.text


def test_a_key_that_comes_back_is_an_r_in_bronze(story: Story) -> None:
    inserted, updated, deleted, returned = _moved(story.moved_again, "DNA.OSIBANK.ACCT")
    assert returned
    [(last,)] = ops(story.folder / "udm_data", "SELECT max(_batch_id) FROM bronze.DNA.ACCT_scd2_python")
    bronze = "FROM bronze.DNA.ACCT_scd2_python WHERE"
    opened = f"SELECT UdmScd2Operation, count(*) {bronze} _batch_id = {last} GROUP BY ALL ORDER BY ALL"
    closed = f"SELECT count(*) {bronze} _end_batch_id = {last} AND UdmScd2Operation = 'D'"
    assert ops(story.folder / "udm_data", opened) == [("I", inserted), ("R", returned), ("U", updated)]
    assert ops(story.folder / "udm_data", closed) == [(deleted,)]


def _moved(outcome: Outcome, table: str) -> tuple[int, ...]:
    assert outcome.status == 0
    figures = re.findall(r"(\d+) (?:inserted|updated|deleted|came back)", outcome.line(f" {table} "))
    return tuple(map(int, figures))


def test_history_is_sound_and_bronze_is_what_the_source_holds(story: Story) -> None:
    for name in SMALL_TABLES:
        source, table = name.split(".")
        file = story.folder / "udm_data" / "sources" / f"{source}.duckdb"
        schema = {"DNA": "OSIBANK", "CCM": "dbo", "EPICOR": "Erp"}[source]
        check_invariants(story.folder / "udm_data", source, table, file, schema)


def test_the_queries_of_the_readme_show_history(story: Story) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    queries = [block for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) if "ACCT_scd2_python" in block]
    assert len(queries) == 2
    changed, as_of = queries
    bronze = story.folder / "udm_data" / "UDM_Bronze.duckdb"
    operations = {row[-1] for row in query(bronze, changed)}
    assert operations == {"I", "U", "D", "R"}
    today = re.sub(r"TIMESTAMP '[^']*'", "(SELECT min(UdmEffectiveDateTime) FROM DNA.ACCT_scd2_python)", as_of)
    assert len(query(bronze, today)) == 60_000


def test_the_readme_starts_with_the_commands_of_this_test(story: Story) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"python main_small_tables.py {' '.join(ACCT)}\n" in text
    assert "python -m sources next-day" in text


def test_a_dry_run_shows_what_a_run_would_do_and_writes_nothing(story: Story) -> None:
    assert story.dry.status == 0
    assert not story.written_by_dry
    assert story.dry.counts("DNA.ACCT") == story.third.counts("DNA.ACCT")
    assert story.dry.counts("DNA.ORG")[1] > 0
    assert set(story.dry.summary) == SMALL_TABLES
    story.dry.line("Dry run: nothing was written")
    assert "look at it with" not in story.dry.out


def test_json_lines_with_four_workers_over_all_tables(story: Story) -> None:
    outcome = story.everything
    assert outcome.status == 0
    assert outcome.out == ""
    records = [json.loads(line) for line in outcome.err.splitlines()]
    assert all(isinstance(record, dict) and {"time", "level", "message"} <= record.keys() for record in records)
    ended = {f"{r['source']}.{r['table']}": r for r in records if r.get("event") == "table"}
    assert ended.keys() == SMALL_TABLES
    assert all(isinstance(record["extracted"], int) for record in ended.values())


def test_on_a_terminal_bars_move_and_a_summary_is_drawn(story: Story) -> None:
    outcome = story.terminal
    assert outcome.status == 0
    assert "Traceback" not in outcome.out
    assert "\x1b[?25l" in outcome.out, "no live display"
    shown = _ESCAPE.sub("", outcome.out)
    assert re.search(r"DNA\.ACCT ━+ +[\d,]+ rows  EXTRACT", shown)
    after = shown[shown.rindex("━") :]
    # Nothing is cut off on a terminal of 80 columns.
    assert "─────" in after
    assert "…" not in after
    headers, row = (re.split(r"\s{2,}", line.strip()) for line in after.splitlines() if re.search(r"^ (table|DNA\.ACCT) ", line))
    assert headers == list(story.first.summary["DNA.ACCT"])
    inserted, updated, deleted, returned = _moved(story.moved_again, "DNA.OSIBANK.ACCT")
    assert row[:2] == ["DNA.ACCT", "SUCCESS"]
    assert row[3:6] == [str(inserted + returned), str(updated), str(deleted)]
    assert shell(story.folder, _query_line(after)).status == 0


def test_without_progress_a_terminal_shows_lines_and_each_step_when_verbose(story: Story) -> None:
    shown = _ESCAPE.sub("", story.quiet_terminal.out)
    assert story.quiet_terminal.status == 0
    assert "━" not in shown
    assert "DEBUG   DNA.ACCT: EXTRACT" in shown
    assert "─────" in shown


def test_a_run_is_told_in_the_log_table_with_and_without_a_terminal(story: Story) -> None:
    statement = "SELECT BatchId, Message FROM general.ops.PipelineLog WHERE TableName = 'ACCT' AND LogLevel = 'INFO' ORDER BY ALL"
    told = {batch: str(message) for batch, message in ops(story.folder / "udm_data", statement)}
    assert len(told) == len({line[0] for line in story.after_fourth["general.ops.PipelineBatchSequence"]}) + 2
    assert all(message.startswith("DNA.ACCT: ") for message in told.values())


def test_force_is_recorded_and_verbose_shows_the_steps(story: Story) -> None:
    assert story.forced.status == 0
    story.forced.line("DEBUG", "DNA.ORG", "EXTRACT")
    statement = "SELECT DISTINCT IsForced FROM general.ops.PipelineEventLog WHERE EventType = 'EXTRACT' AND BatchId = ({})"
    last = "SELECT max(BatchId) FROM general.ops.PipelineEventLog"
    assert ops(story.folder / "udm_data", statement.format(last)) == [(True,)]
    assert ops(story.folder / "udm_data", statement.format("1")) == [(False,)]


def test_tables_are_listed_for_each_command(story: Story) -> None:
    small = run(story.folder, "--list-tables")
    large = run(story.folder, "--list-tables", program=LARGE)
    assert (small.status, large.status) == (0, 0)
    listed = {".".join(line.split()[:2]) for line in small.out.splitlines() if line.startswith(("DNA ", "CCM ", "EPICOR "))}
    assert listed == SMALL_TABLES
    for part in ("RTXN", "POSTDATE", "yes"):
        assert part in large.line("DNA ")
    assert "ACCT " not in large.line("DNA ")


def test_each_command_takes_its_own_tables(story: Story) -> None:
    wrong = run(story.folder, "--table", "ACCT", program=LARGE)
    as_small = run(story.folder, "--table", "RTXN")
    assert (wrong.status, as_small.status) == (2, 2)
    wrong.line("ERROR", "DNA.ACCT is a small table", "main_small_tables.py")
    as_small.line("ERROR", "DNA.RTXN is a large table", "main_large_tables.py")


def test_an_empty_list_of_a_configured_target(tmp_path: Path) -> None:
    warehouse = configure(tmp_path, {"DNA": tmp_path / "nowhere.duckdb"})
    listed = [run(tmp_path, "--list-tables"), run(tmp_path, "--list-tables", program=LARGE)]
    assert [outcome.status for outcome in listed] == [0, 0]
    for outcome, kind in zip(listed, ("small", "large"), strict=True):
        outcome.line("UdmTablesList", f"no {kind} table", "StageLoadTool = 'Python'")
        assert "Embedded default" not in outcome.text
    loaded = run(tmp_path)
    assert loaded.status == 0
    loaded.line("nothing to do")
    # Both control tables are there to be filled, and only what is to be loaded by this tool is listed.
    list_tables(warehouse, "DNA.OTHER", tool="Informatica")
    list_tables(warehouse, "DNA.OURS", "ELSEWHERE.OURS")
    execute(warehouse / "General.duckdb", "FROM dbo.UdmTablesColumnsList")
    shown = run(tmp_path, "--list-tables")
    assert "OTHER" not in shown.out
    shown.line("DNA", "OURS", "yes")
    shown.line("ELSEWHERE", "OURS", "UDM_SOURCE_ELSEWHERE")
