"""Draw the table of files that are measured here, on the emulated board and in Chromium.

    python -m tests.places.table_picture docs/web/places.svg

It needs the Debian packages of `make test-places`.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from export.benchmark.results import table
from tests.places.browser import chromium, web_command
from tests.places.emulated_board import emulated_board, write_python
from tests.places.sshd import Server

ASSETS = Path(__file__).parents[2] / "android_demo" / "app" / "src" / "main" / "assets" / "models"
NAMES = ("lenet5_mnist_float32", "resnet20_fashion_mnist_static_wi8_ai8")


def main(out: Path) -> None:
    """Measure, and write the table as an SVG file that fetches no font."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        os.environ["PATH"] = f"{server.bin}{os.pathsep}{os.environ['PATH']}"
        try:
            home = server.add_account("board")
            write_python(home / "bin" / "python3", emulated_board())
            with chromium() as browser:
                page = browser.new_page()
                files = [ASSETS / f"{name}.tflite" for name in NAMES]
                with web_command(files, "--local", "--ssh", "board", "--num-runs", "50") as command:
                    page.goto(command.url)
                    code, document, lines = command.finish(page)
        finally:
            server.close()
    if code:
        sys.exit(lines)
    console = Console(width=194, file=io.StringIO(), record=True)
    console.print(table(document["rows"]))
    svg = console.export_svg(title="cnn-keras benchmark --local --ssh board --web")
    out.write_text(re.sub(r"@font-face \{[^}]*\}", "", svg), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
