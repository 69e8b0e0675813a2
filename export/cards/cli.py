"""The commands `card` and `publish`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from cnn_keras.command import Command, Outcome
from cnn_keras.errors import UsageError

from .hub import repository


@dataclass(frozen=True, kw_only=True)
class Card(Command):
    """Write a model card for the Hugging Face Hub from the files of a run folder, as its README.md.

    The card has the intended use, data and license, training recipe, accuracy by class, confusions,
    exported files and limits. A card that was edited is not overwritten.
    """

    run: tyro.conf.Positional[Path]
    """Run folder, or a trained network such as resnet20:fashion_mnist."""
    files: Path | None = None
    """Folder of the run's exported files; by default `files` in the run folder, if it exists."""
    benchmarks: Path | None = None
    """JSONL file of `benchmark` with their latencies; by default the one beside the files."""
    license: str | None = None
    """License of the model, as the Hub names it, for example apache-2.0; none by default."""
    overwrite: bool = False
    """Overwrite a card that was edited."""

    def __call__(self) -> Outcome:
        if self.license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", self.license):
            raise UsageError(
                f"--license is a name of the Hub, for example apache-2.0, not {self.license}."
            )
        from cnn_keras.training.run_folder import Run

        from . import facts
        from .card_file import write_card_file
        from .exported_files import read_exported_files
        from .render import render

        run = Run.open(self.run)
        exported = read_exported_files(run, self.files, self.benchmarks)
        text = render(facts.ModelCard(run, exported, self.license))
        path = write_card_file(run, text, exported, overwrite=self.overwrite)
        names = [each.name for each in exported.paths] if exported else []
        document = {"run": str(self.run), "card": str(path), "files": names}
        return Outcome(document, f"{path} written")


@dataclass(frozen=True, kw_only=True)
class Publish(Command):
    """Upload a run's network, card and exported files to the Hugging Face Hub.

    The run needs a card, which `card` writes. Paths of this machine are not uploaded.
    """

    run: tyro.conf.Positional[Path]
    """Run folder, or a trained network such as resnet20:fashion_mnist."""
    to: str
    """Repository: hf:USER/NAME. It is made if it does not exist."""
    files: Path | None = None
    """Folder of the run's exported files; by default `files` in the run folder, if it exists."""
    private: bool = False
    """Make a new repository private."""
    dry_run: bool = False
    """Write the folder to --out instead of uploading it."""
    out: Path | None = None
    """Folder for --dry-run; by default NAME in the current folder."""

    def __call__(self) -> Outcome:
        name = repository(self.to)
        if self.out is not None and not self.dry_run:
            raise UsageError("--out is for --dry-run.")
        from cnn_keras.training.run_folder import Run

        from .exported_files import read_exported_files
        from .published_folder import require_current_card, write_published_folder

        run = Run.open(self.run)
        exported = read_exported_files(run, self.files)
        require_current_card(run, exported)
        document = {"run": str(self.run), "repository": name}
        if self.dry_run:
            out = self.out or Path(name.partition("/")[2])
            names = write_published_folder(run, exported, out)
            text = "\n".join([f"{out}: {len(names)} files", *names])
            return Outcome({**document, "folder": str(out), "files": names}, text)
        from .hub import upload

        with TemporaryDirectory(prefix="cnn-keras-") as temporary:
            folder = Path(temporary) / "upload"
            names = write_published_folder(run, exported, folder)
            url = upload(folder, name, private=self.private)
        return Outcome(
            {**document, "url": url, "files": names}, f"{url}: {len(names)} files uploaded"
        )
