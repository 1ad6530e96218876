"""What Oracle and its driver report, as the pipeline's own errors: what it means, which setting to look at.

The driver's words are never shown, for they quote values ("… cannot be converted to an Apache Arrow decimal"). Its code is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import oracledb

from model.errors import PipelineError, SourceRefused, SourceTableMissing, SourceUnavailable, TerminalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code means. `remedy` may name the source's setting as `{setting}`."""

    raised: type[PipelineError]
    what: str
    remedy: str


def _login(what: str, remedy: str) -> Meaning:
    return Meaning(raised=SourceRefused, what=what, remedy=remedy)


def _passing(what: str, remedy: str) -> Meaning:
    return Meaning(raised=SourceUnavailable, what=what, remedy=remedy)


def _missing(what: str) -> Meaning:
    return Meaning(
        raised=SourceTableMissing,
        what=what,
        remedy="Correct the names in UdmTablesList, or GRANT SELECT on it to the login of {setting} (docs/oracle_grants.sql).",
    )


_PASSWORD = _login("the user or the password is wrong", "Check the user in {setting} and its password.")
_THICK = "Install an Oracle client and name its folder in ORACLE_CLIENT_DIR."
_LOST = _passing("the connection was lost", "Check that the database and the network are up; the next run reads the table again.")
_DOWN = _passing("the database is not open", "Try again when it is up; its alert log has the reason.")
_FULL = _passing(
    "the database takes no further session",
    "Lower WORKERS or SOURCE_MAX_CONNECTIONS, or raise its limit of processes, or the profile's.",
)
_SERVICE = _passing("the listener does not know that service or SID", "Correct service_name in {setting}, or start the database.")
_ALIAS = _passing(
    "the URL names no service or SID, and its host is no name in a tnsnames.ora",
    "Write {setting} as oracle://user@host:1521/?service_name=NAME, or set TNS_ADMIN to the folder of tnsnames.ora.",
)
_NO_LISTENER = _passing("nothing answers at that host and port", "Check host and port in {setting}, the listener and firewalls.")
_SLOW = _passing("an answer took too long", "Raise call_timeout=SECONDS behind the '?' of {setting}, or read by an index.")
_GONE = _passing(
    "the database no longer has the state that the read began with (snapshot too old)",
    "Read when fewer rows change, or raise UNDO_RETENTION and the undo tablespace; LOBs have RETENTION of their own.",
)
_CLIENT = Meaning(
    raised=TerminalError,
    what="the Oracle client cannot be loaded",
    remedy="Name the folder of a 64-bit client (Instant Client: with libaio) in ORACLE_CLIENT_DIR, or remove that setting.",
)

