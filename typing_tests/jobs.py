"""Each recipe's training is a `Job`."""

from penstock.recipes.datasets import ImageData
from penstock.recipes.photos.folder import PhotoFolder
from penstock.recipes.photos.job import PhotoJob, PhotoOutcome
from penstock.recipes.photos.settings import PhotoSettings
from penstock.recipes.small_images.job import SmallImageJob
from penstock.recipes.small_images.settings import SmallImageSettings
from penstock.recipes.training.job import Job


def small_images(settings: SmallImageSettings, data: ImageData) -> Job[float]:
    return SmallImageJob(settings, data)


def photos(settings: PhotoSettings, folder: PhotoFolder) -> Job[PhotoOutcome]:
    return PhotoJob(settings, folder)
