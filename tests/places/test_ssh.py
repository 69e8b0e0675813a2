"""Files measured over real SSH: on an emulated ARM64 board, and in accounts of this machine."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cnn_keras.training.config import Training
from cnn_keras.training.train import train
from export.benchmark.places.row_schema import schema
from export.cli import main
from tests.places.emulated_board import emulated_board, write_python
from tests.places.sshd import Server, left_behind, write_program

pytestmark = pytest.mark.places

QUICK = ("--num-runs", "3", "--min-secs", "0", "--warmup-secs", "0")


@pytest.fixture(scope="module")
def lenet5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of LeNet-5: four recipes, and integer files with integer inputs and outputs."""
    out = tmp_path_factory.mktemp("lenet5")
    recipes = ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8")
    export("lenet5:digits", out, *recipes)
    for dtype in ("int8", "uint8"):
        export("lenet5:digits", out, "static_wi8_ai8", dtype=dtype)
    return out


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of ResNet-20 after five epochs; after two, most of its outputs are the same."""
    folder = tmp_path_factory.mktemp("resnet20")
    run = train(Training.of("resnet20", "digits", recipe={"epochs": 5}), folder / "run").path
    export(str(run), folder / "files", "float32", "static_wi8_ai8")
    export(str(run), folder / "files", "static_wi8_ai8", dtype="int8")
    return folder / "files"


def export(model: str, out: Path, *recipes: str, dtype: str = "float32") -> None:
    """Export files with this type of inputs and outputs."""
    types = ("--input-type", dtype, "--output-type", dtype)
    assert main(["export", model, "--out", str(out), *types, "--recipes", *recipes]) == 0


def measured(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    """Run the command, which must succeed, and return its rows."""
    capsys.readouterr()
    assert main(["benchmark", *map(str, arguments), *QUICK, "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
    return rows


def check(row: dict[str, Any]) -> None:
    """Check what is known of each file on the emulated board."""
    jsonschema.validate(row, schema())
    assert (row["runtime"], row["runtime_version"]) == ("LiteRT", version("ai-edge-litert"))
    assert row["delegate_used"] == "XNNPACK"
    assert row["delegated_nodes"] == row["nodes"] > 0
    digest = row["digest"]
    assert digest["images"] == 32
    assert digest["distinct_outputs"] > 10
    assert digest["agreement"] == 1
    if digest["rule"] == "float":
        assert 0 < digest["max_difference"] < 2e-5
    elif row["file"].endswith("int8.tflite"):  # int8 and uint8 outputs
        assert digest["equal"]
    elif digest["rule"] == "static":
        # The last operation is a softmax in float32, which differs in the last bit.
        assert digest["max_difference"] < 1e-3  # quantization steps


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_emulated_arm64_board(
    network: str,
    ssh_server: Server,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = sorted(request.getfixturevalue(network).glob("*.tflite"))
    name = f"arm64-{network}"
    home = ssh_server.add_account(name)
    write_python(home / "bin" / "python3", emulated_board())
    rows = measured(capsys, *files, "--ssh", name)
    assert [row["file"] for row in rows] == list(map(str, files))
    assert sum(row["digest"]["equal"] for row in rows) >= 1
    for row in rows:
        check(row)
    host, state = rows[0]["host"], rows[0]["state"]
    assert (host["cpu"], host["architecture"], host["cores"]) == ("Emulated board", "aarch64", 2)
    assert host["instructions"] == ["NEON", "dotprod"]
    assert host["governor"] == "ondemand"
    assert state["before"] == state["after"] == {"temperature_celsius": 48.85}
    assert left_behind(home) == []


# Counts the images, and changes one class of the seventh.
FLIPPED = """
import importlib.util
from pathlib import Path

path = Path({site!r}, "ai_edge_litert", "interpreter.py")
spec = importlib.util.spec_from_file_location("ai_edge_litert.original", path)
original = importlib.util.module_from_spec(spec)
spec.loader.exec_module(original)
OpResolverType = original.OpResolverType

class Interpreter(original.Interpreter):
    images = 0

    def get_tensor(self, index):
        tensor = super().get_tensor(index)
        self.images += 1
        if self.images == 7:
            tensor = tensor.copy()
            tensor[0, 3] = {value}
        return tensor
"""


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("int8", "127", "it predicts another class for 1 of 32 images"),
        ("int8", "tensor[0, 3] + 2", "an output differs by 2 quantization steps, more than one"),
        ("float32", "tensor[0, 3] + 1e-3", "of the largest one, more than 2e-05"),
    ],
)
def test_wrong_kernel_is_not_timed(
    name: str,
    value: str,
    reason: str,
    ssh_server: Server,
    lenet5: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (package,) = __import__("ai_edge_litert").__path__
    home = ssh_server.add_account(tmp_path.name)
    stand_in = home / "stand_in" / "ai_edge_litert"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text(f"__path__ = [{str(stand_in)!r}, {package!r}]")
    site = str(Path(package).parent)
    (stand_in / "interpreter.py").write_text(FLIPPED.format(site=site, value=value))
    write_program(
        home / "bin" / "python3",
        f'export PYTHONPATH="$PYTHONPATH:{stand_in.parent}"\nexec {sys.executable} "$@"',
    )
    (file,) = lenet5.glob(f"*_{name}.tflite")
    out = tmp_path / "rows.jsonl"
    command = ["benchmark", str(file), "--ssh", tmp_path.name, "--out", str(out)]
    assert main([*command, *QUICK]) == 1
    progress = capsys.readouterr().err
    assert f"{file} is not timed at ssh:{tmp_path.name}: " in progress
    assert reason in progress
    assert "time the inferences" not in progress
    assert not out.exists()
    assert left_behind(home) == []


def test_setup(ssh_server: Server, lenet5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The packages are installed once, and then found without the option."""
    prefixes = ("PIP_", "SSL_", "REQUESTS_", "HTTPS_PROXY", "https_proxy")
    variables = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
    variables["PIP_CACHE_DIR"] = str(Path("~/.cache/pip").expanduser())
    exports = "\n".join(f"export {name}='{value}'" for name, value in variables.items())
    home = ssh_server.add_account("new", f'{exports}\nexec sh -c "$SSH_ORIGINAL_COMMAND"')
    write_program(home / "bin" / "python3", f'exec {sys._base_executable} -s "$@"')
    (file,) = lenet5.glob("*_int8.tflite")
    (row,) = measured(capsys, file, "--ssh", "new", "--setup")
    assert row["digest"]["equal"]
    assert row["versions"]["ai-edge-litert"] == version("ai-edge-litert")
    environment = f"python-ai-edge-litert=={version('ai-edge-litert')}"
    kept = {path.name for path in (home / ".cache" / "cnn-keras").iterdir()}
    assert environment in kept
    assert len(kept) == 2  # with the runner
    capsys.readouterr()
    measured(capsys, file, "--ssh", "new")
    assert "install" not in capsys.readouterr().err
    assert left_behind(home) == []
