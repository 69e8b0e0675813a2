"""A model card as text, from its template."""

from __future__ import annotations

from pathlib import Path

from cnn_keras.report.templates import markdown_environment

from . import facts
from .facts import ModelCard

_FOLDER = Path(__file__).parent


def render(card: ModelCard) -> str:
    """Return a model card as Markdown with a YAML header, as the Hugging Face Hub reads it.

    Reference:
        https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    template = markdown_environment(_FOLDER).get_template("card.md.j2")
    return template.render(card=card, facts=facts)
