"""A server that speaks as much of Oracle's protocol as python-oracledb's thin mode asks for: the real driver runs against it.

It is no database: what a statement answers is scripted. It proves what the driver makes of bytes on the wire (types, time-outs,
breaks, lost connections), never what Oracle makes of SQL. The wire's forms are those that python-oracledb's own source reads
(`impl/thin/messages`), of a server of version 12.1.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

VARCHAR, NUMBER, LONG, DATE, RAW, LONG_RAW, CHAR, BINARY_FLOAT, BINARY_DOUBLE, CLOB, BLOB, TIMESTAMP, BOOLEAN = (
    1, 2, 8, 12, 23, 24, 96, 100, 101, 112, 113, 180, 252,
)  # fmt: skip
PASSWORD = "secret-of-the-test"
NO_MORE_ROWS, CANCELLED, WRONG_PASSWORD = 1403, 1013, 1017
_CONNECT, _ACCEPT, _DATA, _MARKER = 1, 2, 6, 12
_RESET = 2
_ROLLBACK, _LOGOFF = 15, 9
_SQL = re.compile(rb"(?:\n    )?(?:SELECT |ALTER SESSION |SET TRANSACTION )")
_LOBS = {CLOB: LONG, BLOB: LONG_RAW}
_SHORT = 252


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """An answer: columns by name and type, rows as bytes of the wire or None, in batches of their own; `national` text is NCHAR.

    `ending`: an error comes in the place of the end; `cut`: the connection breaks there. `waits`: until the client breaks it.
    """

    columns: Sequence[tuple[str, int]] = ()
    batches: Sequence[Sequence[Sequence[bytes | None]]] = ((),)
    ending: tuple[int, str] | None = None
    cut: bool = False
    waits: bool = False
    national: bool = False


@dataclass(slots=True, kw_only=True)
class StandIn:
    """Listens on the loopback; `answer` is asked for each statement. `statements` and `requests` are what came."""

    answer: Callable[[str], Rows]
    statements: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        """For UDM_SOURCE_<NAME>."""
        return f"oracle://udm:{PASSWORD}@127.0.0.1:{self.listener.getsockname()[1]}/?service_name=test"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, name="stand-in", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="stand-in session", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                _Session(self, client).run()
            except (OSError, EOFError):
                return


class _Session:
    def __init__(self, server: StandIn, client: socket.socket) -> None:
        self._server, self._client = server, client
        self._cursors: dict[int, Rows] = {}
        self._open: list[tuple[int, list[Sequence[Sequence[bytes | None]]], Rows]] = []
        self._encoded: dict[int, bytes] = {}  # a batch may come many times

    def run(self) -> None:
        self._server.requests.append(self._receive(old=True))
        accept = struct.pack(">HH10xB9xI", 317, 0, 0, 65_535)
        self._client.sendall(struct.pack(">HHBBH", len(accept) + 8, 0, _ACCEPT, 0, 0) + accept)
        self._receive()
        capabilities = bytearray(60)
        capabilities[7] = 7  # TTC's field version of 12.1
        self._send(
            b"\x01\x06\0stand-in\0" + struct.pack("<HBH", 873, 1, 0)
            + struct.pack(">H", 11) + bytes(9) + struct.pack(">H", 2000)
            + bytes([60]) + bytes(capabilities) + bytes([12]) + bytes(12)
        )  # fmt: skip
        self._receive()
        self._send(b"\x02\0\0")
        if self._log_in():
            while self._request(self._receive()):
                pass

    def _log_in(self) -> bool:
        """O5LOGON with a verifier of 11g: the two halves of a session's key, each encrypted with the password's hash."""
        self._server.requests.append(self._receive())
        salt, half = os.urandom(10), os.urandom(48)
        key = hashlib.sha1(PASSWORD.encode() + salt).digest() + bytes(4)
        self._send(
            b"\x08" + ub(2)
            + _pair("AUTH_SESSKEY", _aes(key, half, encrypt=True).hex().upper()) + ub(0)
            + _pair("AUTH_VFR_DATA", salt.hex().upper()) + ub(0x1B25) + _STATUS
        )  # fmt: skip
        request = self._receive()
        self._server.requests.append(request)
        sent = re.findall(rb"AUTH_(?:SESSKEY|PASSWORD).{3,5}?([0-9A-F]{64,})", request, re.DOTALL)
        theirs, word = (bytes.fromhex(found.decode()) for found in sent)
        other = _aes(key, theirs, encrypt=False)
        mixed = bytes(one ^ two for one, two in zip(half[16:40], other[16:40], strict=True))
        session = (hashlib.md5(mixed[:16]).digest() + hashlib.md5(mixed[16:]).digest())[:24]
        plain = _aes(session, word, encrypt=False)[16:]
        if plain[: -plain[-1]] != PASSWORD.encode():
            self._send(error(WRONG_PASSWORD, "ORA-01017: invalid username/password; logon denied"))
            return False
        answer = _aes(session, os.urandom(16) + b"SERVER_TO_CLIENT", encrypt=True).hex().upper()
        facts = {"AUTH_SVR_RESPONSE": answer, "AUTH_SESSION_ID": "1", "AUTH_SERIAL_NUM": "1", "AUTH_VERSION_NO": "202375680"}
        self._send(b"\x08" + ub(len(facts)) + b"".join(_pair(*fact) + ub(0) for fact in facts.items()) + _STATUS)
        return True

    def _request(self, payload: bytes) -> bool:
        self._server.requests.append(payload)
        if found := _SQL.search(payload):
            sql = _text_at(payload, found.start())
            self._server.statements.append(sql)
            answer = self._server.answer(sql)
            cursor = len(self._cursors) + 1
            self._cursors[cursor] = answer
            self._execute(cursor, answer, defined=False)
        elif repeated := re.search(rb"\x03\x4e.\x01(.)", payload, re.DOTALL):
            self._execute(repeated[1][0], self._cursors[repeated[1][0]], defined=True)
        elif b"\x03\x5e" in payload:  # the last statement once more, with its LOBs defined as LONG
            cursor = max(self._cursors)
            self._execute(cursor, self._cursors[cursor], defined=True)
        elif payload[-3:-2] == b"\x03" and payload[-2] in {_ROLLBACK, _LOGOFF}:
            self._send(_STATUS)
            return payload[-2] != _LOGOFF
        elif re.search(rb"\x03\x05", payload):
            cursor, batches, answer = self._open[-1]
            self._batch(cursor, batches, answer, b"")
        return True

    def _execute(self, cursor: int, answer: Rows, *, defined: bool) -> None:
        if answer.waits:
            self._wait_for_break()
            return
        if not answer.columns:
            self._send(error(*answer.ending) if answer.ending else error(0, "", cursor=0))
            return
        described = b"\x10\0" + _description(answer)
        if any(kind in _LOBS for _, kind in answer.columns) and not defined:
            self._send(described + error(0, "", cursor=cursor))  # the client defines the LOBs as LONG first
            return
        self._open.append((cursor, list(answer.batches), answer))
        self._batch(cursor, self._open[-1][1], answer, b"" if defined else described)

    def _batch(self, cursor: int, batches: list[Sequence[Sequence[bytes | None]]], answer: Rows, head: bytes) -> None:
        rows = batches.pop(0) if batches else ()
        if id(rows) not in self._encoded:
            kinds = [kind for _, kind in answer.columns]
            self._encoded[id(rows)] = b"".join(
                b"\x07" + b"".join(_value(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in rows
            )
        body = head + b"\x06\0" + ub(0) * 6 + self._encoded[id(rows)]
        if batches:
            body += error(0, "", cursor=cursor)
        elif answer.cut:
            self._client.sendall(struct.pack(">IBBH", len(body) + 10 + 50, _DATA, 0, 0) + b"\0\0" + body)
            raise EOFError
        else:
            body += error(*(answer.ending or (NO_MORE_ROWS, "ORA-01403: no data found")), cursor=cursor)
        self._send(body)

    def _wait_for_break(self) -> None:
        self._server.waiting.set()
        self._receive(_MARKER)
        self._marker(1)
        self._receive(_MARKER)
        self._marker(_RESET)
        self._send(error(CANCELLED, "ORA-01013: user requested cancel of current operation"))

    def _marker(self, kind: int) -> None:
        self._client.sendall(struct.pack(">IBBH", 11, _MARKER, 0, 0) + bytes([1, 0, kind]))

    def _send(self, body: bytes) -> None:
        for start in range(0, len(body), 60_000):
            part = b"\0\0" + body[start : start + 60_000]
            self._client.sendall(struct.pack(">IBBH", len(part) + 8, _DATA, 0, 0) + part)

    def _receive(self, wanted: int | None = None, *, old: bool = False) -> bytes:
        """The next packet's content. Markers, by which the client ends an answer that it cannot take, are answered here.

        A break may come ahead of its statement, or when nothing runs any more: what comes before the reset is passed over.
        """
        is_broken = False
        while True:
            head = self._exactly(8)
            size = struct.unpack(">H", head[:2])[0] if old else struct.unpack(">I", head[:4])[0]
            content = self._exactly(size - 8)
            if head[4] == _MARKER and wanted is None:
                is_broken = content[2] != _RESET
                if is_broken:
                    self._marker(1)
                else:
                    self._marker(_RESET)
                    self._send(error(CANCELLED, "ORA-01013: user requested cancel of current operation"))
            elif not is_broken:
                return content[2:] if head[4] == _DATA else content

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._client.recv(size - len(found))
            if not part:
                raise EOFError
            found += part
        return found


def ub(value: int) -> bytes:
    """An unsigned number as the wire has it: its length, then its bytes."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _pair(key: str, value: str) -> bytes:
    return b"".join(ub(len(text)) + _long(text.encode()) for text in (key, value))


