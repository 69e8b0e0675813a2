from __future__ import annotations

import threading
from pathlib import Path

import pytest

from export.benchmark.places.place import PlaceError
from export.benchmark.places.web_page import page as module
from export.benchmark.places.web_page.page import Page, RefusedAnswerError, Task
from export.tflite.interpreter import ModelFileError


def new_page() -> Page:
    return Page({}, "web:Firefox 153 on Android")


def answered(page: Page, content: bytes) -> None:
    """Answer the next task from another thread, as the server does."""

    def work() -> None:
        found = page.next_task(0, 5.0)
        assert found
        page.progress(0.5)
        page.answer(found[0], content)

    threading.Thread(target=work).start()


def test_a_task_is_answered() -> None:
    page, progress = new_page(), []
    answered(page, b"abc")
    task = Task("outputs", {"a": 1}, max_answer_bytes=3, check=bytes.upper)
    assert page.ask(task, 5.0, progress.append) == b"ABC"
    assert set(progress) <= {0.0, 0.5}
    assert page.next_task(0, 0.0) is None


def test_a_page_that_is_loaded_again_gets_its_task_again() -> None:
    page = new_page()
    page.tell(Task("end"))
    assert page.next_task(1, 0.0) is None
    found = page.next_task(0, 0.0)
    assert found == (1, Task("end"))


def test_an_answer_is_accepted_once_and_only_for_the_task() -> None:
    page = new_page()
    with pytest.raises(RefusedAnswerError, match="over"):
        page.answer(0, b"")
    page.tell(Task("outputs"))
    with pytest.raises(RefusedAnswerError, match="over"):
        page.answer(2, b"")
    page.answer(1, b"first")
    with pytest.raises(RefusedAnswerError, match="over"):
        page.answer(1, b"second")


@pytest.mark.parametrize(("is_file", "error"), [(True, ModelFileError), (False, PlaceError)])
def test_a_page_says_why_it_fails(is_file: bool, error: type[Exception]) -> None:
    page = new_page()

    def work() -> None:
        found = page.next_task(0, 5.0)
        assert found
        page.fail(found[0], "out of memory", is_file)

    threading.Thread(target=work).start()
    with pytest.raises(error, match=r"net.tflite at web:Firefox 153 on Android: out of memory\."):
        page.ask(Task("outputs", file=Path("net.tflite")), 5.0, lambda _: None)


def test_a_page_that_takes_too_long_or_is_silent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlaceError, match="has not answered in 0 s"):
        new_page().ask(Task("time"), 0.01, lambda _: None)
    monkeypatch.setattr(module, "SILENT_SECS", 0.01)
    with pytest.raises(PlaceError, match="keep the page in front and the screen on"):
        new_page().ask(Task("time"), 5.0, lambda _: None)
