from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import UsageError
from cnn_keras.inspection.surgery import cut
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.identity import (
    DECAYS,
    FORMS,
    Responses,
    Stack,
    changes,
    deviations,
    dirac,
    distance,
    folded_kernels,
    last_maps,
    learn,
    peak,
    response_claims,
    stack,
    stack_claims,
)
from cnn_keras.training.config import Training
from tests.fixtures.finished import finish
from tests.fixtures.published_weights import randomize

CHANNELS = 8


def maps(count: int, seed: int = 0) -> Any:
    """Rectified maps with something to them, as a network's are."""
    random = np.random.default_rng(seed)
    small = random.normal(size=(count, 2, 2, CHANNELS))
    return np.maximum(np.kron(small, np.ones((1, 3, 3, 1))), 0).astype(np.float32)


def set_modules(model: keras.Model, kernel: Any, scale: float) -> None:
    """Give all convolutions this kernel, and second normalizations this scale."""
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            zero, one = np.zeros(CHANNELS), np.ones(CHANNELS)
            root = np.sqrt(1 + layer.epsilon)
            second = layer.name.endswith("_b_bn")
            layer.set_weights([one * root * (scale if second else 1), zero, zero, one])
        elif layer.get_weights():
            layer.set_weights([kernel])


def test_a_dirac_kernel_in_all_layers_is_the_identity_of_plain_stacks() -> None:
    model = stack((6, 6, CHANNELS), 4, "plain")
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 4
    set_modules(model, dirac(CHANNELS), 1)
    np.testing.assert_allclose(model.predict_on_batch(maps(3)), maps(3), atol=1e-6)
    kernels = folded_kernels(model)
    assert len(kernels) == 4
    for kernel in kernels.values():
        assert distance(kernel, dirac(CHANNELS)) == pytest.approx(0, abs=1e-6)
        assert distance(kernel, 0) == pytest.approx(1, abs=1e-6)


def test_a_zero_kernel_before_the_addition_is_that_of_residual_ones() -> None:
    model = stack((6, 6, CHANNELS), 4, "residual")
    kernel = np.random.default_rng(0).normal(size=(3, 3, CHANNELS, CHANNELS))
    set_modules(model, kernel, 0)
    np.testing.assert_allclose(model.predict_on_batch(maps(3)), maps(3), atol=1e-6)
    norms = {name: distance(kernel, 0) for name, kernel in folded_kernels(model).items()}
    assert norms.pop("module1_b") == norms.pop("module2_b") == 0
    assert min(norms.values()) > 1


def test_a_folded_kernel_does_what_normalization_leaves_of_it() -> None:
    image = keras.Input((6, 6, CHANNELS))
    y = keras.layers.Conv2D(5, 3, padding="same", use_bias=False, name="conv")(image)
    model = randomize(keras.Model(image, keras.layers.BatchNormalization(name="conv_bn")(y)))
    (kernel,) = folded_kernels(model).values()
    found = keras.ops.conv(maps(2), kernel, padding="same")
    zero = model.predict_on_batch(np.zeros_like(maps(2)))
    np.testing.assert_allclose(found, model.predict_on_batch(maps(2)) - zero, atol=1e-5)


def test_a_peak_does_not_mind_the_order_of_channels() -> None:
    assert peak(dirac(4)[..., [2, 0, 3, 1]] * 7) == 1
    assert peak(np.ones((3, 3, 4, 4), np.float32)) == pytest.approx(1 / 36)
    assert peak(np.zeros((3, 3, 4, 4), np.float32)) == 0


def test_residual_stacks_learn_it_and_plain_ones_less() -> None:
    found = {form: learn(maps(64), maps(16, 1), 2, form, 0.01, 64, 0) for form in FORMS}
    for form, result in found.items():
        assert len(result["errors"]) == 64 / 16, form
        assert result["errors"][-1] < result["errors"][0] / 2
    assert found["residual"]["errors"][-1] < found["plain"]["errors"][-1] / 10
    assert found["residual"]["held_out"] < found["plain"]["held_out"] / 10
    assert found["residual"]["distance"] < 0.5 < 1 < found["plain"]["distance"]


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    build = {
        name: cnn_keras.build(name, (16, 16, 1), 5, depth=14) for name in ("resnet20", "plain20")
    }
    return {name: randomize(model) for name, model in build.items()}


IMAGES = np.random.default_rng(1).normal(size=(4, 16, 16, 1)).astype(np.float32)