def _long(value: bytes) -> bytes:
    if len(value) <= _SHORT:
        return bytes([len(value)]) + value
    chunks = (value[start : start + 32_767] for start in range(0, len(value), 32_767))
    return b"\xfe" + b"".join(ub(len(chunk)) + chunk for chunk in chunks) + ub(0)


def _value(kind: int, value: bytes | None) -> bytes:
    sent = b"\0" if value is None else _long(value)
    return sent + ub(0) + ub(0) if kind in {LONG, LONG_RAW, CLOB, BLOB} else sent


def _text_at(payload: bytes, start: int) -> str:
    """A statement: behind its length in one byte, or in chunks, each behind its own."""
    chunked = payload[start - 4 : start - 2] == b"\xfe\x02"
    size = int.from_bytes(payload[start - 2 : start], "big") if chunked else payload[start - 1]
    return payload[start : start + size].decode()


def error(number: int, message: str, *, cursor: int = 0) -> bytes:
    """The message that ends an answer, well or not."""
    said = _long(message.encode()) if number else b""
    return (
        b"\x04" + ub(0) * 6 + ub(cursor) + ub(0) + bytes(6)
        + ub(0) + ub(0) + bytes(1) + ub(0) + ub(0)
        + ub(0) + bytes(2) + ub(0) + ub(0) + ub(0)
        + ub(0) * 3 + ub(number) + ub(0) + said
    )  # fmt: skip


