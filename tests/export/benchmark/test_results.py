import pytest

from export.benchmark.results import significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (0.02871, "0.0287"),
        (1.3, "1.30"),
        (9.999, "10.0"),
        (2801.7, "2,802"),
        (99.96, "100"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text
