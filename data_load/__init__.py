"""Bulk load into staging, its verification, indexes and markers."""
