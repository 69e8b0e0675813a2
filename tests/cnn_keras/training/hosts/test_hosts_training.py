"""Trainings in several processes on this machine, which are also killed, stopped and resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.training.hosts.cluster import local_clusters
from cnn_keras.training.hosts.link import free_port
from cnn_keras.training.hosts.setup import Setup
from cnn_keras.training.hosts.supervisor import supervise
from cnn_keras.training.run_folder import Run
from tests.fixtures import image_folders
from tests.fixtures.hosts.trainings import digest_work, run, start, start_hosts, worker_of
from tests.fixtures.interruptions import assert_same_training, wait_for_epoch

EPOCHS = 3
LIMIT = 60  # seconds in which the failure of a process ends the others
# Sums over a batch are those of its parts, added in another order.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training in one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    run(out, EPOCHS)
    return Run(out)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same training in two processes."""
    out = tmp_path_factory.mktemp("together") / "run"
    run(out, EPOCHS, "--local-processes", "2")
    return Run(out)


def assert_close(found: Run, expected: Run) -> None:
    """Check that two tables and two networks differ only by rounding."""
    for name in ("loss", "val_loss"):
        curves = [[row[name] for row in run.history] for run in (found, expected)]
        assert len(curves[0]) == EPOCHS
        np.testing.assert_allclose(*curves, rtol=TOLERANCE)
    results = [run.metrics["test"] for run in (found, expected)]
    one_image = 1 / results[0]["num_images"]
    accuracies = [result["accuracy"] for result in results]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=one_image)


