"""From a folder of images to a trained model: what is found, split, left out, drawn and told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import penstock
from penstock import cli, image
from penstock.errors import DataLossError, StateError
from penstock.recipes.photos import folder as folders
from penstock.recipes.photos import pipeline, residual
from penstock.recipes.photos.confusion import Confusion, count_confusion, draw_confusion
from penstock.recipes.photos.digits import write_digits
from penstock.recipes.photos.folder import PhotoFolder, open_folder
from penstock.recipes.photos.job import PhotoJob
from penstock.recipes.photos.residual import ResidualBlock, ResidualClassifier
from penstock.recipes.photos.settings import PhotoSettings
from penstock.recipes.training import run
from tests.recipes.training_runs import logged_losses

SIDE = 8
FILTERS = 16
"""Convolutions of 4 channels are not the same twice on torch 2.13 with oneDNN, and have crashed there."""
CLASSES = ("dark", "light")
NUM_EACH = 20
SPLIT = ["dark/14.png", "dark/16.png", "dark/6.png", "light/14.png"]
FINGERPRINT = "40 (6495833f83848c8b)"
"""Frozen: were they to change, people would test on images that they had trained on."""


def write_image(path: Path, brightness: int, seed: int) -> None:
    """Noise around a brightness, of no square and no constant size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(seed)
    shape = (10 + seed % 3, 14, 3)
    path.write_bytes(image.encode(draws.integers(brightness, brightness + 56, shape, np.uint8), "PNG"))


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for label, name in enumerate(CLASSES):
        for number in range(NUM_EACH):
            write_image(root / name / f"{number}.png", brightness=120 * label, seed=number)
    return root


