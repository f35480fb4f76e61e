"""Rows of Parquet files: `from_parquet`."""

from penstock.readers.parquet.source import from_parquet

__all__ = ["from_parquet"]
