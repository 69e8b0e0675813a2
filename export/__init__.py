"""Keras model → checked, measured, shippable `.tflite`: functions on bytes.

Importing this package imports neither TensorFlow nor Keras nor LiteRT; each function's module is
imported at its first use.

Example:
    import export
    float32 = export.convert(model)
    int8 = export.quantize(float32, "static_wi8_ai8", calibration)
    export.audit(int8).ops
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit import audit as audit
    from .convert import convert as convert
    from .quantize import quantize as quantize
    from .verify import verify as verify

__all__ = ["audit", "convert", "quantize", "verify"]


class _Package(ModuleType):
    """Binds the function `audit` where the import system would bind the module `audit`."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(f".{name}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
