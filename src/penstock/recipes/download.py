"""Files from the network into a folder of this user, each checked before it gets its name.

A file arrives as `NAME.part`, is verified and then renamed, so that a file under its own name is always whole. What an
interrupted download leaves in `NAME.part` is where the next one goes on; `NAME.part.etag` says which version of the
file that was. A process that finds another one at work in the folder takes a partial file of its own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from penstock.errors import DataLossError, DownloadError
from penstock.recipes.gzipped import content_pieces
from penstock.recipes.http_transfer import Interrupted, open_body

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_READ_BYTES = 1 << 18
_MAX_CONNECTIONS = 50
"""To one mirror for one file; each of them must bring more of it."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file and how to recognise it; one match is enough.

    Attributes:
        name: Its name at every mirror and in the local folder.
        md5: Of the file as published, usually compressed.
        content_sha256: Of what is in it, uncompressed, where that is known: mirrors pack files anew.
    """

    name: str
    md5: str
    content_sha256: str | None = None


def cache_folder() -> Path:
    """Where this platform keeps what a program can fetch again; `PENSTOCK_CACHE_DIR` overrides it.

    `~/Library/Caches/penstock` on macOS, `%LOCALAPPDATA%\\penstock\\Cache` on Windows, `$XDG_CACHE_HOME/penstock` or
    `~/.cache/penstock` elsewhere. The folder is not created.
    """
    if chosen := os.environ.get("PENSTOCK_CACHE_DIR"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "penstock" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "penstock"
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification: a relative path is invalid and is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "penstock"


def fetch(
    files: Sequence[RemoteFile],
    mirrors: Sequence[str],
    folder: Path,
    *,
    progress: bool = True,
    timeout_seconds: float = 5.0,
) -> list[Path]:
    """Have each of `files` in `folder`, from there or else from the first of `mirrors` that delivers it.

    Files that are there and pass their checksum are not fetched again; where all are, neither network nor write access
    is needed. Any number of processes may fetch into one folder at the same time.

    Args:
        files: What to have.
        mirrors: Addresses that a file's name is appended to, best first.
        folder: Where to; created if missing.
        progress: Show a progress bar per file on stderr.
        timeout_seconds: How long to wait where no mirror answers at all; they share it. One that answers and then falls
            silent is waited for as long as it would have been for its answer.

    Returns:
        The paths, in the order of `files`.

    Raises:
        DownloadError: No mirror delivered; one line, naming each mirror and why. A partial file stays, to go on from.
        DataLossError: Mirrors delivered, but not the file: names expected and found checksums. Nothing stays.
        OSError: The folder cannot be written to, or there is no space left; then the partial file is removed.
    """
    if not mirrors:
        raise ValueError("fetch(): mirrors is empty; name at least one address")
    if not timeout_seconds > 0:
        raise ValueError(f"fetch(): timeout_seconds is {timeout_seconds}; give a positive number of seconds")
    order = list(mirrors)
    for file in files:
        target = folder / file.name
        if not is_intact(target, file):
            folder.mkdir(parents=True, exist_ok=True)
            with _partial_file(target) as partial:
                delivered = _Fetch(file, partial, progress, timeout_seconds / len(order)).run(order)
            # A mirror that failed for one file is asked last for the next, so that its silence is waited for once.
            order = order[delivered:] + order[:delivered]
    return [folder / file.name for file in files]


def is_intact(path: Path, file: RemoteFile) -> bool:
    """Whether `path` is there and is `file`."""
    try:
        verify(path, file)
    except (FileNotFoundError, DataLossError):
        return False
    return True


def verify(path: Path, file: RemoteFile) -> None:
    """Check that the file at `path` is `file`, by its checksum or by that of its content.

    Raises:
        DataLossError: It is not; names the checksums expected and found.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            md5.update(piece)
    if md5.hexdigest() == file.md5:
        return
    wrong = f"{path}: expected MD5 {file.md5}, found {md5.hexdigest()}"
    if file.content_sha256 is None:
        raise DataLossError(wrong)
    sha256 = hashlib.sha256()
    try:
        for piece in content_pieces(path):
            sha256.update(piece)
    except DataLossError as error:
        raise DataLossError(f"{wrong}; and {error}") from error
    if sha256.hexdigest() != file.content_sha256:
        expected = f"expected SHA-256 of the content {file.content_sha256}, found {sha256.hexdigest()}"
        raise DataLossError(f"{wrong}; {expected}")


