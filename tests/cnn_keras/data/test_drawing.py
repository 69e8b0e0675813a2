from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_keras.data.drawing import measure_drawing


@pytest.mark.parametrize("width", [8, 16, 24])
def test_strokes_are_as_wide_as_they_were_drawn(width: int) -> None:
    image = Image.new("L", (200, 200))
    ImageDraw.Draw(image).arc((20, 20, 180, 180), 0, 300, fill=255, width=width)
    found = measure_drawing(np.asarray(image)[np.newaxis, ..., np.newaxis])
    assert found is not None
    assert found["stroke_width"] == pytest.approx(width / 200, rel=0.1)
    assert found["extent"] == pytest.approx(161 / 200, abs=0.005)


def test_wide_drawings_are_measured_by_their_longer_side() -> None:
    image = np.zeros((1, 40, 40, 1), np.uint8)
    image[:, 18:22, 2:38] = 255
    found = measure_drawing(image)
    assert found is not None
    assert found["extent"] == 0.9


def test_color_and_black_images_are_not_drawings() -> None:
    assert measure_drawing(np.full((1, 8, 8, 3), 255, np.uint8)) is None
    assert measure_drawing(np.zeros((1, 8, 8, 1), np.uint8)) is None
