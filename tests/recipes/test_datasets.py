from __future__ import annotations

import gzip
import hashlib
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DataLossError, DownloadError
from penstock.recipes import datasets
from penstock.recipes.datasets import NAMES, is_at_hand, load
from penstock.recipes.download import RemoteFile
from tests.recipes.file_server import running_file_server

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ARRAYS = (
    np.arange(6 * 4 * 5, dtype="u1").reshape(6, 4, 5),
    np.array([9, 0, 1, 2, 3, 4], "u1"),
    np.arange(2 * 4 * 5, dtype="u1").reshape(2, 4, 5)[::-1],
    np.array([5, 0], "u1"),
)


def idx_bytes(array: np.ndarray, code: int = 8) -> bytes:
    head = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def data_dir(tmp_path):
    return write(tmp_path / "data")


def write(folder: Path, dotted: bool = False, packed: bool = False, arrays: tuple[np.ndarray, ...] = ARRAYS) -> Path:
    folder.mkdir(parents=True)
    for stem, array in zip(STEMS, arrays, strict=True):
        name = stem.replace("-idx", ".idx") if dotted else stem
        content = idx_bytes(array)
        (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return folder


def changed(position: int, array: np.ndarray) -> tuple[np.ndarray, ...]:
    return (*ARRAYS[:position], array, *ARRAYS[position + 1 :])


def check(data: datasets.ImageData, name: str) -> None:
    assert data.name == name
    found = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    for array, expected in zip(found, ARRAYS, strict=True):
        assert array.tolist() == expected.tolist()
    assert [array.dtype for array in found] == [np.uint8, np.int64] * 2
    assert len(data.class_names) == 10


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


class TestDigits:
    def test_what_it_holds(self):
        data = load("digits")
        assert data.train_images.shape == (1437, 8, 8)
        assert data.test_images.shape == (360, 8, 8)
        assert [array.dtype for array in (data.train_images, data.train_labels)] == [np.uint8, np.int64]
        assert data.class_names == tuple("0123456789")
        assert set(data.test_labels.tolist()) == set(range(10))

    def test_every_scan_is_there_once_with_its_label(self):
        from sklearn.datasets import load_digits

        scans, data = load_digits(), load("digits")
        images = np.concatenate([data.train_images, data.test_images])
        labels = np.concatenate([data.train_labels, data.test_labels])
        # 16 levels lie about 16 grey values apart, so the scaling is undone exactly.
        found = sorted((image.tobytes(), label) for image, label in zip(np.rint(images / 15.9375), labels, strict=True))
        assert found == sorted(
            (image.tobytes(), label) for image, label in zip(scans.images, scans.target, strict=True)
        )

    def test_values_are_spread_over_all_of_uint8(self):
        images = load("digits").train_images
        assert np.unique(images).tolist() == [round(level * 255 / 16) for level in range(17)]

    def test_split_never_changes(self):
        data = load("digits")
        digest = hashlib.sha256(data.train_images.tobytes() + data.train_labels.tobytes()).hexdigest()
        assert digest == "3b5d4b834352dc234b889424da81aabc2befef1e32bb441fb944850cb9bba7f6"

    def test_without_scikit_learn(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn", None)
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        with pytest.raises(ImportError, match=r"pip install penstock\[train\]"):
            load("digits")


class TestDataDir:
    @pytest.mark.parametrize("dotted", [False, True], ids=["dash", "dot"])
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
    @pytest.mark.parametrize("sub_folder", ["", "MNIST/raw", "raw"])
    def test_layouts(self, sub_folder, packed, dotted, tmp_path):
        write(tmp_path / "data" / sub_folder, dotted, packed)
        before = snapshot(tmp_path)
        assert is_at_hand("mnist", tmp_path / "data")
        check(load("mnist", tmp_path / "data"), "mnist")
        assert snapshot(tmp_path) == before

    def test_each_set_has_its_own_sub_folder(self, tmp_path):
        others = changed(0, ARRAYS[0] + 1)
        write(tmp_path / "MNIST/raw", arrays=others)
        write(tmp_path / "FashionMNIST/raw")
        check(load("fashion_mnist", tmp_path), "fashion_mnist")

    def test_folders_named_like_files(self, data_dir):
        (data_dir / STEMS[0]).rename(data_dir / "train-images.idx3-ubyte")
        (data_dir / STEMS[0]).mkdir()
        check(load("mnist", data_dir), "mnist")

    def test_text_as_a_path(self, data_dir):
        check(load("mnist", str(data_dir)), "mnist")

    @pytest.mark.parametrize("stem", STEMS)
    def test_missing_file(self, stem, data_dir):
        (data_dir / stem).unlink()
        assert not is_at_hand("mnist", data_dir)
        with pytest.raises(FileNotFoundError, match=f"no {stem} .*{data_dir}/MNIST/raw.*, {data_dir}$") as raised:
            load("mnist", data_dir)
        assert sum(other in str(raised.value) for other in STEMS) == 1

    def test_missing_folder(self, tmp_path):
        assert not is_at_hand("mnist", tmp_path / "nowhere")
        with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
            load("mnist", tmp_path / "nowhere")

    def test_files_of_another_set(self, data_dir, monkeypatch):
        content = (data_dir / STEMS[3]).read_bytes()
        fashion = datasets._SOURCES["fashion_mnist"]
        labels = replace(fashion.files[3], md5=hashlib.md5(content).hexdigest())
        files = (*fashion.files[:3], labels)
        monkeypatch.setitem(datasets._SOURCES, "fashion_mnist", replace(fashion, files=files))
        with pytest.raises(ValueError, match=r"holds fashion_mnist; write load\('fashion_mnist'\)"):
            load("mnist", data_dir)
        check(load("fashion_mnist", data_dir), "fashion_mnist")


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            (changed(1, ARRAYS[1][:-1]), r"train-images-idx3-ubyte has 6 images, .*train-labels-idx1-ubyte 5 labels"),
            (changed(2, ARRAYS[2][:1]), r"t10k-images-idx3-ubyte has 1 images, .*t10k-labels-idx1-ubyte 2 labels"),
            (
                changed(3, np.array([5, 10], "u1")),
                r"t10k-labels-idx1-ubyte: label 1 \(byte 9\) is 10; mnist has classes 0 to 9",
            ),
            (changed(2, ARRAYS[2][:, 1:]), r"\(4, 5\), those of .*t10k-images-idx3-ubyte \(3, 5\)"),
            (changed(0, ARRAYS[0][0]), r"train-images-idx3-ubyte: expected 3 dimensions, byte 3 says 2"),
            (changed(1, ARRAYS[0]), r"train-labels-idx1-ubyte: expected 1 dimensions, byte 3 says 3"),
        ],
    )
    def test_files_that_do_not_fit(self, arrays, message, tmp_path):
        with pytest.raises(DataLossError, match=message):
            load("mnist", write(tmp_path / "data", arrays=arrays))

    def test_other_dtype(self, data_dir):
        (data_dir / STEMS[1]).write_bytes(idx_bytes(np.zeros(6, "i2"), code=0x0B))
        with pytest.raises(DataLossError, match="byte 2 gives the dtype int16, expected uint8"):
            load("mnist", data_dir)

    def test_cut_off(self, data_dir):
        path = data_dir / STEMS[2]
        path.write_bytes(path.read_bytes()[:30])
        with pytest.raises(DataLossError, match=f"{path}: cut off at byte 30"):
            load("mnist", data_dir)


