from __future__ import annotations

import pytest

from cnn_keras.errors import UsageError
from export.studies.comparison.cli import ComparisonStudy
from export.studies.comparison.files import SIZES
from export.studies.comparison.trials import KINDS, LOADS


def test_the_default_is_the_whole_study() -> None:
    study = ComparisonStudy()
    assert (study.sizes, study.loads, study.trials) == (tuple(SIZES), LOADS, KINDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": ("50s",)}, "Unknown size '50s'"),
        ({"loads": ("full",)}, "Unknown load 'full'"),
        ({"trials": ("copies",)}, "Did you mean 'copy'?"),
        ({"trials": ("copy", "copy")}, "copy"),
    ],
)
def test_wrong_options(options: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ComparisonStudy(**options)()  # type: ignore[arg-type]
    assert message in str(caught.value)
