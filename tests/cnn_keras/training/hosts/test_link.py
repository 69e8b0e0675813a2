"""The connections of the processes of a training, all in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.hosts import link
from cnn_keras.training.hosts.cluster import Cluster
from cnn_keras.training.hosts.link import Link, free_port
from cnn_keras.training.hosts.setup import Setup

Failures = dict[int, list[tuple[str, int]]]


def links(
    count: int, options: dict[int, dict[str, Any]] | None = None
) -> tuple[list[Link], Failures]:
    """Return the link of each process, and the failures that they report."""
    address = f"127.0.0.1:{free_port()}"
    failures: Failures = {index: [] for index in range(count)}
    found = []
    for index in range(count):
        setup = Setup({}, (options or {}).get(index, {}))

        def note(line: str, exit_code: int, index: int = index) -> None:
            failures[index].append((line, exit_code))

        found.append(Link(Cluster(count, index, address), setup, note))
    return found, failures


async def join(found: list[Link], timeout: float = 20) -> list[Any]:
    return await asyncio.gather(*(each.join(timeout) for each in found), return_exceptions=True)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


def test_processes_learn_the_address_of_jax_and_end_together() -> None:
    async def work() -> None:
        found, failures = links(3)
        addresses = await join(found)
        assert len(set(addresses)) == 1
        assert addresses[0].startswith("127.0.0.1:")
        await asyncio.gather(*(each.finish() for each in found))
        for each in found[::-1]:
            await each.close()
        assert not any(failures.values())

    run(work())


def test_a_failure_reaches_all_others() -> None:
    async def work() -> None:
        found, failures = links(3)
        await join(found)
        found[2].send_failure("Process 2 has failed.", 1)
        await asyncio.sleep(0.2)
        assert failures[0][:1] == failures[1][:1] == [("Process 2 has failed.", 1)]
        for each in found:
            await each.close()

    run(work())


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_ends_is_named(victim: int) -> None:
    async def work() -> None:
        found, failures = links(2)
        await join(found)
        await found[victim].close()
        await asyncio.sleep(0.2)
        line = failures[1 - victim][0][0]
        assert line.startswith(f"Process {victim} on ")
        assert line.endswith(" has ended without a message")
        await found[1 - victim].close()

    run(work())


def test_a_process_that_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "BEAT", 0.1)
    monkeypatch.setattr(link, "SILENCE", 1.0)

    async def work() -> None:
        found, failures = links(3)
        await join(found)
        found[1]._tasks[-1].cancel()  # sends no more heartbeats
        await asyncio.sleep(2)
        for index in (0, 2):
            line = failures[index][0][0]
            assert line.startswith("Process 1 on ")
            assert line.endswith(" has not answered for 1 s")
        for each in found:
            await each.close()

    run(work())


def test_another_setup_is_refused_everywhere() -> None:
    async def work() -> None:
        found, _ = links(3, {index: {"seed": int(index == 2)} for index in range(3)})
        errors = await join(found)
        for error in errors:
            assert isinstance(error, UsageError)
            assert str(error).startswith("Process 2 on ")
            assert "has seed 1, and process 0 on " in str(error)
        for each in found:
            await each.close()

    run(work())


def test_process_0_names_those_that_do_not_come() -> None:
    async def work() -> None:
        found, _ = links(4)
        errors = await join([found[0], found[2]], timeout=1)
        for error in errors:
            assert str(error).startswith("2 of 4 processes did not reach process 0 at 127.0.0.1:")
            assert "within 1 s: those with the numbers 1, 3. Start them all" in str(error)
        for each in found:
            await each.close()

    run(work())


def test_a_coordinator_that_cannot_be_reached_is_one_line() -> None:
    async def work() -> None:
        found, _ = links(2)
        (error,) = await join(found[1:], timeout=1)
        assert isinstance(error, Error)
        assert str(error).startswith("Process 1 cannot reach process 0 at 127.0.0.1:")
        assert "within 1 s (" in str(error)

    run(work())


def test_an_address_in_use_is_one_line() -> None:
    async def work() -> None:
        found, _ = links(2)
        server = await asyncio.start_server(lambda *_: None, *found[0].cluster.address)
        (error,) = await join(found[:1], timeout=1)
        assert str(error).startswith("Process 0 cannot listen at 127.0.0.1:")
        server.close()

    run(work())


def test_strangers_and_second_processes_are_kept_out() -> None:
    async def work() -> None:
        found, failures = links(2)
        first = asyncio.create_task(found[0].join(20))
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(*found[0].cluster.address)
        writer.write(b"GET / HTTP/1.1\n")
        assert await reader.read() == b""
        writer.close()
        again = Link(found[1].cluster._replace(process=0), found[1].setup, lambda *_: None)
        again.cluster = Cluster(3, 2, found[0].cluster.coordinator)  # beyond the two processes
        with pytest.raises(UsageError, match="give each process its own --process-id"):
            await again.join(5)
        await found[1].join(20)
        await first
        assert not any(failures.values())
        for each in (*found, again):
            await each.close()

    run(work())
