"""Classic convolutional networks as Keras models, from the paper's table to the phone.

Example:
    >>> import cnn_keras
    >>> model = cnn_keras.build("resnet20", input_shape=(32, 32, 3), num_classes=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .zoo import build as build

__version__ = "0.1.0"
__all__ = ["__version__", "build"]


def __getattr__(name: str) -> object:
    # Keras takes seconds to import: it is imported at the first use of `build`, not here.
    if name == "build":
        from .zoo import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
