"""Build networks again on another backend, with weights that TensorFlow saved.

Run by a Python without TensorFlow, with KERAS_BACKEND set: `rebuilt.py FOLDER` reads forms.json and
the files that it names, and writes what each network is and answers to BACKEND.json and
BACKEND.npz.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnn_keras import zoo
from cnn_keras.model_files.layer_weights import CLASSIFIER


def answers(model: keras.Model, images: Any) -> tuple[Any, Any]:
    """Return a model's logits, and its probabilities."""
    both = keras.Model(model.input, [model.get_layer(CLASSIFIER).output, model.outputs[0]])
    return tuple(map(keras.ops.convert_to_numpy, both(images, training=False)))


def layout(model: keras.Model) -> list[list[Any]]:
    """Return names and shapes of a model's weights, in their order."""
    return [[variable.path, list(variable.shape)] for variable in model.weights]


def main(folder: Path) -> None:
    assert "tensorflow" not in sys.modules
    layouts, arrays = {}, {}
    for form in json.loads((folder / "forms.json").read_text()):
        name, network, options = form["name"], form["network"], form["options"]
        images = np.load(folder / f"{name}.npz")["images"]
        weights = form["trained_on"] or folder / f"{name}.weights.h5"
        shape = images.shape[1:]
        model = zoo.build(network, shape, form["num_classes"], weights=weights, **options)
        loaded = keras.saving.load_model(folder / f"{name}.keras")
        layouts[name] = layout(model)
        assert layout(loaded) == layouts[name]
        arrays[f"{name} built"], arrays[f"{name} probabilities"] = answers(model, images)
        arrays[f"{name} loaded"], _ = answers(loaded, images)
    backend = keras.backend.backend()
    (folder / f"{backend}.json").write_text(json.dumps(layouts))
    np.savez(folder / f"{backend}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
