"""pyodbc, loaded when SQL Server is first spoken to: elsewhere than on Windows it needs unixODBC, which pip does not bring."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import cast

from connections.mssql_login import Login, driver_of
from model.errors import TargetUnavailable


@cache
def pyodbc() -> ModuleType:
    """The module.

    Raises:
        TargetUnavailable: it cannot be loaded.
    """
    try:
        import pyodbc as module  # noqa: PLC0415
    except ImportError as error:
        raise TargetUnavailable(
            f"SQL Server cannot be spoken to: pyodbc cannot be loaded ({error}).",
            remedy="Install the ODBC driver manager: apt-get install unixodbc, dnf install unixODBC, or brew install unixodbc.",
        ) from None
    # The driver manager's pool would hand out sessions that keep another table's lock; SQLAlchemy's resets what it hands out.
    module.pooling = False
    return cast("ModuleType", module)


def driver_for(login: Login) -> str:
    """The driver by which a login's server is spoken to, as its connection string names it.

    Raises:
        TargetUnavailable: there is none, or no driver manager.
    """
    return driver_of(login, pyodbc().drivers())
