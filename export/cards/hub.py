"""Uploading of a folder to the Hugging Face Hub, with `huggingface_hub`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from cnn_keras.errors import Error, UsageError, first_line

PREFIX = "hf:"


def repository(target: str) -> str:
    """Return the repository that `--to` names.

    Raises:
        UsageError: It is not `hf:USER/NAME`.

    Example:
        >>> repository("hf:ada/lenet5-digits")
        'ada/lenet5-digits'
    """
    name = target.removeprefix(PREFIX)
    if name == target or not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII):
        raise UsageError(f"--to is hf:USER/NAME, for example hf:ada/lenet5-digits, not {target}.")
    return name


def upload(folder: Path, name: str, *, private: bool = False) -> str:
    """Upload a folder to a repository of the Hub in one commit; the repository is made if needed.

    TFLite files of an earlier upload that the folder lacks are deleted, because no card describes
    them.

    Args:
        folder: The folder.
        name: The repository, `USER/NAME`.
        private: Whether a new repository is private.

    Returns:
        The address of the repository.

    Raises:
        UsageError: The name of the repository is not valid.
        Error: `huggingface_hub` is missing, there is no token, the Hub refuses it or the files, or
            there is no connection.
    """
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError
    except ModuleNotFoundError as error:
        raise Error(
            'publish needs huggingface_hub: pip install ".[hub]", or pip install huggingface_hub.'
        ) from error
    api = huggingface_hub.HfApi()
    if huggingface_hub.get_token() is None:
        raise Error(
            f"There is no token for {api.endpoint}: log in with `hf auth login`, or set HF_TOKEN."
        )
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()
    try:
        url = api.create_repo(name, private=private or None, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            delete_patterns="*.tflite",
            commit_message="Upload model, card and exported files",
        )
    except HFValidationError as error:
        raise UsageError(f"{name} is no name of a repository: {first_line(error)}") from error
    except HfHubHTTPError as error:
        raise _refusal(error, name, api.endpoint) from error
    except ValueError as error:  # the header of the card
        raise Error(f"{api.endpoint} refuses the files: {' '.join(str(error).split())}") from error
    except (HTTPError, OSError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, RuntimeError) else None  # of one file
        if isinstance(cause, HfHubHTTPError):
            raise _refusal(cause, name, api.endpoint) from error
        reason = first_line(cause if isinstance(cause, Exception) else error).rstrip(".")
        raise Error(
            f"{name} cannot be uploaded to {api.endpoint}: {reason}. Is there a connection?"
        ) from error
    return str(url)


def _refusal(error: Any, name: str, endpoint: str) -> Error:
    """Return the error for an answer of the Hub."""
    status = error.response.status_code
    if status == 401:
        return Error(
            f"{endpoint} refuses the token: log in again with `hf auth login`, or set HF_TOKEN."
        )
    if status == 403:
        return Error(
            f"The token may not write to {name}: name a repository of your own, or use a token "
            "with write access."
        )
    reason = (error.server_message or first_line(error)).rstrip(".")
    return Error(f"{endpoint} answers {status}: {reason}.")
