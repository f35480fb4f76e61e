from __future__ import annotations

import errno
import gzip
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DataLossError, DownloadError
from penstock.recipes import download
from penstock.recipes.download import RemoteFile, cache_folder, fetch
from tests.recipes import file_server as server_does

CONTENT = np.random.RandomState(0).bytes(400_000)
PACKED = gzip.compress(CONTENT)
FILE = RemoteFile("a.gz", hashlib.md5(PACKED).hexdigest(), hashlib.sha256(CONTENT).hexdigest())

FETCH_IN_A_PROCESS = """
import sys
from pathlib import Path
from penstock.recipes.download import RemoteFile, fetch
name, md5, sha256, url, folder = sys.argv[1:]
fetch([RemoteFile(name, md5, sha256)], [url], Path(folder), progress=False, timeout_seconds=60)
"""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server_does.running_file_server() as server:
        server.files = {"/one/a.gz": PACKED, "/two/a.gz": PACKED}
        yield server


@pytest.fixture
def one(server):
    return f"{server.url}/one"


@pytest.fixture
def two(server):
    return f"{server.url}/two"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "folder"


def get(folder: Path, *mirrors: str, file: RemoteFile = FILE, seconds: float = 60) -> Path:
    (path,) = fetch([file], mirrors, folder, progress=False, timeout_seconds=seconds)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def partial(folder: Path, content: bytes, etag: str | None = None, url: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "a.gz.part"
    path.write_bytes(content)
    if etag is not None:
        (folder / "a.gz.part.etag").write_text(f"{url}\n{etag}\n")
    return path


def closed_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_fetches_once(server, one, folder):
    path = get(folder, one)
    assert path == folder / "a.gz"
    assert path.read_bytes() == PACKED
    assert names(folder) == ["a.gz"]

    assert get(folder, one) == path
    assert server.paths == ["/one/a.gz"]


def test_several_files_in_order(server, one, folder):
    files = [replace(FILE, name=name) for name in ("b", "a.gz", "c")]
    server.files |= {"/one/b": PACKED, "/one/c": PACKED}
    assert fetch(files, [one], folder, progress=False) == [folder / "b", folder / "a.gz", folder / "c"]
    assert names(folder) == ["a.gz", "b", "c"]


def test_needs_no_network_and_writes_nothing_where_all_is_there(folder):
    folder.mkdir(parents=True)
    (folder / "a.gz").write_bytes(PACKED)
    get(folder, closed_port())
    assert [path.name for path in folder.iterdir()] == ["a.gz"]


def test_fetches_anew_what_went_bad_in_the_folder(one, folder):
    folder.mkdir(parents=True)
    (folder / "a.gz").write_bytes(PACKED[:-1])
    assert get(folder, one).read_bytes() == PACKED


@pytest.mark.parametrize("progress", [True, False])
def test_progress_bar(progress, one, folder, capsys):
    fetch([FILE], [one], folder, progress=progress)
    assert ("a.gz: 100%" in capsys.readouterr().err) is progress


class TestInterrupted:
    def test_goes_on_where_it_was_cut_off(self, server, one, folder):
        server.script["/one/a.gz"] += [server_does.cut_after(100_000), server_does.cut_after(50_000)]
        assert get(folder, one).read_bytes() == PACKED
        assert [headers.get("Range") for _, headers in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
        assert server.sent_bytes == len(PACKED)

    def test_next_call_goes_on_with_the_same_version_of_the_file(self, server, one, folder):
        server.script["/one/a.gz"] += [server_does.cut_after(100_000), server_does.missing]
        with pytest.raises(DownloadError):
            get(folder, one)
        assert names(folder) == ["a.gz.part", "a.gz.part.etag"]

        assert get(folder, one).read_bytes() == PACKED
        last = server.requests[-1][1]
        assert (last["Range"], last["If-Range"]) == ("bytes=100000-", '"first"')
        assert names(folder) == ["a.gz"]

    def test_starts_over_when_the_file_has_changed(self, server, one, folder):
        partial(folder, b"of an older version", '"old"', f"{one}/a.gz")
        assert get(folder, one).read_bytes() == PACKED
        assert server.requests[0][1]["If-Range"] == '"old"'
        assert len(server.requests) == 1

    def test_an_etag_of_another_mirror_is_not_sent(self, server, one, two, folder):
        partial(folder, PACKED[:1000], '"first"', f"{one}/a.gz")
        assert get(folder, two).read_bytes() == PACKED
        assert "If-Range" not in server.requests[0][1]
        assert server.sent_bytes == len(PACKED) - 1000

    @pytest.mark.parametrize("etag", [None, 'W/"weak"'])
    def test_without_a_strong_etag(self, etag, server, one, folder):
        server.etag = etag
        server.script["/one/a.gz"].append(server_does.cut_after(100_000))
        assert get(folder, one).read_bytes() == PACKED
        assert "If-Range" not in server.requests[1][1]

    def test_server_that_ignores_ranges(self, server, one, folder):
        server.script["/one/a.gz"] += [server_does.cut_after(100_000), server_does.ignore_ranges]
        assert get(folder, one).read_bytes() == PACKED
        assert len(server.requests) == 2

    def test_server_that_always_breaks_off_at_the_same_place(self, server, one, two, folder):
        server.etag = '"other"'
        always = [server_does.send_part_ignoring_ranges(100_000)] * 5
        server.script["/one/a.gz"] += always
        assert get(folder, one, two).read_bytes() == PACKED
        assert server.paths == ["/one/a.gz"] * 2 + ["/two/a.gz"]

    def test_server_that_answers_with_another_range(self, server, one, two, folder):
        partial(folder, PACKED[:1000])
        server.script["/one/a.gz"].append(server_does.another_range)
        assert get(folder, one, two).read_bytes() == PACKED
        assert server.paths == ["/one/a.gz", "/two/a.gz"]

    def test_next_mirror_goes_on(self, server, one, two, folder):
        server.script["/one/a.gz"] += [server_does.cut_after(100_000), server_does.missing]
        assert get(folder, one, two).read_bytes() == PACKED
        assert server.sent_bytes == len(PACKED)

    @pytest.mark.parametrize(
        "there", [b"wrong" * 1000, PACKED + b"too long", b"x" * len(PACKED)], ids=["start", "too long", "all of it"]
    )
    def test_wrong_bytes_in_the_partial_file_cost_one_more_request(self, there, server, one, folder):
        partial(folder, there)
        assert get(folder, one).read_bytes() == PACKED
        assert server.paths == ["/one/a.gz"] * 2

    def test_whole_partial_file(self, server, one, folder):
        partial(folder, PACKED)
        assert get(folder, one).read_bytes() == PACKED
        assert server.sent_bytes == 0

    def test_killed(self, server, one, folder):
        server.script["/one/a.gz"].append(server_does.stall_after(200_000))
        process = start_process(one, folder)
        server.has_stalled.wait(60)
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        process.wait()
        assert "a.gz" not in names(folder)
        assert get(folder, one).read_bytes() == PACKED
        assert names(folder) == ["a.gz"]


class TestWrongContent:
    def test_next_mirror(self, server, one, two, folder):
        server.script["/one/a.gz"].append(server_does.send_instead(b"<html>Please log in</html>"))
        assert get(folder, one, two).read_bytes() == PACKED
        assert names(folder) == ["a.gz"]

    def test_everywhere(self, server, one, two, folder):
        wrong = gzip.compress(b"something else")
        for path in server.files:
            server.script[path].append(server_does.send_instead(wrong))
        with pytest.raises(DataLossError) as raised:
            get(folder, one, two)
        for word in (FILE.md5, hashlib.md5(wrong).hexdigest(), hashlib.sha256(b"something else").hexdigest()):
            assert word in str(raised.value)
        assert FILE.content_sha256 in str(raised.value)
        assert server.paths == ["/one/a.gz", "/two/a.gz"]
        assert names(folder) == []

        assert get(folder, one).read_bytes() == PACKED

    def test_parts_of_a_wrong_file_are_joined_twice_at_most(self, server, one, folder):
        server.files["/one/a.gz"] = gzip.compress(b"something else" * 1000)
        server.script["/one/a.gz"] += [server_does.cut_after(10), server_does.ranges] * 3
        with pytest.raises(DataLossError):
            get(folder, one)
        assert len(server.requests) == 4

    def test_corrupt_gzip(self, server, one, folder):
        server.files["/one/a.gz"] = PACKED[:1000]
        with pytest.raises(DataLossError, match="cut off at byte 1000"):
            get(folder, one)
        assert names(folder) == []

    def test_without_a_checksum_of_the_content(self, server, one, folder):
        server.files["/one/a.gz"] = CONTENT
        with pytest.raises(DataLossError, match=f"expected MD5 {FILE.md5}, found {hashlib.md5(CONTENT).hexdigest()}"):
            get(folder, one, file=replace(FILE, content_sha256=None))

    @pytest.mark.parametrize("sent", [CONTENT, gzip.compress(CONTENT, 1)], ids=["unpacked", "packed anew"])
    def test_right_content_in_another_container_is_right(self, sent, server, one, folder):
        server.files["/one/a.gz"] = sent
        assert get(folder, one).read_bytes() == sent
        get(folder, one)
        assert server.paths == ["/one/a.gz"]


class TestNoAnswer:
    def test_missing_file(self, server, one, two, folder):
        server.script["/one/a.gz"].append(server_does.missing)
        assert get(folder, one, two).read_bytes() == PACKED

    def test_hanging_server(self, server, one, two, folder):
        server.script["/one/a.gz"].append(server_does.hang)
        assert get(folder, one, two, seconds=3).read_bytes() == PACKED

    def test_server_that_falls_silent_midway(self, server, one, two, folder):
        server.script["/one/a.gz"] += [server_does.stall_after(200_000), server_does.hang]
        assert get(folder, one, two, seconds=3).read_bytes() == PACKED
        assert server.sent_bytes == len(PACKED)

    def test_a_mirror_that_failed_is_asked_last_for_the_next_file(self, server, one, two, folder):
        server.files |= {"/two/b": PACKED}
        server.script["/one/a.gz"].append(server_does.missing)
        fetch([FILE, replace(FILE, name="b")], [one, two], folder, progress=False)
        assert server.paths == ["/one/a.gz", "/two/a.gz", "/two/b"]

    def test_all_fail(self, server, one, folder):
        server.script["/one/a.gz"].append(server_does.missing)
        with pytest.raises(DownloadError) as raised:
            get(folder, one, closed_port(), "http://name.invalid")
        message = str(raised.value)
        assert "\n" not in message
        for word in ("a.gz", "404 Not Found", "Connection refused", "name.invalid", "data_dir"):
            assert word in message
        assert names(folder) == []

    def test_name_lookup_that_takes_forever(self, folder, monkeypatch):
        released = threading.Event()

        def look_up(*args, **options):
            released.wait()
            raise OSError("too late")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        try:
            with pytest.raises(DownloadError, match=r"mirror.example: no answer within 0.1 s"):
                get(folder, "http://mirror.example", "http://two.example", seconds=0.2)
        finally:
            released.set()

    def test_an_answer_that_is_not_http(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"SSH-2.0\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            with pytest.raises(DownloadError, match=r"127.0.0.1:\d+: SSH-2.0"):
                get(folder, f"http://127.0.0.1:{listener.getsockname()[1]}")
            thread.join()


class TestDisk:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
    def test_no_space_left(self, one, folder):
        folder.mkdir(parents=True)
        (folder / "a.gz.part").symlink_to("/dev/full")
        with pytest.raises(
            OSError, match=r"no space left to download a.gz; free some or set PENSTOCK_CACHE_DIR"
        ) as raised:
            get(folder, one)
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == str(folder / "a.gz")
        assert not isinstance(raised.value, DownloadError)
        assert names(folder) == []

        assert get(folder, one).read_bytes() == PACKED

    def test_folder_that_is_a_file(self, one, folder):
        folder.parent.mkdir()
        folder.write_text("in the way")
        with pytest.raises(OSError, match="folder"):
            get(folder, one)


class TestTogether:
    def test_two_processes_at_the_same_time(self, server, one, folder):
        both = threading.Barrier(2)
        server.script["/one/a.gz"] += [server_does.wait_for(both)] * 2
        processes = [start_process(one, folder) for _ in range(2)]
        assert [process.wait() for process in processes] == [0, 0]
        assert (folder / "a.gz").read_bytes() == PACKED
        assert names(folder) == ["a.gz"]

    def test_partial_file_of_another_process_is_left_alone(self, server, one, folder):
        path = partial(folder, b"growing")
        with download._try_lock(folder / ".lock") as is_locked:
            assert is_locked
            assert get(folder, one).read_bytes() == PACKED
            assert path.read_bytes() == b"growing"
            assert names(folder) == ["a.gz", "a.gz.part"]
        assert "Range" not in server.requests[0][1]

    def test_own_partial_file_goes_away_after_an_error(self, server, one, folder):
        server.script["/one/a.gz"] += [server_does.cut_after(100_000), server_does.missing]
        folder.mkdir(parents=True)
        with download._try_lock(folder / ".lock"), pytest.raises(DownloadError):
            get(folder, one)
        assert names(folder) == []

    def test_what_another_process_has_just_finished_is_not_fetched(self, server, one, folder, monkeypatch):
        lock = download._try_lock

        def finish_then_lock(path):
            (folder / "a.gz").write_bytes(PACKED)
            return lock(path)

        monkeypatch.setattr(download, "_try_lock", finish_then_lock)
        assert get(folder, one).read_bytes() == PACKED
        assert server.requests == []


class TestCacheFolder:
    @pytest.fixture(autouse=True)
    def _home(self, monkeypatch, tmp_path):
        for name in ("PENSTOCK_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path))

    @pytest.mark.parametrize(
        ("platform", "expected"),
        [
            ("linux", ".cache/penstock"),
            ("darwin", "Library/Caches/penstock"),
            ("win32", "AppData/Local/penstock/Cache"),
        ],
    )
    def test_by_platform(self, platform, expected, monkeypatch, tmp_path):
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == tmp_path / expected

    @pytest.mark.parametrize(
        ("platform", "name", "expected"),
        [
            ("linux", "XDG_CACHE_HOME", "penstock"),
            ("win32", "LOCALAPPDATA", "penstock/Cache"),
            ("linux", "PENSTOCK_CACHE_DIR", "."),
            ("darwin", "PENSTOCK_CACHE_DIR", "."),
            ("win32", "PENSTOCK_CACHE_DIR", "."),
        ],
    )
    def test_by_environment(self, platform, name, expected, monkeypatch, tmp_path):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(name, str(tmp_path / "chosen"))
        assert cache_folder() == tmp_path / "chosen" / expected

    def test_relative_xdg_folder_is_ignored(self, monkeypatch, tmp_path):
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert cache_folder() == tmp_path / ".cache/penstock"


def test_wrong_arguments(folder):
    with pytest.raises(ValueError, match="mirrors is empty"):
        fetch([FILE], [], folder)
    for seconds in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout_seconds"):
            fetch([FILE], ["http://name.invalid"], folder, timeout_seconds=seconds)
    assert not folder.exists()


def start_process(url: str, folder: Path) -> subprocess.Popen[bytes]:
    words = (FILE.name, FILE.md5, FILE.content_sha256, url, str(folder))
    return subprocess.Popen([sys.executable, "-c", FETCH_IN_A_PROCESS, *words], env=dict(os.environ))
