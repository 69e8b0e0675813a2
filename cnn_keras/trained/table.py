"""The table of trained networks, and their files.

Each network has a folder beside this file, `NETWORK_DATA`, with the files of the run folder that it
was packed from (see `packing.pack`); `weights.npz` takes the place of `model.keras`. The metrics
are those of the packed weights.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Error, UsageError, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent

WEIGHTS = "weights.npz"
DESCRIPTION = (
    "config.json",
    "preprocessing.json",
    "labels.txt",
    "recipe.toml",
    "history.csv",
    "metrics.json",
)
"""The other files of a trained network, which are those of a run folder."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A row of the table.

    Attributes:
        name: NETWORK:DATA.
        sha256: SHA-256 of its file of weights.
    """

    name: str
    sha256: str

    @property
    def network(self) -> str:
        """Row of the zoo."""
        return zoo_name(self.name)

    @property
    def data(self) -> str:
        """Name of the data set that it was trained on."""
        return self.name.partition(":")[2]

    @property
    def folder(self) -> Path:
        """Folder of its files."""
        return FOLDER / self.name.replace(":", "_")

    def read_json(self, name: str) -> Any:
        """Read one of its JSON files.

        Raises:
            Error: It is missing.
        """
        return json.loads(self._read(name))

    @property
    def options(self) -> dict[str, Any]:
        """Options of the network's family that it was trained with."""
        options: dict[str, Any] = self.read_json("config.json")["options"]
        return options

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its input."""
        values = self.read_json("preprocessing.json")
        return values["height"], values["width"], values["channels"]

    @property
    def num_classes(self) -> int:
        """Number of its classes."""
        return len(self._read("labels.txt").decode("utf-8").splitlines())

    def weights(self) -> dict[str, list[NDArray[np.float32]]]:
        """Return the arrays of each layer in float32, by the layer's name.

        Raises:
            Error: The file is missing, or has another hash than the row.
        """
        from .packed_weights import unpack  # numpy would delay the start of every command

        content = self._read(WEIGHTS)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise Error(
                f"The weights of {self.name} are damaged: {self.folder / WEIGHTS} has the SHA-256 "
                f"{found}, not {self.sha256}. Install cnn-keras again."
            )
        return unpack(content)

    def fingerprint(self) -> str:
        """Return a hash of all its files.

        Raises:
            Error: A file is missing.
        """
        digest = hashlib.sha256()
        for name in (WEIGHTS, *DESCRIPTION):
            digest.update(hashlib.sha256(self._read(name)).digest())
        return digest.hexdigest()

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise Error(
                f"The trained network {self.name} lacks {self.folder / name}. Install cnn-keras "
                "again."
            ) from error


# `cnn-keras pack-weights` prints the row of the network that it packs.
SHA256 = {
    "lenet5:digits": "905ca242254b86787402d8cd3f73e2ef8698d5e5b0cf2f7f4df110080468c9d7",
    "lenet5:fashion_mnist": "22e7b8fcc020453abb66306c253b7b02bba25a58f50129a88b93b50b87e6ef5f",
    "lenet5:mnist": "7c1b7bb018389784a10a738042934903229b198e7dd1260613eb19231eb05409",
    "plain20:fashion_mnist": "8907bef1fee9023bf0c71f4ae590672ae0d7d541388dd5cb074b31f14dcb6166",
    "resnet20:cifar10": "5a68eafaa78dc037caadaf1f2ad3307093e7b238d4b4e736ecf4363d3647a8e8",
    "resnet20:fashion_mnist": "63565a519491a80fe4695360e23a40bad88a43fd9b0a9edbbbc08cb08353853f",
    "resnet56:fashion_mnist": "0214fdf3f4083ac45fbc29417d43e90f84b096fe63c7362c0fdad818ee7b2957",
}

TRAINED = {name: TrainedNetwork(name, sha256) for name, sha256 in SHA256.items()}


def is_name(source: str | Path) -> bool:
    """Return whether an argument is a name like NETWORK:DATA, and not the path of a file.

    Example:
        >>> is_name("resnet20:fashion_mnist"), is_name("runs/resnet20")
        (True, False)
    """
    text = str(source)
    return ":" in text and "/" not in text and not Path(text).exists()


def zoo_name(network: str) -> str:
    """Return the row of the zoo of NETWORK or NETWORK:DATA."""
    return network.partition(":")[0]


def find(name: str) -> TrainedNetwork:
    """Return the row of a trained network.

    Raises:
        UsageError: There is no such row.
    """
    if name in TRAINED:
        return TRAINED[name]
    network = zoo_name(name)
    data = [row.data for row in TRAINED.values() if row.network == network]
    available = f"{network} is trained on {', '.join(data)}" if data else "See `list --weights`"
    raise UsageError(f"{unknown('trained network', name, TRAINED)} {available}.")
