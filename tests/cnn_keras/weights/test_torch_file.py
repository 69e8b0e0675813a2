"""Torch wrote both fixtures, in `tests/backends/published.py`."""

from __future__ import annotations

import os
import pickle
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import Error
from cnn_keras.weights import torch_file
from tests.fixtures import FIXTURES
from tests.fixtures.published_weights import TORCH_TENSORS


@pytest.mark.parametrize("name", ["formats.pth", "formats_stream.pth"])
def test_reads_what_torch_wrote(name: str) -> None:
    found = torch_file.read(FIXTURES / name)
    assert list(found) == list(TORCH_TENSORS)
    for key, expected in TORCH_TENSORS.items():
        np.testing.assert_array_equal(found[key], expected)
        assert found[key].dtype == expected.dtype


def literal(value: object) -> bytes:
    """Pickle a number, string, tuple or None, without its frame."""
    return pickle.dumps(value, 2)[2:-1]


def stream(pickled: bytes, *storages: np.ndarray) -> bytes:
    """A file from before torch 1.6, of a pickled state dict and the storages "0", "1", ..."""
    head = b"".join(
        pickle.dumps(value, 2)
        for value in (torch_file.MAGIC_NUMBER, torch_file.PROTOCOL_VERSION, {"little_endian": True})
    )
    keys = pickle.dumps([str(position) for position in range(len(storages))], 2)
    data = b"".join(len(part).to_bytes(8, "little") + part.tobytes() for part in storages)
    return head + pickled + keys + data


def tensor(key: str, size: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]):
    storage = literal("storage") + b"ctorch\nFloatStorage\n" + literal(key) + literal("cuda:0")
    storage = b"(" + storage + literal(size) + literal(None) + b"tQ"
    position = literal(offset) + literal(shape) + literal(strides)
    return b"ctorch._utils\n_rebuild_tensor\n(" + storage + position + b"tR"


def test_reads_the_parameters_of_2017(tmp_path: Path) -> None:
    """As in resnet18-5c106cde.pth: created empty, with the tensor in their state."""
    values = np.arange(4, dtype=np.float32)
    parameter = b"ctorch.nn.parameter\nParameter\n)\x81(" + tensor("0", 4, 0, (2, 2), (2, 1))
    parameter += literal(None) * 2 + literal(True) + literal(False) + b"tb"
    path = tmp_path / "old.pth"
    path.write_bytes(stream(b"}" + literal("weight") + parameter + b"s.", values))
    np.testing.assert_array_equal(torch_file.read(path)["weight"], values.reshape(2, 2))


@pytest.mark.parametrize("kind", ["stream", "zip"])
@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_the_state_dict_of_a_checkpoint_is_read(key: str, kind: str, tmp_path: Path) -> None:
    """It also holds the optimizer's tensors and counts, the command line and the epoch."""
    values = np.arange(8, dtype=np.float32)
    optimizer = b"}" + literal("momentum") + tensor("0", 4, 0, (4,), (1,)) + b"s"
    state = b"}" + literal("weight") + tensor("1", 4, 0, (2, 2), (2, 1)) + b"s"
    parts = {
        "args": literal(Namespace(lr=0.1, device="cuda")),
        "optimizer": optimizer,
        key: state,
        "epoch": literal(3),
        "milestones": literal(Counter([30, 60])),
    }
    pickled = b"}" + b"".join(literal(name) + part + b"s" for name, part in parts.items()) + b"."
    path = tmp_path / "checkpoint.pth.tar"
    if kind == "stream":
        path.write_bytes(stream(pickled, values[:4], values[4:]))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + pickled)
            archive.writestr("archive/data/1", values[4:].tobytes())
    found = torch_file.read(path)
    assert list(found) == ["weight"]
    np.testing.assert_array_equal(found["weight"], values[4:].reshape(2, 2))


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def attribute_of_an_allowed_name(_: Path) -> bytes:
    """Protocol 4 resolves dots: `OrderedDict.__init__.__globals__` would give access to all."""
    name = "OrderedDict.fromkeys"
    return b"\x80\x04" + literal("collections") + literal(name) + b"\x93)R."


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (lambda marker: pickle.dumps({"weight": Touch(marker)}, 2), "posix.system"),
        (lambda marker: pickle.dumps(Touch(marker), 4), "posix.system"),
        (lambda marker: b"cbuiltins\neval\n(" + literal("1 + 1") + b"tR.", "builtins.eval"),
        (attribute_of_an_allowed_name, "collections.OrderedDict.fromkeys"),
    ],
)
@pytest.mark.parametrize("kind", ["bare", "stream", "zip"])
def test_no_code_in_a_file_is_run(
    payload: Callable[[Path], bytes], message: str, kind: str, tmp_path: Path
) -> None:
    marker, path = tmp_path / "it_ran", tmp_path / "evil.pth"
    content = payload(marker)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        path.write_bytes(content if kind == "bare" else stream(content))
    with pytest.raises(Error, match=f"it holds {message}, and nothing but tensors is loaded"):
        torch_file.read(path)
    assert not marker.exists()
    if "posix" in message:  # the payload works
        pickle.loads(content)
        assert marker.exists()


@pytest.mark.parametrize(
    "position",
    [
        (0, (5,), (1,)),
        (2, (3,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    position: tuple[object, ...], tmp_path: Path
) -> None:
    path = tmp_path / "outside.pth"
    state = b"}" + literal("weight") + tensor("0", 4, *position) + b"s."
    path.write_bytes(stream(state, np.zeros(4, np.float32)))
    with pytest.raises(Error, match="cannot be read as a state dict"):
        torch_file.read(path)


@pytest.mark.parametrize("name", ["formats.pth", "formats_stream.pth"])
def test_a_truncated_file_is_refused(name: str, tmp_path: Path) -> None:
    whole = (FIXTURES / name).read_bytes()
    path = tmp_path / name
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(Error, match="cannot be read as a state dict"):
            torch_file.read(path)


def test_other_contents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    for state, message in (
        (literal(3) + b".", "it holds a int, not a dict of tensors"),
        (b"}" + literal("epoch") + literal(3) + b"s.", "its 'epoch' is not a tensor"),
        (b"ctorchvision.models.resnet\nResNet\n)R.", "torchvision.models.resnet.ResNet"),
    ):
        path.write_bytes(stream(state))
        with pytest.raises(Error, match=message):
            torch_file.read(path)
    path.write_text("no weights at all")
    with pytest.raises(Error, match="cannot be read as a state dict"):
        torch_file.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(Error, match=r"holds no data\.pkl"):
        torch_file.read(path)
