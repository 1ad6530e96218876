"""Oracle sources through python-oracledb: Arrow batches in one read-only transaction, day by day where an index is named."""

from extract.oracle_extractor.extractor import OracleExtractor

__all__ = ["OracleExtractor"]
