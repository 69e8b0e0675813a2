"""Explain in one line why `ssh` ended."""

from __future__ import annotations

import re

# Parts of messages of OpenSSH (sshconnect.c, sshconnect2.c, misc.c), and what they mean. The host
# and the command that reaches it are filled in.
_CAUSES = (
    (
        r"Could not resolve hostname",
        "is an unknown host: its name cannot be resolved. Check the name, or its Host entry in "
        "~/.ssh/config",
    ),
    (
        r"HOST IDENTIFICATION HAS CHANGED",
        "has another host key than before: another machine answers, or it was installed anew. If "
        "so, remove the old key with ssh-keygen -R",
    ),
    (
        r"Host key verification failed",
        "has an unknown host key: run '{command}' once, and accept the key if it is the board's",
    ),
    (
        r"Permission denied|Too many authentication failures",
        "refuses the login. '{command}' must work without a password: add your key with "
        "ssh-copy-id, and if the key has a passphrase, load it with ssh-add",
    ),
    (
        r"Connection refused",
        "refuses the connection: no SSH server listens at this port",
    ),
    (
        r"timed out|No route to host|Network is unreachable",
        "does not answer: check that it is on, and in this network",
    ),
    (
        r"python3: (command )?not found|not found: python3|[Uu]nknown command:? python3",
        "has no python3: install Python 3.9 or later there",
    ),
)
_TOO_OLD = re.compile(r"cnn-keras: Python (\S+)")


def explain(host: str, command: str, exit_code: int, text: str, connected: bool) -> str:
    """Return why a connection ended.

    Args:
        host: The host.
        command: The command that a user runs to log in there.
        exit_code: Exit code of `ssh`: 255 if the connection failed, otherwise that of the program.
        text: What `ssh` and the program wrote.
        connected: Whether the program there had answered.
    """
    last_line = (text.strip().splitlines() or [""])[-1].strip().rstrip(".")
    ended = last_line or f"exit code {exit_code}"
    if connected:
        return f"The connection to {host} was lost: {ended}."
    if old := _TOO_OLD.search(text):
        return f"{host} has Python {old[1]} as python3; measuring needs Python 3.9 or later there."
    for pattern, meaning in _CAUSES:
        if re.search(pattern, text):
            return f"{host} {meaning.format(command=command)}."
    if exit_code == 255:
        return f"ssh cannot connect to {host}: {ended}."
    return f"{host} runs no Python: {ended}. Measuring needs an account with a shell and python3."
