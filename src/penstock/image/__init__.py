"""Images: decoded, resized, cropped and changed, by the fastest of the well-kept libraries that are installed.

Plain functions of one image, for `Dataset.map` and `Dataset.random_map`; `pip install "penstock[image]"`.
"""

from penstock.image.batches import cutmix, mixup, one_hot
from penstock.image.changes import color_jitter, normalize, random_erasing, random_flip, rotate
from penstock.image.decoding import decode, encode
from penstock.image.sizes import central_crop, random_crop, random_resized_crop, resize

__all__ = [
    "decode",
    "encode",
    "resize",
    "central_crop",
    "random_crop",
    "random_resized_crop",
    "random_flip",
    "rotate",
    "random_erasing",
    "color_jitter",
    "normalize",
    "one_hot",
    "mixup",
    "cutmix",
]
