"""The comparison that does not trust hashes: values of source, Stage and Bronze, side by side. Pure polars.

`segments` proves most of a table equal by sums of hashes, recomputed from values; `rows` compares the rest value by value;
`repair` says which ordinary changes would bring the layers back; `seals` tells whether closed versions are as they were.
"""
