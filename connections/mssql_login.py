"""How a SQL Server is logged in to: what a setting's URL says, as an ODBC connection string, and the driver that reads it."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from model.errors import ConfigurationError, TargetUnavailable

DRIVER = "ODBC Driver 18 for SQL Server"
APPLICATION = "udm-pipeline"
TARGET = "UDM_TARGET"
_OPTIONS = ("encrypt", "trust_server_certificate", "driver", "multi_subnet_failover", "login_timeout", "host_name_in_certificate")
_SOURCE_OPTIONS = (*_OPTIONS, "application_intent", "query_timeout")
_INTENTS = {"readonly": "ReadOnly", "readwrite": "ReadWrite"}
QUERY_TIMEOUT = 3_600  # seconds
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A server and who logs in; `user` empty means the account that runs the pipeline (Kerberos or Windows).

    `variable` is the setting that says so: what an error tells people to look at.
    """

    host: str
    port: int = 1433
    user: str = ""
    password: str = field(default="", repr=False)
    encrypt: str = "yes"
    trust_server_certificate: bool = False
    driver: str = ""
    multi_subnet_failover: bool = False
    login_timeout: int = 30
    host_name_in_certificate: str = ""
    application_intent: str = ""
    variable: str = TARGET

    @property
    def server(self) -> str:
        """As ODBC and bcp spell it."""
        return f"{self.host},{self.port}"

    @property
    def network_host(self) -> str:
        """As the network knows it: without an instance's name, which the port makes idle, and without ODBC's own words."""
        host = self.host.partition("\\")[0]
        return "localhost" if host.lower() in {".", "(local)"} else host


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLogin:
    """A server that is read: `database` is the login's default where empty, `query_timeout` seconds without a row (0: any)."""

    login: Login
    database: str
    query_timeout: int


def login_of(url: URL) -> Login:
    """What the target's `mssql://user@host:1433/?encrypt=yes&…` says.

    Raises:
        ConfigurationError: naming what is wrong; never a value, which may be a misplaced password.
    """
    options = _Options(TARGET, url, _OPTIONS)
    if url.database:
        raise options.wrong("names a database", "Leave it out: STAGE_DB, BRONZE_DB and GENERAL_DB name the three databases.")
    return _login(url, options)


def source_login_of(url: URL, variable: str) -> SourceLogin:
    """What a source's `mssql://user@host:1433/Database?encrypt=yes&…` says; `variable` holds it.

    Raises:
        ConfigurationError: as `login_of`.
    """
    options = _Options(variable, url, _SOURCE_OPTIONS)
    return SourceLogin(
        login=_login(url, options),
        database=url.database or "",
        query_timeout=options.seconds("query_timeout", QUERY_TIMEOUT, least=0),
    )


def _login(url: URL, options: _Options) -> Login:
    if not url.host:
        raise options.wrong("names no host", "Write mssql://user@host:1433/?encrypt=yes.")
    if url.username and not url.password:
        variable = options.variable
        raise options.wrong("names a user and no password is given", f"Set {variable}_PASSWORD or {variable}_PASSWORD_FILE.")
    if url.password and not url.username:
        raise options.wrong("has a password and no user", "Name the user, or remove the password to log in by Kerberos.")
    return Login(
        host=url.host,
        port=url.port or 1433,
        user=url.username or "",
        password=url.password or "",
        encrypt=options.encrypt(),
        trust_server_certificate=options.yes_no("trust_server_certificate"),
        driver=options.one("driver"),
        multi_subnet_failover=options.yes_no("multi_subnet_failover"),
        login_timeout=options.seconds("login_timeout", 30, least=1),
        host_name_in_certificate=options.one("host_name_in_certificate"),
        application_intent=options.intent(),
        variable=options.variable,
    )


def odbc_string(login: Login, database: str, driver: str) -> str:
    """The connection string for ODBC Driver 18; `driver` is its name or the path of its library. Holds the password."""
    return _joined({"Driver": driver, **_common(login, database), "APP": APPLICATION})


def mssql_python_string(login: Login, database: str) -> str:
    """The connection string for the package mssql-python, which brings its own driver and names itself."""
    return _joined(_common(login, database))


