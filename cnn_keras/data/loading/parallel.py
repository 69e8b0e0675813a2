"""Compute the elements of a sequence in threads or worker processes, in order, by Grain."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, TypeVar

from PIL import Image

from ...command import quiet
from ...errors import Error

Element = TypeVar("Element")

# A tenth of the time to decode an image of 500×400 is spent in Python, one thread at a time.
_MAX_THREADS = 8
# Elements that wait to be used, for each worker process. One more is being computed.
_BUFFERED_PER_WORKER = 2

# Blocks of memory that Pillow keeps for its next images: those of an image in the file's size, in
# the network's and between. A block has at most 16 MB.
_BLOCKS_PER_THREAD = 4


def num_threads() -> int:
    """Return how many threads decode images: as many as this process may use cores, but few."""
    return min(_MAX_THREADS, len(os.sched_getaffinity(0)))


class Elements(Iterator[Element]):
    """The elements of `in_order`, which any thread may close: then there are no more.

    Args:
        iterator: The iterator of Grain.
    """

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._lock = threading.Lock()
        self._is_closed = False

    def __next__(self) -> Element:
        with self._lock:
            if self._is_closed:
                raise StopIteration
            try:
                return next(self._iterator)
            except RuntimeError as error:
                if "Worker process was terminated" not in str(error):
                    raise
                raise Error(
                    "A worker process was killed, perhaps because memory or shared memory "
                    "(/dev/shm) is short: use fewer --workers."
                ) from error

    def close(self) -> None:
        """End threads and worker processes, when none is waiting for the next element."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._iterator.close()


_open: set[Elements[Any]] = set()


def close_all() -> None:
    """Close the elements that are still open, and are read in threads of TensorFlow.

    These threads end late, and Grain does not close an iterator twice.
    """
    for elements in list(_open):
        elements.close()


@contextmanager
def in_order(
    function: Callable[[int], Element], count: int, first: int = 0, workers: int = 0
) -> Iterator[Iterator[Element]]:
    """Compute `function(index)` for the indices from `first` to `count`, ahead of their use.

    Args:
        function: Computes an element. Worker processes need a function that can be pickled, and
            that needs no TensorFlow.
        count: Number of all elements.
        first: Index of the first element to compute.
        workers: Number of worker processes; with 0, threads of this process compute the elements.

    Yields:
        An iterator over the elements in order. Threads and worker processes end with the context,
        or by `close_all`.
    """
    grain = _import_grain()
    _prepare_pillow(num_threads())
    elements = grain.MapDataset.range(first, count).map(function)
    if workers:
        elements = elements.to_iter_dataset(grain.ReadOptions(1, 1))
        # Images are passed in shared memory. A worker that had to write them to a pipe could not
        # end before they were read.
        shared_memory = grain.experimental.DatasetOptions(min_shm_size=4096)
        elements = grain.experimental.WithOptionsIterDataset(elements, shared_memory)
        options = grain.MultiprocessingOptions(workers, _BUFFERED_PER_WORKER)
        elements = elements.mp_prefetch(options, worker_init_fn=_start_worker)
    else:
        threads = num_threads()
        elements = elements.to_iter_dataset(grain.ReadOptions(threads, 2 * threads))
    iterator: Any = iter(elements)
    opened: Elements[Element] = Elements(iterator)
    _open.add(opened)
    try:
        if workers:
            _start(iterator, workers)
        yield opened
    finally:
        opened.close()
        _open.discard(opened)


def _start(iterator: Any, workers: int) -> None:
    """Start the worker processes, without the warning of `_import_grain` in each of them."""
    count = len(multiprocessing.active_children()) + workers
    iterator.get_state()  # creates what the next line starts
    with quiet(2):  # the workers keep this stderr
        iterator.start_prefetch()  # in threads
        for _ in range(1000):
            if len(multiprocessing.active_children()) >= count:
                break
            time.sleep(0.01)


def _import_grain() -> Any:
    """Import Grain without its warning that there is no JAX, whose profiler it would use."""
    from absl import flags, logging

    logging.set_verbosity(logging.ERROR)
    if not flags.FLAGS.is_parsed():  # with JAX, Grain reads options of the command line
        flags.FLAGS.mark_as_parsed()
    import grain

    return grain


def _prepare_pillow(threads: int) -> None:
    """Ignore Pillow's warnings of broken metadata and large images, and let it reuse memory.

    With new memory for each image, 0.8 of the 3.4 ms that an image of 500×400 pixels takes to
    become a part of a batch are spent on page faults.

    Args:
        threads: Number of threads of this process that decode images.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Documented, but not exported for type checkers.
    Image.core.set_blocks_max(_BLOCKS_PER_THREAD * threads)  # type: ignore[attr-defined]


def _start_worker(index: int, count: int) -> None:
    """Prepare a worker process: it ends with its parent, which alone reacts to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prepare_pillow(threads=1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when another one ends, also if that is killed."""
    wait([sentinel])
    os._exit(1)
