from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from export.estimation.zoo_profiles import profile_networks
from export.recipes import select


def test_each_file_of_each_network_has_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recipes = select(["float32", "float16"])
    found, failed = profile_networks(["resnet20"], recipes, 0.05, 8)
    assert failed == []
    assert [(each.network, each.recipe) for each in found] == [
        ("resnet20", "float32"),
        ("resnet20", "float16"),
    ]
    for each in found:
        assert each.row["profile"]["sum_ms"] > 0
        assert each.row["untrained"]
    with pytest.raises(UsageError, match="LeNet-5 needs images of 16×16 or more"):
        profile_networks(["lenet5"], recipes, 0.05, 8)
