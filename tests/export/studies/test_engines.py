from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras import build
from cnn_keras.errors import Error, UsageError
from export.studies.engines import ENGINES, IMAGE_FILE, LITERT, require_installed


def test_a_written_network_gives_the_scores_of_keras(tmp_path: Path) -> None:
    model = build("lenet5")
    image = np.random.default_rng(0).random((1, *model.input_shape[1:]), np.float32)
    np.save(tmp_path / IMAGE_FILE, image)
    ENGINES[LITERT].write(model, tmp_path)
    scores = ENGINES[LITERT].load(tmp_path, 1)()
    np.testing.assert_allclose(scores, model(image, training=False), rtol=1e-4)


def test_unknown_and_missing_engines_are_errors_of_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_installed(["litert", "xla"])
    with pytest.raises(UsageError, match=r"Unknown engine 'openvin'. Did you mean 'openvino'?"):
        require_installed(["openvin"])
    missing = ENGINES["xla"]._replace(packages=("no_such_package",))
    monkeypatch.setitem(ENGINES, "xla", missing)
    with pytest.raises(Error, match=r'^This needs no_such_package: pip install "\.\[peers\]"$'):
        require_installed(["xla"])
