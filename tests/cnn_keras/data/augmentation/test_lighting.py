from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation.lighting import Lighting, light, principal_components


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Colors along one line, with a little noise."""
    generator = np.random.default_rng(0)
    along = generator.normal(0, 40, (6, 20, 24, 1)) * np.array([0.6, 0.7, 0.4])
    pixels = 128 + along + generator.normal(0, 4, (6, 20, 24, 3))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def test_components_equal_those_of_numpy(images: np.ndarray) -> None:
    found = principal_components([images[:4], images[4:]])
    covariance = np.cov(images.reshape(-1, 3).T / 255, bias=True)
    values = np.linalg.svd(covariance, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 255 * values, rtol=1e-6)
    directions = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-9)
    for value, direction in zip(values, directions, strict=True):
        np.testing.assert_allclose(covariance @ direction, value * direction, atol=1e-9)
    np.testing.assert_allclose(directions[0], np.array([0.6, 0.7, 0.4]) / 1.005, atol=0.02)


def test_gray_images_have_one_component(images: np.ndarray) -> None:
    gray = images[..., :1]
    np.testing.assert_allclose(principal_components([gray]), [[255 * (gray / 255).var()]])


def test_images_without_contrast_have_no_lighting() -> None:
    flat = np.full((2, 8, 8, 3), 77, np.uint8)
    np.testing.assert_allclose(principal_components([flat]), 0, atol=1e-9)


def test_lighting_equals_numpy(images: np.ndarray) -> None:
    """Equation of section 4.1: the sum of p_i * alpha_i * lambda_i is added to each pixel."""
    covariance = np.cov(images.reshape(-1, 3).T / 255, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    vectors *= np.sign(vectors.sum(axis=0))
    alphas = np.random.default_rng(1).normal(0, 0.1, (6, 3))
    expected = images / 255 + (vectors @ (alphas * values)[..., None])[:, None, None, :, 0]
    numbers = tf.constant(alphas[:, ::-1] / 0.1, tf.float32)
    pixels = tf.constant(images, tf.float32)
    found = light(pixels, Lighting(principal_components([images]), 0.1), numbers)
    np.testing.assert_allclose(found, 255 * expected, atol=1e-3)
