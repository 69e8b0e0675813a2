from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

import export
from cnn_keras.errors import Error, UsageError
from export.recipes import RECIPES
from export.tflite.interpreter import Interpreter, ModelFileError
from export.verification.verify import ENOUGH_IMAGES
from tests.fixtures.trained_network import POST_TRAINING_RECIPES

STATIC = RECIPES["static_wi8_ai8"]


def verify(data, trained, recipe):
    return export.verify(data, trained.reference, trained.images, trained.labels, recipe)


def changed(trained, layer, weights):
    """Convert the model with other weights in a layer."""
    kept = trained.model.get_layer(layer).get_weights()
    trained.model.get_layer(layer).set_weights(weights([weight.copy() for weight in kept]))
    try:
        return export.convert(trained.model)
    finally:
        trained.model.get_layer(layer).set_weights(kept)


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_valid_files_are_accepted(trained, name):
    data = export.quantize(trained.float32, name, trained.calibration)
    verdict = verify(data, trained, RECIPES[name])
    assert verdict.accepted, verdict.reasons
    assert verdict.reasons == ()
    assert verdict.num_images == len(trained.images)
    assert verdict.top1_float > 0.95
    assert json.loads(json.dumps(verdict.to_dict()))["agreement"] == verdict.agreement


def test_float32_differs_by_rounding_only(trained):
    verdict = verify(trained.float32, trained, RECIPES["float32"])
    assert verdict.drop_points == 0
    assert verdict.max_abs_error < 1e-5
    assert verdict.snr_db > 100  # 24 bits of mantissa are 144 dB


@pytest.mark.parametrize(
    ("corrupt", "reason"),
    [
        (lambda images: images * 0.1, "predicts class 8 for every image"),
        (lambda images: 127.5 * (images + 1), "predicts class 0 for"),  # pixels, not normalized
    ],
)
def test_lost_calibration_is_refused(trained, corrupt, reason):
    data = export.quantize(trained.float32, STATIC.name, corrupt(trained.calibration))
    verdict = verify(data, trained, STATIC)
    assert not verdict.accepted
    assert verdict.reasons[0].startswith(reason)
    assert verdict.drop_points > 50


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_an_outlying_weight_is_refused(trained, name):
    def outlier(weights):
        weights[0][1, 1, 0, 0] = 1000  # the others are below 2
        return weights

    data = changed(trained, "conv2", outlier)
    data = export.quantize(data, name, trained.calibration)
    assert not verify(data, trained, RECIPES[name]).accepted


def test_a_constant_is_refused(trained):
    data = changed(trained, "probabilities", lambda weights: [0 * w for w in weights])
    verdict = verify(data, trained, RECIPES["float32"])
    assert verdict.reasons == ("gives the same probabilities for every image",)


def test_one_class_for_every_image_is_refused(trained):
    def biased(weights):
        kernel, bias = weights
        bias[3] = 30  # far above the other logits, and still not exactly 1
        return [kernel, bias]

    verdict = verify(changed(trained, "probabilities", biased), trained, RECIPES["float32"])
    assert verdict.reasons == ("predicts class 3 for every image; the Keras model for 8%",)


def test_one_class_for_most_images_is_refused(trained):
    answers = trained.reference.argmax(axis=1)
    chosen = np.concatenate([np.flatnonzero(answers == 3)[:8], np.flatnonzero(answers != 3)[:4]])
    reference = trained.reference[chosen]
    reference[:8] = np.roll(reference[:8], 1, axis=1)  # the model predicts 4
    labels = reference.argmax(axis=1)
    verdict = export.verify(trained.float32, reference, trained.images[chosen], labels, STATIC)
    assert verdict.reasons == ("predicts class 3 for 67% of the images; the Keras model for 0%",)


def test_nan_is_refused(trained):
    data = changed(trained, "probabilities", lambda weights: [w * np.nan for w in weights])
    verdict = verify(data, trained, RECIPES["float32"])
    assert verdict.reasons == ("gives NaN or infinity for 397 of 397 images",)
    assert verdict.max_abs_error is None
    assert verdict.snr_db is None


