"""Starts the commands as their users do: as processes, in a folder of their own, with a clean environment."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "main_small_tables.py"
LARGE = ROOT / "main_large_tables.py"
PATIENCE = 180
"""Seconds after which a command hangs; a run here takes a few."""
# Becomes the command: Popen's preexec_fn would fork this process, and might wait for ever for a lock that another thread held.
_LIMITED = (
    "import os, resource, sys; limit = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything a person would see."""
        return self.out + self.err

    @property
    def summary(self) -> dict[str, dict[str, str]]:
        """The summary table by table name; counts as they are printed."""
        found: dict[str, dict[str, str]] = {}
        headers: list[str] = []
        for line in self.out.splitlines():
            cells = re.split(r"\s{2,}", line.strip())
            if cells[:2] == ["table", "status"]:
                headers = cells
            elif headers and len(cells) == len(headers):
                found[cells[0]] = dict(zip(headers, cells, strict=True))
        return found

    def counts(self, table: str) -> tuple[int, ...]:
        """A table's extracted, inserted, updated, deleted, unchanged and quarantined rows."""
        row = self.summary[table]
        names = ("extracted", "inserted", "updated", "deleted", "unchanged", "quarantined")
        return tuple(int(row[name].replace(",", "")) for name in names)

    def line(self, *parts: str) -> str:
        """The one line that holds every part; fails with everything written where there is none."""
        for line in self.text.splitlines():
            if all(part in line for part in parts):
                return line
        raise AssertionError(f"no line with {parts} in:\n{self.text}")


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the caller's settings: what a fresh login has, and `settings`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PATH": path, "LANG": "C.UTF-8", **(settings or {})}


def run(
    folder: Path,
    *arguments: str,
    program: Path = SMALL,
    settings: Mapping[str, str] | None = None,
    bytes_a_file: int | None = None,
) -> Outcome:
    """Run one of the commands to its end; text output must never hold a traceback.

    No file may grow beyond `bytes_a_file`: a write then fails as it does on a full disk.
    """
    env = environment(settings)
    command = [sys.executable, str(program), *arguments]
    if bytes_a_file is not None:
        # With a limit on files Python would store truncated byte code for the next run to stumble over.
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        command = [sys.executable, "-c", _LIMITED, str(bytes_a_file), *command]
    return _outcome(command, folder, env)


def shell(folder: Path, line: str) -> Outcome:
    """Paste a line into a shell."""
    return _outcome(["/bin/sh", "-c", line], folder, environment())


def next_day(folder: Path) -> Outcome:
    """`python -m sources next-day`."""
    return _outcome([sys.executable, "-m", "sources", "next-day"], folder, environment({"PYTHONPATH": str(ROOT)}))


def _outcome(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Outcome:
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )
    outcome = Outcome(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
    if "json" not in command:
        assert "Traceback" not in outcome.text, outcome.text
    return outcome


class Running:
    """A command that is still running; its lines are collected by threads so that no pipe fills up."""

    def __init__(
        self, folder: Path, *arguments: str, program: Path = SMALL, settings: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            cwd=folder,
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self._lines: dict[str, list[str]] = {"out": [], "err": []}
        streams = (("out", self.process.stdout), ("err", self.process.stderr))
        self._readers = [threading.Thread(target=self._collect, args=(name, stream)) for name, stream in streams]
        for reader in self._readers:
            reader.start()

    def _collect(self, name: str, stream: IO[bytes] | None) -> None:
        assert stream is not None
        with stream:
            for line in stream:
                self._lines[name].append(line.decode())

    def wait_for(self, text: str) -> None:
        """Until the command has written `text`."""
        wait_until(lambda: any(text in line for lines in self._lines.values() for line in list(lines)), self.ended)
        assert not self.ended(), f"it ended before or with {text!r}: {self._lines}"

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def finish(self) -> Outcome:
        """Wait for the end."""
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return Outcome(status=self.process.returncode, out="".join(self._lines["out"]), err="".join(self._lines["err"]))

    def stop(self) -> None:
        """Make sure that nothing is left of it, stopped or not."""
        if not self.ended():
            self.process.send_signal(signal.SIGKILL)
        self.finish()


@contextmanager
def running(
    folder: Path, *arguments: str, program: Path = SMALL, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start a command; it is gone when the block is left."""
    command = Running(folder, *arguments, program=program, settings=settings)
    try:
        yield command
    finally:
        command.stop()


@contextmanager
def holder(file: Path) -> Iterator[int]:
    """Another process that has a DuckDB file open for writing; gives its process id."""
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid
    finally:
        process.communicate()


def wait_until(condition: Callable[[], bool], hopeless: Callable[[], bool] = lambda: False) -> None:
    """Poll until the condition holds, or `hopeless` does."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and not hopeless():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def query(file: Path, statement: str) -> list[tuple[object, ...]]:
    """Rows of a DuckDB file, opened for this one query."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def execute(file: Path, *statements: str) -> None:
    """Change a DuckDB file, as a source system or a DBA would."""
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


def configure(folder: Path, sources: Mapping[str, Path | str], **settings: str) -> Path:
    """Write `.env`: the target in `folder/warehouse`, and the sources. Returns the target's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    warehouse = folder / "warehouse"
    urls = {f"UDM_SOURCE_{name}": f"duckdb:///{url}" if isinstance(url, Path) else url for name, url in sources.items()}
    values = {"UDM_TARGET": f"duckdb:///{warehouse}", **urls, **settings}
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in values.items()), encoding="utf-8")
    return warehouse


def list_tables(warehouse: Path, *tables: str, tool: str = "Python") -> None:
    """Put `SOURCE.TABLE`s into UdmTablesList, as a DBA would."""
    rows = ", ".join("('{}', '{}', '{}')".format(*name.split("."), tool) for name in tables)
    execute(
        warehouse / "General.duckdb",
        f"INSERT INTO dbo.UdmTablesList (SourceName, SourceObjectName, StageLoadTool) VALUES {rows}",
    )


def run_on_terminal(folder: Path, *arguments: str, settings: Mapping[str, str] | None = None, columns: int = 80) -> Outcome:
    """Run the small tables' command on a pseudo-terminal; all it writes, escape sequences included, is `out`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**environment(settings), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, str(SMALL), *arguments], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = bytearray()
    with suppress(OSError):  # Linux says EIO when the other side has gone
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    return Outcome(status=process.wait(PATIENCE), out=written.decode(), err="")
