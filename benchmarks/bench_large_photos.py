"""W3 on large photos: penstock.image decodes no more than a crop needs, the user's OpenCV code all of it."""

from __future__ import annotations

from typing import Any

import bench_photos
import measure
import numpy as np
from bench_photos import BATCH, WORKERS, Photos
from contender import Contender, Form, Pipeline, Workload
from photo_files import CROP, large_photo_paths

ELEMENTS = 192


def read_paths(elements: int) -> Photos:
    return large_photo_paths(elements), np.arange(elements)


def resized_crop(path: Any, label: Any, generator: Any) -> Any:
    """Random areas and proportions, antialiased: what penstock.image makes unless told otherwise."""
    from penstock import image

    crop = image.random_resized_crop(path, CROP, generator)
    return image.normalize(image.random_flip(crop, generator)), label


def penstock_resized_crops(data: Photos) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.from_tensor_slices((np.array(data[0]), data[1]))
    return ds.random_map(resized_crop, seed=0, num_parallel_calls=WORKERS).batch(BATCH).prefetch(2)


WORKLOAD = Workload(
    name="large_photos",
    title="W3 on photos of 4 to 7 million pixels, otherwise the same",
    elements=ELEMENTS,
    prepare=read_paths,
    rows_out=lambda elements: elements,
    count=lambda batch: len(batch[1]),
    digest=bench_photos.crops_digest,
    answer=bench_photos.right_crops,
    contenders=(
        Contender("two threads", "numpy", Form.LIMIT, bench_photos.ThreadPool),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, bench_photos.penstock),
        Contender("penstock", "penstock.dataset", Form.OWN_FUNCTIONS, bench_photos.penstock_images),
        Contender("penstock, random_resized_crop", "penstock.dataset", Form.BY_HAND, penstock_resized_crops),
    ),
    elements_verified=48,
    settling_batches=2,
    runs_beside_peers=True,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
