"""The commands `list` and `summary`."""

from __future__ import annotations

from dataclasses import dataclass

from ..command import Command, Outcome, start_keras
from ..options import ModelOptions, NetworkArgument
from ..tables import table


@dataclass(frozen=True, kw_only=True)
class List(Command):
    """List the networks of the zoo, or the trained networks of the package."""

    weights: bool = False
    """List the trained networks: accuracy, size, license of the data, recipe and hash. Commands
    take their names for a run folder."""

    def __call__(self) -> Outcome:
        if self.weights:
            from . import trained_networks

            documents = trained_networks.documents()
            return Outcome(documents, trained_networks.table(documents))

        from ..zoo import ZOO

        document = [
            {
                "name": name,
                "depth": row.depth,
                "parameters": row.parameters,
                "macs": row.macs,
                "input_shape": row.input_shape,
                "num_classes": row.num_classes,
                "top5_error": row.top5_error,
                "paper": row.paper,
            }
            for name, row in ZOO.items()
        ]
        columns = ("name", "depth", "parameters", "MACs", "input", "classes", "top-5 error, %")
        rows = [
            (
                *(name, row.depth, row.parameters, row.macs),
                "×".join(map(str, row.input_shape)),
                row.num_classes,
                "" if row.top5_error is None else row.top5_error,
                row.paper,
            )
            for name, row in ZOO.items()
        ]
        return Outcome(document, table((*columns, "paper"), rows))


@dataclass(frozen=True, kw_only=True)
class Summary(ModelOptions, NetworkArgument, Command):
    """Show a network's rows beside its paper's numbers.

    Output shape, receptive field, parameters, multiply-adds, neurons and activation memory, with a
    note where the paper prints another number.
    """

    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels; the paper's by default."""
    num_classes: int | None = None
    """Number of classes; the paper's by default."""
    markdown: bool = False
    """Print a Markdown table."""

    def __call__(self) -> Outcome:
        from ..zoo import network

        network(self.name)  # a wrong name is reported before Keras is imported
        start_keras()
        from . import summary

        found = summary.summarize(
            self.name, self.input_shape, self.num_classes, self.model_options()
        )
        text = summary.markdown(found) if self.markdown else summary.table(found)
        return Outcome(summary.document(found), text)