# https://docs.oracle.com/en/error-help/db/ and python-oracledb's errors.py
MEANINGS: dict[int | str, Meaning] = {
    1017: _PASSWORD,
    1005: _PASSWORD,
    "DPY-4001": _login("the setting has no password", "Set {setting}_PASSWORD or {setting}_PASSWORD_FILE."),
    28000: _login("the account is locked", "Have it unlocked: ALTER USER … ACCOUNT UNLOCK."),
    28001: _login("the password has expired", "Have it changed, then change {setting}_PASSWORD."),
    28003: _login("the password does not satisfy the database's rules", "Have it changed, then change {setting}_PASSWORD."),
    1045: _login("the user has no right to log in", "GRANT CREATE SESSION to it (docs/oracle_grants.sql)."),
    1031: _missing("the login lacks a right"),
    41900: _missing("the login lacks a right"),  # 23ai's ORA-01031
    942: _missing("there is no such table or view, or the login may not see it"),
    980: _missing("a synonym leads to nothing"),
    1775: _missing("a synonym leads back to itself"),
    904: _missing("a column is not there any more, or the view over it is broken"),
    4063: _missing("the view has errors"),
    "DPY-3010": Meaning(raised=TerminalError, what="the database is older than 12.1, which thin mode cannot read", remedy=_THICK),
    "DPY-3015": _login("the password is stored in an old form only (10G)", f"Have the password set anew, or: {_THICK}"),
    "DPY-3012": Meaning(raised=TerminalError, what="its national character set is unknown to thin mode", remedy=_THICK),
    "DPY-3040": Meaning(raised=TerminalError, what="its character set is unknown to thin mode", remedy=_THICK),
    12660: Meaning(
        raised=TerminalError, what="the server insists on native encryption", remedy=f"Use protocol=tcps, or: {_THICK}"
    ),
    28040: _login("the server wants another authentication protocol", _THICK),
    "DPI-1047": _CLIENT,
    "DPI-1050": _CLIENT,
    "DPY-2019": Meaning(
        raised=TerminalError, what="thin mode was in use before the client was loaded", remedy="Run the command again; tell us."
    ),
    "DPY-2017": Meaning(raised=TerminalError, what="another Oracle client is loaded", remedy="Name one in ORACLE_CLIENT_DIR."),
    12514: _SERVICE,
    12505: _SERVICE,
    12521: _SERVICE,
    "DPY-6001": _SERVICE,
    "DPY-6003": _SERVICE,
    "DPY-4000": _ALIAS,
    "DPY-4026": _ALIAS,
    "DPY-4027": _ALIAS,
    12154: _ALIAS,
    12541: _NO_LISTENER,
    12543: _NO_LISTENER,
    12545: _NO_LISTENER,
    12170: _NO_LISTENER,
    12535: _NO_LISTENER,
    12528: _DOWN,
    12526: _DOWN,
    1033: _DOWN,
    1034: _DOWN,
    1089: _DOWN,
    1090: _DOWN,
    1109: _DOWN,
    18: _FULL,
    20: _FULL,
    2391: _FULL,
    12516: _FULL,
    12518: _FULL,
    12519: _FULL,
    12520: _FULL,
    "gaierror": _passing("no machine has that name", "Correct the host in {setting}, or the machine's name resolution."),
    "TimeoutError": _passing(
        "nothing answered in time", "Check host, port and firewalls, or raise tcp_connect_timeout=SECONDS in {setting}."
    ),
    "DPY-4011": _LOST,
    "DPY-1001": _LOST,
    "DPY-4035": _passing("what answers there is no Oracle listener", "Check the host and the port in {setting}."),
    2396: _passing("the session was idle for longer than its profile allows", "Raise IDLE_TIME of the login's profile."),
    2399: _passing("the session lasted longer than its profile allows", "Raise CONNECT_TIME of the login's profile."),
    "DPY-4024": _SLOW,
    1555: _GONE,
    1013: _passing(
        "someone cancelled the statement at the database", "Ask its administrators; the next run reads the table again."
    ),
    1466: _passing("the table's definition changed while it was read", "Run again: the read began before that change."),
    8180: _GONE,
    8181: _GONE,
    8176: _passing("the table was changed so that its earlier state cannot be read", "Run again."),
    8103: _passing("the table was truncated or rebuilt while it was read", "Run again."),
}
_TRANSIENT = _passing("the database broke the statement off", "Its alert log has the reason; the next run reads the table again.")
_OTHER = Meaning(
    raised=TerminalError, what="the database refuses it", remedy="https://docs.oracle.com/error-help/db/ explains that code."
)
_CANNOT_CONNECT, _LISTENER_REFUSES = "DPY-6005", "DPY-6000"
_SIMILAR = re.compile(r"Similar to ORA-(\d{1,5})\b")
# A lock, a deadlock, an internal error, space and memory that are short now; lost connections go by the driver's code.
_MAY_PASS = frozenset({54, 60, 600, 604, 1652, 1654, 4020, 4021, 4031, 7445, 12571})


def code_of(error: BaseException) -> int | str:
    """Oracle's number, or else the driver's code such as 'DPY-4011', or the kind of an error of the network.

    DPY-6005 (cannot connect) says why in its cause, DPY-6000 (the listener refuses) names Oracle's number in its text only.
    """
    [detail] = error.args[:1] or [None]
    driver = getattr(detail, "full_code", "")
    if driver == _CANNOT_CONNECT and error.__cause__ is not None:
        return code_of(error.__cause__)
    if driver == _LISTENER_REFUSES and (similar := _SIMILAR.search(str(error))):
        return int(similar[1])
    return getattr(detail, "code", 0) or driver or type(error).__name__


def meaning_of(error: BaseException) -> Meaning:
    """What an error means: by Oracle's number, else by the driver's code, which stands for many numbers of lost connections."""
    code = code_of(error)
    if found := MEANINGS.get(code) or MEANINGS.get(getattr(error.args[0], "full_code", "") if error.args else ""):
        return found
    if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
        return _NO_LISTENER
    return _TRANSIENT if code in _MAY_PASS else _OTHER


def may_pass(error: BaseException) -> bool:
    """Whether the same may work a moment later."""
    return meaning_of(error).raised is SourceUnavailable


def shown_code(error: BaseException) -> str:
    """'ORA-00942' or 'DPY-4011'."""
    code = code_of(error)
    return f"ORA-{code:05}" if isinstance(code, int) else code


@contextmanager
def translated(what: str, source: str) -> Iterator[None]:
    """The driver's errors as the pipeline's own; `what` is the source or the table."""
    try:
        yield
    except (oracledb.Error, OSError) as error:  # a host's name that nobody knows comes as socket.gaierror
        raise told(what, source, error) from None


def told(what: str, source: str, error: BaseException) -> PipelineError:
    """One of the driver's errors as one of the pipeline's."""
    meaning = meaning_of(error)
    remedy = meaning.remedy.replace("{setting}", f"UDM_SOURCE_{source}")
    return meaning.raised(f"{what}: {meaning.what} ({shown_code(error)}).", remedy=remedy)
