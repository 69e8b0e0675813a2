from __future__ import annotations

import keras
import pytest

from cnn_keras.errors import MAX_REASON, Error, UsageError, first_line, keras_reason, unknown


def test_exit_codes() -> None:
    assert (Error.exit_code, UsageError.exit_code) == (1, 2)
    assert issubclass(UsageError, Error)
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet51", "Did you mean 'resnet50'?"),  # the same ratio as resnet101, a longer beginning
        ("resnet2O", "Did you mean 'resnet20'?"),
        ("inception", "Choose from: resnet101, resnet50, resnet20."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_with_all(name: str, hint: str) -> None:
    error = unknown("network", name, ["resnet101", "resnet50", "resnet20"])
    assert isinstance(error, UsageError)
    assert str(error) == f"Unknown network '{name}'. {hint}"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("\n  first\nsecond"), "first"),
        (ValueError(""), "ValueError('')"),
        (KeyError(), "KeyError()"),
    ],
)
def test_first_line(error: Exception, expected: str) -> None:
    assert first_line(error) == expected


def test_reason_names_the_layer_that_keras_could_not_make() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="head")])
    config = model.get_config()
    config["layers"][1]["config"]["units"] = -3
    with pytest.raises(Exception, match="units") as caught:
        keras.Sequential.from_config(config)
    assert keras_reason(caught.value).startswith("layer 'head' (Dense): ")
    assert "units" in keras_reason(caught.value)


def test_reason_is_shortened() -> None:
    assert len(keras_reason(ValueError("word " * 1000))) <= MAX_REASON
