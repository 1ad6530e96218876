"""Runs of the small tables' command that kill themselves where they are told to, two at a time: `kill_driver.py`, called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.harness import environment

EVERY_POINT = bool(os.environ.get("KILL_AT_EVERY_POINT"))
"""Kill also where nothing durable can have changed since the point before: at each SELECT, inside a transaction for a log."""
AT_A_TIME = 2
_DRIVER = Path(__file__).with_name("kill_driver.py")
_PATIENCE = 90
"""Seconds a run; one that hangs ends by itself before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run in `folder`, killed at the point `fatal` (0: never)."""

    folder: Path
    fatal: int = 0
    arguments: tuple[str, ...] = ()
    record: Path = field(default=Path("points.txt"))
    """Where its points are written, in `folder`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """What became of it: its exit status, the points that it reached, and what it wrote."""

    status: int
    points: Sequence[str]
    text: str


def drive(orders: Sequence[Order], settings: Mapping[str, str] | None = None) -> list[Driven]:
    """Run them; one at a time within each of two processes that the runs are forked from."""
    env = environment(settings)

    def run(share: Sequence[Order]) -> list[Driven]:
        return _drive(share, env)

    shares = [orders[part::AT_A_TIME] for part in range(AT_A_TIME)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        answers = list(pool.map(run, filter(None, shares)))
    return [answers[number % AT_A_TIME][number // AT_A_TIME] for number in range(len(orders))]


def _drive(orders: Sequence[Order], env: Mapping[str, str]) -> list[Driven]:
    records = [order.folder / order.record for order in orders]
    for record in records:
        record.unlink(missing_ok=True)
    lines = [
        json.dumps([str(order.folder), str(record), order.fatal, *order.arguments])
        for order, record in zip(orders, records, strict=True)
    ]
    done = subprocess.run(
        [sys.executable, str(_DRIVER)],
        input="".join(f"{line}\n" for line in lines),
        env=env,
        capture_output=True,
        text=True,
        timeout=_PATIENCE * len(orders),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        Driven(status=status, points=record.read_text(encoding="utf-8").splitlines(), text=text)
        for (status, text), record in zip(answers, records, strict=True)
    ]
