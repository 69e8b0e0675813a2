"""Data sets of TensorFlow Datasets, as image files that a CSV file lists."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from ...command import log, new_folder, start_keras
from ...errors import Error, first_line
from ..image_folder import split_name

FOLDER = "image_files"  # in the folder of the data set's version

_SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"GI": ".gif", b"BM": ".bmp", b"RI": ".webp"}


class _Keys(NamedTuple):
    """Names of the features of a data set."""

    image: str
    label: str


def listing(name: str, data_dir: Path | None) -> Path:
    """Return the CSV file that lists the images of a data set; see `csv_file`.

    The first time, the data set is downloaded if it is not on this machine, and its images are
    written beside it as files, as they are encoded in it. Only splits for training, validation and
    testing are taken, and of these only images with a label.

    Args:
        name: Name in TensorFlow Datasets, perhaps with a configuration and a version:
            ``"cats_vs_dogs"``, ``"cifar10_corrupted/fog_2:1.0.0"``.
        data_dir: Folder of the data sets; by default that of TensorFlow Datasets.

    Raises:
        Error: TensorFlow Datasets is not installed, has no such data set or cannot download it, or
            its images have no class each.
    """
    start_keras()
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise Error(
            f'tfds:{name} needs TensorFlow Datasets: pip install ".[tfds]", or pip install '
            "tensorflow-datasets."
        ) from error
    with redirect_stdout(sys.stderr):
        try:
            builder = tfds.builder(name, data_dir=data_dir)
            builder.download_and_prepare()
        except Exception as error:  # of the network, the file system, or an unknown name
            raise Error(
                f"tfds:{name} cannot be loaded: {first_line(error).rstrip('.')}. Put the data set "
                "into the folder that --data-dir names, or check its name.",
                details=str(error),
            ) from error
    folder = Path(builder.data_dir) / FOLDER
    file = folder / f"{builder.name}.csv"
    if not file.is_file():
        _write(name, builder, folder, file.name)
    return file


def _write(name: str, builder: Any, folder: Path, file_name: str) -> None:
    """Write the images and their listing to a folder, which is complete or missing."""
    keys = _keys(name, builder)
    splits = {split: place for split in builder.info.splits if (place := split_name(split))}
    if "train" not in splits.values():
        raise Error(
            f"tfds:{name} has no split train; its splits are {', '.join(builder.info.splits)}."
        )
    count = sum(builder.info.splits[split].num_examples for split in splits)
    log(f"tfds:{name}: {count} images are written to {folder}.")
    with (
        new_folder(folder) as temporary,
        (temporary / file_name).open("w", encoding="utf-8", newline="") as lines,
    ):
        writer = csv.writer(lines)
        writer.writerow(("path", "label", "split"))
        for split, place in splits.items():
            (temporary / split).mkdir()
            for index, (image, label) in enumerate(_examples(builder, split, keys)):
                path = f"{split}/{index:08}{_SUFFIXES.get(image[:2], '.png')}"
                (temporary / path).write_bytes(image)
                writer.writerow((path, label, place))


def _keys(name: str, builder: Any) -> _Keys:
    """Return the names of the one image and of the one class of an example."""
    import tensorflow_datasets as tfds

    found = [
        [key for key, feature in builder.info.features.items() if isinstance(feature, kind)]
        for kind in (tfds.features.Image, tfds.features.ClassLabel)
    ]
    supervised = builder.info.supervised_keys or ()
    chosen = [
        [key for key in keys if key in supervised] if len(keys) > 1 else keys for keys in found
    ]
    if any(len(keys) != 1 for keys in chosen):
        raise Error(
            f"tfds:{name} is no data set for a classifier: an example needs one image and one "
            f"class, and has {', '.join(builder.info.features)}."
        )
    return _Keys(*(keys[0] for keys in chosen))


def _examples(builder: Any, split: str, keys: _Keys) -> Iterator[tuple[bytes, str]]:
    """Yield the encoded images of a split with the names of their classes."""
    import tensorflow_datasets as tfds

    examples = builder.as_dataset(
        split=split, decoders={keys.image: tfds.decode.SkipDecoding()}, shuffle_files=False
    )
    class_name = builder.info.features[keys.label].int2str
    for example in tfds.as_numpy(examples):
        label = int(example[keys.label])
        if label >= 0:  # the test images of some data sets have none
            yield example[keys.image], class_name(label)
