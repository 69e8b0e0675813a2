"""The part of a training's images that one of several processes loads."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """The images of each batch that this process loads, of several that train one network.

    Attributes:
        process: Number of this process.
        num_processes: Number of processes, which divides the size of a batch.
    """

    process: int = 0
    num_processes: int = 1

    def size(self, batch_size: int) -> int:
        """Return the number of its images in a batch."""
        return batch_size // self.num_processes

    def rows(self, batch_size: int) -> slice:
        """Return the places of its images in a batch.

        Example:
            >>> Share(1, 4).rows(32)
            slice(8, 16, None)
        """
        size = self.size(batch_size)
        return slice(self.process * size, (self.process + 1) * size)


WHOLE = Share()
"""All images: those of a single process."""
