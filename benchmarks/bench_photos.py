"""W3, photos: JPEG files read, decoded, shorter side to 256, random crop of 224, flip, float32, batch 32."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload
from photo_files import CROP, SIDE, photo_paths, training_crop

ELEMENTS = 1600
BATCH = 32
WORKERS = 2
SETTLING_BATCHES = 8
"""More than any contender makes in advance unless it is let."""
AHEAD = 2 * BATCH
"""Photos that the bare pool is given before the one that is waited for."""

Photos = tuple[list[str], Any]
"""Paths, and a label for each."""


def read_paths(elements: int) -> Photos:
    return photo_paths(elements), np.arange(elements)


class ThreadPool:
    """The limit: two threads that do nothing but the user's code, and the batches stacked beside them."""

    def __init__(self, data: Photos) -> None:
        self.data = data
        self.pool = ThreadPoolExecutor(WORKERS)

    def __iter__(self) -> Iterator[Batch]:
        paths, labels = self.data
        draws = np.random.default_rng(0)
        waiting: deque[Future[Any]] = deque()
        ahead = iter(paths)
        for start in range(0, len(paths), BATCH):
            crops: list[Any] = []
            while len(crops) < min(BATCH, len(paths) - start):
                while len(waiting) < AHEAD and (path := next(ahead, None)) is not None:
                    waiting.append(self.pool.submit(training_crop, path, draws.random(3)))
                crops.append(waiting.popleft().result())
            yield np.stack(crops), labels[start : start + BATCH]


def penstock(data: Photos) -> Pipeline:
    from penstock import Dataset

    def augmented(path: Any, label: Any, generator: Any) -> Any:
        return training_crop(path, generator.random(3)), label

    ds = Dataset.from_tensor_slices((np.array(data[0]), data[1]))
    return ds.random_map(augmented, seed=0, num_parallel_calls=WORKERS).batch(BATCH).prefetch(2)


def image_crop(path: Any, label: Any, generator: Any) -> Any:
    """The same photo with penstock.image; interpolated without antialiasing, as the user's OpenCV code does it."""
    from penstock import image

    crop = image.random_crop(path, CROP, generator, shorter_side=SIDE, antialias=False)
    return image.normalize(image.random_flip(crop, generator)), label


def penstock_images(data: Photos) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.from_tensor_slices((np.array(data[0]), data[1]))
    return ds.random_map(image_crop, seed=0, num_parallel_calls=WORKERS).batch(BATCH).prefetch(2)


def penstock_autotuned(data: Photos) -> Pipeline:
    from penstock import AUTOTUNE, Dataset

    def augmented(path: Any, label: Any, generator: Any) -> Any:
        return training_crop(path, generator.random(3)), label

    ds = Dataset.from_tensor_slices((np.array(data[0]), data[1]))
    return ds.random_map(augmented, seed=0, num_parallel_calls=AUTOTUNE).batch(BATCH).prefetch(AUTOTUNE)


def tf_per_element(data: Photos) -> Pipeline:
    """In TensorFlow's own operations."""
    import tensorflow as tf

    def augmented(path: Any, label: Any) -> Any:
        photo = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        shape = tf.cast(tf.shape(photo)[:2], tf.float32)
        size = tf.cast(tf.round(shape * (SIDE / tf.reduce_min(shape))), tf.int32)
        crop = tf.image.random_crop(tf.image.resize(photo, size), (CROP, CROP, 3))
        return tf.image.random_flip_left_right(crop) / 255.0, label

    ds = tf.data.Dataset.from_tensor_slices(data).map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
    return ds.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def tf_own_code(data: Photos) -> Pipeline:
    import tensorflow as tf

    def augmented(path: Any, label: Any) -> Any:
        crop = tf.numpy_function(lambda one: training_crop(one, np.random.random(3)), [path], tf.float32)
        return tf.ensure_shape(crop, (CROP, CROP, 3)), label

    ds = tf.data.Dataset.from_tensor_slices(data).map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
    return ds.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def torch_per_element(data: Photos) -> Pipeline:
    from torch.utils.data import DataLoader, Dataset

    class Crops(Dataset[Any]):
        def __len__(self) -> int:
            return len(data[0])

        def __getitem__(self, row: int) -> Any:
            return training_crop(data[0][row], np.random.random(3)), data[1][row]

    return DataLoader(Crops(), BATCH, num_workers=WORKERS, persistent_workers=True)


def grain_per_element(data: Photos) -> Pipeline:
    import grain

    def augmented(row: int, generator: np.random.Generator) -> Any:
        return training_crop(data[0][row], generator.random(3)), data[1][row]

    ds = grain.MapDataset.range(len(data[0])).seed(0).random_map(augmented).batch(BATCH)
    # Its default of 16 threads and 500 batches in each worker makes most of an epoch before the pace is taken.
    alone = grain.ReadOptions(num_threads=0)
    return ds.to_iter_dataset(alone).mp_prefetch(grain.MultiprocessingOptions(num_workers=WORKERS))


class SpdlPipeline:
    """A pipeline of SPDL's is built anew for each epoch, as its documentation does."""

    def __init__(self, data: Photos) -> None:
        self.data = data

    def augmented(self, row: int) -> Any:
        return training_crop(self.data[0][row], np.random.random(3)), self.data[1][row]

    def __iter__(self) -> Iterator[Batch]:
        from spdl.pipeline import PipelineBuilder

        def stacked(rows: list[Any]) -> Batch:
            return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])

        builder = PipelineBuilder().add_source(range(len(self.data[0])))
        builder = builder.pipe(self.augmented, concurrency=WORKERS, output_order="input")
        # A thread more than crops are made in, for the batches.
        built = builder.aggregate(BATCH).pipe(stacked).add_sink(2).build(num_threads=WORKERS + 1)
        with built.auto_stop():
            yield from built


def crops_digest(batch: Batch) -> tuple[float, ...]:
    """Labels, each once; and how many crops look as they should. Their pixels are random, by each library's numbers."""
    crops, labels = np.asarray(batch[0]), np.asarray(batch[1])
    if crops.dtype != np.float32 or crops.shape[1:] != (CROP, CROP, 3):
        return (0.0, 0.0, 0.0)
    varied = (crops.min((1, 2, 3)) >= 0) & (crops.max((1, 2, 3)) <= 1) & (crops.std((1, 2, 3)) > 0.01)
    return float(varied.sum()), float(labels.sum()), float(np.square(labels).sum())


def right_crops(data: Photos) -> Batch:
    draws = np.random.default_rng(1)
    return np.stack([training_crop(path, draws.random(3)) for path in data[0]]), data[1]


WORKLOAD = Workload(
    name="photos",
    title="W3: photos, JPEG files read, decoded, shorter side 256, random crop 224, flip, float32, batch 32",
    elements=ELEMENTS,
    prepare=read_paths,
    rows_out=lambda elements: elements,
    count=lambda batch: len(batch[1]),
    digest=crops_digest,
    answer=right_crops,
    contenders=(
        Contender("two threads", "numpy", Form.LIMIT, ThreadPool),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("penstock", "penstock.dataset", Form.OWN_FUNCTIONS, penstock_images),
        Contender("penstock", "penstock.dataset", Form.AUTOTUNED, penstock_autotuned),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("tf.data", "tensorflow", Form.OWN_CODE, tf_own_code),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
        Contender("SPDL", "spdl.pipeline", Form.PER_ELEMENT, SpdlPipeline),
    ),
    elements_verified=200,
    settling_batches=SETTLING_BATCHES,
    runs_beside_peers=True,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
