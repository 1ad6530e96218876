"""SQL Server as a source: its catalogue by pyodbc, its rows by ConnectorX where that is exact, else by mssql-python's Arrow."""

from extract.connectorx_sqlserver_extractor.extractor import SQLServerExtractor

__all__ = ["SQLServerExtractor"]
