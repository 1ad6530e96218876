"""What a target that loads by BCP tells `data_load.bulk_engines`: where to log in, and which engine the settings want."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from connections.mssql_login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSettings:
    """BCP_ENGINE, BCP_PATH (empty: `bcp` on the PATH) and BCP_TIMEOUT in seconds."""

    engine: str = "auto"
    path: str = ""
    timeout: int = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCopy:
    """A server that takes bulk loads. `watched(stop)` makes an interrupt call `stop` while its block runs."""

    login: Login
    settings: BulkSettings
    watched: Callable[[Callable[[], object]], AbstractContextManager[None]]
