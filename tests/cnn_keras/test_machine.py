from __future__ import annotations

import json
import os
import platform

from cnn_keras.machine import (
    PACKAGES,
    RUNTIME_PACKAGES,
    cpu_name,
    hardware,
    host,
    instructions,
    versions,
)

SERVER = """\
processor : 0
model name : Intel(R) Xeon(R) Platinum 8481C
flags : fpu sse4_2 fma avx2 avx512f avx512_vnni amx_int8 avx_vnni
"""
RASPBERRY = """\
processor : 0
Features : fp asimd evtstrm crc32 cpuid asimdrdm asimddp
CPU implementer : 0x41
Model : Raspberry Pi 5 Model B Rev 1.0
"""
OLD_ARM = "Features : half thumb fastmult vfp edsp neon vfpv3\nHardware : BCM2835\n"


def test_instructions_in_the_spellings_of_x86_and_arm() -> None:
    server = ("FMA", "AVX2", "AVX-512F", "AVX-512 VNNI", "AVX-VNNI", "AMX int8")
    assert instructions(SERVER) == server
    assert instructions(RASPBERRY) == ("NEON", "dotprod")
    assert instructions(OLD_ARM) == ("NEON",)
    assert instructions("") == ()


def test_cpu_name() -> None:
    assert cpu_name(SERVER) == "Intel(R) Xeon(R) Platinum 8481C"
    assert cpu_name(RASPBERRY) == "Raspberry Pi 5 Model B Rev 1.0"
    assert cpu_name(OLD_ARM) == "BCM2835"
    assert cpu_name("") is None


def test_this_host() -> None:
    found = host()
    assert found.architecture == os.uname().machine
    assert found.kernel == os.uname().release
    assert found.cores >= 1
    assert found.memory_mb > 256
    assert found.cpu
    assert found.os == platform.freedesktop_os_release()["PRETTY_NAME"]
    json.dumps(found)


def test_versions_are_those_of_the_packages_that_are_installed() -> None:
    assert set(versions(RUNTIME_PACKAGES)) == {"python", "ai-edge-litert", "numpy"}
    assert set(versions(["numpy", "no-such-package"])) == {"python", "numpy"}
    assert set(versions()) >= {"python", *PACKAGES}


def test_hardware_is_a_part_of_the_host() -> None:
    stated, machine = hardware(), host()
    assert (stated["cpu"], stated["cores"]) == (machine.cpu, machine.cores)
    assert stated["architecture"] == machine.architecture
    assert stated["memory_gib"] == round(machine.memory_mb / 1024, 1)
