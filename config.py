"""Settings: one frozen value, read once from the environment and `.env`, checked before anything is opened.

Every variable is documented in `.env.example`. Nothing configured at all means the embedded default (DESIGN.md
section 2); half a configuration is an error.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from model.errors import ConfigurationError
from model.masking import LEAST_KEY_BYTES, MaskKey
from sources.registry import SourceRegistry, read_secret, refuse_password_in_query, registry_from_environment, with_password

DATA_FOLDER = "udm_data"
_MIB = 1024 * 1024
_MASK_KEYS = ("UDM_MASK_KEY", "UDM_MASK_KEY_FILE", "UDM_MASK_KEY_PREVIOUS", "UDM_MASK_KEY_PREVIOUS_FILE")
_KNOWN = (
    *("UDM_TARGET", "UDM_TARGET_PASSWORD", "UDM_TARGET_PASSWORD_FILE", "UDM_DIGEST_KEY", *_MASK_KEYS),
    *("UDM_ENV_FILE", "UDM_UPDATE_GOLDEN"),
)
_KNOWN_PREFIXES = ("UDM_SOURCE_", "UDM_TEST_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the environment decides. Sizes are bytes, ratios are fractions of one."""

    target: URL
    sources: SourceRegistry
    embedded: bool
    data_folder: Path
    stage_db: str = "UDM_Stage"
    bronze_db: str = "UDM_Bronze"
    general_db: str = "General"
    workers: int = 2
    batch_rows: int = 122_880
    spool_bytes: int = 256 * _MIB
    spool_folder: Path | None = None
    duckdb_memory: str = "1GB"
    bcp_engine: str = "auto"
    bcp_path: str = ""
    bcp_timeout: int = 3_600
    guard_low: float = 0.1
    guard_high: float = 5.0
    guard_day_rows: int = 1_000
    lookback_days: int = 7
    overlap_minutes: int = 0
    day_failures: int = 3
    confirm_deletes: int = 100_000
    delete_guard_ratio: float = 0.2
    delete_guard_rows: int = 1_000
    quarantine_rows: int = 1_000
    max_tx_rows: int | None = None
    alter_max_rows: int = 1_000_000
    retention_stage_days: int = 90
    retention_info_log_days: int = 90
    retention_event_days: int = 365
    retry_attempts: int = 3
    retry_seconds: float = 1.0
    log_level: str = "INFO"
    mask_key: MaskKey | None = None
    mask_key_previous: MaskKey | None = None
    digest_key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)


