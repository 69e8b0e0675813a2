"""The facts of the report: texts and numbers from run folders, exports and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cnn_keras import __version__, zoo
from cnn_keras.experiments.estimates import wilson
from cnn_keras.inspection import anatomy
from cnn_keras.machine import versions
from cnn_keras.report.formatting import enumerate_names, keep_units, plural
from cnn_keras.tables import significant
from cnn_keras.training.run_folder import Run

from ..benchmark.integer_speed import integer_note
from ..benchmark.runner import Row
from ..recipes import RECIPES, Recipe
from .figures import Bubble, learning_rate_changes


class Entry(NamedTuple):
    """One trained network with its files.

    Attributes:
        run: Its finished run.
        export: The content of `export.json`.
        benchmarks: Rows of `cnn-keras benchmark`; those of other files are ignored.
        package_name: Name of the trained network, if it came with the package.
    """

    run: Run
    export: dict[str, Any]
    benchmarks: list[dict[str, Any]]
    package_name: str | None = None

    @property
    def name(self) -> str:
        """The network and its data set; for a network from the package, its name there."""
        return self.package_name or f"{self.run.config['network']} on {self.run.config['data']}"

    @property
    def is_shipped(self) -> bool:
        """Whether the network came with the package."""
        return self.package_name is not None

    @property
    def origin(self) -> str:
        """Where the network comes from."""
        return "from the package" if self.is_shipped else "trained now"

    @property
    def threads(self) -> list[int]:
        """The numbers of threads that the files were measured with, ascending."""
        hashes = {file["sha256"] for file in self.export["files"]}
        return sorted({r["num_threads"] for r in self.benchmarks if r["sha256"] in hashes})

    @property
    def rows(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Each measured file with its benchmark row, once for each number of threads."""
        return [
            (file, row)
            for file in self.export["files"]
            for count in self.threads
            if (row := self.measured(file, count))
        ]

    @property
    def smallest(self) -> dict[str, Any] | None:
        """The smallest accepted file, None if there is none."""
        accepted = (file for file in self.export["files"] if file["accepted"])
        return min(accepted, key=lambda file: (file["size_bytes"], file["recipe"]), default=None)

    @property
    def fastest(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The accepted file of the lowest median latency and its row, None if none was measured."""
        return min(
            (pair for pair in self.rows if pair[0]["accepted"]),
            key=lambda pair: (pair[1]["latency_p50_ms"], pair[0]["recipe"], pair[1]["num_threads"]),
            default=None,
        )

    def measured(self, file: dict[str, Any], num_threads: int) -> dict[str, Any] | None:
        """Return the latest benchmark row of a file, None if it was not measured."""
        for row in reversed(self.benchmarks):
            if (row["sha256"], row["num_threads"]) == (file["sha256"], num_threads):
                return row
        return None


def summary(entries: Sequence[Entry], host: dict[str, Any]) -> str:
    """Summarize the verdicts of the files, and say where latencies were measured."""
    files = [(entry, file) for entry in entries for file in entry.export["files"]]
    refused = [(entry, file) for entry, file in files if not file["accepted"]]
    if refused:
        names = [
            f"{file['recipe']} of {entry.package_name or entry.run.config['network']}"
            for entry, file in refused
        ]
        accepted = len(files) - len(refused)
        sentences = [
            f"{accepted} of {len(files)} files {'is' if accepted == 1 else 'are'} accepted; "
            f"{enumerate_names(names)} {'is' if len(names) == 1 else 'are'} refused "
            "(see the table)."
        ]
    else:
        sentences = [f"All {len(files)} files are accepted."]
    if few := sum(file.get("too_few_images", False) for _, file in files):
        sentences.append(
            f"{few} of them {'was' if few == 1 else 'were'} compared on too few images for a "
            "reliable verdict."
        )
    if any(entry.threads for entry in entries):
        sentences.append(
            f"Latencies are for one image on {host['cpu']}, {plural(host['cores'], 'core')}."
        )
    return keep_units(" ".join(sentences))


def accuracy(entry: Entry) -> str:
    """Return the accuracy of a network on the test split, with its interval."""
    test = entry.run.metrics["test"]
    low, high = wilson(test["accuracy"], test["num_images"])
    return f"{100 * test['accuracy']:.2f} % ({100 * low:.1f}–{100 * high:.1f})"


def network_facts(entry: Entry) -> list[tuple[str, str]]:
    """Return network, data set, training settings and accuracies."""
    run = entry.run
    config, metrics, shape = run.config, run.metrics, run.preprocessing
    size = (shape.height, shape.width, shape.channels)
    model = zoo.build(config["network"], size, len(run.classes), **config["options"])
    rows = anatomy.rows(model)
    test = metrics["test"]
    counts = [metrics["num_train_images"], metrics["validation"]["num_images"], test["num_images"]]
    recipe = config["recipe"]
    options = "".join(f", {key} {value}" for key, value in config["options"].items())
    facts = [
        ("network", f"{config['network']}{options}"),
        ("paper", zoo.network(config["network"]).paper),
        ("data set", f"{config['data']}, {len(run.classes)} classes"),
        ("images: train, validation, test", " / ".join(f"{count:,}" for count in counts)),
        ("input", " × ".join(map(str, size))),
        ("parameters", f"{sum(row.parameters for row in rows):,}"),
        ("multiply-adds per image", f"{sum(row.macs for row in rows):,}"),
        ("epochs", f"{len(run.history)}, batch size {recipe['batch_size']}"),
        ("learning rate", _learning_rate(run)),
        _training_time(entry),
        ("validation accuracy", f"{100 * metrics['validation']['accuracy']:.2f} %"),
        ("test accuracy (95 % interval)", accuracy(entry)),
    ]
    return [(keep_units(name), keep_units(value)) for name, value in facts]


def _learning_rate(run: Run) -> str:
    """Return the rates of a schedule in steps, or the name of another with its highest rate."""
    recipe = run.config["recipe"]
    schedule = recipe.get("schedule", "step")
    if schedule != "step":
        return f"{schedule.replace('_', ' ')}, up to {recipe['learning_rate']:g}"
    return " → ".join(dict.fromkeys(f"{row['learning_rate']:.3g}" for row in run.history))


def _training_time(entry: Entry) -> tuple[str, str]:
    """Return the seconds of a training on this machine; those of another are not comparable."""
    seed = entry.run.config["seed"]
    if entry.is_shipped:
        return "seed", str(seed)
    return "training time", f"{entry.run.metrics['train_seconds']:,.0f} s, seed {seed}"


def recipe_limits(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return the recipes of the files, each with its summary and limits."""
    used = {file["recipe"] for entry in entries for file in entry.export["files"]}
    return [(name, _limits(row)) for name, row in RECIPES.items() if name in used]


def _limits(recipe: Recipe) -> str:
    limits = recipe.limits
    text = f"{recipe.summary}. Limits: drop at most {limits.max_drop_points:g} points, "
    text += f"agreement at least {100 * limits.min_agreement:g} %"
    text += " with the network after that training" if recipe.techniques else ""
    if limits.max_abs_error is not None:
        text += f", error of a probability at most {limits.max_abs_error:g}"
    return f"{text[0].upper()}{text[1:]}."


def conditions(entry: Entry) -> str:
    """Return the images that accuracy, calibration and latency are measured on."""
    export = entry.export
    count = export["num_images"]
    text = f"Accuracy is measured on {count:,} {export['split']} images; "
    text += f"one image is {100 / count:.2g} points."
    if calibration := export.get("calibration"):
        text += f" Static recipes are calibrated on {calibration['num_images']} training images."
    if kinds := {row["inputs"] for _, row in entry.rows}:
        text += f" Latency is measured on {' and '.join(sorted(kinds))} images."
    return keep_units(text)


def notes(entry: Entry, host: dict[str, Any]) -> list[str]:
    """Return remarks on the results: doubts, slow integer files, a busy machine."""
    measurements = [Row(**{field: row[field] for field in Row._fields}) for _, row in entry.rows]
    found = [*entry.export["remarks"]]
    found += (integer_note(host["instructions"], measurements) or "").splitlines()
    load = max(_loads([entry]), default=0.0)
    if load > host["cores"]:
        found.append(
            f"The load average before a measurement was up to {load:g} on "
            f"{plural(host['cores'], 'core')}. If other programs caused it, the medians are still "
            "comparable, but p90 and p99 include the delays by those programs."
        )
    return found


def machine_facts(entries: Sequence[Entry], host: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the properties of the machine that measured the latencies."""
    loads = _loads(entries) or [host["load_average"]]
    span = f"{min(loads):g}" if min(loads) == max(loads) else f"{min(loads):g} to {max(loads):g}"
    return [
        ("processor", f"{host['cpu']}, {host['architecture']}, {plural(host['cores'], 'core')}"),
        ("instructions", ", ".join(host["instructions"]) or "none detected"),
        ("frequency governor", host["governor"] or "not available"),
        ("load average", f"{span} before each measurement"),
        ("memory", f"{host['memory_mb']:,} MiB"),
        ("system", f"{host['os']}, kernel {host['kernel']}"),
    ]


def _loads(entries: Iterable[Entry]) -> list[float]:
    return [row["host"]["load_average"] for entry in entries for row in entry.benchmarks]


def package_versions(entries: Sequence[Entry]) -> str:
    """Return the versions of the packages that measured, or else are installed here."""
    found = versions() | {"cnn-keras": __version__}
    for entry in entries:
        for row in entry.benchmarks:
            found |= row["versions"]
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def file_hashes(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return the name and the SHA-256 of each file."""
    return [
        (_file_name(entry, file), file["sha256"])
        for entry in entries
        for file in entry.export["files"]
        if file["sha256"]
    ]


def _file_name(entry: Entry, file: dict[str, Any]) -> str:
    if not file["file"]:
        return f"{entry.name}, {file['recipe']} (not written)"
    return f"{'package/' * entry.is_shipped}{file['file']}"


def bubbles(entry: Entry) -> list[Bubble]:
    """Return the files measured with the lowest number of threads, for `draw_files`."""
    return [
        Bubble(
            file["recipe"],
            f"{significant(row['latency_p50_ms'])} ms · {file['size_bytes'] / 1000:,.0f} kB",
            row["latency_p50_ms"],
            100 * file["top1_file"],
            file["size_bytes"],
        )
        for file, row in entry.rows
        if row["num_threads"] == entry.threads[0]
    ]


def training_description(entry: Entry) -> str:
    """Describe the training figure for screen readers."""
    last = entry.run.history[-1]
    return (
        f"Error and loss over {plural(len(entry.run.history), 'epoch')}. In the last epoch the "
        f"error is {100 * (1 - last['accuracy']):.2f} % on training images and "
        f"{100 * (1 - last['val_accuracy']):.2f} % on validation images."
    )


def training_caption(entry: Entry) -> str:
    """Return the caption of the training figure."""
    text = (
        "The training error is counted during the epoch, while the weights change, and on "
        "augmented images if the recipe augments; it can exceed the validation error."
    )
    if learning_rate_changes(entry.run.history):
        text += " Dotted lines: changes of the learning rate."
    return text


def files_description(entry: Entry) -> str:
    """Describe the chart of the files for screen readers."""
    files = (f"{file.name} {file.accuracy:.2f} %, {file.detail}" for file in bubbles(entry))
    return f"Top-1 accuracy against median latency: {'; '.join(files)}"


def files_caption(entry: Entry) -> str:
    """Return the caption of the chart of the files."""
    if not entry.threads:
        return "No file was measured."
    count = entry.threads[0]
    text = (
        f"Latency is the median with {plural(count, 'thread')}; areas are proportional to file "
        f"sizes. Dotted line: the Keras model, {reference(entry):.2f} %."
    )
    if missing := [f["recipe"] for f in entry.export["files"] if not entry.measured(f, count)]:
        text += f" Not measured, so not shown: {enumerate_names(missing)}."
    return keep_units(text)


def reference(entry: Entry) -> float:
    """Return the top-1 accuracy of the Keras model, in percent."""
    return 100 * float(entry.export["files"][0]["top1_float"])
