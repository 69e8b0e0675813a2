from __future__ import annotations

from cnn_keras.training.hosts.setup import Setup, difference


def test_equal_setups_do_not_differ() -> None:
    setup = Setup.of({"recipe": {"epochs": 3}})
    assert setup.versions["keras"]
    assert difference(setup, setup, "Process 0 on a", "Process 1 on b") == ""


def test_a_different_option_is_named() -> None:
    first = Setup({}, {"seed": 1, "recipe": {"epochs": 3, "learning_rate": 0.1}})
    other = Setup({}, {"seed": 1, "recipe": {"epochs": 3, "learning_rate": 0.2}})
    assert difference(first, other, "Process 0 on a", "Process 1 on b") == (
        "Process 1 on b has learning_rate 0.2, and process 0 on a has 0.1: start all processes "
        "with the same options."
    )


def test_a_missing_package_differs() -> None:
    line = difference(Setup({"jax": "0.10.2"}, {}), Setup({}, {}), "Process 0", "Process 1")
    assert line.startswith("Process 1 has jax None, and process 0 has 0.10.2: install")
