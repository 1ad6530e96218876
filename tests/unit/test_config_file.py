"""The settings file: where it lies, what wins over it, what makes it unreadable; `.env.example` tells of every variable."""

from __future__ import annotations

import ast
import os
import re
import traceback
from pathlib import Path

import pytest

from config import load_settings
from model.errors import ConfigurationError
from sources.limits import SUFFIXES, Limits, limits_from_environment
from sources.registry import TIME_ZONE

ROOT = Path(__file__).parents[2]
SECRET = "Hunter2"


def refused(environment: dict[str, str], folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment, folder)
    assert caught.value.remedy
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_the_current_folders_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\n\nUDM_TARGET=duckdb:////var/lib/udm\nexport WORKERS=5\nSPOOL_DIR='/big disk'  # and another\n",
        encoding="utf-8",
    )
    settings = load_settings({}, tmp_path)
    assert (settings.embedded, settings.workers, settings.spool_folder) == (False, 5, Path("/big disk"))


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKERS=5\nBATCH_ROWS=7\n", encoding="utf-8")
    settings = load_settings({"WORKERS": "3"}, tmp_path)
    assert (settings.workers, settings.batch_rows) == (3, 7)


def test_another_file_can_be_named_and_is_then_the_only_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKERS=5\nBATCH_ROWS=7\n", encoding="utf-8")
    named = tmp_path / "prod.env"
    named.write_text("WORKERS=9\n", encoding="utf-8")
    settings = load_settings({"UDM_ENV_FILE": str(named)}, tmp_path)
    assert (settings.workers, settings.batch_rows) == (9, 122_880)


def test_a_password_in_the_file_reaches_its_source(tmp_path: Path) -> None:
    lines = f"UDM_TARGET=duckdb:////var/lib/udm\nUDM_SOURCE_DNA=oracle://reader@h/\nUDM_SOURCE_DNA_PASSWORD='{SECRET} #1'\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    settings = load_settings({}, tmp_path)
    assert settings.sources.get("DNA").url.password == f"{SECRET} #1"
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("content", [f"KEY={SECRET}\n".encode() + b"\xff\xfe", f"KEY={SECRET}".encode("utf-16")])
def test_a_file_that_is_not_utf_8_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert str(tmp_path / ".env") in str(refused({}, tmp_path))


def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert str(tmp_path / ".env") in str(refused({}, tmp_path))


def test_a_link_that_leads_nowhere_is_an_error_and_not_the_embedded_default(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to(tmp_path / "not mounted")
    assert str(tmp_path / ".env") in str(refused({}, tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").touch(mode=0o000)
    assert "PermissionError" in str(refused({}, tmp_path))


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    error = refused({"UDM_ENV_FILE": str(tmp_path / "missing.env")}, tmp_path)
    assert "missing.env" in str(error)
    assert "UDM_ENV_FILE" in error.remedy


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("UDM_TARGET: duckdb:////var/lib/udm\n", 1),
        (f"WORKERS=2\n\n# target\n\nUDM TARGET={SECRET}\n", 5),
        ("WORKERS=2\nUDM_TARGET\n", 2),
        (f"UDM_SOURCE_DNA_PASSWORD='{SECRET}\nUDM_TARGET=duckdb:////var/lib/udm\n", 1),
        ("=duckdb:////var/lib/udm\n", 1),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_and_not_passed_over(tmp_path: Path, content: str, line: int) -> None:
    (tmp_path / ".env").write_text(content, encoding="utf-8")
    assert f"Line {line} of the settings file" in str(refused({}, tmp_path))


OF_URLS = ("UDM_SOURCE_", "UDM_TARGET_PASSWORD")
"""Variables whose names are made of another one's."""


def variables_read() -> set[str]:
    """Every variable that config.py asks for, `env.get("X")`, `env["X"]`, `_whole(env, "X", …)`, and the limits of sources."""
    found = {f"SOURCE{suffix}" for suffix in (*SUFFIXES, TIME_ZONE)}
    for node in ast.walk(ast.parse((ROOT / "config.py").read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="env" | "environment")), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Call(args=[ast.Name(id="env" | "environment"), ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Subscript(value=ast.Name(id="env" | "environment"), slice=ast.Constant(value=str(name))):
                found.add(name)
    return found


def documented() -> dict[str, str]:
    """Variables and values of `.env.example`, where every assignment is commented out."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^# ?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def test_every_variable_that_is_read_is_documented() -> None:
    read = variables_read()
    assert {"UDM_TARGET", "UDM_ENV_FILE", "WORKERS", "SPOOL_DIR", "STAGE_DB", "LOG_LEVEL"} <= read
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert sorted(name for name in read if not re.search(rf"\b{name}\b", text)) == []


def test_every_variable_that_is_documented_is_read() -> None:
    assert sorted(name for name in documented().keys() - variables_read() if not name.startswith(OF_URLS)) == []


def test_the_example_itself_configures_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    assert load_settings({}, tmp_path).embedded


def test_documented_limits_are_the_defaults() -> None:
    assert limits_from_environment(documented(), "UDM_SOURCE_X") == Limits()


def test_documented_values_are_the_defaults(tmp_path: Path) -> None:
    chosen = {"UDM_TARGET", "UDM_ENV_FILE", "SPOOL_DIR", "UDM_DIGEST_KEY", "BCP_PATH", "ORACLE_CLIENT_DIR"}
    values = {name: value for name, value in documented().items() if name not in chosen and not name.startswith(OF_URLS)}
    example, empty = load_settings(values, tmp_path), load_settings({}, tmp_path)
    names = [name for name in type(empty).__dataclass_fields__ if name != "digest_key"]
    assert [name for name in names if getattr(example, name) != getattr(empty, name)] == []
    assert len(values) > 10


def test_documented_urls_can_be_used(tmp_path: Path) -> None:
    urls = {name: value for name, value in documented().items() if name.startswith("UDM_") and "_PASSWORD" not in name}
    settings = load_settings(urls, tmp_path)
    assert not settings.embedded
    assert len(settings.sources) >= 3


def test_an_empty_variable_of_the_environment_does_not_hide_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UDM_TARGET=duckdb:////var/lib/udm\n", encoding="utf-8")
    assert not load_settings({"UDM_TARGET": ""}, tmp_path).embedded


def test_a_dollar_sign_in_a_password_stays(tmp_path: Path) -> None:
    lines = "UDM_TARGET=duckdb:////t\nUDM_SOURCE_CRM=postgresql://u@h/d\nUDM_SOURCE_CRM_PASSWORD='a${HOME}b'\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    assert load_settings({"HOME": "/root"}, tmp_path).sources.get("CRM").url.password == "a${HOME}b"
