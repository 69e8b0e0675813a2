"""Options that describe an external model: its data, preprocessing, labels and custom layers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the user knows about an external model; see `model_import`."""

    data: str | None = None
    """Data set that an external model is evaluated on: one that `train` takes, or photographs,
    which have no labels. The default for keras.applications is photographs."""
    pixel_range: tuple[float, float] | None = None
    """Values of black and white that the model expects: 0 1, -1 1, or 0 255. Not needed for
    keras.applications, or if the model begins with a Rescaling or Normalization layer."""
    preprocessing: Literal["caffe", "torch", "tf"] | None = None
    """Normalization by its name in keras.applications, instead of a range."""
    labels: Path | None = None
    """Text file of class names, one per line; by default the data set's, ImageNet's if there are
    1,000, else numbers."""
    weights: Path | None = None
    """.h5 file of weights for a network of keras.applications; ImageNet's by default."""
    image_size: int | None = None
    """Height and width of the images, if the model accepts any."""
    modules: tuple[str, ...] = ()
    """Python modules that define the model's custom layers and functions."""

    def given(self) -> dict[str, Any]:
        """Return the options that are set, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(SourceOptions)}
        return {name: value for name, value in values.items() if value not in (None, ())}
