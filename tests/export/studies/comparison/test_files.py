from __future__ import annotations

from pathlib import Path

from export.benchmark.comparison.latency_ratio import Ratio
from export.studies.comparison.files import SIZES, slower_classes, write_files
from export.tflite.interpreter import Interpreter


def test_classes_are_added_until_a_network_is_slower() -> None:
    size = SIZES["10us"]
    assert slower_classes(size, 1.1, 0.1) == size.wider
    assert slower_classes(size, 1.2, 0.05) == 16 * round((10 + (size.wider - 10) / 4) / 16)


def test_files_are_written_once(tmp_path: Path) -> None:
    measured: list[tuple[str, str]] = []

    def measure(first: Path, second: Path) -> Ratio:
        measured.append((str(first.relative_to(tmp_path)), second.name))
        return Ratio(1.5, 1.4, 1.6)

    written = write_files(tmp_path, "10us", (0.05,), measure)
    assert measured == [
        ("10us_wider.tflite", "10us.tflite"),
        ("slower_5/10us.tflite", "10us.tflite"),
    ]
    content = (tmp_path / "10us.tflite").read_bytes()
    assert (tmp_path / "10us_copy.tflite").read_bytes() == content
    assert (tmp_path / "equal" / "10us.tflite").read_bytes() == content + b"\0"
    slower = written["slower_5/10us.tflite"]
    assert slower == {"classes": 64, "ratio": 1.5, "interval": [1.4, 1.6]}
    assert Interpreter(tmp_path / "slower_5" / "10us.tflite").output.shape == (1, 64)
    assert write_files(tmp_path, "10us", (0.05,), measure) == written
    assert len(measured) == 2
