"""What has to be told of a model from elsewhere: a command's options, and what the run keeps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told of a model from elsewhere; see `external`."""

    data: str | None = None
    """Data set that a model from elsewhere is judged on: as `train` takes it, or photographs, which
    nobody has labeled; these are the default for keras.applications."""
    pixel_range: tuple[float, float] | None = None
    """What that model takes black and white as: 0 1, -1 1, or 0 255. Not asked for where it begins
    with a Rescaling or Normalization layer, or is of keras.applications."""
    preprocessing: Literal["caffe", "torch", "tf"] | None = None
    """Instead of a range, what keras.applications calls its way to normalize."""
    labels: Path | None = None
    """Names of its classes, one a line; by default the data set's, ImageNet's if there are 1,000,
    else numbers."""
    weights: Path | None = None
    """.h5 file of weights for a network of keras.applications; ImageNet's by default."""
    image_size: int | None = None
    """Side of its images, where it takes any."""
    modules: tuple[str, ...] = ()
    """Python modules that define its own layers and functions."""

    def given(self) -> dict[str, Any]:
        """Return what was told, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(Told)}
        return {name: value for name, value in values.items() if value not in (None, ())}
