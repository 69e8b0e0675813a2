"""Files that are no images, although their names say so: one of each way in which a file breaks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
from PIL import Image

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as the bytes of a file of Pillow's format `kind`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _truncated(kind: str, **options: object) -> Callable[[Image.Image], bytes]:
    def truncate(image: Image.Image) -> bytes:
        data = encode(image.quantize() if kind == "GIF" else image, kind, **options)
        return data[: len(data) * 2 // 3]

    return truncate


def _damaged(image: Image.Image) -> bytes:
    """Return a PNG with one wrong byte, which its checksum reveals."""
    data = bytearray(encode(image, "PNG", compress_level=1))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def _floats(scale: float) -> Callable[[Image.Image], bytes]:
    """Return a TIFF of floats, whose values may be at most 1."""
    return lambda image: encode(
        Image.fromarray(np.asarray(image.convert("L"), np.float32) * np.float32(scale)), "TIFF"
    )


def _archive(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("image.jpg"), encode(image, "JPEG"))
    return buffer.getvalue()


# The file name's suffix, and the content made from an intact image.
BROKEN: dict[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    "truncated JPEG": (".jpg", _truncated("JPEG")),
    "truncated PNG": (".png", _truncated("PNG", compress_level=1)),
    "truncated WebP": (".webp", _truncated("WEBP", method=0)),
    "truncated BMP": (".bmp", _truncated("BMP")),
    "truncated TIFF": (".tif", _truncated("TIFF")),
    "truncated GIF": (".gif", _truncated("GIF")),
    "header only": (".jpeg", lambda image: encode(image, "JPEG")[:20]),
    "damaged PNG": (".PNG", _damaged),
    "empty": (".jpg", lambda image: b""),
    "zeros": (".webp", lambda image: bytes(5_000)),
    "noise": (".bmp", lambda image: image.resize((60, 60)).tobytes()),
    "text": (".png", lambda image: "Kein Bild, nur Text – ohne Pixel.\n".encode()),
    "HTML page": (".jpg", lambda image: b"<!DOCTYPE html><title>404 Not Found</title>\n"),
    "Git LFS pointer": (".jpg", lambda image: LFS_POINTER),
    "HEIC": (".JPG", lambda image: HEIC),
    "archive": (".gif", _archive),
    "raw pixels": (".tiff", lambda image: np.asarray(image).tobytes()),
    "floats above 1": (".tiff", _floats(1.0)),
    "floats with NaN": (".tif", _floats(np.nan)),
    "100 megapixels": (".png", lambda image: encode(Image.new("1", (10_000, 10_000)), "PNG")),
}