def last_line(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process that fails, and return its only line about that."""
    stdout, stderr = process.communicate(timeout=2 * LIMIT)
    progress = ("epoch ", "Process 0 of 2: wait ", "Process 1 of 2: wait ")
    lines = [line for line in stderr.splitlines() if not line.startswith(progress)]
    assert stdout == ""
    assert len(lines) == 1, stderr
    return lines[0]


@contextmanager
def ended(processes: list[subprocess.Popen[str]]) -> Iterator[None]:
    """End all processes."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_killed_process_ends_the_other_with_one_line(tmp_path: Path) -> None:
    first, second = start_hosts(tmp_path / "run", 1000, free_port())
    with ended([first, second]):
        wait_for_epoch(first, 1)
        begin = time.monotonic()
        second.kill()
        assert re.fullmatch(
            r"python -m cnn_keras: Process 1 on \S+ has ended without a message\. All processes "
            r"end; the same command resumes the training\.",
            last_line(first),
        )
        assert time.monotonic() - begin < 10
        assert first.returncode == 1
        assert (tmp_path / "run" / "last.keras").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_train_as_one(count: int, alone: Run, tmp_path: Path) -> None:
    work = digest_work(tmp_path / "run", EPOCHS, tmp_path / "digests")
    supervise(work, local_clusters(count), Setup({}, {}), 60)
    assert_close(Run(tmp_path / "run"), alone)
    digests = [json.loads(path.read_text()) for path in (tmp_path / "digests").iterdir()]
    assert len(digests) == count
    assert digests[0]
    assert all(each == digests[0] for each in digests)
    names = [{path.name for path in run.path.iterdir()} for run in (Run(tmp_path / "run"), alone)]
    assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.parametrize("fine_tuned", [False, True])
def test_image_files_class_weights_and_auxiliary_outputs(fine_tuned: bool, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    image_folders.write(scans / "train", 40)
    image_folders.write(scans / "test", 12, 60)
    for path in sorted((scans / "train" / "one").iterdir())[10:]:
        path.unlink()
    training = ["train", "googlenet", "--data", f"folder:{scans}", "--image-size", "80"]
    training += ["--class-weights", "balanced", "--learning-rate", "0.0001"]
    training += ["--batch-size", "80"]  # one step an epoch: differences by rounding grow quickly
    if fine_tuned:
        run(tmp_path / "before", 1, training=training)
        training += ["--weights", str(tmp_path / "before"), "--freeze-until", "4e"]
    training += ["--backend", "jax", "--local-processes"]
    runs = [Run(tmp_path / f"of_{count}") for count in (1, 2)]
    for made, count in zip(runs, ("1", "2"), strict=True):
        run(made.path, EPOCHS, training=[*training, count])
    assert_close(runs[1], runs[0])


@pytest.mark.slow
def test_devices_of_one_host_train_as_one(
    alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    run(tmp_path / "run", EPOCHS)
    assert_close(Run(tmp_path / "run"), alone)
    process = start(tmp_path / "odd", EPOCHS, "--batch-size", "31")
    assert last_line(process).endswith(
        "A batch of 31 images cannot be divided equally among 2 devices: use --batch-size 30 or "
        "32, or another number of devices."
    )
    assert not (tmp_path / "odd").exists()


@pytest.mark.slow
def test_sigterm_to_all_saves_and_resumes_exactly(together: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    processes = start_hosts(out, EPOCHS, free_port())
    with ended(processes):
        wait_for_epoch(processes[0], 1)
        for process in processes:
            process.terminate()
        assert re.fullmatch(r"Terminated; the same command resumes .*", last_line(processes[0]))
        processes[1].wait(timeout=LIMIT)
        assert [process.returncode for process in processes] == [143, 143]
    run(out, EPOCHS, "--local-processes", "2")
    assert_same_training(Run(out), together)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all(tmp_path: Path) -> None:
    processes = start_hosts(tmp_path / "run", 1000, free_port())
    with ended(processes):
        wait_for_epoch(processes[0], 1)
        processes[1].send_signal(signal.SIGINT)
        assert last_line(processes[0]).startswith("Interrupted; the same command resumes ")
        processes[1].wait(timeout=LIMIT)
        assert [process.returncode for process in processes] == [130, 130]


@pytest.mark.slow
@pytest.mark.parametrize("resumed_with", [1, 4])
@pytest.mark.parametrize(
    ("number", "victim", "line"),
    [
        (signal.SIGKILL, 0, "was ended by SIGKILL"),
        (signal.SIGSTOP, 1, "has not answered for 30 s"),
    ],
    ids=["killed", "stopped"],
)
def test_a_training_resumes_with_other_processes(
    number: int, victim: int, line: str, resumed_with: int, alone: Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    processes = start_hosts(out, EPOCHS, free_port())
    with ended(processes):
        wait_for_epoch(processes[0], 1)
        begin = time.monotonic()
        os.kill(worker_of(processes[victim]), number)
        found = last_line(processes[1 - victim])
        assert f"Process {victim} on " in found
        assert f" {line}. All processes end; " in found
        assert time.monotonic() - begin < LIMIT
    options = ("--local-processes", str(resumed_with)) if resumed_with > 1 else ()
    assert run(out, EPOCHS, *options).startswith("Resume after ")
    assert_close(Run(out), alone)


@pytest.mark.slow
def test_a_network_that_is_dropped_ends_all_processes(tmp_path: Path) -> None:
    names = [f"cnn{os.getpid()}{side}" for side in "ab"]
    tool = shutil.which("ip")
    if tool is None or subprocess.run([tool, "netns", "add", names[0]], check=False).returncode:
        pytest.skip("network namespaces need the command ip and the rights of root")

    def ip(*arguments: str) -> None:
        subprocess.run([tool, *arguments], check=True)

    hosts = [Path("/etc/netns", name) for name in names]
    try:
        ip("netns", "add", names[1])
        ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
        for index, name in enumerate(names):
            ip("link", "set", name, "netns", name)
            ip("-n", name, "addr", "add", f"10.77.0.{index + 1}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")
            hosts[index].mkdir(parents=True)  # Gloo listens at the address of the host's name
            lines = f"127.0.0.1 localhost\n10.77.0.{index + 1} {os.uname().nodename}\n"
            (hosts[index] / "hosts").write_text(lines)
        place = ("--hosts", "2", "--coordinator", f"10.77.0.1:{free_port()}", "--process-id")
        processes = [
            start(tmp_path / "run", 1000, *place, str(i), prefix=(tool, "netns", "exec", names[i]))
            for i in range(2)
        ]
        with ended(processes):
            wait_for_epoch(processes[0], 1)
            begin = time.monotonic()
            ip("-n", names[1], "link", "set", names[1], "down")
            for index, process in enumerate(processes):
                assert f"Process {1 - index} on " in (line := last_line(process))
                assert "has not answered for 30 s" in line
            assert time.monotonic() - begin < LIMIT
    finally:
        for name, folder in zip(names, hosts, strict=True):
            subprocess.run([tool, "netns", "delete", name], check=False)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_processes_with_other_options_are_refused(tmp_path: Path) -> None:
    place = ("--hosts", "2", "--coordinator", f"127.0.0.1:{free_port()}", "--process-id")
    processes = [start(tmp_path / "run", 2 + index, *place, str(index)) for index in range(2)]
    with ended(processes):
        for process in processes:
            line = last_line(process)
            assert "Process 1 on " in line
            assert "has epochs 3, and process 0 on " in line
            assert process.returncode == 2
    assert not (tmp_path / "run").exists()
