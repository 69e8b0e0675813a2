"""Examples are those of the documentation of SLURM, Open MPI and Kubernetes."""

from __future__ import annotations

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.hosts.cluster import Cluster, find_cluster

# https://slurm.schedmd.com/srun.html, OUTPUT ENVIRONMENT VARIABLES.
SLURM = {
    "SLURM_JOB_ID": "65541",
    "SLURM_STEP_NODELIST": "node[007-010],other3",
    "SLURM_NTASKS": "5",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "0",
}
# https://docs.open-mpi.org/en/v5.0.x/tuning-apps/environment-var.html
OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"}
OPEN_MPI_4 = {
    **OPEN_MPI,
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}
MPICH = {"PMI_SIZE": "2", "PMI_RANK": "1"}
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
KUBERNETES = {"JOB_COMPLETION_INDEX": "2", "KUBERNETES_SERVICE_HOST": "10.96.0.1"}
JAX = ("JAX_COORDINATOR_PORT", "JAX_LOCAL_DEVICE_IDS")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SLURM, *OPEN_MPI_4, *MPICH, *KUBERNETES, *JAX):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_process_without_options_and_variables_is_alone() -> None:
    assert find_cluster() is None
    assert find_cluster(hosts=1) is None


def test_options_are_complete() -> None:
    found = find_cluster(4, 3, "[fe80::1]:6006")
    assert found == Cluster(4, 3, "[fe80::1]:6006")
    assert found.address == ("fe80::1", 6006)


def test_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SLURM)
    # The port is 61440 + 65541 % 4096; a process uses one accelerator of its host.
    assert find_cluster() == Cluster(5, 3, "node007:61445", (0,))
    assert find_cluster(coordinator="node1:7000") == Cluster(5, 3, "node1:7000", (0,))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [(OPEN_MPI, (4, 2)), (MPICH, (2, 1))],
    ids=["open_mpi", "mpich"],
)
def test_mpi_gives_the_numbers(
    variables: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, variables)
    assert find_cluster(coordinator="node1:7000") == Cluster(*expected, "node1:7000")
    with pytest.raises(UsageError, match="needs --coordinator: give it"):
        find_cluster()


def test_open_mpi_4_gives_the_coordinator_too(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, OPEN_MPI_4)
    found = find_cluster()
    assert found is not None
    assert found[:2] == (4, 2)
    assert found.address[0] == "10.96.0.1"


def test_kubernetes_gives_the_number_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KUBERNETES)
    assert find_cluster(4, coordinator="train-0.train:6006") == Cluster(4, 2, "train-0.train:6006")


def test_a_pod_that_trains_another_network_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KUBERNETES)
    assert find_cluster() is None


def test_accelerators_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SLURM | {"JAX_LOCAL_DEVICE_IDS": "2,3"})
    assert find_cluster() == Cluster(5, 3, "node007:61445")


def test_a_broken_environment_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SLURM | {"SLURM_NTASKS": "many"})
    with pytest.raises(Error, match=r"cannot be read \(ValueError: .*give --hosts"):
        find_cluster()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((2, None, None), "needs --process-id and --coordinator"),
        ((0, 0, "node1:7000"), "--hosts must be 1 or more, not 0"),
        ((2, 2, "node1:7000"), "--process-id must be from 0 to 1, not 2"),
        ((2, 0, "node1"), "a host and a port, such as node1:6006, not node1"),
        ((2, 0, "node1:70000"), "a host and a port"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: tuple[int | None, int | None, str | None], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        find_cluster(*options)
