"""pyodbc, loaded when SQL Server is first spoken to: elsewhere than on Windows it needs unixODBC, which pip does not bring."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import cast

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
