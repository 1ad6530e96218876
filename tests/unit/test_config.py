"""Settings: every variable, its default and its bad values; nothing configured, and half a configuration."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from config import Settings, load_settings
from model.errors import ConfigurationError
from model.masking import MaskKey

SECRET = "Hunter2"
TARGET = {"UDM_TARGET": "duckdb:////var/lib/udm"}
SETTINGS: list[tuple[str, str, str, object, object]] = [
    ("STAGE_DB", "Stage_2", "stage_db", "Stage_2", "UDM_Stage"),
    ("BRONZE_DB", "Bronze", "bronze_db", "Bronze", "UDM_Bronze"),
    ("GENERAL_DB", "Gen", "general_db", "Gen", "General"),
    ("WORKERS", "8", "workers", 8, 2),
    ("BATCH_ROWS", "1000", "batch_rows", 1_000, 122_880),
    ("SPOOL_MB", "3", "spool_bytes", 3 * 1024 * 1024, 256 * 1024 * 1024),
    ("SPOOL_MB", "0", "spool_bytes", 0, 256 * 1024 * 1024),
    ("SPOOL_DIR", "/big/disk", "spool_folder", Path("/big/disk"), None),
    ("DUCKDB_MEMORY_LIMIT", "512MB", "duckdb_memory", "512MB", "1GB"),
    ("DUCKDB_MEMORY_LIMIT", "1.5 GiB", "duckdb_memory", "1.5 GiB", "1GB"),
    ("GUARD_LOW_RATIO", "0.5", "guard_low", 0.5, 0.1),
    ("GUARD_HIGH_RATIO", "20", "guard_high", 20.0, 5.0),
    ("DELETE_GUARD_RATIO", "0", "delete_guard_ratio", 0.0, 0.2),
    ("DELETE_GUARD_ROWS", "0", "delete_guard_rows", 0, 1_000),
    ("QUARANTINE_ROWS", "5", "quarantine_rows", 5, 1_000),
    ("MAX_TX_ROWS", "0", "max_tx_rows", 0, None),
    ("RETRY_ATTEMPTS", "1", "retry_attempts", 1, 3),
    ("RETRY_SECONDS", "0.25", "retry_seconds", 0.25, 1.0),
    ("LOG_LEVEL", "debug", "log_level", "DEBUG", "INFO"),
    ("UDM_DIGEST_KEY", "key", "digest_key", b"key", None),
]
BAD = [
    *(("STAGE_DB", text) for text in ("a.b", "a b", 'a"b', "ä", "-", "_")),
    ("BRONZE_DB", "x;y"),
    ("GENERAL_DB", "x'y"),
    *(("WORKERS", text) for text in ("0", "-1", "two", "1.5", "²")),
    ("BATCH_ROWS", "0"),
    ("SPOOL_MB", "-1"),
    *(("DUCKDB_MEMORY_LIMIT", text) for text in ("1", "GB", "1GB'", "80%")),
    *(("GUARD_LOW_RATIO", text) for text in ("nan", "inf", "-0.1", "10%", "1e999")),
    ("GUARD_HIGH_RATIO", "-5"),
    ("DELETE_GUARD_RATIO", "x"),
    ("DELETE_GUARD_ROWS", "-1"),
    ("QUARANTINE_ROWS", "many"),
    ("MAX_TX_ROWS", "-1"),
    ("RETRY_ATTEMPTS", "0"),
    ("RETRY_SECONDS", "soon"),
    ("LOG_LEVEL", "LOUD"),
]


def refused(environment: dict[str, str], folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment, folder)
    assert caught.value.remedy
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize(("variable", "text", "field", "value", "default"), SETTINGS)
def test_each_variable_sets_its_own_value(
    tmp_path: Path, variable: str, text: str, field: str, value: object, default: object
) -> None:
    assert getattr(load_settings({variable: text}, tmp_path), field) == value
    if default is not None:
        assert getattr(load_settings({}, tmp_path), field) == default
        assert getattr(load_settings({variable: ""}, tmp_path), field) == default


def test_the_values_own_defaults_are_those_of_an_empty_environment(tmp_path: Path, defaults: Settings) -> None:
    loaded = load_settings({}, tmp_path)
    given = {"target", "sources", "embedded", "data_folder", "digest_key"}
    assert [
        name for name in Settings.__dataclass_fields__.keys() - given if getattr(loaded, name) != getattr(defaults, name)
    ] == []


@pytest.mark.parametrize(("variable", "text"), BAD)
def test_a_bad_value_names_its_variable(tmp_path: Path, variable: str, text: str) -> None:
    assert variable in str(refused({variable: text}, tmp_path))


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("UDM_TARGT", "UDM_TARGET"),
        ("UDM_TARGET_PASWORD", "UDM_TARGET_PASSWORD"),
        ("UDM_SOURC_DNA", "UDM_SOURCE_DNA"),
        ("UDM_DIGESTKEY", "UDM_DIGEST_KEY"),
        ("UDM_ENVFILE", "UDM_ENV_FILE"),
    ],
)
def test_a_misspelt_variable_is_refused_and_not_the_embedded_default(tmp_path: Path, variable: str, meant: str) -> None:
    message = str(refused({variable: SECRET}, tmp_path))
    assert variable in message
    assert f"Did you mean {meant}?" in message
    (tmp_path / ".env").write_text(f"{variable}={SECRET}\n", encoding="utf-8")
    assert variable in str(refused({}, tmp_path))


def test_the_tests_own_variables_and_empty_ones_are_no_settings(tmp_path: Path) -> None:
    others = {"UDM_TEST_MSSQL_URL": "mssql://h", "UDM_UPDATE_GOLDEN": "1", "UDM_TARGT": "", "UDMX": "1"}
    assert load_settings(others, tmp_path).embedded


def test_without_a_digest_key_each_run_makes_its_own(tmp_path: Path) -> None:
    one, other = (load_settings({}, tmp_path).digest_key for _ in range(2))
    assert one != other
    assert len(one) == 32


def test_nothing_configured_is_the_embedded_default(tmp_path: Path) -> None:
    settings = load_settings({"PATH": "/bin"}, tmp_path)
    assert settings.embedded
    assert settings.target.get_backend_name() == "duckdb"
    assert settings.target.database == str(tmp_path.resolve() / "udm_data") == str(settings.data_folder)
    assert list(tmp_path.iterdir()) == [], "reading the settings creates nothing"


def test_a_target_alone_is_a_configuration(tmp_path: Path) -> None:
    settings = load_settings(TARGET, tmp_path)
    assert (settings.embedded, settings.target.database, len(settings.sources)) == (False, "/var/lib/udm", 0)


def test_target_and_sources_are_read_together(tmp_path: Path) -> None:
    settings = load_settings(TARGET | {"UDM_SOURCE_DNA": "duckdb:////data/dna.duckdb"}, tmp_path)
    assert list(settings.sources) == ["DNA"]


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"UDM_SOURCE_DNA": f"postgresql://reader:{SECRET}@h/db"}, "UDM_TARGET"),
        ({"UDM_SOURCE_DNA": "duckdb:////a.duckdb", "UDM_TARGET": " "}, "UDM_TARGET"),
        ({"UDM_SOURCE_DNA_PASSWORD": SECRET}, "UDM_SOURCE_DNA"),
        (TARGET | {"UDM_SOURCE_DNA_PASSWORD": SECRET}, "UDM_SOURCE_DNA"),
        (TARGET | {"UDM_SOURCE_DNA": f"what:{SECRET}"}, "UDM_SOURCE_DNA"),
        ({"UDM_TARGET": f"no url {SECRET}"}, "UDM_TARGET"),
        ({"UDM_TARGET": f"mssql://loader:{SECRET}@h:port/"}, "UDM_TARGET"),
        ({"UDM_TARGET": f"mssql://loader@h:1433/?password={SECRET}"}, "UDM_TARGET_PASSWORD"),
        ({"UDM_TARGET": f"mssql://loader:{SECRET}@h:1433/", "UDM_TARGET_PASSWORD": SECRET}, "given twice"),
        ({"UDM_TARGET": f"postgresql://loader:{SECRET}@h"}, "UDM_TARGET"),
        ({"UDM_TARGET": f"postgresql://loader@h/db?password={SECRET}"}, "UDM_TARGET_PASSWORD"),
        ({"UDM_TARGET": f"postgresql://loader:{SECRET}@h/db", "UDM_TARGET_PASSWORD": SECRET}, "given twice"),
        ({"UDM_TARGET": "postgresql://loader@h/db", "UDM_TARGET_PASSWORD_FILE": "/no/such/file"}, "UDM_TARGET_PASSWORD_FILE"),
        ({"UDM_TARGET_PASSWORD": SECRET}, "UDM_TARGET"),
        ({"UDM_TARGET": f"oracle://loader:{SECRET}@h/db"}, "UDM_TARGET"),
        ({"UDM_TARGET": f"{SECRET}://h/db"}, "UDM_TARGET"),
        ({"UDM_TARGET": f"duckdb://loader:{SECRET}@h"}, "UDM_TARGET"),
        ({"UDM_TARGET": "duckdb:///relative"}, "UDM_TARGET"),
        ({"UDM_TARGET": "duckdb://"}, "UDM_TARGET"),
        ({"UDM_TARGET": "duckdb:///:memory:"}, "UDM_TARGET"),
    ],
)
def test_half_a_configuration_is_an_error_that_shows_no_password(tmp_path: Path, environment: dict[str, str], named: str) -> None:
    assert named in str(refused(environment, tmp_path))


@pytest.mark.parametrize("way", ["in the URL", "UDM_TARGET_PASSWORD", "UDM_TARGET_PASSWORD_FILE"])
def test_a_servers_password_comes_from_one_of_three_places(tmp_path: Path, way: str) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    url = f"postgresql://loader{f':{SECRET}' if way == 'in the URL' else ''}@h:5433/db?sslmode=require"
    given = {"UDM_TARGET_PASSWORD": SECRET, "UDM_TARGET_PASSWORD_FILE": str(file)}
    settings = load_settings({"UDM_TARGET": url, **({way: given[way]} if way in given else {})}, tmp_path)
    target = settings.target
    assert (target.password, target.port, target.database, dict(target.query)) == (SECRET, 5433, "db", {"sslmode": "require"})
    assert SECRET not in repr(settings)


def test_settings_show_no_password_and_no_digest_key(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "UDM_TARGET": f"duckdb://loader:{SECRET}@/var/lib/udm",
            "UDM_SOURCE_DNA": f"oracle://reader:{SECRET}@h/",
            "UDM_SOURCE_CCM": "mssql://reader@h/CCM",
            "UDM_SOURCE_CCM_PASSWORD": SECRET,
            "UDM_DIGEST_KEY": SECRET,
        }
        | TARGET,
        tmp_path,
    )
    assert settings.digest_key == SECRET.encode()
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


MASK_KEY = "0123456789abcdef"


@pytest.mark.parametrize(("variable", "name"), [("UDM_MASK_KEY", "mask_key"), ("UDM_MASK_KEY_PREVIOUS", "mask_key_previous")])
def test_a_mask_key_comes_from_its_variable_or_a_file(tmp_path: Path, variable: str, name: str) -> None:
    file = tmp_path / "key"
    file.write_text(f"{MASK_KEY}\n", encoding="utf-8")
    for environment in ({variable: MASK_KEY}, {f"{variable}_FILE": str(file)}):
        settings = load_settings(environment, tmp_path)
        assert getattr(settings, name) == MaskKey(secret=MASK_KEY)
        assert MASK_KEY not in repr(settings)
    assert getattr(load_settings({variable: ""}, tmp_path), name) is None


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"UDM_MASK_KEY": SECRET}, "UDM_MASK_KEY gives a key of fewer than 16 bytes"),
        ({"UDM_MASK_KEY": "0123456789abcde"}, "UDM_MASK_KEY gives a key of fewer than 16 bytes"),
        ({"UDM_MASK_KEY_PREVIOUS": SECRET}, "UDM_MASK_KEY_PREVIOUS gives"),
        ({"UDM_MASK_KEY": MASK_KEY, "UDM_MASK_KEY_FILE": "/a/file"}, "UDM_MASK_KEY and UDM_MASK_KEY_FILE are both set"),
        ({"UDM_MASK_KEY_FILE": "/no/such/file"}, "UDM_MASK_KEY_FILE cannot be read"),
        ({"UDM_MASK_KEY_FILE": os.devnull}, "UDM_MASK_KEY_FILE gives a key of fewer than 16 bytes"),
        ({"UDM_MASKKEY": MASK_KEY}, "UDM_MASKKEY"),
    ],
)
def test_a_mask_key_that_cannot_be_used_is_refused_unseen(tmp_path: Path, environment: dict[str, str], named: str) -> None:
    error = refused(environment, tmp_path)
    assert named in str(error)
    assert MASK_KEY not in str(error)


def test_a_long_digest_key_is_cut_to_what_the_digest_takes(tmp_path: Path) -> None:
    assert len(load_settings({"UDM_DIGEST_KEY": "k" * 1000}, tmp_path).digest_key) == 64


def test_the_real_environment_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WORKERS", "7")
    assert load_settings({}, tmp_path).workers == 2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"STAGE_DB": "udm_bronze"}, "BRONZE_DB"),
        ({"GENERAL_DB": "UDM_Stage"}, "GENERAL_DB"),
        ({"GUARD_LOW_RATIO": "6"}, "GUARD_LOW_RATIO"),
        ({"GUARD_HIGH_RATIO": "0.1"}, "GUARD_HIGH_RATIO"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(settings: dict[str, str], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_settings({**TARGET, **settings}, tmp_path)


def test_an_oracle_client_is_a_folder_that_is_there(tmp_path: Path) -> None:
    env = {"UDM_TARGET": "duckdb:////t", "UDM_SOURCE_DNA": "oracle://u@h/?service_name=x", "ORACLE_CLIENT_DIR": str(tmp_path)}
    assert load_settings(env, tmp_path).sources["DNA"].client_folder == tmp_path
    with pytest.raises(ConfigurationError, match=r"ORACLE_CLIENT_DIR is .* no folder"):
        load_settings({**env, "ORACLE_CLIENT_DIR": str(tmp_path / "missing")}, tmp_path)
