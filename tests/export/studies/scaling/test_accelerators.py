from __future__ import annotations

from export.studies.scaling.accelerators import Accelerators
from export.studies.scaling.simulation import Cluster


def test_a_cluster_begins_with_one_accelerator() -> None:
    accelerators = Accelerators(per_host=4, link_gb_s=1.0, network_gbit_s=2.0, latency_us=3.0)
    expected = Cluster(1, 4, 100.0, 1.0, 2.0, 3.0, 96, 50.0, 2.0)
    assert accelerators.cluster(images_per_s=100.0, decoded_per_core_s=50.0) == expected


def test_each_precision_has_a_speed() -> None:
    assert Accelerators().images_per_s() == {"float32": 938.0, "bfloat16": 2470.0}
