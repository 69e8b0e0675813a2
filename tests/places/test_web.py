"""Measurements in Chromium, with Debian's packages chromium and npm."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import jsonschema
import numpy as np
import pytest
from PIL import Image

from cnn_keras import zoo
from cnn_keras.data.preprocessing import Preprocessing
from export.benchmark.places.row_schema import schema
from export.conversion.convert import convert
from export.conversion.quantize import quantize
from export.conversion.untrained import untrained_files
from export.recipes import RECIPES
from tests.fixtures import FIXTURES
from tests.places.sshd import Server, write_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


pytestmark = pytest.mark.places

ASSETS = Path(__file__).parents[2] / "android_demo" / "app" / "src" / "main" / "assets" / "models"
LENET = ASSETS / "lenet5_mnist_float32.tflite"
NETWORKS = ("lenet5", "resnet20")
FORMS = ("float32", "float16", "int8", "int8_uint8_ends")


def write_forms(out: Path, network: str, float32: bytes, calibration: Any) -> None:
    """Write a network in every form that the page runs."""
    static = {"recipe": "static_wi8_ai8", "calibration": calibration}
    contents = {
        "float32": float32,
        "float16": quantize(float32, "float16"),
        "int8": quantize(float32, **static),
        "int8_uint8_ends": quantize(
            float32, **static, input_type="uint8", output_type="uint8", input_range=(-1.0, 1.0)
        ),
    }
    for form, content in contents.items():
        (out / f"{network}_{form}.tflite").write_bytes(content)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """LeNet-5, trained on the digits, and a ResNet-20 of conditioned weights, in each form."""
    out = tmp_path_factory.mktemp("files")
    noise = np.random.default_rng(0).uniform(-1, 1, (20, 32, 32, 1)).astype(np.float32)
    write_forms(out, "lenet5", convert(zoo.build("lenet5", weights="digits")), noise)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(out / "cache"))
        untrained = untrained_files("resnet20", [RECIPES["float32"]], None, None)
    images = np.load(untrained.images)
    write_forms(out, "resnet20", untrained.files[0].read_bytes(), images[:16])
    return [out / f"{network}_{form}.tflite" for network in NETWORKS for form in FORMS]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.places.browser import chromium

    with chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(60_000)
    yield page
    page.close()


def command(files: list[Path], *options: str) -> Any:
    from tests.places.browser import web_command

    return web_command(files, *options)


def measure(page: Page, files: list[Path], *options: str) -> tuple[list[dict[str, Any]], Any]:
    """Measure files in a browser; return the rows and what the page has asked for."""
    from tests.places.browser import Requests

    requests = Requests(page)
    with command(files, *options) as running:
        page.goto(running.url)
        code, document, lines = running.finish(page)
        assert code == 0, lines
        assert requests.errors == []
        assert {url.split("/")[2] for url in requests.urls} == {running.url.split("/")[2]}
    for row in document["rows"]:
        jsonschema.validate(row, schema())
    return document["rows"], requests


def test_each_form_computes_the_same_and_is_timed(page: Page, files: list[Path]) -> None:
    rows, _ = measure(page, files, "--threads", "1", "2")
    assert [(Path(row["file"]).name, row["num_threads"]) for row in rows] == [
        (file.name, threads) for file in files for threads in (1, 2)
    ]
    cores = os.cpu_count() or 1
    for row in rows:
        digest, web = row["digest"], row["web"]
        assert digest["images"] == digest["distinct_outputs"] == 32
        assert digest["agreement"] == 1.0
        if (
            "int8" in row["file"]
        ):  # integers are equal; their conversion to float may round otherwise
            assert digest["equal"] or digest["max_difference"] < 1e-4, row["file"]
            assert digest["equal"] or "uint8" not in row["file"], row["file"]
        assert row["latency_p50_ms"] <= row["latency_p90_ms"] <= row["latency_p99_ms"]
        assert row["num_runs"] >= 5
        assert row["place"].startswith("web:Chrom")
        assert (row["runtime"], row["runtime_version"]) == ("LiteRT.js", "2.5.3")
        assert row["delegate_used"] == "XNNPACK"
        assert row["threads_used"] == min(row["num_threads"], cores)
        assert web["secure_context"]
        assert web["isolated"]
        assert web["wasm"] == ("threaded" if row["threads_used"] > 1 else "relaxed SIMD")
        assert web["clock_step_ms"] < 0.1
        assert row["peak_rss_mb"] is row["nodes"] is row["host"]["cpu"] is None
    lenet = [row for row in rows if "lenet5_float32" in row["file"]]
    assert lenet[0]["web"]["wasm_memory_mb"] < 100
    page.wait_for_selector("#status:has-text('Done')")
    assert page.locator("#rows tr").count() == len(rows)


def test_one_command_measures_here_over_ssh_and_in_a_browser(
    page: Page, ssh_server: Server
) -> None:
    home = ssh_server.add_account("desk")
    write_program(home / "bin" / "python3", f'exec {sys.executable} "$@"')
    rows, _ = measure(page, [LENET], "--local", "--ssh", "desk")
    assert [row["place"].partition(":")[0] for row in rows] == ["local", "ssh", "web"]
    assert len({row["sha256"] for row in rows}) == 1


def test_over_plain_http_there_is_one_thread(page: Page, files: list[Path]) -> None:
    from tests.places.browser import OTHER_HOST

    with command([LENET, files[7], LENET], "--threads", "2", "--host", "0.0.0.0") as running:
        port, token = running.url.split(":")[2].split("/")[:2]
        assert len(token) >= 16
        page.goto(f"http://{OTHER_HOST}:{port}/{token}/")
        code, document, lines = running.finish(page)
    assert code == 0, lines
    for row in document["rows"]:
        assert (row["num_threads"], row["threads_used"]) == (2, 1)
        assert not row["web"]["secure_context"]
        assert not row["web"]["isolated"]
        assert row["web"]["clock_step_ms"] >= 0.05
        assert row["digest"]["equal"] or "float32" in row["file"]
    tiny = document["rows"][0]["web"]
    assert tiny["runs_per_sample"] > 1  # its inference is shorter than a step of the clock
    page.wait_for_selector("#photo:enabled")
    assert page.locator("#camera").is_disabled()
    assert "1 of 2; a page over plain http" in page.inner_text("#facts")


def test_a_truncated_copy_is_refused(page: Page) -> None:
    page.route("**/file", lambda route: route.fulfill(body=LENET.read_bytes()[:-100]))
    with command([LENET]) as running:
        page.goto(running.url)
        code, document, lines = running.finish(page)
    assert (code, document) == (1, None)
    assert "at web:Chrom" in lines
    assert "the copy differs from the file (251891 of 251991 bytes)" in lines
    assert "not timed" not in lines
    page.wait_for_selector("#refusal:not([hidden])")


def test_other_outputs_are_refused(page: Page) -> None:
    """A file whose hash is right runs as another one."""

    def flip(route: Any) -> None:
        raw = np.frombuffer(route.request.post_data_buffer, np.float32).copy()
        raw[:10] = raw[:10][::-1]
        route.continue_(post_data=raw.tobytes())

    page.route("**/answer/1", flip)
    with command([LENET]) as running:
        page.goto(running.url)
        code, document, lines = running.finish(page)
    assert (code, document) == (1, None)
    assert "is not timed at web:Chrom" in lines
    assert "not timed" in page.inner_text("#refusal")


def test_integer_ends_name_the_option(page: Page, files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    noise = np.random.default_rng(0).uniform(-1, 1, (20, 32, 32, 1)).astype(np.float32)
    content = files[0].read_bytes()
    path.write_bytes(quantize(content, "static_wi8_ai8", noise, input_type="int8"))
    with command([path]) as running:
        page.goto(running.url)
        code, _, lines = running.finish(page)
    assert code == 1
    assert "has int8 input, which LiteRT.js does not take: export it with --input-type" in lines


def test_wrong_rows_are_refused(page: Page) -> None:
    """The page posts rows of its own first, and the right one is accepted after them."""
    statuses: list[int] = []
    opener = build_opener(ProxyHandler({}))

    def spoil(route: Any) -> None:
        path, row = route.request.url, json.loads(route.request.post_data)
        bodies = (
            row | {"latency_p50_ms": "fast"},
            row | {"sha256": "0" * 64},
            {"more": " " * 70_000},
        )
        for body in bodies:
            with pytest.raises(HTTPError) as refused:
                opener.open(path, json.dumps(body).encode())
            statuses.append(refused.value.code)
            refused.value.close()
        route.continue_()

    page.route("**/answer/2", spoil, times=1)
    with command([LENET]) as running:
        page.goto(running.url)
        code, document, lines = running.finish(page)
    assert code == 0, lines
    assert statuses == [400, 400, 413]
    assert document["rows"][0]["latency_p50_ms"] > 0


def test_another_browser_is_refused(page: Page, browser: Browser) -> None:
    with command([LENET], "--host", "0.0.0.0") as running:
        address = running.url.replace(running.url.split("/")[2].split(":")[0], "127.0.0.1")
        without_token = address.rsplit("/", 2)[0]
        assert page.goto(without_token).status == 403  # type: ignore[union-attr]
        page.goto(address)
        other = browser.new_context().new_page()
        other.goto(address)
        other.wait_for_selector("#refusal:not([hidden])")
        assert "--browsers" in other.inner_text("#refusal")
        code, _, lines = running.finish(page)
    assert code == 0, lines


@pytest.fixture(scope="module")
def classifier(browser: Browser) -> Iterator[Page]:
    """A page that has measured LeNet-5, which is trained on MNIST; the command has ended."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    with command([LENET]) as running:
        page.goto(running.url)
        assert running.finish(page)[0] == 0
    page.wait_for_selector("#draw:enabled")
    yield page
    page.close()


