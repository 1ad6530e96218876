"""Runs a BCP utility: Microsoft's `bcp` (mssql-tools18) or FreeTDS's `freebcp`.

The password never stands in the argument list, where every user of the machine can read it, nor in a file. Neither utility
takes it from a variable. `bcp -U` without `-P` asks for it on its terminal, `freebcp -P -` reads it from standard input: so the
utility is given a terminal of its own, on which it is answered. https://learn.microsoft.com/sql/tools/bcp-utility
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from connections.mssql_catalogue import in_full
from connections.mssql_login import Login
from data_load.bcp_csv import Terminators
from model.errors import LoadVerificationError, TerminalError, TransientError
from model.names import TableName

_KEPT = 64 * 1024  # bytes of a utility's output: it prints a line for each thousand rows
_COPIED = re.compile(rb"(\d+) rows copied")
# Numbers only: a message may quote the value that was refused.
_NUMBERS = re.compile(rb"(?:NativeError = |Msg )(\d+)")
# Makes standard input the controlling terminal, then becomes the utility; Popen's preexec_fn would fork threads and all.
_ON_TERMINAL = "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """Where the utility is, and whose it is."""

    path: str
    freetds: bool


def find_utility(path: str) -> Utility | None:
    """The utility that BCP_PATH names, else `bcp` where it is found.

    Raises:
        TerminalError: BCP_PATH names nothing that can be run.
    """
    found = shutil.which(path or "bcp")
    if found is None and path:
        raise TerminalError("BCP_PATH names no program that can be run.", remedy="Correct it, or set BCP_ENGINE=arrow.")
    return Utility(path=found, freetds="freebcp" in Path(found).name) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One file to load: `rows` rows, within `timeout` seconds. `diagnose` says what the session of a process waits for."""

    utility: Utility
    login: Login
    name: TableName
    file: Path
    terminators: Terminators
    rows: int
    timeout: int
    diagnose: Callable[[int], str]
    watched: Callable[[Callable[[], object]], AbstractContextManager[None]]

    @property
    def error_file(self) -> Path:
        """Where the utility writes the rows it could not load; private, and removed with its folder."""
        return self.file.with_suffix(".errors")


def arguments(order: Order) -> list[str]:
    """The command line: everything but the password."""
    terminators = ["-t", order.terminators.field, "-r", order.terminators.row]
    # One error ends the load: the default is to pass over ten rows in silence. One batch, so that a failure leaves nothing.
    strict = ["-m", "1", "-b", str(order.rows), "-e", str(order.error_file)]
    start = [order.utility.path]
    if order.utility.freetds:
        name = f"{order.name.database}.{order.name.schema}.{order.name.table}"
        who = ["-U", order.login.user, "-P", "-"] if order.login.user else []
        return [*start, name, "in", str(order.file), "-S", "udm", *who, "-c", *terminators, *strict]
    encrypt = {"yes": "-Ym", "no": "-Yo", "strict": "-Ys"}[order.login.encrypt]
    trust = ["-u"] if order.login.trust_server_certificate else []
    who = ["-U", order.login.user] if order.login.user else ["-T"]
    timeout = ["-l", str(order.login.login_timeout)]
    server = ["-S", f"tcp:{order.login.server}", *who, encrypt, *trust, *timeout]
    return [*start, in_full(order.name), "in", str(order.file), *server, "-w", "-k", "-q", *terminators, *strict]


def environment(order: Order) -> dict[str, str]:
    """The utility's environment: freebcp learns host, encryption and charset from a file of its own, without a password."""
    if not order.utility.freetds:
        return dict(os.environ)
    login, conf = order.login, order.file.with_name("freetds.conf")
    lines = [
        "[udm]", f"host = {login.host}", f"port = {login.port}", "tds version = 7.4", "client charset = UTF-8",
        f"encryption = {'off' if login.encrypt == 'no' else 'require'}",
    ]  # fmt: skip
    if not login.trust_server_certificate and login.encrypt != "no":
        lines += ["ca file = system", "check certificate hostname = yes"]
    conf.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {**os.environ, "FREETDSCONF": str(conf)}


@dataclass(slots=True)
class _Drain:
    """Reads a pipe to its end, so that the utility never waits for us; keeps the last of it."""

    stream: IO[bytes]
    kept: bytes = b""
    asked: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with suppress(OSError):  # a terminal whose other side is closed
            while block := os.read(self.stream.fileno(), 4096):
                self.kept = (self.kept + block)[-_KEPT:]
                if b"assword" in self.kept:
                    self.asked.set()


def run(order: Order) -> None:
    """Load the file.

    Raises:
        LoadVerificationError: not every row was loaded.
        TransientError: it took longer than the time-out; says what its own session waited for.
    """
    import pty  # noqa: PLC0415 - Windows has none, and loads by BCP_ENGINE=arrow

    master, slave = pty.openpty()
    command = [sys.executable, "-ISc", _ON_TERMINAL, *arguments(order)]
    with os.fdopen(master, "r+b", buffering=0) as terminal:
        with os.fdopen(slave, "r+b", buffering=0) as theirs:
            process = subprocess.Popen(  # noqa: S603 - the utility that the settings name
                command,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(order),
                start_new_session=True,
            )
        streams = [stream for stream in (process.stdout, process.stderr, terminal) if stream is not None]
        drains = [_Drain(stream) for stream in streams]
        threads = [threading.Thread(target=drain.run, daemon=True) for drain in drains]
        for thread in threads:
            thread.start()
        with order.watched(process.kill), process:
            try:
                _answer(order, process, drains, terminal)
                _wait(order, process)
            finally:
                # Before their files are closed: what is not read yet would be lost, and a closed file's number is soon another's.
                for thread in threads:
                    thread.join()
    _check(order, process.returncode, b"".join(drain.kept for drain in drains[:2]))


def _answer(order: Order, process: subprocess.Popen[bytes], drains: Sequence[_Drain], terminal: IO[bytes]) -> None:
    if not order.login.user:
        return
    waited = 0.0
    while not order.utility.freetds and not any(drain.asked.is_set() for drain in drains):
        if process.poll() is not None or waited > order.login.login_timeout:
            return
        waited += 0.01
        drains[0].asked.wait(0.01)
    with suppress(OSError):  # it has ended
        terminal.write(order.login.password.encode() + b"\n")


def _wait(order: Order, process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(order.timeout)
    except subprocess.TimeoutExpired:
        found = order.diagnose(process.pid)
        process.kill()  # ours; the server ends its session and rolls the batch back
        raise TransientError(
            f"{order.name}: the bulk load took longer than {order.timeout} seconds{found}.",
            remedy="Look at what it waited for, or raise BCP_TIMEOUT.",
        ) from None


def _check(order: Order, status: int, output: bytes) -> None:
    copied = sum(int(number) for number in _COPIED.findall(output)[-1:])
    refused = order.error_file.exists() and order.error_file.stat().st_size > 0
    if status or refused or copied != order.rows:
        numbers = ", ".join(sorted({number.decode() for number in _NUMBERS.findall(output)}))
        raise LoadVerificationError(
            f"{order.name}: {Path(order.utility.path).name} loaded {copied} of {order.rows} rows (exit status {status}"
            f"{f'; errors {numbers}' if numbers else ''}).",
            remedy="Nothing was promoted. Run the table again; BCP_ENGINE=arrow loads without the utility.",
        )
