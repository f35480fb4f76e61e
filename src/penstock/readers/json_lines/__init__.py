"""Lines of JSON objects: `from_json_lines`."""

from penstock.readers.json_lines.source import from_json_lines

__all__ = ["from_json_lines"]
