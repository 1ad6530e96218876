"""Timings of whole runs, beside a bare floor and beside peers. Nothing here is imported by the pipeline."""
