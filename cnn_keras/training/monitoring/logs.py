"""What Keras' callbacks receive of a network that may have several outputs."""

from __future__ import annotations

import keras


def main_logs(logs: dict[str, float], model: keras.Model) -> dict[str, float]:
    """Return Keras' logs with those of the first output under the names of a single output's logs.

    If there are several outputs, ``"total_loss"`` is the weighted sum of their losses.
    """
    if len(model.outputs) == 1:
        return logs
    output = model.output_names[0]
    names = {
        f"{prefix}{output}_{metric}": f"{prefix}{metric}"
        for prefix in ("", "val_")
        for metric in ("accuracy", "loss")
    }
    names["images_per_second"] = "images_per_second"  # of the callback `Throughput`
    main = {name: logs[key] for key, name in names.items() if key in logs}
    return main | {"total_loss": logs["loss"]}
