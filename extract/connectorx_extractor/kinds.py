"""What differs between the kinds of source that ConnectorX reads, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from extract.connectorx_extractor.literals import mysql_literal, postgresql_literal, sqlite_literal
from extract.connectorx_types import Route, mysql_route, postgresql_route, sqlite_route
from extract.selection import Literal
from sources.limits import Limits

_PROGRAM = "udm-pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSnapshot:
    """How several sessions see one snapshot: statements that keep it open, that name it, and that put another session into it."""

    holder: tuple[str, ...]
    name: str
    reader: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """A kind of source.

    `literal` spells a value beside a column; `columns` lists name, type and nullability of the columns of `:table` in
    `:schema` (`:name` has both, quoted), in order; `led_to_by` says of a table, not of a view, whether an index of all its rows
    leads with `:column`;
    `session` makes the text that the source writes independent of its own settings; `options` are the parameters behind a
    URL's '?' that SQLAlchemy's driver and ConnectorX take alike, `url_options` those that a URL gets where it does not have
    them. `arguments` are for SQLAlchemy's driver alone, and `patience` is a statement that bounds its sessions' statements.
    `snapshot` is None where several sessions cannot see one snapshot, and `one_stream` says why. `makes_sums`: its values can
    be summed up there (`sums`).
    """

    driver: str
    route: Callable[[str], Route | None]
    literal: Literal
    columns: str
    led_to_by: str
    session: str | None = None
    schemas_are_databases: bool = False
    options: frozenset[str] = frozenset()
    url_options: Callable[[Limits], dict[str, str]] = lambda _: {}
    arguments: Callable[[Limits], dict[str, Any]] = lambda _: {}
    patience: str | None = None
    snapshot: SharedSnapshot | None = None
    one_stream: str = ""
    makes_sums: bool = False


_POSTGRESQL = SourceKind(
    driver="postgresql+psycopg",
    route=postgresql_route,
    literal=postgresql_literal,
    # Domains are followed to the type below them, as which ConnectorX sees their values.
    columns="""
        WITH RECURSIVE base AS (
            SELECT a.attnum, a.attname, a.attnotnull AS required, a.atttypid AS type, a.atttypmod AS modifier
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE a.attrelid = to_regclass(:name) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT b.attnum, b.attname, b.required OR t.typnotnull, t.typbasetype, t.typtypmod
            FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
        SELECT b.attname,
            CASE coalesce(e.typtype, t.typtype)
                WHEN 'e' THEN 'enum ' WHEN 'r' THEN 'range ' WHEN 'm' THEN 'range ' WHEN 'c' THEN 'composite ' ELSE ''
            END || format_type(b.type, b.modifier),
            NOT b.required
        FROM base b JOIN pg_type t ON t.oid = b.type
            LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE t.typtype <> 'd' ORDER BY b.attnum""",
    led_to_by="""
        SELECT EXISTS (SELECT FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum)
            OR EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = c.oid AND p.partattrs[0] = a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.oid = to_regclass(:name) AND c.relkind IN ('r', 'p', 'm') AND a.attname = :column""",
    # The last setting makes the server notice within a second that the reader is gone; not every server has it or can do it.
    session="""
        SELECT set_config(v.name, v.setting, false)
        FROM (VALUES ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('extra_float_digits', '3'),
            ('bytea_output', 'hex'), ('standard_conforming_strings', 'on'),
            ('client_connection_check_interval', '1s')) AS v (name, setting)
            JOIN pg_settings s ON lower(s.name) = lower(v.name)
        WHERE v.name <> 'client_connection_check_interval' OR version() LIKE '%linux%'""",
    options=frozenset(
        {"host", "port", "sslmode", "sslcert", "sslkey", "sslrootcert", "connect_timeout", "application_name", "options"}
    ),
    url_options=lambda limits: {"application_name": _PROGRAM, "connect_timeout": str(limits.connect_timeout)},
    patience="SET statement_timeout = '{seconds}s'",
    makes_sums=True,
    # https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
    snapshot=SharedSnapshot(
        # Python reads the ends of ranges from text of this form only.
        holder=(
            "SET DateStyle = 'ISO, YMD'",
            "SET TimeZone = 'UTC'",
            "SET idle_in_transaction_session_timeout = 0",
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        ),
        name="SELECT pg_export_snapshot()",
        reader=("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SET TRANSACTION SNAPSHOT '{name}'"),
    ),
)
_MYSQL = SourceKind(
    driver="mysql+pymysql",
    route=mysql_route,
    literal=mysql_literal,
    schemas_are_databases=True,
    columns="SELECT column_name, column_type, is_nullable = 'YES' FROM information_schema.columns"
    " WHERE table_schema = coalesce(:schema, database()) AND table_name = :table ORDER BY ordinal_position",
    led_to_by="SELECT EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = t.table_schema"
    " AND s.table_name = t.table_name AND s.seq_in_index = 1 AND s.column_name = :column)"
    " OR EXISTS (SELECT 1 FROM information_schema.partitions p WHERE p.table_schema = t.table_schema"
    " AND p.table_name = t.table_name AND instr(p.partition_expression, concat('`', :column, '`')) > 0)"
    " FROM information_schema.tables t WHERE t.table_type = 'BASE TABLE'"
    " AND t.table_schema = coalesce(:schema, database()) AND t.table_name = :table",
    # The server cuts off a reader that is suspended for longer than its write timeout, a minute by default.
    session="SET time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600",
    arguments=lambda limits: {
        "program_name": _PROGRAM,
        "connect_timeout": limits.connect_timeout,
        "read_timeout": limits.query_timeout or None,
        "write_timeout": limits.query_timeout or None,
    },
    one_stream="MySQL has no snapshot that several connections could share without locking the table",
)
_SQLITE = SourceKind(
    driver="sqlite",
    route=sqlite_route,
    literal=sqlite_literal,
    columns="SELECT name, type, \"notnull\" = 0 FROM pragma_table_xinfo(:table, coalesce(:schema, 'main'))"
    " WHERE hidden <> 1 ORDER BY cid",
    led_to_by="SELECT EXISTS (SELECT 1 FROM pragma_index_list(:table, coalesce(:schema, 'main')) l,"
    " pragma_index_info(l.name, coalesce(:schema, 'main')) i WHERE l.partial = 0 AND i.seqno = 0 AND i.name = :column)"
    " OR EXISTS (SELECT 1 FROM pragma_table_info(:table, coalesce(:schema, 'main'))"
    " WHERE pk = 1 AND name = :column AND upper(type) = 'INTEGER')"
    " FROM sqlite_master WHERE type = 'table' AND name = :table COLLATE NOCASE",
    one_stream="a file of SQLite is read no faster by several connections",
)
KINDS = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "sqlite": _SQLITE}
