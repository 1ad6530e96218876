"""What the drivers of these sources report: what may pass by itself, what a person has to change, and where to look.

SQLAlchemy's drivers give a code and a message; ConnectorX gives words, of which only those are shown that cannot hold a
row's values.
"""

from __future__ import annotations

import re

from extract.connectorx_extractor.process import DIED, SILENT
from model.errors import PipelineError, SourceRefused, SourceTableMissing, SourceUnavailable

# PostgreSQL's SQLSTATEs and MySQL's numbers for: no such table or schema, no right to read it.
_NOT_READABLE = frozenset({"42P01", "3F000", "42501", "1142", "1143", "1146"})
# https://www.postgresql.org/docs/current/errcodes-appendix.html
# https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference, and the SQLSTATEs that go with them
_PASSING = frozenset(
    {
        "40001", "40P01", "55P03",  # serialization failure, deadlock, lock time-out
        "53300", "57P01", "57P02", "57P03",  # too many connections, shutting down, crashed, starting up
        "57014",  # a statement ended by its time-out, or by a standby that had to go on
        "1040", "1053", "1077", "1129", "1152", "1158", "1159", "1160", "1161", "1203", "1226",  # busy, stopping, network
        "1205", "1213", "1317", "1927", "1969", "3024", "70100",  # lock time-out, deadlock, killed, time-out
        "2002", "2006", "2013", "2055",  # the client's: cannot connect, connection gone, lost
    }
)  # fmt: skip
_CONNECTION_CLASS = "08"
# libpq gives no SQLSTATE for a connection that fails; PyMySQL gives 2003 for all of them; SQLite has words only.
_PASSING_WORDS = (
    "connection refused", "no such file or directory", "timeout expired", "timed out", "no route to host", "unreachable",
    "reset by peer", "broken pipe", "closed the connection", "server closed", "connection already closed", "lost connection",
    "connection is lost", "starting up", "shutting down", "in recovery mode", "not yet accepting", "too many clients",
    "too many connections", "remaining connection slots", "temporary failure in name resolution", "database is locked",
)  # fmt: skip
_POSTGRESQL_ERROR = re.compile(r'code: SqlState\(E?(\w{5})\), message: "((?:[^"\\]|\\.)*)"')
_MYSQL_ERROR = re.compile(r"ERROR (\d+) \((\w{5})\): ([^\"]*)")
# The classes of SQLSTATE whose messages speak of the server and of names; the others' may quote a row's values.
_TELLING = ("08", "28", "3D", "3F", "42", "53", "55", "57", "58", "70")
# ConnectorX panics for the network too: what says nothing of it is a value that it could not take.
_PANIC = "PanicException"
# SQLite's result codes as ConnectorX spells them, and what its own messages say, which name neither values nor columns.
_SQLITE_ERROR = re.compile(
    r"SqliteFailure\(Error \{ code: (\w+)|^RuntimeError: (database is locked|unable to open database file)"
)
_HELD = "another process holds its file"
_SQLITE_REASONS = {
    "DatabaseCorrupt": "its file is damaged, or was cut or written over while it was read",
    "NotADatabase": "its file is no database, or was written over while it was read",
    "SystemIoFailure": "its file could not be read further",
    "CannotOpen": "its file could not be opened",
    "unable to open database file": "its file could not be opened",
    "DatabaseBusy": _HELD,
    "database is locked": _HELD,
}
_OF_A_FILE = ("not a database", "malformed", "unable to open database file", "disk I/O error", "readonly database")
_FILE_REMEDY = (
    "Check the file of UDM_SOURCE_{source}: that this account may read it, and PRAGMA integrity_check. A newer copy of it is put"
    " in its place by renaming it, for a file that is written over is not of one state."
)
_NETWORK_IN_PANIC = ("kind: Io", "kind: Closed", "kind: Connect", "IO error", "IoError", "timed out", "Timeout")


