"""Reading of torch's weight files without torch, and without running code in them.

A `.pth` file holds a pickle, and a pickle can call any function. Here it can only name the classes
and functions of `_ALLOWED`, which record where a tensor is in the file's raw numbers; every other
name is refused before it is imported. `torch.load` does the same with `weights_only=True`, but
torch takes gigabytes.

Two formats are read: the zip archive that `torch.save` writes since torch 1.6, and the older stream
of pickles, in which some of torchvision's weights are still published. From a checkpoint, which
also holds other state of a training, the state dict is read.

Reference:
    torch/serialization.py and torch/_weights_only_unpickler.py of torch 2.15.
"""

from __future__ import annotations

import pickle
import tarfile
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import ml_dtypes  # noqa: F401 (registers bfloat16 with numpy)
import numpy as np
from numpy.typing import NDArray

from ..data.downloads import require_downloaded
from ..errors import Error

# The first pickle of a file from before torch 1.6, and the version in the second.
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

# Keys of the state dict in a checkpoint: of PyTorch's ImageNet example and Lightning, of
# torchvision's references, of PyTorch's tutorials.
CHECKPOINT_KEYS = ("state_dict", "model", "model_state_dict")


class Storage(NamedTuple):
    """A buffer of numbers in the file, which one or more tensors use."""

    key: str
    dtype: str
    size: int


class Tensor(NamedTuple):
    """The position of a tensor in its storage, with offset and strides in elements, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, buffer: bytes) -> NDArray[Any]:
        """Return the tensor; numpy checks that it is within the buffer."""
        dtype = np.dtype(self.storage.dtype)
        strides = [stride * dtype.itemsize for stride in self.strides]
        return np.ndarray(self.shape, dtype, buffer, self.offset * dtype.itemsize, strides)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor has no storage")
    return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


class _Parameter:
    """A `torch.nn.Parameter` as torch pickled it in 2017, with the tensor in its state."""

    tensor: Any = None

    def __new__(cls, tensor: Any = None, *_: Any) -> Any:
        parameter = super().__new__(cls)
        parameter.tensor = tensor
        return parameter

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if isinstance(state[0], Tensor):
            self.tensor = state[0]


class _Arguments:
    """The command line in a checkpoint, which is ignored."""

    def __setstate__(self, _: Any) -> None:
        pass


# All that a pickle may name. Storages are strings, which have no state that a pickle could set.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("argparse", "Namespace"): _Arguments,
    ("collections", "Counter"): Counter,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.nn.parameter", "Parameter"): _Parameter,
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "FloatStorage"): "<f4",
    ("torch", "HalfStorage"): "<f2",
    ("torch", "BFloat16Storage"): "bfloat16",
    ("torch", "LongStorage"): "<i8",
    ("torch", "IntStorage"): "<i4",
    ("torch", "ShortStorage"): "<i2",
    ("torch", "CharStorage"): "i1",
    ("torch", "ByteStorage"): "u1",
    ("torch", "BoolStorage"): "?",
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it holds {module}.{name}, and nothing but tensors is loaded; save the "
                "state dict alone: torch.save(model.state_dict(), FILE)"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, identity: Any) -> Storage:
        kind, dtype, key, _, size, *view = identity
        if kind != "storage" or any(part is not None for part in view):
            raise pickle.UnpicklingError("it holds something other than whole storages")
        self.storages[key] = Storage(key, dtype, size)
        return self.storages[key]


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read a state dict that `torch.save` wrote, alone or in a checkpoint.

    Returns:
        The tensors by name; those that share a storage share memory.

    Raises:
        Error: The file is not a state dict, or is broken.

    Example:
        list(read(Path("resnet18-f37072fd.pth")))[:2]  # ['conv1.weight', 'bn1.running_mean']
    """
    require_downloaded(path)
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            file.seek(0)
            return _read_zip(file) if is_zip else _read_stream(file)
    except OSError:
        raise
    except Exception as error:  # pickle and numpy raise many kinds for broken files
        reason = str(error) or type(error).__name__
        if isinstance(error, zipfile.BadZipFile):
            reason = "the archive is truncated or broken; download it again"
        elif _is_tar(path):
            reason = "torch before 0.1.10 wrote it; load and save it with a newer version"
        raise Error(
            f"{path} cannot be read as a state dict of torch: {reason.rstrip('.')}."
        ) from error


def _read_zip(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if not names:
            raise ValueError("the archive holds no data.pkl")
        with archive.open(names[0]) as pickled:
            tensors = _named_tensors(_Unpickler(pickled).load())
        folder = names[0].removesuffix("data.pkl")
        return _arrays(tensors, lambda storage: archive.read(f"{folder}data/{storage.key}"))


def _read_stream(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    if _Unpickler(file).load() != MAGIC_NUMBER or _Unpickler(file).load() != PROTOCOL_VERSION:
        raise ValueError("it does not begin with torch's magic number")
    _Unpickler(file).load()  # properties of the system that wrote it, always little-endian
    unpickler = _Unpickler(file)
    tensors = _named_tensors(unpickler.load())
    buffers = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        buffers[key] = file.read(count * np.dtype(unpickler.storages[key].dtype).itemsize)
    return _arrays(tensors, lambda storage: buffers[storage.key])


def _named_tensors(loaded: Any) -> dict[str, Tensor]:
    if not isinstance(loaded, dict):
        raise TypeError(f"it holds a {type(loaded).__name__}, not a dict of tensors")
    nested = (loaded.get(key) for key in CHECKPOINT_KEYS)
    loaded = next((state for state in nested if isinstance(state, dict)), loaded)
    tensors = {
        name: value.tensor if isinstance(value, _Parameter) else value
        for name, value in loaded.items()
    }
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(
                f"its '{name}' is not a tensor; save the state dict alone: "
                "torch.save(model.state_dict(), FILE)"
            )
    return tensors


def _arrays(
    tensors: dict[str, Tensor], buffer: Callable[[Storage], bytes]
) -> dict[str, NDArray[Any]]:
    buffers: dict[str, bytes] = {}
    arrays = {}
    for name, tensor in tensors.items():
        storage = tensor.storage
        if storage.key not in buffers:
            buffers[storage.key] = buffer(storage)
        arrays[name] = tensor.array(buffers[storage.key])
    return arrays


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False
