"""Logging in to SQL Server: what the URL says, and what a failure is told as. No password is ever shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from connections.mssql_errors import code_of, is_transient, numbers_of, why_no_login
from connections.mssql_login import DRIVER, Login, driver_of, login_of, mssql_python_string, odbc_string
from connections.reachable import Obstacle
from model.errors import ConfigurationError, TargetUnavailable, TransientError

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)
SECRET = "p}w;Server=evil{"  # what would end a value if it were not quoted
LOGIN = Login(host="warehouse", user="udm", password=SECRET)


def test_a_url_gives_everything_it_says() -> None:
    url = make_url(
        "mssql://udm:p%7Dw@warehouse:1444/?encrypt=strict&trust_server_certificate=yes&multi_subnet_failover=yes"
        "&login_timeout=5&driver=FreeTDS&host_name_in_certificate=db.bank"
    )
    assert login_of(url) == Login(
        host="warehouse",
        port=1444,
        user="udm",
        password="p}w",
        encrypt="strict",
        trust_server_certificate=True,
        multi_subnet_failover=True,
        login_timeout=5,
        driver="FreeTDS",
        host_name_in_certificate="db.bank",
    )


def test_encryption_is_on_and_no_certificate_is_trusted_unless_asked_for() -> None:
    text = odbc_string(login_of(make_url("mssql://udm:x@warehouse")), "General", DRIVER)
    for wanted in ("Encrypt={yes}", "TrustServerCertificate={no}", "ConnectRetryCount={0}", "Server={tcp:warehouse,1433}"):
        assert wanted in text.split(";")
    assert "ApplicationIntent" not in text
    assert "APP={udm-pipeline}" in text


def test_without_a_user_the_accounts_own_ticket_logs_in() -> None:
    text = odbc_string(login_of(make_url("mssql://warehouse:1433/?encrypt=yes")), "General", DRIVER)
    assert "Trusted_Connection={yes}" in text
    assert "UID" not in text


@pytest.mark.parametrize("string", [odbc_string(LOGIN, "General", DRIVER), mssql_python_string(LOGIN, "General")])
def test_a_password_cannot_end_its_value_early(string: str) -> None:
    assert "PWD={p}}w;Server=evil{}" in string


def test_a_login_does_not_show_its_password() -> None:
    assert SECRET not in repr(LOGIN)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mssql://udm:x@warehouse/?encrypted=yes", "encrypted"),
        ("mssql://udm:x@warehouse/?encrypt=maybe", "encrypt"),
        ("mssql://udm:x@warehouse/?trust_server_certificate=sure", "trust_server_certificate"),
        ("mssql://udm:x@warehouse/?login_timeout=soon", "login_timeout"),
        ("mssql://udm:x@warehouse/?driver=a&driver=b", "driver"),
        ("mssql://udm:x@warehouse/master", "STAGE_DB"),
        ("mssql://udm@warehouse/", "UDM_TARGET_PASSWORD"),
        ("mssql://:x@warehouse/", "no user"),
        ("mssql:///?encrypt=yes", "no host"),
    ],
)
def test_a_wrong_url_is_told_by_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        login_of(make_url(url))
    for value in ("maybe", "sure", "soon"):
        assert value not in str(caught.value)


def test_the_installed_driver_comes_before_the_one_that_pip_brings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert driver_of(LOGIN, ["FreeTDS", DRIVER]) == DRIVER
    assert Path(driver_of(LOGIN, ["FreeTDS"])).name.startswith("libmsodbcsql-18")
    library = tmp_path / "driver.so"
    library.touch()
    assert driver_of(Login(host="h", driver=str(library)), [DRIVER]) == str(library)
    with pytest.raises(TargetUnavailable, match="FreeTDS"):
        driver_of(Login(host="h", driver="ODBC Driver 13"), ["FreeTDS"])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(TargetUnavailable, match="pip install mssql-python"):
        driver_of(LOGIN, [])


def odbc(state: str, text: str, number: int = 0) -> Exception:
    said = f"[{state}] [Microsoft][ODBC Driver 18][SQL Server]{text} ({number}) (SQLDriverConnect)"
    error: Exception = pyodbc.OperationalError(state, said)
    return error


@pytest.mark.parametrize(
    ("error", "says", "remedy"),
    [
        (odbc("28000", "Login failed for user 'udm'.", 18456), "refuses user udm", "password"),
        (odbc("28000", "untrusted domain", 18452), "domain", "SQL login"),
        (odbc("42000", 'Cannot open database "General"', 4060), "database General", "--create-databases"),
        (odbc("42000", "does not exist", 911), "no database General", "GENERAL_DB"),
        (odbc("42000", "not able to access the database", 916), "into database General", "GRANT"),
        (odbc("42000", "CREATE DATABASE permission denied", 262), "right to create", "GRANT"),
        (odbc("08001", "SSL Provider: certificate verify failed"), "certificate", "trust_server_certificate"),
        (odbc("01000", "Can't open lib '/nowhere.so' : file not found"), "driver", "mssql-python"),
        (odbc("HY000", "SSPI Provider: No Kerberos credentials available"), "Kerberos", "kinit"),
        (odbc("HY000", "something else"), "HY000", "error log"),
    ],
    ids=str,
)
def test_a_failed_login_is_told_with_its_remedy(error: Exception, says: str, remedy: str) -> None:
    told = why_no_login(error, LOGIN, "General")
    assert says in told.message
    assert remedy in told.remedy
    assert SECRET not in str(told)
    assert "PWD" not in str(told)


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (Obstacle.UNKNOWN, "not known by that name"),
        (Obstacle.REFUSED, "refuses connections"),
        (Obstacle.UNREACHABLE, "cannot be reached from this machine"),
        (Obstacle.SILENT, "did not answer within 30 seconds"),
        (None, "did not answer within 30 seconds"),  # it takes connections and does not let us in
    ],
)
def test_a_time_out_is_looked_into(monkeypatch: pytest.MonkeyPatch, reason: Obstacle | None, says: str) -> None:
    monkeypatch.setattr("connections.mssql_errors.obstacle", lambda *_: reason)
    assert says in why_no_login(odbc("HYT00", "Login timeout expired"), LOGIN, "General").message


@pytest.mark.parametrize(
    ("host", "network"), [("dbhost", "dbhost"), ("dbhost\\SALES", "dbhost"), (".", "localhost"), ("(local)", "localhost")]
)
def test_the_network_is_asked_for_the_host_alone(host: str, network: str) -> None:
    assert replace(LOGIN, host=host).network_host == network


def test_a_run_waits_for_a_server_that_is_away_and_gives_up_on_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    from connections import mssql_session  # noqa: PLC0415 - imports the driver

    def refusing(error: Exception) -> None:
        def connect(*_: object, **__: object) -> object:
            raise error

        monkeypatch.setattr(pyodbc, "connect", connect)

    refusing(odbc("08S01", "Communication link failure certificate"))
    with pytest.raises(TransientError) as caught:
        mssql_session.connect(LOGIN, DRIVER, "General")
    assert caught.value.__cause__ is None  # the driver's own error may quote the connection string
    refusing(odbc("28000", "Login failed", 18456))
    with pytest.raises(TargetUnavailable):
        mssql_session.connect(LOGIN, DRIVER, "General")


@pytest.mark.parametrize(
    ("state", "number", "expected"),
    [
        ("40001", 1205, True),
        ("42000", 1205, True),
        ("42000", 1222, True),
        ("HYT00", 0, True),
        ("08S01", 10054, True),
        ("42000", 40613, True),
        ("42000", 49919, True),
        ("42000", 983, True),
        ("42000", 4060, True),
        ("HY000", 596, True),
        ("42000", 922, True),
        ("42000", 17187, True),
        ("23000", 2601, False),
        ("42000", 229, False),
        ("22003", 8115, False),
    ],
)
def test_what_may_pass_by_itself(state: str, number: int, expected: bool) -> None:
    error = odbc(state, "text", number)
    assert is_transient(error) is expected
    assert is_transient(sa.exc.DBAPIError("SELECT 1205", {}, error)) is expected


def test_a_certificate_does_not_become_trusted_by_itself() -> None:
    text = "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]"
    assert not is_transient(odbc("08001", text))
    assert is_transient(odbc("08001", "SSL Provider: connection reset"))


def test_another_drivers_error_and_our_own_are_not_sql_servers() -> None:
    assert not is_transient(ValueError("(1205)"))
    assert not is_transient(ConnectionResetError("08S01", "(1205)"))


def test_a_value_that_a_message_quotes_is_no_error_number() -> None:
    error = pyodbc.IntegrityError(
        "23000",
        "[23000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Cannot insert duplicate key row. The duplicate key is "
        "(1205). (2601) (SQLExecDirectW); [23000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]The statement has been "
        "terminated. (3621)",
    )
    assert numbers_of(error) == {2601, 3621}
    assert code_of(error) == "23000 2601 3621"
    assert not is_transient(error)
