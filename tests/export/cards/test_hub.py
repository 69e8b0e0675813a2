"""Uploads by the real client of the Hub, to a server on the loopback interface."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from cnn_keras.errors import UsageError
from export.cards.hub import repository
from tests.export.cards.fake_hub import TOKEN, FakeHub, fake_hub
from tests.fixtures.command_line import run_main

# httpx2 deprecates how the client sends a file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ROOT = Path(__file__).parents[3]
NAME = "ada/lenet5-digits"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The server, which the client in this process uses, too.

    The client's storage servers (Xet) speak a protocol of their own; without them it uses Git LFS.
    """
    with fake_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, name: str, exit_code: int = 1) -> str:
    code, out, err = run_main(capsys, "publish", folder, "--to", f"hf:{name}")
    assert (code, out, err.count("\n")) == (exit_code, "", 1), err
    return err


def test_the_folder_of_a_dry_run_is_uploaded(
    hub: FakeHub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first upload is that of a user: a process, with its settings in the environment."""
    command = ("publish", folder, "--to", f"hf:{NAME}")
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "export", *command],
        env=os.environ | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{hub.endpoint}/{NAME}: {len(hub.files[NAME]) - 1} files uploaded\n"
    assert hub.visibility == {NAME: "public"}
    out = tmp_path / "upload"
    assert run_main(capsys, *command, "--dry-run", "--out", out)[0] == 0
    stored = {name: data for name, data in hub.files[NAME].items() if name != ".gitattributes"}
    assert stored == {path.name: path.read_bytes() for path in out.iterdir()}
    assert "POST /api/validate-yaml" in hub.requests
    assert len(hub.lfs) == 1 + len(list(folder.glob("files/*.tflite")))

    # A second upload changes what has changed, and deletes files that the run has no more.
    shutil.rmtree(folder / "files")
    assert run_main(capsys, "card", folder)[0] == 0
    assert run_main(capsys, *command)[0] == 0
    assert len(hub.commits) == 2
    assert not [name for name in hub.files[NAME] if name.endswith(".tflite")]
    assert hub.files[NAME]["README.md"] == (folder / "README.md").read_bytes()


def test_a_private_repository(
    hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("publish", folder, "--to", f"hf:{NAME}", "--private", "--json")
    code, out, err = run_main(capsys, *arguments)
    assert code == 0, err
    assert json.loads(out)["url"] == f"{hub.endpoint}/{NAME}"
    assert hub.visibility == {NAME: "private"}


def test_a_token_is_needed(
    hub: FakeHub,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    assert "refuses the token: log in again" in refusal(capsys, folder, NAME)
    monkeypatch.delenv("HF_TOKEN")
    assert f"There is no token for {hub.endpoint}" in refusal(capsys, folder, NAME)
    assert hub.files == {}


def test_the_repository_of_another(
    hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "may not write to grace/lenet5" in refusal(capsys, folder, "grace/lenet5")
    hub.files["grace/lenet5"] = {"README.md": b"theirs"}
    assert "may not write to grace/lenet5" in refusal(capsys, folder, "grace/lenet5")
    assert hub.files == {"grace/lenet5": {"README.md": b"theirs"}}


def test_without_a_connection(
    hub: FakeHub,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline" in refusal(capsys, folder, NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "Is there a connection?" in refusal(capsys, folder, NAME)


def test_a_card_that_the_hub_refuses(
    hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "README.md").write_text("---\ntags: [broken\n---\n\n# My own card\n")
    assert "flow sequence" in refusal(capsys, folder, NAME)
    assert hub.commits == []


@pytest.mark.parametrize("target", ["ada/lenet5", "hf:lenet5", "hf:ada/le net", "hf:a/b/c", "hf:"])
def test_the_target_is_a_repository(target: str) -> None:
    with pytest.raises(UsageError, match="hf:USER/NAME"):
        repository(target)
    assert repository("hf:ada/le.net-5") == "ada/le.net-5"


def test_names_that_the_client_refuses(
    hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refusal(capsys, folder, "ada/-lenet5", exit_code=2)
    assert "ada/-lenet5 is no name of a repository" in error


def test_without_the_package(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # importing it now fails
    assert 'pip install ".[hub]"' in refusal(capsys, folder, NAME)
    dry_run = ("--dry-run", "--out", tmp_path / "upload")
    assert run_main(capsys, "publish", folder, "--to", f"hf:{NAME}", *dry_run)[0] == 0
