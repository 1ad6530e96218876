"""The registry of sources: which systems the pipeline may read, as declared by `UDM_SOURCE_*` variables.

`UDM_SOURCE_<NAME>` holds a URL in SQLAlchemy's form. Its password may stand in the URL, in
`UDM_SOURCE_<NAME>_PASSWORD` or in the file named by `UDM_SOURCE_<NAME>_PASSWORD_FILE`, but in one of them
only; `UDM_SOURCE_<NAME>_MAX_CONNECTIONS` and its like are limits (`sources.limits`). No message of this module
holds a URL, a query value or a file's path: each may turn out to be a misplaced password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from model.errors import ConfigurationError, SourceNotConfigured
from sources.limits import SUFFIXES, Limits, limits_from_environment

PREFIX = "UDM_SOURCE_"
KINDS = ("oracle", "mssql", "postgresql", "mysql", "sqlite", "duckdb")
FILE_KINDS = frozenset({"sqlite", "duckdb"})

_PASSWORD = "_PASSWORD"  # noqa: S105  a variable's suffix
_PASSWORD_FILE = "_PASSWORD_FILE"  # noqa: S105  likewise
TIME_ZONE = "_TIME_ZONE"
UTC = ZoneInfo("UTC")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_SECRET_QUERY_KEYS = frozenset({"password", "passwd", "pwd"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Source:
    """A source system. `url` may hold a password; `repr` shows neither it nor the query.

    `time_zone` is that of its clock, in which its dates are days. `client_folder` is where an Oracle client lies, whose network
    and ConnectorX's route are then used; None: neither is.
    """

    name: str
    url: URL
    limits: Limits = field(default_factory=Limits)
    time_zone: ZoneInfo = UTC
    client_folder: Path | None = None

    @property
    def kind(self) -> str:
        """The backend's name without the driver, one of `KINDS`."""
        return self.url.get_backend_name()

    def __repr__(self) -> str:
        shown = self.url.set(query={}).render_as_string(hide_password=True)
        return f"Source(name={self.name!r}, url={shown!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRegistry:
    """An immutable mapping of names to sources. Names are upper case; a look-up ignores case."""

    sources: tuple[Source, ...] = ()

    def get(self, name: str) -> Source:
        """The source called `name`; else `SourceNotConfigured`, which names the variable to set."""
        wanted = name.upper()
        for source in self.sources:
            if source.name == wanted:
                return source
        known = f"Known sources: {', '.join(self)}." if self.sources else "No source is configured."
        raise SourceNotConfigured(
            f"Source {wanted} is not configured. {known}",
            remedy=f"Set {PREFIX}{wanted} to its URL, or correct SourceName in UdmTablesList.",
        )

    __getitem__ = get

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(source.name == name.upper() for source in self.sources)

    def __iter__(self) -> Iterator[str]:
        return (source.name for source in self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def registry_from_environment(env: Mapping[str, str], oracle_client: Path | None = None) -> SourceRegistry:
    """The sources that `env` declares, in the order of their names; password files are read here.

    `oracle_client` is the folder of the client that Oracle sources use.

    Raises `ConfigurationError`, naming the variable and the remedy, for anything it cannot use.
    """
    ours = {key: value for key, value in env.items() if key.startswith(PREFIX)}
    urls = {key: value for key, value in ours.items() if _owner(key) == key}
    for key in sorted(ours.keys() - urls.keys()):
        if _owner(key) not in urls:
            raise ConfigurationError(f"{key} is set, but {_owner(key)} is not.", remedy=f"Set {_owner(key)} to the source's URL.")
    sources = tuple(_source(key, urls[key], env) for key in sorted(urls))
    return SourceRegistry(
        sources=tuple(replace(source, client_folder=oracle_client) if source.kind == "oracle" else source for source in sources)
    )


def _owner(variable: str) -> str:
    """The URL variable that a password's or a limit's variable belongs to, or `variable` itself."""
    for suffix in (_PASSWORD_FILE, _PASSWORD, TIME_ZONE, *SUFFIXES):
        name = variable.removesuffix(suffix)
        if name != variable and len(name) >= len(PREFIX):
            return name
    return variable


def _source(variable: str, text: str, env: Mapping[str, str]) -> Source:
    name = variable.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{variable} does not name a source.",
            remedy=f"Name it {PREFIX}<NAME>; NAME starts with a capital, then capitals, digits and '_'.",
        )
    url = with_password(variable, _parsed(variable, text), env)
    return Source(name=name, url=url, limits=limits_from_environment(env, variable), time_zone=_time_zone(variable, env))


