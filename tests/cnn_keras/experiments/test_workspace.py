from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from cnn_keras.experiments.executors.executor import IN_ORDER
from cnn_keras.experiments.record import Claim
from cnn_keras.experiments.workspace import Workspace


def test_networks_are_trained_one_after_the_other_by_default(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "runs", tmp_path)
    assert (workspace.executor, workspace.data_dir, workspace.remark) == (IN_ORDER, None, None)


def test_every_record_has_the_remark(tmp_path: Path) -> None:
    record = Workspace(tmp_path / "runs", tmp_path, remark="Few images.").write_record(
        "depth_of_a_network",
        "depth",
        [Claim("Deeper is better.", True, 0.5)],
        seeds=[3],
        budget={"epochs": 2},
        details={"errors": [0.1]},
        figure=Figure(),
        failed=[{"run": "lenet5_0", "reason": "No memory."}],
    )
    written = json.loads((tmp_path / "depth_of_a_network.json").read_text())
    assert written == json.loads(json.dumps(record))
    assert (tmp_path / "depth_of_a_network.svg").is_file()
    assert (written["study"], written["remark"]) == ("depth", "Few images.")
    keys = ("seeds", "budget", "failed", "errors")
    assert [written[key] for key in keys] == [
        [3],
        {"epochs": 2},
        [{"run": "lenet5_0", "reason": "No memory."}],
        [0.1],
    ]
    assert written["claims"][0]["claim"] == "Deeper is better."
