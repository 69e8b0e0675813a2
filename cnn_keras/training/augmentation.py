"""How a training changes its images at random: by its recipe, its data set and its run folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..command import log
from ..data.augmentation.augment import Augmentation
from ..data.augmentation.crops import RandomCrop
from ..data.augmentation.lighting import Lighting, principal_components
from ..data.datasets import Dataset
from ..data.loading.image_files import AnySplit
from ..errors import Error
from .recipes import Recipe
from .run_folder import Run

LIGHTING = "lighting.json"
"""The file of a run with the principal components of its training images."""

# Images whose pixels determine the principal components. They differ most in their mean color, and
# the variance of 2,000 numbers is known to within 3 %.
_NUM_IMAGES = 2_000
_CHUNK = 16  # images in memory


def training_augmentation(run: Run, recipe: Recipe, dataset: Dataset) -> Augmentation:
    """Return how the images of a training are changed.

    Args:
        run: Its run folder, which stores the principal components of the training images.
        recipe: Its recipe.
        dataset: Its images, in the input size.

    Raises:
        Error: The file of the run cannot be read, or an image.
    """
    flip = recipe.flip and dataset.allows_flip
    if flip and dataset.fingerprint is not None:
        log("Images are mirrored at random; if they show letters or arrows, use --flip False.")
    height, width, _ = run.preprocessing.shape
    lighting = None
    if recipe.lighting:
        lighting = Lighting(_components(run, dataset.train), recipe.lighting)
    return Augmentation(
        shift=recipe.shift,
        rotation=recipe.rotation,
        flip=flip,
        random_erasing=recipe.random_erasing,
        lighting=lighting,
        rand_augment=recipe.rand_augment,
        rand_augment_operations=recipe.rand_augment_operations,
        crop=None if recipe.crop == "none" else RandomCrop(recipe.crop, (width, height)),
    )


def _components(run: Run, split: AnySplit) -> NDArray[np.float64]:
    """Return the principal components that a run stores; they are computed for a new run."""
    path, channels = run.path / LIGHTING, run.preprocessing.channels
    if not path.is_file():
        found = principal_components(split.sample(_NUM_IMAGES).chunks(_CHUNK)).round(6)
        run.write_json(LIGHTING, {"components": found.tolist()})
    try:
        components = np.array(run.read_json(LIGHTING)["components"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise Error(f"{path} cannot be read: {error!r}. Delete it to compute it again.") from error
    if components.shape != (channels, channels):
        raise Error(
            f"{path} is of images with other channels than {channels}. Delete it to compute it "
            "again."
        )
    return components
