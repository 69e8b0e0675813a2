"""Rows of `cnn-keras benchmark`, and the `export.json` of the measured files."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SHA256 = hashlib.sha256(b"file").hexdigest()
HOSTILE = "<script>alert(1)</script>|\"'><img src=http://x.example/a.png>,`*[]\\\u2028"


def benchmark_row(**changes: Any) -> dict[str, Any]:
    """Return a row that fits the schema."""
    latencies = {"p50": 1.0, "p90": 1.1, "p95": 1.15, "p99": 1.25}
    latencies |= {"min": 0.9, "mean": 1.02, "std": 0.05}
    return {
        "time": "2026-11-30T12:00:00+00:00",
        "file": "files/lenet5_float32.tflite",
        "size_bytes": 251_990,
        "sha256": SHA256,
        "dtype": "float32",
        "activation_dtype": "float32",
        "num_threads": 1,
        "inputs": "validation",
        "load_ms": 0.9,
        "first_ms": 1.5,
        **{f"latency_{name}_ms": value for name, value in latencies.items()},
        "num_runs": 50,
        "quantize_p50_ms": None,
        "copy_in_p50_ms": 0.001,
        "copy_out_p50_ms": 0.0004,
        "rss_before_load_mb": 41.5,
        "peak_rss_mb": 45.3828125,
        "nodes": 13,
        "delegated_nodes": 13,
        "partitions": 1,
        "timer_overhead_ns": 40.0,
        "threads_used": 1,
        "place": "local",
        "runtime": "LiteRT",
        "runtime_version": "2.3.0",
        "delegate_used": "XNNPACK",
        "digest": {
            "images": 32,
            "sha256": SHA256,
            "rule": "float",
            "equal": True,
            "max_difference": 0.0,
            "agreement": 1.0,
            "distinct_outputs": 32,
        },
        "untrained": False,
        "vs": None,
        "host": {
            "cpu": "AMD EPYC",
            "architecture": "x86_64",
            "cores": 2,
            "instructions": ["FMA", "AVX2"],
            "governor": None,
            "load_average": 0.5,
            "memory_mb": 24105,
            "os": "Debian GNU/Linux 12 (bookworm)",
            "kernel": "6.1.0",
        },
        "versions": {"python": "3.11.7", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"},
        **changes,
    }


def row_of_0_1_0(**changes: Any) -> dict[str, Any]:
    """Return a row as version 0.1.0 wrote it."""
    later = [
        "place",
        "runtime",
        "runtime_version",
        "threads_used",
        "delegate_used",
        "digest",
        "untrained",
    ]
    return {key: value for key, value in benchmark_row(**changes).items() if key not in later}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_export(
    folder: Path, files: Sequence[dict[str, Any]], network: str = "lenet5", data: str = "digits"
) -> Path:
    """Write an `export.json` with rows for files; what a row lacks is that of a good file."""
    row = {"recipe": "float32", "sha256": SHA256, "top1_file": 0.9, "num_images": 100}
    row |= {"drop_points": 0.5, "accepted": True, "audit": {"input": {"shape": [1, 32, 32, 1]}}}
    rows = [row | changes for changes in files]
    document = {"run": "runs/a", "network": network, "data": data, "files": rows}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "export.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


NETWORKS = {"lenet5": ("digits", 0.985), "resnet20": ("fashion_mnist", 0.915), "nin": (None, None)}
RECIPES = {"float32": (1.0, 4.0), "float16": (1.0, 2.0), "static_wi8_ai8": (0.4, 1.0)}
HOSTS = {"local": "AMD EPYC", "ssh:pi@board": "Raspberry Pi 5", "ssh:pi@old": "Raspberry Pi 4"}


def write_history(folder: Path, count: int) -> Path:
    """Write measurements of a year, and the `export.json` of their files.

    The files of one network have no export, and those of another one are untrained.
    """
    chosen = random.Random(0)
    rows = []
    for number in range(count):
        network = chosen.choice([*NETWORKS, "alexnet"])
        recipe, (speed, size) = chosen.choice([*RECIPES.items()])
        place, cpu = chosen.choice([*HOSTS.items()])
        threads = chosen.choice([1, 2, 4])
        late = number > count / 2
        latency = 12.5 * speed / threads * chosen.uniform(0.97, 1.03) * (0.9 if late else 1.0)
        names = ("p50", "p90", "p95", "p99", "min", "mean")
        when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=330) * number / count
        base = benchmark_row()
        rows.append(
            base
            | {f"latency_{name}_ms": latency for name in names}
            | {
                "time": when.isoformat(timespec="seconds"),
                "file": f"runs/{network}/files/{network}_{recipe}.tflite",
                "sha256": _sha256(network, recipe),
                "size_bytes": int(60_000 * size),
                "peak_rss_mb": 44 + size + chosen.random(),
                "num_threads": threads,
                "place": place,
                "runtime_version": "2.3.0" if late else "2.2.0",
                "untrained": network == "alexnet",
                "host": base["host"] | {"cpu": cpu},
            }
        )
    for network, (data, accuracy) in NETWORKS.items():
        if data and accuracy:
            files = [
                {
                    "recipe": recipe,
                    "sha256": _sha256(network, recipe),
                    "top1_file": accuracy + size / 1000,
                    "num_images": 2000,
                }
                for recipe, (_, size) in RECIPES.items()
            ]
            write_export(folder / network, files, network, data)
    return write_rows(folder / "results.jsonl", rows)


def _sha256(network: str, recipe: str) -> str:
    return hashlib.sha256(f"{network} {recipe}".encode()).hexdigest()
