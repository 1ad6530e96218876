"""The source registry: what `UDM_SOURCE_*` variables declare, and that no message gives a password away."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from model.errors import ConfigurationError, SourceNotConfigured
from sources import Source, SourceRegistry, registry_from_environment
from sources.limits import Limits

SECRET = "Hunter2"


def refused(env: dict[str, str]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        registry_from_environment(env)
    error = caught.value
    assert SECRET not in f"{error} {error.args!r} {error.remedy}"
    # A traceback prints the cause, and SQLAlchemy's may quote the URL.
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert error.remedy
    return error


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("oracle://core@h:1521/?service_name=DNA", "oracle"),
        ("oracle+oracledb://core@h/", "oracle"),
        ("mssql://reader@h/CCM", "mssql"),
        ("mssql+pyodbc://reader@h/CCM", "mssql"),
        ("postgresql+psycopg://h/db", "postgresql"),
        ("mysql://h/db", "mysql"),
        ("sqlite:////data/a.db", "sqlite"),
        ("duckdb:////data/a.duckdb", "duckdb"),
    ],
)
def test_the_kind_is_the_backend_without_its_driver(url: str, kind: str) -> None:
    source = registry_from_environment({"UDM_SOURCE_DNA": url}).get("DNA")
    assert (source.name, source.kind, source.url) == ("DNA", kind, make_url(url))


def test_variables_of_others_are_ignored_and_nothing_declared_is_an_empty_registry() -> None:
    registry = registry_from_environment({"UDM_TARGET": "duckdb:////t", "PATH": "/bin", "UDM_SOURCES": "x"})
    assert len(registry) == 0


def test_the_registry_is_a_mapping_that_ignores_case() -> None:
    registry = registry_from_environment({"UDM_SOURCE_DNA": "oracle://h/", "UDM_SOURCE_CCM": "mssql://h/"})
    assert list(registry) == ["CCM", "DNA"]
    assert registry["dna"] is registry.get("DNA")
    assert "dna" in registry
    assert "EPICOR" not in registry
    assert None not in registry


def test_registry_and_source_are_immutable() -> None:
    registry = registry_from_environment({"UDM_SOURCE_DNA": "oracle://h/"})
    with pytest.raises(FrozenInstanceError):
        registry.get("DNA").name = "X"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        registry.sources = ()  # type: ignore[misc]


def test_an_unknown_source_names_the_variable_and_the_known_ones() -> None:
    registry = registry_from_environment({"UDM_SOURCE_DNA": "oracle://h/", "UDM_SOURCE_CCM": "mssql://h/"})
    with pytest.raises(SourceNotConfigured) as caught:
        registry.get("epicor")
    assert "UDM_SOURCE_EPICOR" in str(caught.value)
    assert "CCM, DNA" in str(caught.value)
    with pytest.raises(SourceNotConfigured, match="No source is configured"):
        SourceRegistry().get("DNA")


@pytest.mark.parametrize("password", ["plain", "p@ss:/w%rd#?&", " blanks ", "ünï"])
def test_a_password_comes_from_its_variable_as_it_is(password: str) -> None:
    env = {"UDM_SOURCE_DNA": "oracle://core@h/", "UDM_SOURCE_DNA_PASSWORD": password}
    assert registry_from_environment(env).get("DNA").url.password == password


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"pw", "pw"),
        (b"pw\n", "pw"),
        (b"pw\r\n", "pw"),
        (b"pw\n\n", "pw\n"),
        (b" p w \n", " p w "),
        (b"pw\r", "pw\r"),
        ("ünï\n".encode(), "ünï"),
    ],
)
def test_a_password_file_loses_one_newline_at_its_end(tmp_path: Path, content: bytes, password: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    env = {"UDM_SOURCE_DNA": "oracle://core@h/", "UDM_SOURCE_DNA_PASSWORD_FILE": str(file)}
    assert registry_from_environment(env).get("DNA").url.password == password


def test_one_sources_password_does_not_reach_another() -> None:
    env = {
        "UDM_SOURCE_DNA": "oracle://core@h/",
        "UDM_SOURCE_DNA_X": "oracle://core@h/",
        "UDM_SOURCE_DNA_X_PASSWORD": SECRET,
    }
    registry = registry_from_environment(env)
    assert registry.get("DNA").url.password is None
    assert registry.get("DNA_X").url.password == SECRET


def test_repr_shows_no_password_wherever_it_stands() -> None:
    url = make_url(f"mssql+pyodbc://reader:{SECRET}@h/db?odbc_connect=PWD%3D{SECRET}")
    registry = SourceRegistry(sources=(Source(name="CCM", url=url),))
    for text in (repr(registry), repr(registry.get("CCM")), str(registry.get("CCM")), f"{registry}"):
        assert SECRET not in text
        assert "CCM" in text
        assert "reader" in text


@pytest.mark.parametrize(
    "url",
    [
        SECRET,
        "",
        f"oracle//core:{SECRET}@h/",
        f"oracle://core:x@h:{SECRET}/",
        f"oracle://core:1/{SECRET}@h:port/db",
        f"db2://core:{SECRET}@h/",
        f"{SECRET}://h/",
        f"postgres://core:{SECRET}@h/",
        "duckdb:///relative.duckdb",
        "duckdb://",
        "duckdb:///:memory:",
        "sqlite:///relative.db",
        "sqlite://",
        f"postgresql://h/db?password={SECRET}",
        f"mssql://h/db?PWD={SECRET}",
    ],
)
def test_an_unusable_url_names_its_variable_and_never_a_password(url: str) -> None:
    assert "UDM_SOURCE_DNA" in str(refused({"UDM_SOURCE_DNA": url}))


@pytest.mark.parametrize("variable", ["UDM_SOURCE_", "UDM_SOURCE_dna", "UDM_SOURCE_1A", "UDM_SOURCE_Ä"])
def test_a_variable_that_names_no_source_is_refused(variable: str) -> None:
    assert variable in str(refused({variable: f"oracle://core:{SECRET}@h/"}))


@pytest.mark.parametrize("suffix", ["_PASSWORD", "_PASSWORD_FILE"])
def test_a_password_without_its_url_is_half_a_configuration(suffix: str) -> None:
    error = refused({f"UDM_SOURCE_DNA{suffix}": SECRET})
    assert f"UDM_SOURCE_DNA{suffix} is set, but UDM_SOURCE_DNA is not" in str(error)


def test_a_password_given_twice_is_refused_naming_both_places(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    in_url, bare = f"oracle://core:{SECRET}@h/", "oracle://core@h/"
    variable = {"UDM_SOURCE_DNA_PASSWORD": SECRET}
    in_file = {"UDM_SOURCE_DNA_PASSWORD_FILE": str(file)}
    assert "the URL and in UDM_SOURCE_DNA_PASSWORD" in str(refused({"UDM_SOURCE_DNA": in_url} | variable))
    assert "the URL and in UDM_SOURCE_DNA_PASSWORD_FILE" in str(refused({"UDM_SOURCE_DNA": in_url} | in_file))
    both = refused({"UDM_SOURCE_DNA": bare} | variable | in_file)
    assert "UDM_SOURCE_DNA_PASSWORD and in UDM_SOURCE_DNA_PASSWORD_FILE" in str(both)


def test_an_unreadable_password_file_is_refused_without_its_path(tmp_path: Path) -> None:
    # The value may be the password itself, put into the wrong variable.
    not_text = tmp_path / SECRET
    not_text.write_bytes(b"\xff\xfe\x00")
    for path in (SECRET, str(not_text), str(tmp_path), f"{SECRET}\0", ""):
        error = refused({"UDM_SOURCE_DNA": "oracle://core@h/", "UDM_SOURCE_DNA_PASSWORD_FILE": path})
        assert "UDM_SOURCE_DNA_PASSWORD_FILE" in str(error)


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_text("\n")
    url = {"UDM_SOURCE_DNA": "oracle://core@h/"}
    assert "UDM_SOURCE_DNA_PASSWORD gives" in str(refused(url | {"UDM_SOURCE_DNA_PASSWORD": ""}))
    assert "empty password" in str(refused(url | {"UDM_SOURCE_DNA_PASSWORD_FILE": str(file)}))


def test_a_file_source_has_no_password() -> None:
    env = {"UDM_SOURCE_DNA": "duckdb:////a.duckdb", "UDM_SOURCE_DNA_PASSWORD": SECRET}
    assert "UDM_SOURCE_DNA_PASSWORD" in str(refused(env))


def test_a_source_has_the_limits_of_all_sources_unless_it_has_its_own() -> None:
    env = {
        "UDM_SOURCE_DNA": "duckdb:////a.duckdb",
        "UDM_SOURCE_CCM": "duckdb:////b.duckdb",
        "SOURCE_MAX_CONNECTIONS": "6",
        "SOURCE_QUERY_TIMEOUT": "0",
        "UDM_SOURCE_DNA_MAX_CONNECTIONS": "2",
        "UDM_SOURCE_DNA_PARTITIONS": "5",
        "UDM_SOURCE_DNA_CONNECT_TIMEOUT": "",
    }
    registry = registry_from_environment(env)
    assert list(registry) == ["CCM", "DNA"]
    assert registry["DNA"].limits == Limits(max_connections=2, partitions=5, query_timeout=0)
    assert registry["CCM"].limits == Limits(max_connections=6, query_timeout=0)


@pytest.mark.parametrize("variable", ["SOURCE_MAX_CONNECTIONS", "UDM_SOURCE_DNA_PARTITIONS", "UDM_SOURCE_DNA_QUERY_TIMEOUT"])
@pytest.mark.parametrize("value", [SECRET, "-1", "1.5", "²"])
def test_a_limit_is_a_whole_number(variable: str, value: str) -> None:
    assert variable in str(refused({"UDM_SOURCE_DNA": "duckdb:////a.duckdb", variable: value}))


def test_a_limit_without_its_url_is_half_a_configuration() -> None:
    assert "UDM_SOURCE_DNA is not" in str(refused({"UDM_SOURCE_DNA_MAX_CONNECTIONS": "2"}))


def test_importing_the_registry_loads_no_driver_and_no_sample() -> None:
    code = "import sys, sources; print([m for m in ('duckdb', 'sources.sample', 'polars') if m in sys.modules])"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_an_oracle_client_is_that_of_every_oracle_source_and_of_no_other(tmp_path: Path) -> None:
    env = {"UDM_SOURCE_DNA": "oracle://h/", "UDM_SOURCE_CCM": "mssql://h/"}
    registry = registry_from_environment(env, tmp_path)
    assert (registry["DNA"].client_folder, registry["CCM"].client_folder) == (tmp_path, None)
    assert registry_from_environment(env)["DNA"].client_folder is None