def _time_zone(variable: str, env: Mapping[str, str]) -> ZoneInfo:
    given = next((name for name in (variable + TIME_ZONE, f"SOURCE{TIME_ZONE}") if env.get(name)), None)
    if given is None:
        return UTC
    try:
        return ZoneInfo(env[given])
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ConfigurationError(
            f"{given} names no time zone.", remedy="Set it to a name of the time zone database, like Europe/Berlin."
        ) from None


def _parsed(variable: str, text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # `from None`: the cause quotes the URL, or the piece of a password it took for a port.
        raise ConfigurationError(
            f"{variable} is not a URL.",
            remedy="Write kind://user@host:port/database, with '@', ':', '/', '%' and '#' inside a user or"
            f" password percent-encoded, or put the password into {variable}{_PASSWORD}.",
        ) from None
    if url.get_backend_name() not in KINDS:
        raise ConfigurationError(
            f"{variable} has an unknown kind of source before '://'.",
            remedy=f"Use one of {', '.join(KINDS)}.",
        )
    if url.get_backend_name() in FILE_KINDS and not Path(url.database or "").is_absolute():
        raise ConfigurationError(
            f"{variable} does not name its file by an absolute path.",
            remedy=f"Write {url.get_backend_name()}:////folder/file, with four slashes.",
        )
    refuse_password_in_query(variable, url)
    return url


def refuse_password_in_query(variable: str, url: URL) -> None:
    """A password behind '?' would be shown wherever the URL is; raises `ConfigurationError`."""
    if any(key.lower() in _SECRET_QUERY_KEYS for key in url.query):
        raise ConfigurationError(f"{variable} has a password behind '?'.", remedy=f"Move it to {variable}{_PASSWORD}.")


def with_password(variable: str, url: URL, env: Mapping[str, str]) -> URL:
    """`url` with the password from wherever it was given; it may be given once: in the URL, `*_PASSWORD` or `*_PASSWORD_FILE`."""
    given = [key for key in (variable + _PASSWORD, variable + _PASSWORD_FILE) if key in env]
    if len(given) + (url.password is not None) > 1:
        places = [*(["the URL"] if url.password is not None else []), *given]
        raise ConfigurationError(
            f"The password of {variable} is given twice, in {' and in '.join(places)}.",
            remedy="Keep one of them and remove the rest.",
        )
    if not given:
        return url
    if url.get_backend_name() in FILE_KINDS:
        raise ConfigurationError(f"{given[0]} is set, but a {url.get_backend_name()} file has no password.", remedy="Remove it.")
    password = env[given[0]] if given[0].endswith(_PASSWORD) else read_secret(given[0], env[given[0]], "password")
    if not password:
        raise ConfigurationError(f"{given[0]} gives an empty password.", remedy="Give the password, or remove the variable.")
    return url.set(password=password)


def read_secret(variable: str, path: str, what: str) -> str:
    """The content of the file, less one newline at its end: editors add it, a password or key may contain others."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"The file named by {variable} cannot be read: {reason}.",
            remedy=f"Name an existing file with the {what} in it, readable by this account.",
        ) from None
    return content.removesuffix("\n").removesuffix("\r") if content.endswith("\n") else content
