"""Sources over files, whatever their format: a node and its operators, for any `penstock.reader.Reader`."""

from penstock.reading.node import ReadFiles
from penstock.reading.settings import parallel_reads

__all__ = ["ReadFiles", "parallel_reads"]
