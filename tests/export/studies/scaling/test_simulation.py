from __future__ import annotations

import math

import pytest

from export.studies.scaling.simulation import (
    BUCKET_BYTES,
    IMAGE_BYTES,
    TRAIN_IMAGES,
    Cluster,
    Layer,
    Training,
    all_reduce_seconds,
    simulate,
    train,
)

CLUSTER = Cluster(
    accelerators=16,
    per_host=8,
    images_per_s=100.0,
    link_gb_s=10.0,
    network_gbit_s=8.0,
    latency_us=0.0,
    cores_per_host=10,
    decoded_per_core_s=1000.0,
    storage_gb_s=100.0,
)
PARAMETERS = BUCKET_BYTES // 4  # as many as fill a bucket


def test_an_all_reduce_sends_the_array_almost_twice() -> None:
    # 7/8 twice over 10 GB/s in each host, 1/2 twice over 1 GB/s between the two.
    assert all_reduce_seconds(1e9, CLUSTER) == pytest.approx(2 * 7 / 8 * 0.1 + 2 / 2 * 1.0)


def test_each_message_of_an_all_reduce_has_a_latency() -> None:
    late = CLUSTER._replace(latency_us=1e6)
    extra = all_reduce_seconds(1.0, late) - all_reduce_seconds(1.0, CLUSTER)
    assert extra == pytest.approx(2 * 7 + 2 * 1)


def test_one_accelerator_sends_nothing() -> None:
    step = simulate([Layer(1, PARAMETERS)], CLUSTER._replace(accelerators=1), 100)
    assert step.all_reduce == step.exposed == 0
    assert step.total == step.compute == 1


def test_the_gradients_of_the_last_layer_are_sent_while_the_others_are_computed() -> None:
    seconds = all_reduce_seconds(BUCKET_BYTES, CLUSTER)
    last = simulate([Layer(1, 0), Layer(0, PARAMETERS)], CLUSTER, 100)
    first = simulate([Layer(0, PARAMETERS), Layer(1, 0)], CLUSTER, 100)
    assert last.all_reduce == first.all_reduce == pytest.approx(seconds)
    assert last.exposed == 0
    assert first.exposed == pytest.approx(seconds)
    assert first.total == pytest.approx(1 + seconds)


def test_buckets_follow_each_other() -> None:
    """Both are complete at the start of the backward pass, which takes less than their transfer."""
    slow = CLUSTER._replace(network_gbit_s=0.1)
    step = simulate([Layer(1, 0), *[Layer(0, PARAMETERS)] * 2], slow, 100)
    assert step.exposed == pytest.approx(2 * all_reduce_seconds(BUCKET_BYTES, slow) - 2 / 3)


@pytest.mark.parametrize(
    ("changed", "limit"),
    [
        ({}, "none"),
        ({"decoded_per_core_s": 10.0}, "decode"),
        ({"storage_gb_s": 1e-3}, "read"),
        ({"network_gbit_s": 0.01}, "network"),
    ],
)
def test_the_limit_is_what_accelerators_wait_for(changed: dict[str, float], limit: str) -> None:
    cluster = CLUSTER._replace(**changed)
    assert simulate([Layer(1, PARAMETERS)], cluster, 100).limit == limit


def test_decoding_and_reading_take_as_long_as_cores_and_storage_need() -> None:
    cluster = CLUSTER._replace(decoded_per_core_s=10.0)
    step = simulate([Layer(1, 10)], cluster, 100)
    assert step.decode == pytest.approx(800 / (10 * 10.0))  # 8 accelerators a host
    assert step.read == pytest.approx(1600 * IMAGE_BYTES / 100e9)
    assert step.total == step.decode


def test_a_training_has_evaluations_and_checkpoints() -> None:
    cluster = CLUSTER._replace(accelerators=1, decoded_per_core_s=math.inf)
    result = train([Layer(1, 1000)], cluster, Training(90, 100, 4, checkpoint_secs=60.0))
    epoch = TRAIN_IMAGES / 100 + 50_000 / 300 + 60
    assert result.hours == pytest.approx(90 * epoch / 3600)
    assert result.checkpoint_share == pytest.approx(60 / epoch)
    assert result.efficiency == 1
    assert result.network_gb == 0


def test_the_rows_of_a_training() -> None:
    training = Training(90, 100, 4, 0.0)
    result = train([Layer(1, PARAMETERS)], CLUSTER, training)
    assert result.batch == 1600
    assert result.efficiency == pytest.approx(result.images_per_s / 1600)
    assert result.efficiency < 1
    assert result.cores_per_accelerator == pytest.approx(100 / 1000)
    assert result.read_gb_s == pytest.approx(result.images_per_s * IMAGE_BYTES / 1e9)
    assert result.network_gb == pytest.approx(PARAMETERS * 4 / 1e9)
    half = train([Layer(1, PARAMETERS)], CLUSTER, training._replace(gradient_bytes=2))
    assert half.network_gb == pytest.approx(result.network_gb / 2)
    assert half.efficiency > result.efficiency