class TestDownload:
    @pytest.fixture
    def server(self, monkeypatch, tmp_path):
        """Both published sets, small and on loopback."""
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PENSTOCK_CACHE_DIR", str(tmp_path / "cache"))
        packed = {f"{stem}.gz": gzip.compress(idx_bytes(array)) for stem, array in zip(STEMS, ARRAYS, strict=True)}
        with running_file_server() as server:
            for name in ("mnist", "fashion_mnist"):
                files = tuple(RemoteFile(file, hashlib.md5(content).hexdigest()) for file, content in packed.items())
                server.files |= {f"/{name}/{file}": content for file, content in packed.items()}
                source = replace(datasets._SOURCES[name], files=files, mirrors=(f"{server.url}/{name}",))
                monkeypatch.setitem(datasets._SOURCES, name, source)
            yield server

    @pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
    def test_first_time_only(self, name, server, tmp_path):
        assert not is_at_hand(name)
        check(load(name, progress=False), name)
        assert server.paths == [f"/{name}/{stem}.gz" for stem in STEMS]

        assert is_at_hand(name)
        check(load(name, progress=False), name)
        assert len(server.paths) == 4
        kept = sorted(path.name for path in (tmp_path / "cache/datasets" / name).glob("[!.]*"))
        assert kept == sorted(f"{stem}.gz" for stem in STEMS)

    def test_no_network(self, server):
        server.shutdown()
        server.server_close()
        with pytest.raises(DownloadError, match=r"127.0.0.1:"):
            load("mnist", progress=False)

    def test_never_with_a_data_dir(self, server, tmp_path):
        with pytest.raises(FileNotFoundError):
            load("mnist", tmp_path)
        assert server.requests == []
        assert not (tmp_path / "cache").exists()


class TestAsDataset:
    def test_pairs_in_order(self, data_dir):
        data = load("mnist", data_dir)
        for dataset, images, labels in [(data.train(), *ARRAYS[:2]), (data.test(), *ARRAYS[2:])]:
            elements = list(dataset)
            assert [image.tolist() for image, _ in elements] == images.tolist()
            assert [int(label) for _, label in elements] == labels.tolist()

    def test_spec(self, data_dir):
        image, label = load("mnist", data_dir).train().element_spec
        assert (image.shape, image.dtype) == ((4, 5), np.uint8)
        assert (label.shape, label.dtype) == ((), np.int64)


def test_published_files_are_all_different():
    files = [file for source in datasets._SOURCES.values() for file in source.files]
    assert len({file.md5 for file in files}) == len(files) == 8
    for source in datasets._SOURCES.values():
        assert [file.name for file in source.files] == [f"{stem}.gz" for stem in STEMS]
        assert len(set(source.class_names)) == 10


@pytest.mark.parametrize("call", [load, is_at_hand])
def test_unknown_name(call):
    with pytest.raises(ValueError, match="name is 'minst'; write one of 'digits', 'mnist', 'fashion_mnist'"):
        call("minst")


def test_names():
    assert NAMES == ("digits", "mnist", "fashion_mnist")


def test_import_loads_nothing_heavy():
    code = "import sys, penstock.recipes.datasets; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sklearn", "tqdm", "pyarrow", "keras", "jax", "torch", "tensorflow"} & set(loaded)
