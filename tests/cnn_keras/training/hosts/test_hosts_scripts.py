"""The scripts of the documentation that start a training on several hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from cnn_keras.cli import COMMANDS, parse
from cnn_keras.training.cli import Train

FOLDER = Path(__file__).parents[4] / "docs" / "hosts"


def train_command(words: list[str]) -> Train:
    command = parse(COMMANDS, words, "cnn-keras")
    assert isinstance(command, Train)
    return command


def test_slurm_script() -> None:
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text("utf-8").replace("\\\n", " ").splitlines()
    (line,) = [line for line in lines if line.startswith("srun ")]
    words = line.split()
    command = train_command(words[words.index("train") :])
    assert command.backend == "jax"
    assert all(line.startswith("#SBATCH --") for line in lines if "SBATCH" in line)


def test_kubernetes_manifest() -> None:
    service, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text("utf-8"))
    name = job["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    spec: dict[str, Any] = job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["cnn-keras"]
    command = train_command(container["args"])
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == command.hosts
    assert pod["subdomain"] == service["metadata"]["name"]
    assert command.coordinator == f"{name}-0.{pod['subdomain']}:6006"
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
