"""A promotion in chunks of whole keys: equal ranges of the 128-bit key hashes, and how many of them are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_BITS, _BYTES = 128, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """The keys of one chunk: `lower` <= `_key_hash` < `upper`, 16 bytes each, None where the range has no end on that side.

    `number` counts from 1 to `of`. Hashes are spread evenly, so that the chunks of a promotion are about equal in size.
    """

    number: int = 1
    of: int = 1
    lower: bytes | None = None
    upper: bytes | None = None

    @property
    def is_last(self) -> bool:
        """Whether the promotion is complete with this chunk."""
        return self.number == self.of


WHOLE = KeyRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a promotion has come in one database: so many of its chunks are in."""

    chunks: int = 1
    done: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all of it is in."""
        return self.done >= self.chunks

    def remaining(self) -> Iterator[KeyRange]:
        """The ranges that are not in yet, in their order."""
        for number in range(self.done + 1, self.chunks + 1):
            yield KeyRange(
                number=number, of=self.chunks, lower=_bound(number - 1, self.chunks), upper=_bound(number, self.chunks)
            )


def planned(rows: int, max_rows: int) -> Progress:
    """A promotion of so many rows that has not begun: chunks of about `max_rows` rows each, or one where that is 0."""
    return Progress(chunks=max(1, -(-rows // max_rows)) if max_rows else 1)


def _bound(number: int, chunks: int) -> bytes | None:
    """Where the chunk after `number` of them begins; None before the first and after the last."""
    if number in {0, chunks}:
        return None
    return ((1 << _BITS) * number // chunks).to_bytes(_BYTES, "big")
