"""Processes that end in all ways; they do not train."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from cnn_keras.command import Terminated
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.hosts import supervisor
from cnn_keras.training.hosts.cluster import local_clusters
from cnn_keras.training.hosts.setup import Setup
from cnn_keras.training.hosts.supervisor import supervise
from tests.fixtures.hosts.processes import light_work

NOTHING = Setup({}, {})


def test_the_outcome_is_that_of_process_0() -> None:
    outcome = supervise(light_work("done"), local_clusters(2), NOTHING, 1)
    assert outcome.document == {"process": 0}


@pytest.mark.parametrize(
    ("ending", "line"),
    [
        ("killed", "was ended by SIGKILL"),
        ("failed together", "was ended by SIGKILL"),
        ("error", ": ValueError: an unexpected error"),
    ],
)
def test_a_process_that_fails_ends_the_others(ending: str, line: str) -> None:
    start = time.monotonic()
    with pytest.raises(Error) as caught:
        supervise(light_work(ending), local_clusters(2), NOTHING, 1)
    assert time.monotonic() - start < 10
    text = str(caught.value)
    assert text.startswith("Process 1 on ")
    assert text.endswith(f"{line}. All processes end; the same command resumes the training.")


def test_a_usage_error_stays_one() -> None:
    with pytest.raises(UsageError, match=r"Process 1 on .*: This option is wrong\.$"):
        supervise(light_work("refused"), local_clusters(2), NOTHING, 1)


def test_an_abort_waits_for_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_GRACE", 0.5)
    with pytest.raises(Error, match=r"Process 1 on .* was ended by SIGABRT"):
        supervise(light_work("aborted"), local_clusters(2), NOTHING, 1)


def test_a_process_that_is_stopped_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SILENCE", 5.0)
    start = time.monotonic()
    with pytest.raises(Error, match=r"Process 1 on .* has not answered for 5 s\. All"):
        supervise(light_work("stopped"), local_clusters(2), NOTHING, 1)
    assert time.monotonic() - start < 15


def test_a_signal_is_passed_on() -> None:
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    start = time.monotonic()
    with pytest.raises(Terminated):
        supervise(light_work("waiting"), local_clusters(1), NOTHING, 1)
    assert time.monotonic() - start < 10