_STATUS = b"\x09" + ub(0) + ub(0)


def _description(answer: Rows) -> bytes:
    found = ub(4000) + ub(len(answer.columns)) + b"\0"
    for name, kind in answer.columns:
        form = 2 if answer.national else 1
        found += bytes([kind, 0, 0, 0]) + ub(4000) + ub(0) * 3 + ub(0) + ub(873) + bytes([form]) + ub(4000) + b"\x01\0"
        found += ub(len(name)) + _long(name.encode()) + ub(0) * 4
    return found + ub(0) * 6


def _aes(key: bytes, text: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(16)))
    worker = cipher.encryptor() if encrypt else cipher.decryptor()
    return worker.update(text) + worker.finalize()


def oracle_date(value: datetime | tuple[int, int, int, int, int, int]) -> bytes:
    """A DATE: century and year with 100 added, the time with 1 added; a year BC is negative."""
    year, month, day, hour, minute, second = value.timetuple()[:6] if isinstance(value, datetime) else value
    century, rest = divmod(abs(year), 100)
    sign = 1 if year >= 0 else -1
    return bytes([100 + sign * century, 100 + sign * rest, month, day, hour + 1, minute + 1, second + 1])


def oracle_timestamp(value: datetime, nanoseconds: int = -1) -> bytes:
    """A TIMESTAMP: a DATE, and the nanoseconds where there are any."""
    fraction = value.microsecond * 1_000 if nanoseconds < 0 else nanoseconds
    return oracle_date(value) + (fraction.to_bytes(4, "big") if fraction else b"")


def oracle_number(value: Decimal | int) -> bytes:
    """A NUMBER: an exponent of 100, then digits of 100, complemented where it is negative."""
    sign, digits, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return b"\x80"
    if exponent % 2:
        text, exponent = text + "0", exponent - 1
    text = text.zfill(len(text) + len(text) % 2)
    pairs = [int(text[at : at + 2]) for at in range(0, len(text), 2)]
    power = len(pairs) + exponent // 2 - 1
    while pairs[-1] == 0:
        pairs.pop()
    if sign:
        return bytes([62 - power, *(101 - pair for pair in pairs)]) + (b"\x66" if len(pairs) < 20 else b"")
    return bytes([193 + power, *(pair + 1 for pair in pairs)])


def oracle_double(value: float, form: str = ">d") -> bytes:
    """A BINARY_DOUBLE or, with '>f', a BINARY_FLOAT: IEEE with its sign turned round, so that bytes sort as numbers do."""
    raw = struct.pack(form, value)
    return bytes([raw[0] | 0x80]) + raw[1:] if not raw[0] & 0x80 else bytes(byte ^ 0xFF for byte in raw)
