"""The command line: what each flag means, and what is refused with exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestration.arguments import Arguments, parse_arguments

NOTHING = Arguments(
    table=None,
    source=None,
    workers=None,
    list_tables=False,
    create_databases=False,
    force=False,
    dry_run=False,
    json=False,
    progress=True,
    verbose=False,
)


def parse(*arguments: str) -> Arguments:
    return parse_arguments("main_small_tables.py", "Load.", arguments)


def changed(arguments: Arguments) -> dict[str, object]:
    names = Arguments.__dataclass_fields__
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) != getattr(NOTHING, name)}


def test_without_flags_everything_is_at_its_default() -> None:
    assert parse() == NOTHING


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--table", "ACCT"], {"table": "ACCT"}),
        (["--create-databases"], {"create_databases": True}),
        (["--source", "DNA"], {"source": "DNA"}),
        (["--table", ""], {"table": ""}),
        (["--workers", "8"], {"workers": 8}),
        (["--list-tables"], {"list_tables": True}),
        (["--force"], {"force": True}),
        (["--dry-run"], {"dry_run": True}),
        (["--log-format", "json"], {"json": True}),
        (["--log-format", "text"], {}),
        (["--no-progress"], {"progress": False}),
        (["-v"], {"verbose": True}),
        (["--verbose"], {"verbose": True}),
        (
            ["--table", "ACCT", "--source", "DNA", "--force", "-v"],
            {"table": "ACCT", "source": "DNA", "force": True, "verbose": True},
        ),
    ],
)
def test_each_flag_sets_its_own_value_and_no_other(arguments: Sequence[str], expected: dict[str, object]) -> None:
    assert changed(parse(*arguments)) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--unknown"],
        ["ACCT"],
        ["--table"],
        ["--log-format", "xml"],
        ["--workers", "0"],
        ["--workers", "-1"],
        ["--workers", "two"],
        ["--workers", "1.5"],
        ["--workers", "²"],
        ["--workers", ""],
    ],
)
def test_a_wrong_command_ends_with_status_2_and_says_what_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "usage: main_small_tables.py" in said
    assert arguments[0] in said


def test_help_names_every_flag_and_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    flags = ("table", "source", "workers", "list-tables", "force", "dry-run", "log-format", "no-progress")
    assert [flag for flag in flags if f"--{flag}" not in said] == []
    for status in ("0 all succeeded", "1 a table failed", "2 the command", "3 nothing failed", "130 and 143"):
        assert status in said


def test_no_flag_takes_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    assert "password" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--repair",),
        ("--full",),
        ("--reconcile", "counts", "--repair"),
        ("--reconcile", "counts", "--differences", "f.csv"),
        ("--reconcile", "sums"),
        ("--reconcile", "--dry-run"),
        ("--reconcile", "--yes"),
        ("--reconcile", "--force"),
        ("--report", "f.html", "--dry-run"),
    ],
    ids=" ".join,
)
def test_what_a_reconciliation_would_pass_over_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments("main", "", arguments)
    assert ended.value.code == 2


def test_a_reconciliation_is_of_values_unless_counts_are_asked_for() -> None:
    assert parse_arguments("main", "", ["--reconcile"]).reconcile == "values"
    assert parse_arguments("main", "", ["--reconcile", "counts", "--table", "T"]).reconcile == "counts"
    assert parse_arguments("main", "", []).reconcile == ""


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_predecessors_tables_are_adopted_by_either_command_and_yes_answers_it(*, large: bool) -> None:
    parsed = parse_arguments("main", "", ["--adopt", "DNA.ACCT", "--yes"], large=large)
    assert (parsed.adopt, parsed.yes) == ("DNA.ACCT", True)
