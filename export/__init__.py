"""Keras models as verified and measured `.tflite` files: functions on bytes.

Importing this package imports neither TensorFlow nor Keras nor LiteRT; each function's module is
imported at its first use.

Example:
    import export
    float32 = export.convert(model)
    int8 = export.quantize(float32, "static_wi8_ai8", calibration)
    export.audit(int8).ops
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conversion.convert import convert as convert
    from .conversion.quantize import quantize as quantize
    from .verification.audit import audit as audit
    from .verification.verify import verify as verify

__all__ = ["audit", "convert", "quantize", "verify"]

_MODULES = {
    "audit": "verification.audit",
    "convert": "conversion.convert",
    "quantize": "conversion.quantize",
    "verify": "verification.verify",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
