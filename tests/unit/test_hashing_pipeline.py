"""Frames read and hashed ahead of their consumer: in order, every error surfaces, and no thread outlives the block."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest

from extract.hashing import in_order, prefetched

COUNT = 40


class Panic(BaseException):
    """What a driver's panic looks like: no Exception."""


def frame(number: int) -> pl.DataFrame:
    return pl.DataFrame({"n": [number]})


def numbered(count: int, error: BaseException | None = None, taken: list[int] | None = None) -> Iterator[pl.DataFrame]:
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield frame(number)
    if error is not None:
        raise error


def number_of(one: pl.DataFrame) -> int:
    return int(one.item())


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "extract" or thread.name.startswith("hash")]


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """A test that waits for a thread in vain fails instead of hanging, and none leaves a thread behind."""

    def give_up(*_: object) -> None:
        raise TimeoutError("waited for 20 s in vain")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert readers() == []


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_prefetched_frames_keep_their_order(depth: int) -> None:
    with prefetched(numbered(COUNT), depth) as frames:
        assert [number_of(one) for one in frames] == list(range(COUNT))


def test_no_frames_end_at_once() -> None:
    with prefetched(iter(())) as frames:
        assert list(frames) == []


@pytest.mark.parametrize("error", [ValueError("source failed"), Panic("driver panicked"), KeyboardInterrupt(), SystemExit(3)])
def test_the_readers_error_surfaces_after_the_frames_before_it(error: BaseException) -> None:
    got: list[int] = []

    def consume() -> None:
        with prefetched(numbered(3, error)) as frames:
            got.extend(number_of(one) for one in frames)

    with pytest.raises(type(error)) as caught:
        consume()
    assert caught.value is error
    assert got == [0, 1, 2]


def test_reading_starts_before_the_first_frame_is_asked_for() -> None:
    began = threading.Event()

    def source() -> Iterator[pl.DataFrame]:
        began.set()
        yield frame(0)

    with prefetched(source()):
        assert began.wait(5)


def test_the_reader_is_never_more_than_depth_frames_ahead() -> None:
    taken: list[int] = []
    with prefetched(numbered(COUNT, taken=taken), depth=2) as frames:
        next(frames)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            # One handed over, two waiting in the queue, one in the reader's hand.
            assert len(taken) <= 4
            time.sleep(0.01)
    assert len(taken) <= 5


def test_the_reader_ends_when_the_consumer_stops_early() -> None:
    taken: list[int] = []
    with prefetched(numbered(10_000, taken=taken)) as frames:
        assert number_of(next(frames)) == 0
    assert readers() == []
    assert len(taken) < 10


def test_the_reader_ends_when_the_consumer_fails_and_the_consumers_error_stays() -> None:
    def consume() -> None:
        with prefetched(numbered(10_000)) as frames:
            next(frames)
            raise RuntimeError("consumer failed")

    with pytest.raises(RuntimeError, match="consumer failed"):
        consume()
    assert readers() == []


def test_an_error_that_nobody_waits_for_does_not_keep_the_reader() -> None:
    with prefetched(numbered(0, ValueError("unseen"))):
        pass
    assert readers() == []


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_work_is_done_in_parallel_and_its_results_keep_the_frames_order(workers: int) -> None:
    def slow_first(one: pl.DataFrame) -> int:
        time.sleep(0.01 if number_of(one) % 3 == 0 else 0)
        return number_of(one)

    assert list(in_order(numbered(COUNT), slow_first, workers)) == list(range(COUNT))


def test_two_frames_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(one: pl.DataFrame) -> int:
        both.wait()
        return number_of(one)

    assert list(in_order(numbered(4), meet, 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("error", [ValueError("no"), Panic("no")])
def test_an_error_in_the_work_surfaces_in_its_frames_place(error: BaseException) -> None:
    def work(one: pl.DataFrame) -> int:
        if number_of(one) == 5:
            raise error
        return number_of(one)

    results = in_order(numbered(COUNT), work, 2)
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(type(error)):
        next(results)


def test_an_error_of_the_reader_passes_through_the_work() -> None:
    def consume() -> list[int]:
        with prefetched(numbered(3, Panic("driver panicked"))) as frames:
            return list(in_order(frames, number_of))

    with pytest.raises(Panic):
        consume()


def test_frames_are_taken_only_a_few_ahead_of_the_consumer() -> None:
    taken: list[int] = []
    results = in_order(numbered(COUNT, taken=taken), number_of, 2)
    for consumed in range(1, 6):
        next(results)
        assert len(taken) <= consumed + 3
    results.close()  # type: ignore[attr-defined]
