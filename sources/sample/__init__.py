"""The embedded sample sources: DNA, CCM and EPICOR as DuckDB files, realistic in shape and types.

For a user without any source at hand. A file's content is a function of its first business day and the number
of business days it has moved on. Importing this package does not load DuckDB.
"""

from sources.sample.business_days import FIRST_BUSINESS_DAY
from sources.sample.catalogue import SAMPLE_TABLES, SampleTable, sample_tables
from sources.sample.files import ensure_samples
from sources.sample.next_day import DaySummary, next_day

__all__ = [
    "FIRST_BUSINESS_DAY",
    "SAMPLE_TABLES",
    "DaySummary",
    "SampleTable",
    "ensure_samples",
    "next_day",
    "sample_tables",
]
