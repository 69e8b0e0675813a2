"""Findings: what a study computed from a trained network, kept in its run folder.

A study that was killed goes on with what it has, and another budget does not pass for this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..command import log
from ..training.run_folder import Run

FOLDER = "findings"


def kept(run: Run, name: str, asked: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
    """Return a finding about a run: the one it keeps, or what is computed and kept now.

    It is computed anew where `model.keras` is another than it was, or something else is asked.

    Args:
        run: A finished run; the finding is its `findings/NAME.json`.
        name: Of the finding.
        asked: Everything else that it depends on, of JSON types.
        compute: Returns the finding, of JSON types.

    Returns:
        The finding as JSON gives it back: tuples are lists.
    """
    model = hashlib.sha256((run.path / "model.keras").read_bytes()).hexdigest()
    key = json.loads(json.dumps({"model": model, **asked}))
    file = f"{FOLDER}/{name}.json"
    try:
        document = json.loads((run.path / file).read_bytes())
        if document["asked"] == key:
            return document["found"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # not there, or not ours: it is written anew
    log(f"{run.path}: {name.replace('_', ' ')}")
    document = {"asked": key, "found": compute()}
    run.write_json(file, document)
    return json.loads(json.dumps(document["found"]))
