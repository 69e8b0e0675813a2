"""An ARM64 board with Debian's Python, emulated by qemu.

It is made once per machine, in about 15 seconds. It shows that the right code runs and that the
answers are right; emulated times say nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.places.sshd import write_program

# Always a named processor: the default, `max`, computes wrong integers in XNNPACK's kernels.
CPU = "cortex-a76"

# XNNPACK is skipped silently if the kernel says nothing about the cores, or something that does not
# fit the processor: 0xd0b is Arm's Cortex-A76, as in a Raspberry Pi 5.
SYSTEM_FILES = {
    "proc/cpuinfo": "".join(
        f"processor\t: {core}\n"
        "BogoMIPS\t: 108.00\n"
        "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm"
        " lrcpc dcpop asimddp\n"
        "CPU implementer\t: 0x41\n"
        "CPU architecture: 8\n"
        "CPU variant\t: 0x4\n"
        "CPU part\t: 0xd0b\n"
        "CPU revision\t: 1\n\n"
        for core in range(2)
    )
    + "Model\t\t: Emulated board\n",
    "sys/devices/system/cpu/possible": "0-1\n",
    "sys/devices/system/cpu/present": "0-1\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/class/thermal/thermal_zone0/temp": "48850\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
}

_PYTHON = "3.11"
_PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6"),
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libssl3", "zlib1g"),
    *(f"libpython{_PYTHON}-minimal", f"libpython{_PYTHON}-stdlib", f"python{_PYTHON}-minimal"),
)
_CACHE = Path("~/.cache/cnn-keras-tests").expanduser()


def emulated_board() -> Path:
    """Return the folder of the board: its files are in `root`, its packages in `site`."""
    requirements = [f"{package}=={version(package)}" for package in ("ai-edge-litert", "numpy")]
    board = _CACHE / "-".join(["arm64", _PYTHON, *requirements])
    if not board.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=_CACHE))
        try:
            _unpack_debian(temporary / "root", temporary / "apt")
            _install(temporary / "site", requirements)
            temporary.rename(board)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    for name, text in SYSTEM_FILES.items():
        path = board / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return board


def write_python(path: Path, board: Path, *first: Path) -> None:
    """Write a program that runs the board's Python.

    Args:
        path: The program.
        board: The folder of the board.
        first: Folders in which Python looks for modules before the board's packages.
    """
    packages = os.pathsep.join(map(str, (*first, board / "site")))
    write_program(
        path,
        f"export PYTHONHOME={board}/root/usr\n"
        f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{packages}"\n'
        f'exec qemu-aarch64 -cpu {CPU} -L {board}/root -0 "$0" '
        f'{board}/root/usr/bin/python{_PYTHON} "$@"',
    )


def _unpack_debian(root: Path, apt: Path) -> None:
    """Download and unpack packages for ARM64, without a change to this machine's packages."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Dir::Cache": apt / "cache",
        "Dir::State::Lists": apt / "lists",
        "Dir::State::Status": "/dev/null",
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    _run("apt-get", "-qq", *options, "update")
    _run("apt-get", "-qq", *options, "download", *_PACKAGES, folder=apt)
    for package in apt.glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(root))
    shutil.rmtree(apt)


def _install(site: Path, requirements: list[str]) -> None:
    # The wheels for ARM64 have these tags; with others, pip finds none or an old version.
    platforms = ("manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--python-version", _PYTHON, "--target", str(site)),
        *(f"--platform={platform}" for platform in platforms),
        *requirements,
    )


def _run(*command: str, folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True)