def draw(page: Page, points: list[tuple[float, float]]) -> None:
    """Draw a stroke with the mouse, in fractions of the pad."""
    box = page.locator("#pad").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def test_a_drawn_7_is_classified(classifier: Page) -> None:
    classifier.click("#draw")
    classifier.locator("#pad").scroll_into_view_if_needed()
    draw(classifier, [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)])
    classifier.wait_for_selector("#top-label:text-is('7')")
    assert classifier.get_attribute("#pad", "aria-label") == "Drawing pad, with 1 stroke"
    classifier.click("#pad-clear")
    classifier.wait_for_selector("#result", state="hidden")


def test_a_7_is_drawn_with_the_keyboard(classifier: Page) -> None:
    if classifier.locator("#draw-card").is_hidden():
        classifier.click("#draw")
    classifier.focus("#pad")
    for keys, times in (("ArrowLeft", 7), ("ArrowUp", 8), (" ", 1), ("ArrowRight", 14)):
        for _ in range(times):
            classifier.keyboard.press(keys)
    for index in range(16):
        classifier.keyboard.press("ArrowDown")
        if index % 2:
            classifier.keyboard.press("ArrowLeft")
    classifier.keyboard.press(" ")
    classifier.wait_for_selector("#top-label:text-is('7')")
    classifier.click("#draw")
    assert classifier.locator("#draw-card").is_hidden()


