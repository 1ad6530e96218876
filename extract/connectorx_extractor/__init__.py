"""PostgreSQL, MySQL and SQLite sources: the catalogue through SQLAlchemy, the rows through ConnectorX in a process of its own."""

from extract.connectorx_extractor.extractor import ConnectorXExtractor

__all__ = ["ConnectorXExtractor"]
