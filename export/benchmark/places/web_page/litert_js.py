"""LiteRT.js, the runtime of the page, in one compressed file inside this package.

`package-lock.json` pins its npm packages by their hashes. From a clone they are fetched once; a
wheel that is built after that holds them. The WebAssembly is built three times, for threads, for
relaxed SIMD and for browsers without it, which is nearly the same code: compressed together it
takes a tenth of its 28 MB.
"""

from __future__ import annotations

import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from cnn_keras.command import log, one_line, write_atomic
from cnn_keras.errors import Error

from ..place import PlaceError

FOLDER = Path(__file__).parent
NPM_FILES = ("package.json", "package-lock.json")

BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
"""For relaxed SIMD, for browsers without it such as Safari, and for threads."""

_CORE, _UTILS = "@litertjs/core", "@litertjs/wasm-utils"
_SOURCES = {
    "core.js": f"{_CORE}/dist/index.js",
    "wasm-utils.js": f"{_UTILS}/dist/index.js",
    **{f"{build}.js": f"{_CORE}/wasm/{build}.js" for build in BUILDS},
    **{f"{build}.wasm": f"{_CORE}/wasm/{build}.wasm" for build in BUILDS},
}
"""File in `node_modules` of each file that the page loads."""

# The dictionary must hold a whole build, so that the next one is found in it.
_COMPRESSION = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2**25}]


def version() -> str:
    """Return the version of LiteRT.js that is pinned."""
    pinned: str = json.loads((FOLDER / "package.json").read_bytes())["dependencies"][_CORE]
    return pinned


def archive_path() -> Path:
    """Return the path of the packed files of this version."""
    return FOLDER / "litert" / f"litert_js-{version()}.tar.xz"


def read() -> dict[str, bytes]:
    """Return the files of LiteRT.js by name; fetch them if they are missing.

    Raises:
        PlaceError: They cannot be fetched, or are damaged.
    """
    path = archive_path()
    if not path.is_file():
        fetch()
    try:
        with tarfile.open(path, "r:xz") as archive:
            members = {member.name: archive.extractfile(member) for member in archive}
            files = {name: member.read() for name, member in members.items() if member}
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as error:
        raise PlaceError(f"{path} is damaged ({error}): delete it.") from error
    # Browsers do not resolve the name of an npm package in a worker.
    files["core.js"] = files["core.js"].replace(_UTILS.encode(), b"./wasm-utils.js")
    return files


def fetch() -> None:
    """Fetch LiteRT.js with npm and pack it into this package.

    Raises:
        PlaceError: npm is missing or fails, or the package cannot be written.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise PlaceError(
            "npm is missing, which fetches the page's runtime once: install it (on Debian: apt-get "
            "install npm), or install a wheel that `make wheel` has built."
        )
    path = archive_path()
    log(f"Fetching LiteRT.js {version()} with npm, once, into {path.parent}")
    with tempfile.TemporaryDirectory() as folder:
        for name in NPM_FILES:
            shutil.copy(FOLDER / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise PlaceError(
                f"npm cannot fetch LiteRT.js ({reason.removeprefix('npm error ')}): check the "
                "network and the registry of npm, and try again.",
                details=done.stderr,
            )
        packed = _pack(Path(folder, "node_modules"))
    try:
        write_atomic(path, packed)
    except OSError as error:
        raise PlaceError(
            f"LiteRT.js cannot be kept in {path.parent} ({error.strerror}): install the package "
            "where you may write, or install a wheel that `make wheel` has built."
        ) from error


def _pack(node_modules: Path) -> bytes:
    """Return a compressed archive of the files that the page loads; equal files, equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, source in _SOURCES.items():
            content = (node_modules / source).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return lzma.compress(buffer.getvalue(), filters=_COMPRESSION)


if __name__ == "__main__":
    try:
        if not archive_path().is_file():
            fetch()
    except Error as problem:
        log(one_line(problem))
        sys.exit(problem.exit_code)
