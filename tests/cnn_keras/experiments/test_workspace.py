from __future__ import annotations

from pathlib import Path

from cnn_keras.experiments.executors.executor import IN_ORDER
from cnn_keras.experiments.workspace import Workspace


def test_networks_are_trained_one_after_the_other_by_default(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "runs", tmp_path)
    assert (workspace.executor, workspace.data_dir, workspace.remark) == (IN_ORDER, None, None)
