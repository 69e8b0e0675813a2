from __future__ import annotations

import signal

import pytest

from cnn_keras.command import Terminated, terminable
from cnn_keras.training.checkpoints.stop_request import StopRequest


@pytest.mark.parametrize(
    ("number", "exception"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
)
def test_a_signal_waits_and_a_second_one_does_not(
    number: signal.Signals, exception: type[KeyboardInterrupt]
) -> None:
    with terminable(), StopRequest() as stop:
        assert not stop.received
        signal.raise_signal(number)
        assert stop.received
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(exception, match=r"^after step 3$"):
            stop.stop("after step 3")


def test_the_handlers_return() -> None:
    with terminable():
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with StopRequest():
            pass
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
