"""The BCP utility as a process: how it is given its password, and what counts as loaded. Stand-ins take the utilities' place."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from connections.mssql_login import Login
from data_load.bcp_csv import Terminators
from data_load.bcp_process import Order, Utility, _Drain, arguments, environment, find_utility, run
from model.errors import LoadVerificationError, TerminalError, TransientError
from model.names import TableName

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a terminal of its own is Unix's")
SECRET = "s3cret %s"
LOGIN = Login(host="warehouse", user="udm", password=SECRET, login_timeout=5)
# Microsoft's utility asks on the terminal; what it was told and what others could see of it go to a file.
ASKING = """
import getpass, pathlib, sys
password = getpass.getpass("Password: ")
pathlib.Path(sys.argv[0]).with_suffix(".told").write_text(password + "\\n" + pathlib.Path("/proc/self/cmdline").read_text())
"""
READING = ASKING.replace('getpass.getpass("Password: ")', "sys.stdin.readline().removesuffix(chr(10))")
COPIED = 'print("3 rows copied.")\n'


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Order]:
    def make(script: str, name: str = "bcp", **changes: Any) -> Order:
        utility = tmp_path / name
        utility.write_text(f"#!{sys.executable}\n{script}")
        utility.chmod(0o700)
        file = tmp_path / "000000.bcp"
        file.write_bytes(b"")
        about: dict[str, Any] = {
            "utility": Utility(path=str(utility), freetds=name == "freebcp"),
            "login": LOGIN,
            "name": TableName(database="UDM_Stage", schema="DNA", table="_staging_AC]CT_1"),
            "file": file,
            "terminators": Terminators(field="\x1f\x1f", row="\x1e\x1e"),
            "rows": 3,
            "timeout": 20,
            "diagnose": lambda _: "",
            "watched": lambda _: nullcontext(),
        }
        return Order(**{**about, **changes})

    return make


@pytest.mark.parametrize(("name", "script"), [("bcp", ASKING), ("freebcp", READING)])
def test_the_password_is_told_on_a_terminal_and_stands_in_no_argument(
    order: Callable[..., Order], tmp_path: Path, name: str, script: str
) -> None:
    """Never again: passwords on bcp's command line."""
    load = order(script + COPIED, name)
    run(load)
    told, command_line = (tmp_path / f"{name}.told").read_text().split("\n", 1)
    assert told == SECRET
    assert SECRET not in command_line
    assert not any(SECRET in part for part in (*arguments(load), *environment(load).values()))
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".told")


def test_both_pipes_are_drained_however_much_it_says(order: Callable[..., Order]) -> None:
    """Never again: bcp's stdout pipe filling up and hanging."""
    flood = 'import sys\nfor _ in range(20000):\n    print("1000 rows sent to SQL Server."); print("x" * 50, file=sys.stderr)\n'
    run(order(ASKING + flood + COPIED))


def test_what_it_says_at_its_end_is_read_however_late(order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it has ended before a byte is read; no thread may be left that reads a closed file's number."""
    drain, threads = _Drain.run, threading.active_count()

    def late(self: _Drain) -> None:
        time.sleep(0.5)
        drain(self)

    monkeypatch.setattr(_Drain, "run", late)
    run(order(COPIED, login=Login(host="warehouse")))
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    "says",
    [
        'print("2 rows copied.")',
        "",
        COPIED + "sys.exit(1)",
        'pathlib.Path(sys.argv[sys.argv.index("-e") + 1]).write_text("row")\n' + COPIED,
    ],
    ids=["too few", "nothing", "exit status", "a row in the error file"],
)
def test_a_load_that_is_not_whole_fails(order: Callable[..., Order], says: str) -> None:
    """Never again: bcp's ten tolerated bad rows."""
    with pytest.raises(LoadVerificationError, match=r"of 3 rows"):
        run(order(ASKING + says))


def test_its_error_numbers_are_told_and_its_words_are_not(order: Callable[..., Order]) -> None:
    said = 'print("SQLState = 22001, NativeError = 2628 Truncated value: Jane Doe", file=sys.stderr)\nsys.exit(1)'
    with pytest.raises(LoadVerificationError) as caught:
        run(order(ASKING + said))
    assert "2628" in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_a_load_that_hangs_is_ended_alone_and_its_session_is_asked_why(order: Callable[..., Order]) -> None:
    asked: list[int] = []

    def diagnose(process: int) -> str:
        asked.append(process)
        os.kill(process, 0)  # it still runs, so that its session is still there to be found
        return "; its session 51 waited for LCK_M_X"

    started = time.monotonic()
    with pytest.raises(TransientError, match="session 51"):
        run(order(ASKING + "import time; time.sleep(60)", timeout=1, diagnose=diagnose))
    assert time.monotonic() - started < 20
    [process] = asked
    with pytest.raises(ProcessLookupError):
        os.kill(process, signal.SIG_DFL)


def test_an_interrupt_ends_it(order: Callable[..., Order]) -> None:
    @contextmanager
    def watched(stop: Callable[[], object]) -> Iterator[None]:
        timer = threading.Timer(1, stop)
        timer.start()
        yield
        timer.cancel()

    with pytest.raises(LoadVerificationError):
        run(order(ASKING + "import time; time.sleep(60)", watched=watched))


def test_microsofts_utility_is_told_to_encrypt_and_to_bear_no_error(order: Callable[..., Order]) -> None:
    command = arguments(order(""))
    assert command[1:4] == ["[UDM_Stage].[DNA].[_staging_AC]]CT_1]", "in", str(order("").file)]
    expected = {"-S": "tcp:warehouse,1433", "-U": "udm", "-m": "1", "-b": "3", "-t": "\x1f\x1f", "-r": "\x1e\x1e"}
    for option, value in expected.items():
        assert command[command.index(option) + 1] == value
    assert {"-Ym", "-w", "-k"} <= set(command)
    assert not {"-u", "-T", "-P", "-c"} & set(command)
    trusted = arguments(order("", login=Login(host="h", encrypt="no", trust_server_certificate=True)))
    assert {"-Yo", "-u", "-T"} <= set(trusted)
    assert "-U" not in trusted


@pytest.mark.parametrize(
    ("login", "lines", "without"),
    [
        (LOGIN, ["encryption = require", "ca file = system", "check certificate hostname = yes"], []),
        (Login(host="h", user="u", password="x", trust_server_certificate=True), ["encryption = require"], ["ca file = system"]),
        (Login(host="h", user="u", password="x", encrypt="no"), ["encryption = off"], ["ca file = system"]),
    ],
)
def test_freebcp_checks_the_certificate_unless_told_otherwise(
    order: Callable[..., Order], login: Login, lines: list[str], without: list[str]
) -> None:
    told = environment(order("", "freebcp", login=login))
    conf = Path(told["FREETDSCONF"]).read_text().splitlines()
    assert set(lines) <= set(conf)
    assert not set(without) & set(conf)


def test_a_path_that_names_no_program_is_an_error_and_not_another_utility(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="BCP_PATH"):
        find_utility(str(tmp_path / "nowhere"))
