"""Options of the commands that train many networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from .executor import Executor


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Where the trainings of a command run."""

    jobs: int = 1
    """Train this many networks at a time, each in its own process."""
    threads: int | None = None
    """Threads of each training; by default those of TensorFlow, and with --jobs the cores divided
    by it. Trainings are equal bit for bit only with the same number."""

    def executor(self) -> Executor:
        """Return what trains the networks.

        Raises:
            UsageError: A number is not above 0.
        """
        from .executor import IN_ORDER
        from .processes import Processes
        from .threads import divided_threads

        for name in ("jobs", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} must be 1 or more, not {value}.")
        if self.jobs == 1 and self.threads is None:
            return IN_ORDER
        return Processes(self.jobs, self.threads or divided_threads(self.jobs))
