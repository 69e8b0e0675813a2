"""Cached results of studies in run folders.

A study that was killed resumes with its cached results. A result is used only for the model and the
settings that it was computed with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..command import log
from ..training.run_folder import Run

FOLDER = "findings"


def cached_result(
    run: Run, name: str, settings: Mapping[str, Any], compute: Callable[[], Any]
) -> Any:
    """Return a cached result of a run, or compute and cache it.

    It is computed again if `model.keras` or the settings have changed.

    Args:
        run: A finished run; the cache is its file `findings/NAME.json`.
        name: Name of the result.
        settings: All else that the result depends on, of JSON types.
        compute: Returns the result, of JSON types.

    Returns:
        The result as parsed JSON, with lists for tuples.
    """
    model = hashlib.sha256((run.path / "model.keras").read_bytes()).hexdigest()
    key = json.loads(json.dumps({"model": model, **settings}))
    file = f"{FOLDER}/{name}.json"
    try:
        document = json.loads((run.path / file).read_bytes())
        if document["asked"] == key:
            return document["found"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # missing, or not a cached result: it is overwritten
    log(f"{run.path}: {name.replace('_', ' ')}")
    document = {"asked": key, "found": compute()}
    run.write_json(file, document)
    return json.loads(json.dumps(document["found"]))