def _common(login: Login, database: str) -> dict[str, str]:
    who = {"UID": login.user, "PWD": login.password} if login.user else {"Trusted_Connection": "yes"}
    return {
        "Server": f"tcp:{login.server}",
        **({"Database": database} if database else {}),
        **who,
        "Encrypt": login.encrypt,
        "TrustServerCertificate": "yes" if login.trust_server_certificate else "no",
        **({"HostnameInCertificate": login.host_name_in_certificate} if login.host_name_in_certificate else {}),
        **({"MultiSubnetFailover": "yes"} if login.multi_subnet_failover else {}),
        **({"ApplicationIntent": login.application_intent} if login.application_intent else {}),
        # A connection that is lost is an error: a silent new one would have neither the lock nor the session's settings.
        "ConnectRetryCount": "0",
    }


def _joined(values: Mapping[str, str]) -> str:
    # In braces everything stands for itself but the closing one, which is doubled.
    return ";".join(f"{name}={{{value.replace('}', '}}')}}}" for name, value in values.items())


def driver_of(login: Login, installed: list[str]) -> str:
    """The driver that the URL names, else Microsoft's where it is installed, else the one that mssql-python brings.

    Raises:
        TargetUnavailable: there is none.
    """
    if login.driver:
        if login.driver in installed or Path(login.driver).is_file():
            return login.driver
        known = ", ".join(installed) or "none"
        raise TargetUnavailable(
            f"{login.variable} names an ODBC driver that is not installed.",
            remedy=f"Installed are: {known}. Or give the path of one.",
        )
    if DRIVER in installed:
        return DRIVER
    brought = _brought_driver()
    if brought is None:
        raise TargetUnavailable(
            f"{DRIVER} is not installed.", remedy="pip install mssql-python brings it, or install the package msodbcsql18."
        )
    return str(brought)


def _brought_driver() -> Path | None:
    found = importlib.util.find_spec("mssql_python_odbc")
    if found is None or found.origin is None:
        return None
    libraries = Path(found.origin).parent / "libs" / platform.system().lower()
    machine = {"AMD64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    candidates = sorted(path for path in libraries.rglob("*msodbcsql*18*") if {machine, platform.machine()} & set(path.parts))
    # Of the builds for several distributions the one for Debian and Ubuntu asks least of the C library.
    ours = _distribution()
    return next((path for path in candidates if ours in path.parts), candidates[0] if candidates else None)


def _distribution() -> str:
    try:
        like = platform.freedesktop_os_release()
    except OSError:
        return ""
    family = f"{like.get('ID', '')} {like.get('ID_LIKE', '')}"
    return next((name for name in ("rhel", "suse", "alpine") if name in family), "debian_ubuntu")


class _Options:
    """What stands behind a URL's '?', read one by one."""

    def __init__(self, variable: str, url: URL, known: Sequence[str]) -> None:
        self.variable = variable
        self._query = {name.lower(): value for name, value in url.query.items()}
        unknown = sorted(set(self._query) - set(known))
        if unknown:
            raise self.wrong(f"has the option {', '.join(unknown)}, which is unknown", f"Known: {', '.join(known)}.")

    def one(self, name: str) -> str:
        value = self._query.get(name, "")
        if not isinstance(value, str):
            raise self.wrong(f"has the option {name} more than once", "Keep one of them.")
        return value

    def yes_no(self, name: str) -> bool:
        text = self.one(name) or "no"
        if text.lower() not in _YES_NO:
            raise self.wrong(f"has an option {name} that is neither yes nor no", "Write yes or no.")
        return _YES_NO[text.lower()]

    def encrypt(self) -> str:
        text = (self.one("encrypt") or "yes").lower()
        if text == "strict":
            return text
        if text not in _YES_NO:
            raise self.wrong("has an option encrypt that is not yes, no or strict", "Write one of these.")
        return "yes" if _YES_NO[text] else "no"

    def intent(self) -> str:
        text = self.one("application_intent").lower()
        if text and text not in _INTENTS:
            raise self.wrong("has an option application_intent that is neither ReadOnly nor ReadWrite", "Write one of these.")
        return _INTENTS.get(text, "")

    def seconds(self, name: str, default: int, *, least: int) -> int:
        text = self.one(name) or str(default)
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise self.wrong(f"has an option {name} that is no number of seconds", f"Write for instance {name}={default}.")
        return int(text)

    def wrong(self, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{self.variable} {what}.", remedy=remedy)
