"""How gently a source is to be read: `SOURCE_*` for all sources, `UDM_SOURCE_<NAME>_*` for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from model.errors import ConfigurationError

_FOR_ALL = "SOURCE"
_LEAST = {"query_timeout": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_connections` holds over all workers and partitions of a run; `partitions` is into how many ranges a table is split.

    `connect_timeout` is in seconds; `query_timeout` likewise: how long the source may keep us waiting for the next rows, 0 for
    ever.
    """

    max_connections: int = 4
    partitions: int = 3
    connect_timeout: int = 15
    query_timeout: int = 3_600


SUFFIXES = tuple(f"_{limit.name.upper()}" for limit in fields(Limits))


def limits_from_environment(env: Mapping[str, str], variable: str) -> Limits:
    """The limits of the source whose URL is in `variable`.

    Raises:
        ConfigurationError: one of them is no whole number, or too small.
    """
    found = {}
    for limit in fields(Limits):
        suffix = f"_{limit.name.upper()}"
        given = next((name for name in (variable + suffix, _FOR_ALL + suffix) if env.get(name)), None)
        if given is None:
            continue
        least, text = _LEAST.get(limit.name, 1), env[given]
        if not text.isascii() or not text.isdigit() or int(text) < least:
            # Not its value, which may be a misplaced password.
            raise ConfigurationError(f"{given} is no such number.", remedy=f"Set it to a whole number of at least {least}.")
        found[limit.name] = int(text)
    return Limits(**found)
