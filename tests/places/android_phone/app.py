"""What our app does on the phone; its row is one that the app itself has written.

`BenchmarkJobTest` in `android_demo/` runs the app, writes the row into `app_result.json`, and
checks that later versions write the same keys.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.benchmark.places.digest import DigestError, Reference, Rule, compare
from export.benchmark.places.place import Outputs
from export.tflite.interpreter import Interpreter, ModelFileError
from tests.fixtures import FIXTURES

if TYPE_CHECKING:
    from tests.places.android_phone.phone import Phone

PACKAGE = "org.cnnkeras.demo"
ACTIVITY = f"{PACKAGE}/.ui.screens.BenchmarkActivity"
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"

BEHAVIORS = ("works", "crashes", "dies", "ignores", "hangs", "stops", "refuses")
"""How the app answers a job: it crashes in Java, is killed, is too old for jobs, never ends, is
stopped by another app, or cannot load its native library."""

STOPPED = "The benchmark was stopped: unlock the phone, and keep the app in the foreground."
NO_LIBRARY = "This app has no LiteRT that runs on this phone's processor (riscv64)."


def run(phone: Phone, job: str) -> None:
    """Answer the job in a folder."""
    folder = phone.path(f"{FOLDER}/{job}")
    if phone.app == "ignores":
        return
    (folder / "started").touch()
    time.sleep(0.5)
    if phone.app in ("crashes", "dies"):
        phone.end_app()
    elif phone.app == "stops":
        _end(folder, {"error": STOPPED})
    elif phone.app == "refuses":
        _end(folder, {"error": NO_LIBRARY})
    elif phone.app == "works":
        _end(folder, _measure(phone, folder))


def outputs_of(phone: Phone, file: Path, raw: NDArray[Any]) -> NDArray[Any]:
    """Return the raw outputs `(n, classes)` of a file for raw images, in LiteRT here."""
    interpreter = Interpreter(file)
    images = raw.reshape(-1, *interpreter.input.shape)
    outputs = []
    for image in images:
        interpreter.set_input(image)
        interpreter.invoke()
        outputs.append(interpreter.get_output())
    found = np.concatenate(outputs)
    if phone.flip:
        found[0] = found[0, ::-1]
    return found


def _measure(phone: Phone, folder: Path) -> dict[str, Any]:
    settings = json.loads((folder / "job.json").read_text())
    file = folder / settings["file"]
    try:
        interpreter = Interpreter(file)
    except ModelFileError as error:
        return {"error": str(error)}
    raw = np.frombuffer((folder / "inputs.bin").read_bytes(), interpreter.input.dtype)
    outputs = outputs_of(phone, file, raw)
    (folder / "outputs.bin").write_bytes(outputs.tobytes())
    data = (folder / "expected.bin").read_bytes()
    expected = np.frombuffer(data, interpreter.output.dtype).reshape(outputs.shape)
    rule = Rule(settings["rule"])
    reference = Reference(expected, interpreter.output, 0, rule, settings["step"])
    try:
        digest = compare(reference, Outputs(outputs, None))
    except DigestError as error:
        return {"error": f"{error}."}
    row = json.loads((FIXTURES / "app_result.json").read_text("utf-8"))["row"]
    row |= {
        "inputs": settings["inputs"],
        "file": file.name,
        "size_bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "num_threads": settings["num_threads"],
        "digest": digest._asdict(),
    }
    return {"row": row}


def _end(folder: Path, result: dict[str, Any]) -> None:
    part = folder / "result.json.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.rename(folder / "result.json")