@pytest.mark.parametrize("name", ["digit_3.png", "china_odd.png", "tall.png", "wide.jpg"])
def test_a_photo_becomes_the_input_that_pillow_computes(name: str, classifier: Page) -> None:
    path = FIXTURES / "images" / name
    classifier.set_input_files("#photo-file", path)
    classifier.wait_for_selector("#result:not([hidden])")
    classifier.wait_for_timeout(200)
    shown = np.array(
        classifier.evaluate(
            "() => { const canvas = document.querySelector('#network-input');"
            "const {data} = canvas.getContext('2d').getImageData(0, 0, 32, 32);"
            "return Array.from(data.filter((_, index) => index % 4 === 0)); }"
        )
    ).reshape(32, 32)
    preprocessing = Preprocessing(32, 32, 1, (0.0,), (1.0,))
    with Image.open(path) as image:
        expected = preprocessing.pixels(image)[..., 0].astype(int)
    difference = np.abs(shown - expected).max()
    # Decoders of JPEG may round differently.
    assert difference <= (2 if name.endswith("jpg") else 0)


def test_what_is_not_an_image_is_named(classifier: Page) -> None:
    classifier.set_input_files("#photo-file", Path(__file__))
    classifier.wait_for_selector("#image-error:not([hidden])")
    assert "not an image" in classifier.inner_text("#image-error")


def test_camera_frames_are_classified(classifier: Page) -> None:
    """The camera is Chromium's own, which shows a pattern."""
    classifier.click("#camera")
    classifier.wait_for_selector("#result:not([hidden])")
    assert classifier.inner_text("#input-size") == "Network input: 32 × 32 gray".replace(
        " × 32 gray", "\u00a0×\u00a032\u00a0gray"
    )
    classifier.click("#camera-stop")
    assert classifier.locator("#camera-card").is_hidden()


def test_statistics_and_hash_equal_those_of_python(classifier: Page) -> None:
    fixtures = json.loads((FIXTURES / "percentiles.json").read_text(encoding="utf-8"))
    found = classifier.evaluate(
        "async (lists) => { const {latencyStatistics} = await import('./statistics.js');"
        "return lists.map(latencyStatistics); }",
        [each["samples"] for each in fixtures],
    )
    for each, statistics in zip(fixtures, found, strict=True):
        for name in ("50", "90", "95", "99"):
            assert statistics[f"latency_p{name}_ms"] == each["percentiles"][name]
        assert statistics["latency_mean_ms"] == pytest.approx(each["mean"])
        assert statistics["latency_std_ms"] == pytest.approx(each["std"])