def test_a_residual_module_changes_what_its_branch_adds(networks: dict[str, keras.Model]) -> None:
    found = changes(networks["resnet20"], IMAGES)
    chain = cut(networks["resnet20"])
    x, expected = chain.before(IMAGES), {}
    for module in chain.modules:
        if not module.changes_shape:
            sizes = [np.linalg.norm(np.reshape(a, (4, -1)), axis=1) for a in (module.branch(x), x)]
            expected[module.row] = (sizes[0] / sizes[1]).mean()
        x = module(x)
    assert list(found) == ["conv2_1", "conv2_2", "conv3_2", "conv4_2"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_plain_module_changes_what_it_does_not_pass_on(networks: dict[str, keras.Model]) -> None:
    plain = keras.models.clone_model(networks["plain20"])
    plain.set_weights(networks["plain20"].get_weights())
    for name in "ab":
        layer = plain.get_layer(f"conv3_2_{name}_bn")
        one, zero = np.ones(32), np.zeros(32)
        layer.set_weights([one * np.sqrt(1 + layer.epsilon), zero, zero, one])
        plain.get_layer(f"conv3_2_{name}").set_weights([dirac(32)])
    found = changes(plain, IMAGES)
    assert found.pop("conv3_2") == pytest.approx(0, abs=1e-5)
    assert min(found.values()) > 0.1


def test_responses_are_normalized_and_not_rectified(networks: dict[str, keras.Model]) -> None:
    model = networks["resnet20"]
    found = deviations(model, IMAGES)
    assert list(found) == [
        "conv1",
        *(f"conv{s}_{i}_{c}" for s in (2, 3, 4) for i in (1, 2) for c in "ab"),
    ]
    normalization = model.get_layer("conv2_1_a_bn")
    maps = keras.Model(model.input, normalization.output)(IMAGES, training=False)
    assert found["conv2_1_a"] == pytest.approx(np.std(maps), rel=1e-4)
    assert np.min(maps) < 0


def test_maps_are_what_the_last_module_gets(tmp_path: Path) -> None:
    training = Training.of("resnet20", "digits", recipe={}, options={"depth": 14}, train_images=40)
    run = finish(training, 1, tmp_path, [0.5])
    train, held_out = last_maps(run)
    assert (train.shape, held_out.shape) == ((40, 8, 8, 64), (180, 8, 8, 64))
    assert train.var(axis=(0, 1, 2)).mean() == pytest.approx(1, rel=1e-4)
    assert train.min() == held_out.min() == 0
    chain = cut(run.model())
    x = run.preprocessing(run.dataset().validation.images)
    for piece in (chain.before, *(module.whole for module in chain.modules[:-1])):
        x = np.array(piece(x))
    ratios = held_out[x > 0.1] / x[x > 0.1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


def stacks(
    ends: dict[str, tuple[list[float], list[float]]],
    distances: dict[str, float],
    peaks: float = 0.1,
) -> list[Stack]:
    return [
        Stack(form, layers, decay, [[1.0, e] for e in end], end, [distances[form]] * 3, [peaks] * 3)
        for decay in DECAYS
        for place, layers in enumerate((2, 16))
        for form, end in ((form, ends[form][place]) for form in ends)
    ]


def test_claims_about_stacks_are_of_differences() -> None:
    ends = {
        "plain": ([0.10, 0.11, 0.12], [0.20, 0.22, 0.23]),
        "residual": ([0.01, 0.01, 0.02], [0.011, 0.012, 0.019]),
    }
    found = stack_claims(stacks(ends, {"plain": 1.4, "residual": 0.2}))
    assert [claim.holds for claim in found] == [True] * 12 + [True, False]
    assert found[0].value == pytest.approx((0.10 + 0.11 + 0.11) / 3)
    assert found[2].value == pytest.approx((0.09 + 0.10 + 0.10) / 3)
    assert [claim.value for claim in found[3:6]] == pytest.approx([1.4, 0.1, 0.2])
    swapped = {"plain": ends["residual"], "residual": ends["plain"]}
    found = stack_claims(stacks(swapped, {"plain": 0.2, "residual": 1.4}, peaks=0.9))
    assert [claim.holds for claim in found[:6]] == [False] * 6


def responses(network: str, deviation: float, change: float) -> Responses:
    seeds = [0.99, 1.0, 1.01]
    return Responses(
        network,
        ["conv1", "conv2"],
        [[deviation * s, deviation * s] for s in seeds],
        ["conv2"],
        [[change * s] for s in seeds],
    )


def test_claims_about_networks_are_of_ratios() -> None:
    plain = [responses("plain20", 1.0, 1.2), responses("plain56", 1.1, 1.3)]
    residual = [responses("resnet20", 0.5, 0.6), responses("resnet56", 0.3, 0.9)]
    found = response_claims(plain, residual)
    assert [claim.value for claim in found] == pytest.approx(
        [0.5, 0.3 / 1.1, 0.5, 0.9 / 1.3, 0.6, 1.5]
    )
    assert [claim.holds for claim in found] == [True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (56, 20)}, "--depths"),
        ({"layers": (2,)}, "--layers takes two numbers"),
        ({"layers": (1, 2)}, "2, 4, 6"),
        ({"layers": (0, 2)}, "2, 4, 6"),
        ({"steps": 8}, "16, 32"),
        ({"steps": 0}, "16, 32"),
        ({"seeds": ()}, "different"),
    ],
)
def test_wrong_options_are_said_in_a_line(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        STUDIES["identity"](runs=tmp_path / "runs", **options)()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_resumes_what_it_has(tmp_path: Path) -> None:
    command = STUDIES["identity"](
        data="digits",
        depths=(20, 32),
        layers=(2, 4),
        steps=32,
        seeds=(0, 1),
        train_images=320,
        epochs=2,
        batch_size=32,
        runs=tmp_path / "runs",
        out=tmp_path,
    )
    first = command().document
    assert (
        json.loads((tmp_path / "identity_resnet32_digits.json").read_text())["study"] == "identity"
    )
    assert len(first["stacks"]) == 2 * 2 * 2
    assert [len(errors) for errors in first["stacks"][0]["errors"]] == [2, 2]
    assert first["responses"]["plain"][1]["layers"][-1] == "conv4_5_b"
    drawing = (tmp_path / "identity_resnet32_digits.svg").read_text()
    assert all(label in drawing for label in ("plain, 4 layers", "resnet32", "decay 0.01"))
    files = list(tmp_path.glob("runs/*/findings/*.json"))
    assert len(files) == 2 * 8 + 2 * 4
    times = {path: path.stat().st_mtime_ns for path in files}
    assert command().document["claims"] == first["claims"]
    assert times == {path: path.stat().st_mtime_ns for path in files}
