"""What needs no cluster; tests/executors starts one."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.experiments.executors.ray_cluster import RayCluster, host_and_port, require_listener
from tests.fixtures.command_line import run_main


def test_a_dead_address_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        require_listener("here", "127.0.0.1", port)
    start = time.monotonic()
    with pytest.raises(Error, match=r"No Ray cluster at here: Connection refused\."):
        require_listener("here", "127.0.0.1", port)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "address", ["localhost", "127.0.0.1:ray", ":6379", "ray://head", "head:65536"]
)
def test_another_text_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="--ray takes HOST:PORT, ray://HOST:PORT or auto, not"):
        host_and_port(address)


def test_ray_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Error, match=r"--ray needs Ray: pip install"):
        RayCluster("127.0.0.1:6379", 1).require_cluster()


@pytest.mark.executors
def test_a_study_reports_a_dead_address(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("study", "accuracy", "lenet5", "--data", "digits", "--at-least", "0.5")
    code, out, err = run_main(capsys, *arguments, "--ray", "127.0.0.1:9")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "No Ray cluster at 127.0.0.1:9: Connection refused" in err
