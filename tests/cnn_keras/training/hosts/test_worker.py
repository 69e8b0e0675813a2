from __future__ import annotations

import signal

import pytest

from cnn_keras.command import Outcome
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.hosts import worker


def raising(error: BaseException) -> worker.Report:
    def run() -> Outcome:
        raise error

    return worker._report(run)


def test_an_outcome_is_reported() -> None:
    outcome = Outcome({}, "done")
    assert worker._report(lambda: outcome) == worker.Report(outcome)


def test_errors_of_users_keep_line_exit_code_and_details() -> None:
    error = Error("The loss is nan.", details="all of it")
    assert raising(error) == worker.Report(None, "The loss is nan.", 1, details="all of it")
    assert raising(UsageError("wrong")).exit_code == UsageError.exit_code


@pytest.mark.parametrize(
    ("error", "is_cause"),
    [
        (KeyError("name"), True),
        (ValueError("UNKNOWN: Gloo all-reduce failed: Connection closed by peer"), False),
        (RuntimeError("INTERNAL: NCCL operation failed"), False),
    ],
)
def test_errors_of_collective_operations_may_have_their_cause_elsewhere(
    error: Exception, is_cause: bool
) -> None:
    report = raising(error)
    assert report.is_cause == is_cause
    assert "Traceback" in report.details


def test_a_signal_before_the_training_is_an_interruption() -> None:
    def run() -> Outcome:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError

    report = worker._report(run)
    assert report.is_interrupted
    assert (report.line, report.exit_code) == ("was terminated before it trained", 143)
