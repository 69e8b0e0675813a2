from __future__ import annotations

from importlib.util import find_spec

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.studies.cli import STUDIES as NETWORK_STUDIES
from export.studies.cli import STUDIES


def test_studies_of_files_come_after_those_of_networks() -> None:
    assert list(STUDIES)[: len(NETWORK_STUDIES)] == list(NETWORK_STUDIES)


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in NETWORK_STUDIES])
def test_a_study_has_a_module_of_its_name(name: str) -> None:
    rooms = ("export.studies", "export.studies.speed")
    assert any(find_spec(f"{room}.{name}") for room in rooms)


@pytest.mark.parametrize(
    ("study", "options", "message"),
    [
        ("converter", {"images": 0}, "--images must be at least 1, not 0"),
        ("converter", {"network": "resnet51"}, "Did you mean 'resnet50'?"),
        ("conversion", {"networks": ("lenet",)}, "Did you mean 'lenet5'?"),
        ("peers", {"engines": ("openvin",)}, "Did you mean 'openvino'?"),
        ("lrn", {"networks": ("vgg11",)}, "Unknown network with LRN 'vgg11'"),
        ("recipes", {"recipes": ("flot32",)}, "Did you mean 'float32'?"),
    ],
)
def test_wrong_options_are_refused_before_any_work(
    study: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        STUDIES[study](**options)()
    assert message in str(caught.value)