_LOGIN_REMEDY = (
    "Check the user in UDM_SOURCE_{source} and its password (UDM_SOURCE_{source}_PASSWORD or"
    " UDM_SOURCE_{source}_PASSWORD_FILE), and that the server lets it in from this machine."
)
# What a person corrects, by the numbers and the words that say so: the first that fits.
_REMEDIES: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (frozenset(), _OF_A_FILE, _FILE_REMEDY),
    (
        frozenset({"1044", "1049", "3D000"}),
        ('FATAL: database "',),
        "Correct the database in UDM_SOURCE_{source} (of MySQL also SourceSchemaName), or have its login let into it.",
    ),
    (
        frozenset(),
        ("Name or service not known", "failed to resolve host", "nodename nor servname", "getaddrinfo"),
        "Correct the host in UDM_SOURCE_{source}, or the machine's name resolution.",
    ),
    (
        frozenset({"1045", "1698", "1862", "4151", "28P01", "28000"}),
        ("password authentication failed", "no password supplied", "pg_hba.conf", "not permitted to log in", 'FATAL: role "'),
        _LOGIN_REMEDY,
    ),
)
_OTHER_REMEDY = "Check UDM_SOURCE_{source} and the options behind its '?'; the source's log may have more."


def refusal(what: str, source: str, code: str, message: str) -> PipelineError:
    """What SQLAlchemy's driver reports, by its code and its message without a password."""
    message = message.rstrip(".") + ("" if message.endswith("?") else ".")
    if code in _NOT_READABLE or message.startswith("no such table"):
        return SourceTableMissing(
            f"{what}: {message}",
            remedy=f"Correct the table's name in UdmTablesList, or grant SELECT on it to the login of UDM_SOURCE_{source}.",
        )
    if _passes(code, message):
        return SourceUnavailable(
            f"{what}: the source cannot be used now: {message}",
            remedy=f"Check host and port in UDM_SOURCE_{source}, that the source is up and takes connections, and the firewalls.",
        )
    fitting = (remedy for codes, words, remedy in _REMEDIES if code in codes or any(word in message for word in words))
    remedy = next(fitting, _OTHER_REMEDY).format(source=source)
    return SourceRefused(f"{what}: the source cannot be used: {message}", remedy=remedy)


def broken_off(what: str, source: str, delivered: int, words: str) -> PipelineError:
    """What ended a read, by ConnectorX's words. What does not say that it would fail again may pass: the login had worked."""
    message = f"{what}: the source broke the read off after {delivered} rows{_reason(words)}."
    if reason := _of_file(words):
        remedy = "Run it when that has ended, or see who it is." if reason == _HELD else _FILE_REMEDY
        return SourceUnavailable(message, remedy=remedy.format(source=source))
    codes = _codes(words)
    if codes:
        passes = any(_passes(code, "") for code in codes)
    else:
        passes = not words.startswith(_PANIC) or any(sign in words for sign in _NETWORK_IN_PANIC)
    if passes:
        return SourceUnavailable(
            message, remedy=f"Check that the source of UDM_SOURCE_{source} is up; its own log has the reason."
        )
    return SourceRefused(
        message, remedy=f"Read the table or view with the login of UDM_SOURCE_{source} to see more; the source's log may have it."
    )


def _passes(code: str, message: str) -> bool:
    text = message.lower()
    return code in _PASSING or code.startswith(_CONNECTION_CLASS) or any(words in text for words in _PASSING_WORDS)


def _of_file(words: str) -> str:
    found = _SQLITE_ERROR.search(words)
    return _SQLITE_REASONS.get(found[1] or found[2], "") if found else ""


def _codes(words: str) -> tuple[str, ...]:
    if found := _POSTGRESQL_ERROR.search(words):
        return (found[1],)
    found = _MYSQL_ERROR.search(words)
    return (found[1], found[2]) if found else ()


def _reason(words: str) -> str:
    if words.startswith(SILENT):
        return f": {words} (SOURCE_QUERY_TIMEOUT)"
    if words.startswith(DIED):
        return f": {words}"
    if reason := _of_file(words):
        return f": {reason}"
    found = _POSTGRESQL_ERROR.search(words) or _MYSQL_ERROR.search(words)
    if not found:
        return ""
    state, message = found.groups()[-2:]
    return f": {message} (SQLSTATE {state})" if state.startswith(_TELLING) else f": SQLSTATE {state}"