# `lost` images that only the model gets right, by construction, among 360 and 180.
@pytest.mark.parametrize(
    ("num_images", "lost", "accepted"),
    [
        (180, 1, True),  # 0.56 points, more than the limit: one image is chance
        (360, 4, True),  # 1.11 points, p = 1/16
        (360, 5, False),  # 1.39 points, p = 1/32
    ],
)
def test_a_drop_refuses_unless_chance_explains_it(trained, num_images, lost, accepted):
    images = trained.images[:num_images]
    reference = Interpreter(trained.float32)(images)
    reference[:lost] = np.roll(reference[:lost], 1, axis=1)
    labels = reference.argmax(axis=1)
    verdict = export.verify(trained.float32, reference, images, labels, STATIC)
    assert verdict.drop_points == pytest.approx(100 * lost / num_images)
    assert verdict.drop_points > STATIC.limits.max_drop_points
    assert verdict.accepted is accepted


# `others` images for which file and model name two classes, of which the file's is the right one.
@pytest.mark.parametrize(
    ("name", "num_images", "others", "accepted"),
    [
        ("static_wi8_ai8", 1, 1, True),
        ("static_wi8_ai8", 9, 2, True),  # 22 %, p = 0.07
        ("static_wi8_ai8", 9, 3, False),
        ("static_wi8_ai8", 180, 14, True),  # 8 %, p = 0.08
        ("static_wi8_ai8", 180, 15, False),
        ("dynamic_wi8_afp32", 30, 3, True),  # 10 %, p = 0.06
        ("dynamic_wi8_afp32", 30, 4, False),
        ("dynamic_wi4_afp32", 9, 2, True),
        ("dynamic_wi4_afp32", 9, 4, False),
    ],
)
def test_disagreement_refuses_unless_chance_explains_it(
    trained, name, num_images, others, accepted
):
    images, recipe = trained.images[:num_images], RECIPES[name]
    reference = Interpreter(trained.float32)(images)
    labels = reference.argmax(axis=1)
    reference[:others] = np.roll(reference[:others], 1, axis=1)
    for known in (labels, None):
        verdict = export.verify(trained.float32, reference, images, known, recipe)
        assert verdict.agreement == pytest.approx(1 - others / num_images)
        assert verdict.agreement < recipe.limits.min_agreement
        assert verdict.accepted is accepted
        assert verdict.too_few_images is (accepted and num_images < ENOUGH_IMAGES)


@pytest.mark.parametrize("name", [name for name, row in RECIPES.items() if row.techniques])
def test_a_file_is_compared_with_the_network_it_was_made_from(trained, name):
    """Further training changes 20 % of its predictions, 5 % of them for the better."""
    recipe, images = RECIPES[name], trained.images[:200]
    stored = export.quantize(trained.float32, recipe.stored_as, trained.calibration)
    made_from = trained.reference[:200]
    labels, reference = made_from.argmax(axis=1), made_from.copy()
    reference[:40] = np.roll(reference[:40], 1, axis=1)
    labels[:15] = reference[:15].argmax(axis=1)
    verdict = export.verify(stored, reference, images, labels, recipe, made_from)
    assert verdict.accepted, verdict.reasons
    assert verdict.agreement > 0.98
    assert verdict.drop_points == pytest.approx(-5, abs=0.6)
    assert not export.verify(stored, reference, images, labels, recipe).accepted
    reasons = export.verify(stored, made_from, images, labels, recipe, reference).reasons
    assert reasons[0].startswith("agrees with the network that it was converted from on 8")