def load_settings(environment: Mapping[str, str], folder: Path) -> Settings:
    """Read and check the settings; `folder` is the current folder, where `.env` and the embedded data lie.

    Raises:
        ConfigurationError: naming the variable (never its value where that may hold a password) and the remedy.
    """
    from_file = _read_env_file(environment, folder)
    # An empty variable of the environment is one that is not set, as cron and containers have them.
    env = {**from_file, **{name: value for name, value in environment.items() if value or name not in from_file}}
    _check_known(env)
    sources = registry_from_environment(env, _folder(env, "ORACLE_CLIENT_DIR"))
    target = env.get("UDM_TARGET", "").strip()
    if not target and len(sources):
        raise ConfigurationError(
            f"UDM_SOURCE_{next(iter(sources))} is set, but UDM_TARGET is not.",
            remedy="Set UDM_TARGET to the warehouse's URL, for instance duckdb:////var/lib/udm (see .env.example).",
        )
    alone = [name for name in ("UDM_TARGET_PASSWORD", "UDM_TARGET_PASSWORD_FILE") if env.get(name)]
    if not target and alone:
        raise ConfigurationError(f"{alone[0]} is set, but UDM_TARGET is not.", remedy="Set UDM_TARGET to the warehouse's URL.")
    data_folder = (folder / DATA_FOLDER).resolve()
    url = _target_url(target, env) if target else URL.create("duckdb", database=str(data_folder))
    digest_key = env.get("UDM_DIGEST_KEY", "")
    settings = Settings(
        target=url,
        sources=sources,
        embedded=not target,
        data_folder=data_folder,
        stage_db=_name(env, "STAGE_DB", "UDM_Stage"),
        bronze_db=_name(env, "BRONZE_DB", "UDM_Bronze"),
        general_db=_name(env, "GENERAL_DB", "General"),
        workers=_whole(env, "WORKERS", 2),
        batch_rows=_whole(env, "BATCH_ROWS", 122_880),
        spool_bytes=_whole(env, "SPOOL_MB", 256, least=0) * _MIB,
        spool_folder=Path(env["SPOOL_DIR"]) if env.get("SPOOL_DIR") else None,
        duckdb_memory=_size(env, "DUCKDB_MEMORY_LIMIT", "1GB"),
        bcp_engine=_engine(env),
        bcp_path=env.get("BCP_PATH", ""),
        bcp_timeout=_whole(env, "BCP_TIMEOUT", 3_600),
        guard_low=_ratio(env, "GUARD_LOW_RATIO", 0.1),
        guard_high=_ratio(env, "GUARD_HIGH_RATIO", 5.0),
        guard_day_rows=_whole(env, "GUARD_DAY_ROWS", 1_000, least=0),
        lookback_days=_whole(env, "LOOKBACK_DAYS", 7, least=0),
        overlap_minutes=_whole(env, "OVERLAP_MINUTES", 0, least=0),
        day_failures=_whole(env, "DAY_FAILURES", 3),
        confirm_deletes=_whole(env, "CONFIRM_DELETES", 100_000, least=0),
        delete_guard_ratio=_ratio(env, "DELETE_GUARD_RATIO", 0.2),
        delete_guard_rows=_whole(env, "DELETE_GUARD_ROWS", 1_000, least=0),
        quarantine_rows=_whole(env, "QUARANTINE_ROWS", 1_000, least=0),
        max_tx_rows=_whole(env, "MAX_TX_ROWS", 0, least=0) if env.get("MAX_TX_ROWS") else None,
        alter_max_rows=_whole(env, "ALTER_MAX_ROWS", 1_000_000, least=0),
        retention_stage_days=_whole(env, "RETENTION_STAGE_DAYS", 90, least=0),
        retention_info_log_days=_whole(env, "RETENTION_INFO_LOG_DAYS", 90, least=0),
        retention_event_days=_whole(env, "RETENTION_EVENT_DAYS", 365, least=0),
        retry_attempts=_whole(env, "RETRY_ATTEMPTS", 3),
        retry_seconds=_ratio(env, "RETRY_SECONDS", 1.0, like="1.5"),
        log_level=_level(env),
        mask_key=_mask_key(env, "UDM_MASK_KEY"),
        mask_key_previous=_mask_key(env, "UDM_MASK_KEY_PREVIOUS"),
        **({"digest_key": digest_key.encode()[:64]} if digest_key else {}),
    )
    _check_together(settings)
    return settings


def _check_known(env: Mapping[str, str]) -> None:
    """A misspelt UDM_TARGET would be the embedded default in silence."""
    for name in sorted(env):
        if not name.startswith("UDM_") or not env[name] or name in _KNOWN or name.startswith(_KNOWN_PREFIXES):
            continue
        known = (*_KNOWN, *(prefix + name.rpartition("_")[2] for prefix in _KNOWN_PREFIXES))
        [near] = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise ConfigurationError(
            f"{name} is set, and there is no such setting.", remedy=f"Did you mean {near}? (.env.example lists them all.)"
        )


def _check_together(settings: Settings) -> None:
    databases = (settings.stage_db, settings.bronze_db, settings.general_db)
    if len({name.casefold() for name in databases}) < len(databases):
        raise ConfigurationError(
            f"STAGE_DB, BRONZE_DB and GENERAL_DB are {', '.join(databases)}.", remedy="Give the three databases different names."
        )
    if not settings.guard_low < settings.guard_high:
        raise ConfigurationError(
            f"GUARD_LOW_RATIO ({settings.guard_low}) is not below GUARD_HIGH_RATIO ({settings.guard_high}).",
            remedy="Correct them: every extract would be blocked.",
        )


def _read_env_file(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    named = environment.get("UDM_ENV_FILE")
    path = Path(named) if named else folder / ".env"
    if not named and not path.exists() and not path.is_symlink():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The settings file {path} cannot be read ({type(error).__name__}).",
            remedy="Make it a readable UTF-8 file, or remove it (UDM_ENV_FILE names another one).",
        ) from error
    for line in parse_stream(StringIO(text)):
        # python-dotenv passes over what it cannot read: half a configuration would then be the embedded default.
        if line.error or (line.key is not None and line.value is None):
            blank = line.original.string[: -len(line.original.string.lstrip())]
            raise ConfigurationError(
                f"Line {line.original.line + blank.count(chr(10))} of the settings file {path} is not NAME=value.",
                remedy="Correct it; a value with blanks, quotes or # in it stands in quotes.",
            )
    # Not interpolated: a password may hold ${…}.
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _target_url(text: str, env: Mapping[str, str]) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The cause would show the URL, password and all.
        raise ConfigurationError(
            "UDM_TARGET is not a URL.", remedy="Write it like duckdb:////var/lib/udm or postgresql://user@host:5432/warehouse."
        ) from None
    checked = _TARGETS.get(url.get_backend_name())
    if checked is None:
        raise ConfigurationError(
            "UDM_TARGET has an unknown kind of target before '://'.", remedy=f"Known kinds are {', '.join(sorted(_TARGETS))}."
        )
    return checked(url, env)


