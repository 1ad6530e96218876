"""What SQL Server and its driver report, read in one place: errors that may pass, and logins that failed with their remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connections.mssql_login import TARGET, Login
from connections.reachable import Obstacle, obstacle
from model.errors import TargetUnavailable

# Deadlock victim, lock time-out and those that a failover, a throttled or a reconfigured server raises.
# https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues
# https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
TRANSIENT_NUMBERS = frozenset(
    {
        1205,  # deadlock victim
        1222,  # lock request time-out
        -2,  # client time-out
        233, 10053, 10054, 10060,  # the connection was ended, reset, not answered
        40197, 40501, 40613,  # Azure: being moved, busy, not available now
        49918, 49919, 49920,  # Azure: too many operations
        596, 6005,  # the session is being ended, the server is shutting down
        17187, 18401, 921, 922,  # the server or the database is starting up
        976, 983,  # availability group: this replica is not to be read now
        4060, 4221,  # the database cannot be opened, as during a failover
        3960, 3961,  # snapshot isolation: update conflict, metadata changed
    }
)  # fmt: skip
# https://learn.microsoft.com/sql/odbc/reference/appendixes/appendix-a-odbc-error-codes
TRANSIENT_STATES = frozenset({"08S01", "08001", "08007", "HYT00", "HYT01", "40001"})
_NUMBER = re.compile(r"\((-?\d+)\)(?=$|;| \(SQL)")  # at the end of a message: within it, brackets may hold a value


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error beneath SQLAlchemy's."""
    return getattr(error, "orig", None) or error


def state_of(error: BaseException) -> str:
    """The SQLSTATE of a driver's error, or ''."""
    arguments = driver_error(error).args
    return arguments[0] if len(arguments) > 1 and isinstance(arguments[0], str) else ""


def numbers_of(error: BaseException) -> frozenset[int]:
    """The native numbers of a driver's error, which pyodbc writes behind each message in brackets."""
    arguments = driver_error(error).args
    text = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else str(driver_error(error))
    return frozenset(int(number) for number in _NUMBER.findall(text))


def code_of(error: BaseException) -> str:
    """A driver's error without its message, which may quote a value: its SQLSTATE and native numbers."""
    return " ".join([state_of(error), *map(str, sorted(numbers_of(error)))]).strip()


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed when it is tried again."""
    return any(
        (state_of(found) in TRANSIENT_STATES and not _is_untrusted(found)) or bool(numbers_of(found) & TRANSIENT_NUMBERS)
        for found in _with_causes(error)
        if type(driver_error(found)).__module__.partition(".")[0] in {"pyodbc", "mssql_python"}
    )


def _is_untrusted(error: BaseException) -> bool:
    """Whether the server's certificate is at fault, which the driver reports as a lost connection."""
    text = str(driver_error(error)).lower()
    return any(sign in text for sign in ("certificate verify failed", "self-signed certificate", "not trusted"))


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def why_no_login(error: BaseException, login: Login, database: str) -> TargetUnavailable:
    """A login's failure as one error with its remedy; the driver's text is left out, for it may show the connection string."""
    numbers, state, text = numbers_of(error), state_of(error), str(error).lower()
    where = _where(login)
    who = f"user {login.user}" if login.user else "the account that runs the pipeline (Kerberos or Windows)"
    for number, what, remedy in (
        # Ahead of 18456, which SQL Server reports beside it.
        (4060, f"cannot open database {database} for {who}", database_remedy(login)),
        (4064, f"cannot open the default database of {who}", database_remedy(login)),
        (18456, f"refuses {who}", "Check the user, its password and whether the server allows this kind of login."),
        (18488, f"wants the password of {who} changed", "Change it at the server, then in the setting."),
        (18487, f"says that the password of {who} has expired", "Change it at the server, then in the setting."),
        (18470, f"has disabled {who}", "Have the login enabled."),
        (18452, f"does not trust the domain of {who}", f"Name a SQL login in {login.variable}, or a trusted domain."),
        (911, f"has no database {database}", database_remedy(login)),
        (916, f"does not let {who} into database {database}", "Run the GRANT script in docs/mssql_grants.sql."),
        (229, f"does not give {who} a right that a run needs", "Run the GRANT script in docs/mssql_grants.sql."),
        (262, f"does not give {who} the right to create databases or tables", "Run the GRANT script in docs/mssql_grants.sql."),
    ):
        if number in numbers:
            return TargetUnavailable(f"{where} {what}.", remedy=remedy)
    return _no_connection(where, state, text, login)


def database_remedy(login: Login) -> str:
    """What to do about a database that is missing, or that the login may not enter."""
    if login.variable == TARGET:
        return DATABASE_REMEDY
    return f"Correct the database in {login.variable} or SourceDatabase in UdmTablesList, or have the login let into it."


def _no_connection(where: str, state: str, text: str, login: Login) -> TargetUnavailable:
    if state in {"HYT00", "HYT01", "08001", "08S01"} and not any(sign in text for sign in _CERTIFICATE):
        away = why_unreachable(login, min(login.login_timeout, 5))  # the driver reports whatever it is as a time-out
        if away is not None:
            return away
    for signs, what, remedy in (
        (
            _CERTIFICATE,
            "has a certificate that this machine does not trust",
            ("Install its issuer's certificate, or name the host as it does (host_name_in_certificate=…); "
            "trust_server_certificate=yes accepts any."),
        ),
        (("can't open lib", "im002", "data source name not found"), "was not asked: the ODBC driver cannot be loaded",
         f"pip install mssql-python brings one; driver=… in {login.variable} names another."),
        (("kerberos", "sspi", "gssapi", "krb5"), "could not be given a Kerberos ticket",
         f"Run kinit for the account (or use a keytab), or name a SQL login in {login.variable}."),
        (("timeout", "timed out"), *_silent(login)),
    ):  # fmt: skip
        if any(sign in text for sign in signs):
            return TargetUnavailable(f"{where} {what}.", remedy=remedy)
    return TargetUnavailable(
        f"{where} cannot be logged in to (SQLSTATE {state or 'unknown'}).",
        remedy="Check the host, the port and the login; the server's error log holds the reason.",
    )


def why_unreachable(login: Login, seconds: float) -> TargetUnavailable | None:
    """Why the server's port takes no connection, with the remedy; None where it takes one. Waits so long for silence only."""
    match obstacle(login.network_host, login.port, seconds):
        case None:
            return None
        case Obstacle.UNKNOWN:
            what, remedy = "is not known by that name", f"Correct the host in {login.variable}, or its name resolution."
        case Obstacle.REFUSED:
            what = "refuses connections on that port"
            remedy = "Check the port, that the server runs and that TCP/IP is enabled there."
        case Obstacle.UNREACHABLE:
            what, remedy = "cannot be reached from this machine", "Check the machine's network, its routes and the firewall."
        case Obstacle.SILENT:
            what, remedy = _silent(login)
    return TargetUnavailable(f"{_where(login)} {what}.", remedy=remedy)


def _silent(login: Login) -> tuple[str, str]:
    return (
        f"did not answer within {login.login_timeout} seconds",
        f"Check the host, the port and the firewall; login_timeout=… in {login.variable} waits longer.",
    )


def _where(login: Login) -> str:
    return f"The SQL Server {login.host}:{login.port}"


_CERTIFICATE = ("certificate", "self-signed", "ssl provider", "tls")
DATABASE_REMEDY = (
    "Create it or have it created (--create-databases does, where the login may), or correct STAGE_DB, BRONZE_DB or GENERAL_DB."
)
