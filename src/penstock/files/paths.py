"""Paths as users write them, and what stands there: local files, and remote ones through fsspec."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np


def is_remote(path: str) -> bool:
    """Whether a path is a URL, which fsspec reads.

    >>> is_remote("memory://a.txt"), is_remote("data/a.txt")
    (True, False)
    """
    return "://" in path


def asked(method: str, name: str, value: Any) -> list[str]:
    """A path, or a list or array of them, as a list of text.

    Raises:
        TypeError: Something else; says what.
    """
    if isinstance(value, (str, bytes, os.PathLike)):
        return [os.fsdecode(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "USTO":
        value = value.ravel().tolist()
    if not isinstance(value, (list, tuple)):
        found = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"{value!r}"
        raise TypeError(f"{method}(): {name} must be a path or a list of paths, but is {found}")
    for path in value:
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise TypeError(f"{method}(): {name} must hold paths, but holds {path!r}, of type {type(path).__name__}")
    return [os.fsdecode(path) for path in value]


def expand(method: str, patterns: list[str]) -> list[str]:
    """The files that match any of the patterns, sorted; one that matches two of them stands there twice.

    Raises:
        FileNotFoundError: No file matches a pattern.
        IsADirectoryError: A pattern names a folder.
    """
    found: list[str] = []
    for pattern in patterns:
        matches = _remote_matches(method, pattern) if is_remote(pattern) else _local_matches(method, pattern)
        if not matches:
            where = "" if is_remote(pattern) or os.path.isabs(pattern) else f" in {os.getcwd()}"
            raise FileNotFoundError(f"{method}(): no file matches {pattern!r}{where}; {_hint(pattern)}")
        found += matches
    return sorted(found)


def _hint(pattern: str) -> str:
    """What to write instead of a pattern that means something to a shell, and nothing here."""
    if pattern.startswith("~"):
        return "'~' stands for no folder here: write os.path.expanduser(...)"
    if "{" in pattern and "," in pattern:
        return "braces stand for themselves here: write a list of patterns"
    scheme, colon, rest = pattern.partition(":/")
    if colon and len(scheme) > 1 and scheme.isalnum() and not rest.startswith("/"):
        return f"a URL begins with '{scheme}://', of which pathlib.Path takes a slash: write text"
    return "check the path and the pattern"


def _local_matches(method: str, pattern: str) -> list[str]:
    # A name may hold brackets: what is there is meant before what would match.
    if os.path.isfile(pattern):
        return [pattern]
    if os.path.isdir(pattern):
        raise _folder(method, pattern)
    return [path for path in glob.glob(pattern, recursive=True) if not os.path.isdir(path)]


def _remote_matches(method: str, pattern: str) -> list[str]:
    system, path = system_of(pattern)
    if system.isfile(path):
        return [pattern]
    if not glob.has_magic(path):
        if system.isdir(path):
            raise _folder(method, pattern)
        return []
    matches = system.glob(path, detail=True)
    return [system.unstrip_protocol(name) for name, about in matches.items() if about["type"] == "file"]


def _folder(method: str, path: str) -> IsADirectoryError:
    pattern = path.rstrip("/\\") + "/*"
    return IsADirectoryError(f"{method}(): {path!r} is a folder; write {pattern!r} for the files in it")


def system_of(path: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:  # which say what is missing, but not for what
        raise type(error)(f"{path!r} cannot be opened: {error}") from error
    return system, inner


def folders_in(folder: str) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones left out.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: It is a file.
    """
    if is_remote(folder):
        system, path = system_of(folder)
        entries = system.ls(path, detail=True)
        names = [entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory"]
    else:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.is_dir()]
    return sorted(name for name in names if not name.startswith("."))


def files_below(folder: str) -> Iterator[str]:
    """The files in a folder and the folders in it, sorted; hidden ones left out, and linked folders not entered."""
    if is_remote(folder):
        system, path = system_of(folder)
        root = path.rstrip("/") + "/"
        for name in sorted(system.find(path)):
            inner = name.removeprefix(root)
            if not any(part.startswith(".") for part in inner.split("/")):
                yield folder.rstrip("/") + "/" + inner
        return
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(where, name) for name in names if not name.startswith(".")]
    yield from sorted(found)