@pytest.fixture
def root(whole_folder: Path, tmp_path: Path) -> Path:
    """A folder that a test may change."""
    copy = tmp_path / "images"
    for path in whole_folder.rglob("*.png"):
        target = copy / path.relative_to(whole_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    return copy


@pytest.fixture(autouse=True)
def narrow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few filters, so that a step takes no time."""
    monkeypatch.setattr(residual, "FIRST_FILTERS", FILTERS)
    monkeypatch.setattr(residual, "MOST_FILTERS", FILTERS)


def opened(root: Path) -> PhotoFolder:
    return open_folder(root, root.parent / "log" / "broken.jsonl", SIDE)


def names(photos: folders.Photos) -> set[str]:
    return {"/".join(Path(path).parts[-2:]) for path in photos.paths}


class TestFolder:
    def test_every_image_is_for_training_or_for_testing(self, whole_folder: Path, tmp_path: Path) -> None:
        found = open_folder(str(whole_folder) + "/", tmp_path / "broken.jsonl", SIDE)
        assert found.class_names == CLASSES
        assert not names(found.train) & names(found.test)
        assert names(found.train) | names(found.test) == {
            f"{name}/{k}.png" for name in CLASSES for k in range(NUM_EACH)
        }
        for photos in (found.train, found.test):
            assert [CLASSES[label] for label in photos.labels] == [Path(path).parent.name for path in photos.paths]
        assert found.broken == ()
        assert list(tmp_path.iterdir()) == []

    def test_split_never_changes(self, whole_folder: Path, tmp_path: Path) -> None:
        found = open_folder(whole_folder, tmp_path / "broken.jsonl", SIDE)
        assert sorted(names(found.test)) == SPLIT
        assert found.fingerprint == FINGERPRINT

    def test_other_images_and_another_place_change_no_place_in_the_split(self, root: Path, tmp_path: Path) -> None:
        before = opened(root)
        moved = root.rename(tmp_path / "moved")
        assert opened(moved).fingerprint == before.fingerprint
        write_image(moved / "light" / "new" / "0.png", 0, 0)
        write_image(moved / "other" / "0.png", 0, 0)
        write_image(moved / "other" / "1.png", 0, 0)
        after = opened(moved)
        assert names(before.test) <= names(after.test)
        assert names(before.train) <= names(after.train)
        assert after.fingerprint != before.fingerprint

    def test_about_one_in_five_is_for_testing(self) -> None:
        below = [f"a/{number}.jpg" for number in range(5_000)]
        assert 900 < sum(folders._chosen_for_test(below, [0] * len(below))) < 1_100

    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_small_classes_are_on_both_sides(self, size: int) -> None:
        for start in range(40):
            chosen = folders._chosen_for_test([f"a/{start + k}" for k in range(size)], [0] * size)
            assert 0 < sum(chosen) < size

    def test_broken_images_are_left_out_with_their_reasons(self, root: Path) -> None:
        (root / "dark" / "3.png").unlink()
        (root / "dark" / "3.png").write_bytes(b"no image")
        cut_off = (root / "light" / "7.png").read_bytes()[:100]
        (root / "light" / "cut off.png").write_bytes(cut_off)
        found = opened(root)
        assert [photo.path for photo in found.broken] == ["dark/3.png", "light/cut off.png"]
        assert found.broken[0].reason.startswith("holds bytes that begin with b'no image', which is none of JPEG")
        assert len(found.train) + len(found.test) == 2 * NUM_EACH - 1
        log = root.parent / "log" / "broken.jsonl"
        assert len(penstock.read_quarantine(log)) == 2
        (root / "dark" / "3.png").unlink()
        (root / "light" / "cut off.png").unlink()
        assert opened(root).broken == ()
        assert not log.exists()

    def test_folders_that_cannot_be_trained_on(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nowhere' is not there"):
            opened(tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ValueError, match="holds no folder of a class"):
            opened(tmp_path / "empty")
        with pytest.raises(ValueError, match="move the images of each class into a folder of its own"):
            opened(root / "dark")
        write_image(tmp_path / "alone" / "cat" / "1.png", 0, 0)
        with pytest.raises(ValueError, match=r"alone has one class only, 'cat'; put images of another"):
            opened(tmp_path / "alone")
        write_image(tmp_path / "alone" / "dog" / "1.png", 0, 0)
        with pytest.raises(ValueError, match="alone has one image of each class, so none is left to test on"):
            opened(tmp_path / "alone")
        (root / "fog").mkdir()
        with pytest.raises(ValueError, match="no image that can be read of 'fog'; add some"):
            opened(root)
        for path in (tmp_path / "alone").rglob("*.png"):
            path.write_bytes(b"no image")
        with pytest.raises(DataLossError, match=r"none of 2 images can be read; the first: .*1\.png"):
            opened(tmp_path / "alone")

    def test_digits_are_written_once(self, tmp_path: Path) -> None:
        write_digits(tmp_path / "digits")
        assert len(list((tmp_path / "digits").rglob("*.png"))) == 1_797
        (path, *_) = (tmp_path / "digits" / "0").iterdir()
        assert image.decode(path, channels=1).shape == (8, 8, 1)
        path.unlink()
        write_digits(tmp_path / "digits")  # What is there is not touched.
        assert [path.name for path in tmp_path.iterdir()] == ["digits"]
        assert not path.exists()


class TestPipeline:
    def test_batches_to_train_on_differ_from_pass_to_pass_only(self, whole_folder: Path, tmp_path: Path) -> None:
        photos = open_folder(whole_folder, tmp_path / "broken.jsonl", SIDE).train

        def epoch(number: int) -> list[Any]:
            batches = pipeline.train_batches(photos, side=SIDE, flip=True, batch_size=8, seed=3)
            with batches.iterator(epoch=number) as drawn:
                return [(images.tobytes(), labels.tolist()) for images, labels in drawn]

        batches = pipeline.train_batches(photos, side=SIDE, flip=True, batch_size=8, seed=3)
        assert len(batches) == -(-len(photos) // 8)
        assert epoch(0) == epoch(0) != epoch(1)
        with pipeline.test_batches(photos, side=SIDE, batch_size=8).iterator() as drawn:
            images, labels = next(drawn)
        assert (images.shape, images.dtype, labels.tolist()) == ((8, SIDE, SIDE, 3), np.float32, [0] * 8)

    def test_mirrored_only_where_that_is_asked_for(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 255, 16).astype(np.uint8)[None, :, None], (16, 1, 3))
        path = tmp_path / "ramp.png"
        path.write_bytes(image.encode(ramp, "PNG"))
        for flip in (False, True):
            augment = pipeline.augmenting(SIDE, flip)
            slopes = [
                np.diff(augment(str(path), 0, np.random.default_rng(seed))[0].mean(axis=(0, 2))).mean()
                for seed in range(20)
            ]
            assert bool(min(slopes) < 0) is flip
            assert max(slopes) > 0

    def test_pixels_come_back(self, tmp_path: Path) -> None:
        write_image(tmp_path / "0.png", 100, 0)
        read, _ = pipeline.reading(SIDE)(str(tmp_path / "0.png"), 0)
        expected = image.central_crop(tmp_path / "0.png", SIDE, shorter_side=SIDE)
        np.testing.assert_array_equal(pipeline.as_pixels(read), expected)


class TestConfusion:
    FOUND = count_confusion(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2]), ["cat", "dog", "none"])

    def test_what_is_told(self) -> None:
        assert self.FOUND.accuracy == 3 / 5
        assert list(self.FOUND.told()) == [
            "cat    66.67% of 3; most often taken for dog (1)",
            "dog    50.00% of 2; most often taken for none (1)",
            "none  no image to test on",
        ]
        assert list(self.FOUND.told(most=1)) == [
            "the 1 worst of 3 classes:",
            "dog   50.00% of 2; most often taken for none (1)",
        ]

    @pytest.mark.parametrize("num_classes", [2, 30, 101])
    def test_right_is_green_and_wrong_is_red(self, num_classes: int) -> None:
        counts = np.diag(np.full(num_classes, 1_000))
        counts[0] = 0
        counts[0, -1] = 5
        class_names = tuple(f"class {number} with a long name" for number in range(num_classes))
        drawing = np.asarray(draw_confusion(Confusion(counts, class_names), "title")).astype(np.int16)
        assert drawing.shape[0] < 2_300 > drawing.shape[1]
        red, green = drawing[..., 0] - drawing[..., 1], drawing[..., 1] - drawing[..., 0]
        rows, columns = np.nonzero(red > 100)
        places, _ = np.nonzero(green > 50)
        assert rows.max() < places.min() + 60
        assert columns.min() >= np.nonzero(green > 50)[1].min()
        # The last column's red cell stands in the row above all green ones.
        assert rows.min() < places.min()


class TestResidual:
    @pytest.mark.parametrize("strides", [1, 2])
    def test_block_adds_what_it_was_given(self, strides: int) -> None:
        inputs = np.random.default_rng(0).random((2, SIDE, SIDE, FILTERS), np.float32)
        block = ResidualBlock(FILTERS, strides, seed=0)
        block.build(inputs.shape)
        block.second.normalization.gamma.assign(np.zeros(FILTERS))  # So that nothing is added to it.
        found = predicted(block, inputs)
        assert block.compute_output_shape(inputs.shape) == found.shape
        expected = inputs if block.is_same_shape else np.maximum(predicted(block.shortcut, inputs), 0)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert block.is_same_shape is (strides == 1)

    def test_saved_and_loaded_it_predicts_the_same_and_knows_its_classes(self, tmp_path: Path) -> None:
        model = built(SIDE, seed=1)
        for variable in model.non_trainable_variables:
            if "moving" in variable.name:
                variable.assign(variable + 0.25)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert type(loaded) is ResidualClassifier
        assert loaded.class_names == CLASSES
        inputs = np.random.default_rng(0).random((2, SIDE, SIDE, 3), np.float32)
        np.testing.assert_array_equal(model.predict_on_batch(inputs), loaded.predict_on_batch(inputs))
        assert not np.allclose(model.stem.convolution.kernel, built(SIDE, seed=2).stem.convolution.kernel)

    @pytest.mark.parametrize(("side", "edge"), [(8, 4), (16, 4), (47, 3), (48, 3), (64, 4), (224, 4)])
    def test_blocks_halve_the_image_until_it_is_small(self, side: int, edge: int) -> None:
        model = ResidualClassifier(side, CLASSES)
        shape: tuple[Any, ...] = (None, side, side, 3)
        for layer in (model.stem, *model.blocks):
            shape = layer.compute_output_shape(shape)
        assert shape[1:3] == (edge, edge)


def predicted(layer: keras.Layer, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """By one compiled function, which is much quicker than operation by operation."""
    return np.asarray(keras.Sequential([keras.Input(inputs.shape[1:]), layer]).predict_on_batch(inputs))


def built(side: int, seed: int) -> keras.Model:
    model = ResidualClassifier(side, CLASSES, seed)
    model.build((None, side, side, 3))
    return model


def job(folder: PhotoFolder, save_dir: Path, **changes: Any) -> PhotoJob:
    options = {"loop": "custom", "backend": keras.backend.backend(), "epochs": 2, "batch_size": 12, "save_every": 2}
    return PhotoJob(PhotoSettings(save_dir=save_dir, side=SIDE, **{**options, **changes}), folder)


class TestTraining:
    def test_goes_on_where_it_was_cut_off(self, root: Path, tmp_path: Path) -> None:
        folder = opened(root)
        expected = run.train(job(folder, tmp_path / "whole"), progress=False)

        def cut_off(step: int, loss: float) -> None:
            if step == 5:
                raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            run.train(job(folder, tmp_path / "cut"), progress=False, on_step=cut_off)
        found = run.train(job(folder, tmp_path / "cut"), resume=True, progress=False)
        assert logged_losses(tmp_path / "cut") == logged_losses(tmp_path / "whole")
        assert found.outcome.confusion.counts.tolist() == expected.outcome.confusion.counts.tolist()
        write_image(root / "light" / "new.png", 0, 0)
        with pytest.raises(StateError, match=r"a run with images=40 \(.*asked for is images=41 \("):
            run.train(job(opened(root), tmp_path / "cut"), resume=True, progress=False)

    def test_settings_that_cannot_be(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="side is 7 pixels; it must be at least 8"):
            PhotoSettings(save_dir=tmp_path, side=7)


class TestCommand:
    def test_draws_trains_draws_and_reports(
        self, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "light" / "broken.jpg").write_bytes(b"no image")
        monkeypatch.chdir(tmp_path)
        words = f"train photos --data {root} --side {SIDE} --epochs 1 --batch-size 12 --flip --loop custom"
        assert cli.main(words.split()) == 0
        said = capsys.readouterr().out
        saved = Path("runs/photos-images-custom")
        assert f"{root}: 3" in said
        assert "of 2 classes to train on, in batches of 12" in said
        for words in (
            f"the first batch is drawn as {saved}/augmented.png\n",
            "epoch 1/1: loss ",
            "  dark  ",
            "test accuracy: ",
            f"confusion matrix drawn as {saved}/confusion.png\n",
            "waiting for input: ",
            f"model saved as {saved}/model.keras\n",
            "images that could not be read and were left out: 1\n  light/broken.jpg holds bytes ",
        ):
            assert words in said
        for name in ("augmented.png", "confusion.png"):
            assert image.decode(saved / name).shape[2] == 3
        assert keras.saving.load_model(saved / "model.keras").class_names == CLASSES

    def test_errors_are_lines(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        missing = tmp_path / "nowhere"
        assert cli.main(["train", "photos", "--data", str(missing), "--save", str(tmp_path)]) == 1
        assert capsys.readouterr().err.startswith(f"penstock: error: from_image_folder(): '{missing}' is not there")
        with pytest.raises(SystemExit):
            cli.main(["train", "photos", "--style", "nested"])
        assert "unrecognized arguments: --style nested" in capsys.readouterr().err
