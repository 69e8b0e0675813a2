"""Files that tests of this folder share: one with labels, one that 8 bits ruin."""

from __future__ import annotations

import numpy as np
import pytest

import export
from export.studies.repair import scale_channel
from export.tflite import metadata
from tests.fixtures.trained_network import Trained


@pytest.fixture(scope="module")
def ruined_float32(trained: Trained) -> bytes:
    """The file of an equal network with one loud channel, which leaves no 8-bit range to others."""
    model = scale_channel(trained.model, "conv1_bn")
    same = model.predict(trained.images, verbose=0)
    np.testing.assert_allclose(same, trained.reference, atol=1e-5)
    return export.convert(model)


@pytest.fixture(scope="session")
def labeled_file(trained):
    """A float32 file with metadata."""
    labels = tuple("0123456789")
    return metadata.write(trained.float32, metadata.Metadata("small", "", labels, None))
