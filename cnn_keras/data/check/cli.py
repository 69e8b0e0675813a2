"""The command `dataset check`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ...command import Command, Outcome
from ...errors import Error, UsageError
from ...options import DataDirOption

if TYPE_CHECKING:
    from ..preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class DatasetCheck(DataDirOption, Command):
    """Check the images of a data set before a training.

    Reads all images one by one and reports sizes, modes, class counts, broken files, and duplicates
    within and across splits. The exit code is 1 if files are broken or duplicates are in more than
    one split.
    """

    data: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="DATA")]]
    """Data set, as `train` names it."""
    image_size: int | None = None
    """Side of a network's input: also report images that are smaller."""
    run: Path | None = None
    """Run folder: also report images that are smaller than its network's input, and gray images
    that are inverted against those that it was trained on."""
    similarity: float = 0.998
    """Correlation of 16×16 gray thumbnails from which images are near duplicates; 1 for no search
    for them."""
    sheet: Path | None = None
    """Write a contact sheet of classes and duplicates, a .png file."""

    def __call__(self) -> Outcome:
        if self.image_size is not None and self.run is not None:
            raise UsageError("Give --image-size or --run, not both: a run has its input size.")
        if self.image_size is not None and self.image_size < 1:
            raise UsageError(f"--image-size must be 1 or more, not {self.image_size}.")
        if not 0 < self.similarity <= 1:
            raise UsageError(f"--similarity is above 0 and at most 1, not {self.similarity:g}.")
        if self.sheet is not None and self.sheet.suffix.lower() != ".png":
            raise UsageError(f"--sheet takes a .png file, not {self.sheet}.")
        preprocessing = None if self.run is None else read_preprocessing(self.run)
        from .report import check, render

        input_size = None
        if preprocessing is not None:
            input_size = preprocessing.height, preprocessing.width
        elif self.image_size is not None:
            input_size = self.image_size, self.image_size
        document = check(
            self.data,
            self.data_dir,
            input_size=input_size,
            preprocessing=preprocessing,
            similarity=self.similarity,
            sheet=self.sheet,
        )
        exit_code = 1 if document["broken"] or document["leaks"] else 0
        return Outcome(document, render(document), exit_code)


def read_preprocessing(run: Path) -> Preprocessing:
    """Return the preprocessing of a run folder.

    Raises:
        Error: There is no such folder, or its preprocessing.json is missing or broken.
    """
    from ..preprocessing import Preprocessing

    if not run.is_dir():
        raise Error(f"No such run folder: {run}.")
    path = run / "preprocessing.json"
    if not path.is_file():
        raise Error(f"The run {run} lacks preprocessing.json.")
    try:
        return Preprocessing.read(path)
    except json.JSONDecodeError as error:
        raise Error(f"{path} is not valid JSON: {error}.") from error
