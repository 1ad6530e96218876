"""Whether a server's port can be reached at all. A driver may wait long before it says so, and then not say why."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from contextlib import ExitStack
from enum import StrEnum

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN})


class Obstacle(StrEnum):
    """Why there is no connection."""

    UNKNOWN = "unknown"  # nobody knows a host of that name
    REFUSED = "refused"  # an address said no, and none said yes
    UNREACHABLE = "unreachable"  # the network knows no way to any address
    SILENT = "silent"  # an address did not answer in time, and none said yes


def obstacle(host: str, port: int, seconds: float) -> Obstacle | None:
    """None as soon as one of the host's addresses takes a connection, which is closed again.

    All are asked at once: an availability group's listener has several, of which one answers.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return Obstacle.UNKNOWN
    errors: set[int] = set()
    with ExitStack() as opened, selectors.DefaultSelector() as pending:
        for family, kind, protocol, _, address in addresses:
            try:
                probe = opened.enter_context(socket.socket(family, kind, protocol))
            except OSError:
                continue  # this machine does not speak IPv6
            probe.settimeout(0)
            error = probe.connect_ex(address)
            if not error:
                return None
            if error in _UNDER_WAY:
                pending.register(probe, selectors.EVENT_WRITE, probe)
            else:
                errors.add(error)
        return None if _one_answers(pending, seconds, errors) else _why(pending, errors)


def _one_answers(pending: selectors.BaseSelector, seconds: float, errors: set[int]) -> bool:
    """Wait for the first yes; adds what the others say to `errors`, and leaves those that say nothing pending."""
    deadline = time.monotonic() + seconds
    while pending.get_map():
        answered = pending.select(max(deadline - time.monotonic(), 0))
        if not answered:
            return False
        for key, _ in answered:
            error = key.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not error:
                return True
            errors.add(error)
            pending.unregister(key.fileobj)
    return False


def _why(pending: selectors.BaseSelector, errors: set[int]) -> Obstacle:
    if pending.get_map():
        return Obstacle.SILENT
    return Obstacle.REFUSED if errno.ECONNREFUSED in errors else Obstacle.UNREACHABLE
