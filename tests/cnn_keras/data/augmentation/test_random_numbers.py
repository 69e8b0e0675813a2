from __future__ import annotations

import numpy as np
import tensorflow as tf

from cnn_keras.data.augmentation.random_numbers import (
    normal_numbers,
    sample_seeds,
    uniform_numbers,
)


def test_numbers_depend_on_seed_sample_and_purpose_alone() -> None:
    samples = tf.range(50, dtype=tf.int64)
    seeds = sample_seeds(3, samples)
    numbers = uniform_numbers(seeds, 200, "move").numpy()
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert abs(numbers.mean() - 0.5) < 0.01  # 3.5 standard deviations
    assert len(np.unique(numbers)) > 0.99 * numbers.size
    np.testing.assert_array_equal(numbers[10:20], uniform_numbers(seeds[10:20], 200, "move"))
    for others in (
        uniform_numbers(seeds, 200, "erase"),
        uniform_numbers(sample_seeds(4, samples), 200, "move"),
    ):
        assert (others.numpy() == numbers).mean() < 0.01


def test_normal_numbers_have_the_moments_of_their_distribution() -> None:
    seeds = sample_seeds(3, tf.range(50, dtype=tf.int64))
    numbers = normal_numbers(seeds, 200, "lighting").numpy()
    assert abs(numbers.mean()) < 0.04  # 4 standard deviations
    assert abs(numbers.std() - 1) < 0.03
    np.testing.assert_array_equal(numbers[10:20], normal_numbers(seeds[10:20], 200, "lighting"))
