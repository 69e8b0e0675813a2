"""Names of the classes of an imported network."""

from __future__ import annotations

from pathlib import Path

from ..data.datasets import Dataset
from ..errors import Error, UsageError

IMAGENET_LABELS = Path(__file__).with_name("imagenet_labels.txt")  # as torchvision spells them


def class_names(num_classes: int, labels: Path | None = None) -> tuple[str, ...]:
    """Return the class names of a label file, or ImageNet's for 1,000 classes, or numbers.

    Args:
        num_classes: Number of the network's outputs.
        labels: Text file with one name a line.

    Raises:
        UsageError: The file has more or fewer names than the network has classes.
        Error: The file does not exist or is not UTF-8.
    """
    names = _lines(labels or IMAGENET_LABELS)
    if len(names) == num_classes:
        return names
    if labels is None:
        return tuple(map(str, range(num_classes)))
    raise UsageError(
        f"{labels} has {len(names)} labels, and the network has {num_classes} classes."
    )


def class_names_for(dataset: Dataset, num_classes: int, labels: Path | None) -> tuple[str, ...]:
    """Return the class names of a label file, or the data set's if they are as many.

    Teachable Machine numbers the lines of a label file, as in "0 cat". The numbers are dropped if
    the names without them, and not the lines themselves, include the data set's classes.

    Args:
        dataset: Data set that the network is evaluated on.
        num_classes: Number of the network's outputs.
        labels: Text file with one name a line; see `class_names` for the default.

    Raises:
        UsageError: The file has more or fewer names than the network has classes.
        Error: The file does not exist or is not UTF-8.
    """
    if labels is None and len(dataset.classes) == num_classes:
        return dataset.classes
    names = class_names(num_classes, labels)
    numbers, _, plain = zip(*(name.partition(" ") for name in names), strict=True)
    is_numbered = numbers == tuple(map(str, range(num_classes)))
    classes = {*dataset.classes}
    if is_numbered and classes and classes <= {*plain} and not classes <= {*names}:
        return plain
    return names


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
        return tuple(line for line in lines if line)
    except UnicodeDecodeError as error:
        raise Error(f"{path} cannot be read as labels: save it as text in UTF-8.") from error
    except OSError as error:
        raise Error(f"{path} cannot be read as labels: {error}.") from error
