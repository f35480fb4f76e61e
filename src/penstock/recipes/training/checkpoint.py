"""The whole state of a training run in one file that is always either the old one or the new one."""

from __future__ import annotations

import errno
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from penstock.errors import DataLossError, StateError

Array = np.ndarray[Any, Any]

_VERSION = 1
_META = "meta"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to go on.

    Attributes:
        identity: What the run is of; see `Settings.identity`.
        epoch: Number of the epoch, from 0, that the next step belongs to.
        batch: Steps of that epoch that were done.
        step: Steps of all epochs that were done.
        history: Mean loss and accuracy of each whole epoch.
        pipeline: State of the pipeline's iterator; None where the epoch begins.
        metrics: Running metrics of the epoch, where the loop keeps its own.
        variables: Variables of model, optimiser and Keras' metrics, in groups.
        losses: float64 of shape (step,): the loss of each step.
    """

    identity: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    batch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    pipeline: dict[str, Any] | None = None
    metrics: list[float] = field(default_factory=list)
    variables: dict[str, list[Array]] = field(default_factory=dict)
    losses: Array = field(default_factory=lambda: np.empty(0))


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Put `checkpoint` at `path`, replacing the one that is there at once or not at all.

    Raises:
        OSError: It cannot be written, for instance as there is no space left; the old one is as it was.
    """
    meta: dict[str, Any] = {item.name: getattr(checkpoint, item.name) for item in fields(checkpoint)}
    arrays: dict[str, Array] = {"losses": np.asarray(meta.pop("losses"), np.float64)}
    groups: dict[str, list[Array]] = meta.pop("variables")
    for group, values in groups.items():
        arrays |= {f"{group}/{place}": value for place, value in enumerate(values)}
    meta |= {"groups": {group: len(values) for group, values in groups.items()}, "version": _VERSION}
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # The stub takes the names for `allow_pickle`.


def read_checkpoint(path: Path, identity: dict[str, Any]) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Args:
        path: The file.
        identity: What the run that asks is of.

    Raises:
        FileNotFoundError: There is none.
        DataLossError: The file is cut off or corrupt.
        StateError: It belongs to another run, or to a newer version of penstock.
    """
    meta, arrays = _read(path)
    if meta.get("version") != _VERSION:
        raise StateError(f"{path} is a checkpoint of version {meta.get('version')}; this penstock reads {_VERSION}")
    changed = [name for name in identity if meta["identity"].get(name) != identity[name]]
    if changed:
        found = ", ".join(f"{name}={meta['identity'].get(name)}" for name in changed)
        asked = ", ".join(f"{name}={identity[name]}" for name in changed)
        raise StateError(
            f"{path} belongs to a run with {found}, asked for is {asked}; write the same as then, or train anew in "
            "another folder with --save"
        )
    groups = {
        group: [arrays[f"{group}/{place}"] for place in range(count)] for group, count in meta.pop("groups").items()
    }
    del meta["version"]
    return Checkpoint(**meta, variables=groups, losses=arrays["losses"])


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the name `path` once it is written and on the disk; removed where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.add_note(f"{path} was not replaced; what was saved there before is whole")
        raise
    _sync_folder(path.parent)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        # Opened here, as NumPy does not close a file that turns out to be broken.
        with path.open("rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return json.loads(arrays.pop(_META).tobytes()), arrays
    except (ValueError, KeyError, EOFError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        raise DataLossError(f"{path} is cut off or corrupt ({error}); remove it to train from the beginning") from error


def _sync_folder(folder: Path) -> None:
    """Have the new name itself survive a power cut, where the system lets a folder be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