def _duckdb_target(url: URL, env: Mapping[str, str]) -> URL:
    if not url.database or not Path(url.database).is_absolute():
        raise ConfigurationError(
            "UDM_TARGET must name a folder by its absolute path.", remedy="Write four slashes: duckdb:////var/lib/udm."
        )
    return with_password("UDM_TARGET", url, env)


def _postgresql_target(url: URL, env: Mapping[str, str]) -> URL:
    if not url.database:
        raise ConfigurationError(
            "UDM_TARGET names no database.", remedy="Write it behind the host: postgresql://user@host:5432/warehouse."
        )
    refuse_password_in_query("UDM_TARGET", url)
    return with_password("UDM_TARGET", url, env)


def _mssql_target(url: URL, env: Mapping[str, str]) -> URL:
    refuse_password_in_query("UDM_TARGET", url)
    return with_password("UDM_TARGET", url, env)


_TARGETS: dict[str, Callable[[URL, Mapping[str, str]], URL]] = {
    "duckdb": _duckdb_target,
    "mssql": _mssql_target,
    "postgresql": _postgresql_target,
}


def _name(env: Mapping[str, str], variable: str, default: str) -> str:
    value = env.get(variable) or default
    if not value.replace("_", "").isalnum() or not value.isascii():
        raise ConfigurationError(f"{variable} is {value!r}.", remedy="Use letters, digits and underscores for a database's name.")
    return value


def _whole(env: Mapping[str, str], variable: str, default: int, *, least: int = 1) -> int:
    text = env.get(variable)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ConfigurationError(f"{variable} is {text!r}.", remedy=f"Set it to a whole number of at least {least}.")
    return int(text)


def _size(env: Mapping[str, str], variable: str, default: str) -> str:
    text = env.get(variable) or default
    if not re.fullmatch(r"\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", text, re.ASCII):
        raise ConfigurationError(f"{variable} is {text!r}.", remedy="Write a size with its unit, for instance 1GB.")
    return text


def _folder(env: Mapping[str, str], variable: str) -> Path | None:
    text = env.get(variable)
    if text and not Path(text).is_dir():
        raise ConfigurationError(f"{variable} is {text!r}, which is no folder.", remedy="Correct it, or remove it.")
    return Path(text) if text else None


def _ratio(env: Mapping[str, str], variable: str, default: float, *, like: str = "0.1 (ten per cent)") -> float:
    text = env.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise ConfigurationError(f"{variable} is {text!r}.", remedy=f"Set it to a number such as {like}.")
    return value


def _mask_key(env: Mapping[str, str], variable: str) -> MaskKey | None:
    file = f"{variable}_FILE"
    if env.get(variable) and env.get(file):
        raise ConfigurationError(f"{variable} and {file} are both set.", remedy="Keep one of them and remove the other.")
    name, secret = (file, read_secret(file, env[file], "mask key")) if env.get(file) else (variable, env.get(variable) or None)
    if secret is None:
        return None
    if len(secret.encode()) < LEAST_KEY_BYTES:
        raise ConfigurationError(
            f"{name} gives a key of fewer than {LEAST_KEY_BYTES} bytes.",
            remedy="Make one that nobody can guess, for instance with: openssl rand -hex 32",
        )
    return MaskKey(secret=secret)


def _engine(env: Mapping[str, str]) -> str:
    engine = (env.get("BCP_ENGINE") or "auto").lower()
    known = ("auto", "bcp", "arrow")
    if engine not in known:
        raise ConfigurationError(f"BCP_ENGINE is {engine!r}.", remedy=f"Set it to one of {', '.join(known)}.")
    return engine


def _level(env: Mapping[str, str]) -> str:
    level = (env.get("LOG_LEVEL") or "INFO").upper()
    known = ("DEBUG", "INFO", "WARNING", "ERROR")
    if level not in known:
        raise ConfigurationError(f"LOG_LEVEL is {level!r}.", remedy=f"Set it to one of {', '.join(known)}.")
    return level
