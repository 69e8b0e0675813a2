from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.data.downloads import require_downloaded
from cnn_keras.data.preprocessing import open_image
from cnn_keras.errors import Error
from cnn_keras.model_files import layer_weights, saved_model
from cnn_keras.model_files.keras_file import load_model
from cnn_keras.weights import torch_file
from cnn_keras.weights.keras_applications import KERAS
from cnn_keras.weights.torchvision import TORCHVISION
from export.tflite.interpreter import check_identifier

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
CONTENTS = {
    "a Git LFS pointer, not the file: run git lfs pull": POINTER,
    "an HTML page, not the file: download it again": b"<!DOCTYPE html><html><head><title>Drive",
    "an HTML page, not the file: download": b"\n\n <html lang='en'>\n<body>404: Not Found</body>",
}
READERS: dict[str, Callable[[Path], Any]] = {
    "a.keras": load_model,
    "a.h5": load_model,
    "a.weights.h5": layer_weights.read_weights,
    "vgg16.h5": KERAS.read,
    "a.pth": torch_file.read,
    "a.safetensors": TORCHVISION.read,
    "saved_model.pb": lambda path: saved_model.load(path.parent, "a"),
    "a.png": open_image,
    "a.tflite": check_identifier,
}


@pytest.mark.parametrize("message", CONTENTS)
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_was_not_downloaded_is_named(name: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENTS[message])
    with pytest.raises(Exception, match=f"{name}'? is {message}[^\n]*\\.$"):
        READERS[name](path)


def test_other_files_pass(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"version 2", b"<svg>"):
        (tmp_path / "a").write_bytes(content)
        require_downloaded(tmp_path / "a")
    require_downloaded(tmp_path / "none")


def test_a_reason_ends_with_one_full_stop(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"<svg>")
    with pytest.raises(Error, match=r"invalid load key, '<'\.$"):
        torch_file.read(tmp_path / "a.pth")