@pytest.mark.parametrize(
    ("name", "num_images", "too_few"),
    [
        ("static_wi8_ai8", 3, True),
        ("static_wi8_ai8", ENOUGH_IMAGES - 1, True),
        ("static_wi8_ai8", ENOUGH_IMAGES, False),
        ("weight_only_wi8_afp32", 3, True),
        ("float32", 3, False),  # their limits hold for every probability
        ("float16", 3, False),
        ("pruned", 3, True),  # its loss in training needs statistics
    ],
)
def test_too_few_images_are_remarked(trained, name, num_images, too_few):
    data = export.quantize(trained.float32, RECIPES[name].stored_as, trained.calibration)
    images, reference = trained.images[:num_images], trained.reference[:num_images]
    verdict = export.verify(data, reference, images, reference.argmax(axis=1), RECIPES[name])
    assert (verdict.accepted, verdict.too_few_images) == (True, too_few)
    remark = f"too few images for a reliable verdict: {num_images}, fewer than {ENOUGH_IMAGES}"
    assert verdict.remarks == ((remark,) if too_few else ())


def test_enough_images_is_the_least_number_that_reveals_a_tenth_lost():
    fewest = next(n for n in range(5, 1000) if binom.sf(4, n, 0.1) >= 0.8)
    assert fewest == ENOUGH_IMAGES


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda w: 0 * w, "gives the same probabilities for every image"),
        (lambda w: w * np.nan, "gives NaN or infinity for 3 of 3 images"),
        (lambda w: np.roll(w, 1, axis=-1), "agrees with the Keras model on 0.00% of the images; "),
    ],
)
def test_few_images_refuse_a_loss_beyond_chance(trained, spoil, reason):
    data = changed(trained, "probabilities", lambda weights: [spoil(w) for w in weights])
    chosen = [list(trained.labels).index(label) for label in (1, 4, 7)]
    rows = trained.reference[chosen], trained.images[chosen], trained.labels[chosen]
    verdict = export.verify(data, *rows, STATIC)
    assert (verdict.accepted, verdict.too_few_images) == (False, False)
    assert verdict.reasons[0].startswith(reason)


def test_a_gain_is_a_negative_drop(trained):
    images = trained.images[:100]
    reference = Interpreter(trained.float32)(images)
    labels = reference.argmax(axis=1)
    reference[:2] = np.roll(reference[:2], 1, axis=1)
    verdict = export.verify(trained.float32, reference, images, labels, STATIC)
    assert verdict.accepted
    assert verdict.drop_points == pytest.approx(-2)


def test_counts_must_agree(trained):
    with pytest.raises(UsageError, match="verification needs the same number of each"):
        export.verify(
            trained.float32, trained.reference[:3], trained.images, trained.labels, STATIC
        )
    with pytest.raises(UsageError, match="0 images"):
        export.verify(trained.float32, trained.reference[:0], trained.images[:0], [], STATIC)


def test_classes_must_agree(trained):
    with pytest.raises(UsageError, match="10 classes and the Keras model 9"):
        export.verify(
            trained.float32, trained.reference[:, :9], trained.images, trained.labels, STATIC
        )


def test_logits_are_refused_as_reference(trained):
    with pytest.raises(UsageError, match=r"references range from .*: add a softmax"):
        verify(trained.float32, trained._replace(reference=20 * trained.reference - 10), STATIC)


def test_a_broken_reference_is_an_error(trained):
    with pytest.raises(Error, match="itself gives NaN"):
        verify(trained.float32, trained._replace(reference=trained.reference * np.nan), STATIC)


def test_a_broken_file_is_an_error(trained):
    for data in (b"", trained.float32[:5000]):
        with pytest.raises(ModelFileError):
            verify(data, trained, STATIC)


def test_without_labels_agreement_decides(trained) -> None:
    """Twelve of 100 predictions changed: without accuracy, agreement refuses the file."""
    recipe = RECIPES["static_wi8_ai8"]
    images = trained.images[:100]
    reference = trained.reference[:100].copy()
    sound = export.verify(trained.float32, reference, images, None, recipe)
    assert (sound.accepted, sound.top1_float, sound.drop_points) == (True, None, None)
    reference[:12] = np.roll(reference[:12], 1, axis=1)
    verdict = export.verify(trained.float32, reference, images, None, recipe)
    assert verdict.reasons == (
        "agrees with the Keras model on 88.00% of the images; static_wi8_ai8 must agree on 95.0%",
    )
