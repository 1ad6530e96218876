"""The embedded sample sources: DNA, CCM and EPICOR as DuckDB files, realistic in shape and types.

For a user without any source at hand. A file's content is a function of its first business day and the number
of business days it has moved on. Importing this package does not load DuckDB.
"""

from sources.sample.business_days import first_business_day
from sources.sample.catalogue import SAMPLE_SOURCES, SampleTable, sample_tables
from sources.sample.files import ensure_samples, first_day_of
from sources.sample.next_day import DaySummary, next_day

__all__ = [
    "SAMPLE_SOURCES",
    "DaySummary",
    "SampleTable",
    "ensure_samples",
    "first_business_day",
    "first_day_of",
    "next_day",
    "sample_tables",
]