@dataclass(frozen=True, slots=True)
class _Partial:
    """A file on its way."""

    target: Path
    path: Path

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _etag_path(self) -> Path:
        return self.path.with_name(self.path.name + ".etag")

    def etag_at(self, url: str) -> str | None:
        """The version of the file that the bytes here are from, if they are from `url` and it named one."""
        try:
            lines = self._etag_path.read_text("utf-8").splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return lines[1] if len(lines) == 2 and lines[0] == url else None

    def remember_etag(self, url: str, etag: str | None) -> None:
        if etag is None:
            self._etag_path.unlink(missing_ok=True)
        else:
            self._etag_path.write_text(f"{url}\n{etag}\n", "utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag_path.unlink(missing_ok=True)

    def finish(self) -> None:
        os.replace(self.path, self.target)
        self._etag_path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One file into its partial file, and from there to its place."""

    file: RemoteFile
    partial: _Partial
    progress: bool
    wait_seconds: float

    def run(self, mirrors: Sequence[str]) -> int:
        """Try one mirror after another; the position of the one that delivered."""
        if is_intact(self.partial.target, self.file):  # another process was faster
            return 0
        failures: list[str] = []
        is_wrong = False
        for position, mirror in enumerate(mirrors):
            url = mirror.rstrip("/") + "/" + self.file.name
            try:
                self._from_mirror(url)
            except (Interrupted, DataLossError) as error:
                failures.append(f"{urlsplit(url).netloc}: {error}")
                is_wrong |= isinstance(error, DataLossError)
            else:
                self.partial.finish()
                return position
        tried = "; ".join(failures)
        if is_wrong:
            raise DataLossError(f"no mirror has the right {self.file.name} ({tried})")
        advice = "check the network, or fetch the files by other means and name their folder as data_dir"
        raise DownloadError(f"cannot download {self.file.name} ({tried}); {advice}")

    def _from_mirror(self, url: str) -> None:
        """Connect again as long as each connection brings more; start over once if joined parts do not fit."""
        may_start_over = True
        for _ in range(_MAX_CONNECTIONS):
            num_bytes_before = self.partial.num_bytes
            try:
                was_resumed = self._connect_once(url)
            except Interrupted:
                if self.partial.num_bytes <= num_bytes_before:
                    raise
                continue
            try:
                return verify(self.partial.path, self.file)
            except DataLossError:
                self.partial.remove()
                if not (was_resumed and may_start_over):
                    raise
                may_start_over = False
        raise Interrupted(f"cut off {_MAX_CONNECTIONS} times")

    def _connect_once(self, url: str) -> bool:
        """Write what one connection brings; whether it went on from bytes that were there before."""
        from tqdm import tqdm

        have = self.partial.num_bytes
        with open_body(url, have, self.partial.etag_at(url), self.wait_seconds) as body:
            bar = tqdm(
                desc=self.file.name,
                total=body.total_bytes,
                initial=body.start,
                unit="B",
                unit_scale=True,
                disable=not self.progress,
                leave=False,
            )
            with bar, self._explain_full_disk():
                self.partial.remember_etag(url, body.etag)
                with self.partial.path.open("ab" if body.start else "wb") as out:
                    for piece in body.pieces():
                        out.write(piece)
                        bar.update(len(piece))
                # Only a bar that reached its end stays on the screen; the next connection draws its own.
                bar.leave = True
        return body.start > 0

    @contextmanager
    def _explain_full_disk(self) -> Iterator[None]:
        """Give the room back, so that a full disk is not kept full, and say what to do."""
        try:
            yield
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
            self.partial.remove()
            advice = f"no space left to download {self.file.name}; free some or set PENSTOCK_CACHE_DIR to another disk"
            raise OSError(error.errno, advice, str(self.partial.target)) from error


@contextmanager
def _partial_file(target: Path) -> Iterator[_Partial]:
    """The partial file that all processes go on from, or, while another has it, one of our own that nobody sees."""
    with _try_lock(target.with_name(".lock")) as is_locked:
        if is_locked:
            yield _Partial(target, target.with_name(target.name + ".part"))
            return
        own = _Partial(target, target.with_name(f"{target.name}.{secrets.token_hex(8)}.part"))
        try:
            yield own
        finally:
            own.remove()


@contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock on `path` if nobody does; the system frees it when this process ends, however it ends."""
    with path.open("ab") as file:
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another process, or a file system without locks
            yield False
        else:
            yield True
