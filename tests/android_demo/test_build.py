"""Check that Gradle, Maven, the manifest and the packing script agree."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import cnn_keras
from cnn_keras.machine import INSTRUCTIONS

DEMO = Path(__file__).parents[2] / "android_demo"
MAIN = DEMO / "app/src/main"
POM = "{http://maven.apache.org/POM/4.0.0}"
ANDROID = "{http://schemas.android.com/apk/res/android}"
# The Android version of API level 34, the prefix of the versions of Robolectric's `android-all`.
ANDROID_14 = "14"


@pytest.fixture(scope="module")
def pom() -> ET.Element:
    return ET.parse(DEMO / "pom.xml").getroot()


@pytest.fixture(scope="module")
def properties(pom: ET.Element) -> dict[str, str]:
    rows = pom.find(f"{POM}properties")
    assert rows is not None
    return {row.tag.removeprefix(POM): row.text or "" for row in rows if isinstance(row.tag, str)}


@pytest.fixture(scope="module")
def gradle() -> str:
    return (DEMO / "app/build.gradle.kts").read_text("utf-8")


@pytest.fixture(scope="module")
def catalog() -> dict[str, dict[str, object]]:
    return tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def manifest() -> ET.Element:
    return ET.parse(MAIN / "AndroidManifest.xml").getroot()


@pytest.fixture(scope="module")
def packing() -> str:
    return (DEMO / "pack.sh").read_text("utf-8")


def assigned(script: str, name: str) -> str:
    """Return the only value that a script assigns to a name, without quotes."""
    (value,) = re.findall(rf"\b{name} = (\S+)", script)
    return str(value).strip('"')


def sources(kind: str) -> Iterator[Path]:
    return (DEMO / "app/src" / kind / "kotlin").rglob("*.kt")


def test_package(gradle: str, properties: dict[str, str], packing: str) -> None:
    package = properties["app.package"]
    assert assigned(gradle, "namespace") == assigned(gradle, "applicationId") == package
    assert f"package: name='{package}'" in packing


def test_versions_of_the_app(gradle: str, pom: ET.Element, properties: dict[str, str]) -> None:
    assert assigned(gradle, "versionCode") == properties["app.versionCode"]
    assert assigned(gradle, "versionName") == pom.findtext(f"{POM}version") == cnn_keras.__version__


def test_sdk_levels(gradle: str, properties: dict[str, str], packing: str) -> None:
    lowest, target = properties["app.minSdk"], properties["app.targetSdk"]
    assert assigned(gradle, "minSdk") == lowest
    assert assigned(gradle, "targetSdk") == assigned(gradle, "compileSdk") == target == "34"
    assert properties["android-all.version"].split("-")[0] == ANDROID_14
    assert set(re.findall(r"(?:min-api|min-sdk-version) (\d+)", packing)) == {lowest}
    assert re.findall(r"dkVersion:'(\d+)'", packing) == [lowest, target]


def test_java_level(gradle: str, properties: dict[str, str]) -> None:
    levels = set(re.findall(r"(?:JavaVersion\.VERSION|JVM)_(\w+)", gradle))
    assert levels == {properties["app.jvmTarget"].replace(".", "_")}


@pytest.mark.parametrize(
    "name", ["kotlin", "nanojson", "tensorflow-lite-metadata", "junit", "jna", "robolectric"]
)
def test_library_versions(
    name: str, catalog: dict[str, dict[str, object]], properties: dict[str, str]
) -> None:
    assert catalog["versions"][name] == properties[f"{name}.version"]


def test_dexer_version(properties: dict[str, str]) -> None:
    settings = (DEMO / "settings.gradle.kts").read_text("utf-8")
    assert re.findall(r"com\.android\.tools:r8:([\d.]+)", settings) == [properties["r8.version"]]


def test_gradle_uses_every_library_of_its_catalog(
    gradle: str, catalog: dict[str, dict[str, object]]
) -> None:
    used = {
        name.replace(".", "-") for name in re.findall(r"mplementation\(libs\.([\w.]+)\)", gradle)
    }
    assert used == set(catalog["libraries"])


def test_source_sets(gradle: str, properties: dict[str, str], pom: ET.Element) -> None:
    """Maven uses the default folders of Gradle."""
    assert "sourceSets" not in gradle
    settings = (DEMO / "settings.gradle.kts").read_text("utf-8")
    assert 'include(":app")' in settings
    assert properties["app.main"] == "${project.basedir}/app/src/main"
    assert properties["app.test"] == "${project.basedir}/app/src/test"
    folders = {node.text for node in pom.iter(f"{POM}sourceDir")}
    assert folders == {"${app.main}/kotlin", "${resources.sources}", "${app.test}/kotlin"}
    for folder in ("kotlin", "res", "assets"):
        assert (MAIN / folder).is_dir()
    assert not (MAIN / "java").exists()


def test_manifest_has_no_attributes_that_the_builds_set(manifest: ET.Element) -> None:
    assert "package" not in manifest.attrib
    assert f"{ANDROID}versionCode" not in manifest.attrib
    assert manifest.find("uses-sdk") is None
    (application,) = manifest.findall("application")
    assert f"{ANDROID}extractNativeLibs" not in application.attrib
    assert f"{ANDROID}debuggable" not in application.attrib


def test_permissions(manifest: ET.Element) -> None:
    requested = {node.attrib[f"{ANDROID}name"] for node in manifest.findall("uses-permission")}
    assert requested <= {"android.permission.CAMERA"}


def test_activities_exist(manifest: ET.Element, properties: dict[str, str]) -> None:
    folder = MAIN / "kotlin" / properties["app.package"].replace(".", "/")
    for activity in manifest.iter("activity"):
        name = activity.attrib[f"{ANDROID}name"]
        assert name.startswith(".")
        assert (folder / f"{name[1:].replace('.', '/')}.kt").is_file(), name


def test_former_names_of_activities_are_aliases(manifest: ET.Element) -> None:
    """Home screen shortcuts and `adb shell am start` refer to an activity by its name."""
    exported = {
        node.attrib[f"{ANDROID}name"]
        for node in manifest.iter("activity")
        if node.attrib[f"{ANDROID}exported"] == "true"
    }
    aliases = {
        node.attrib[f"{ANDROID}name"]: node.attrib[f"{ANDROID}targetActivity"]
        for node in manifest.iter("activity-alias")
        if node.attrib[f"{ANDROID}exported"] == "true"
    }
    assert aliases == {
        ".ui.MainActivity": ".ui.screens.MainActivity",
        ".ui.BenchmarkActivity": ".ui.screens.BenchmarkActivity",
    }
    assert set(aliases.values()) == exported


@pytest.mark.parametrize("kind", ["main", "test"])
def test_packages_are_folders(kind: str, properties: dict[str, str]) -> None:
    root = DEMO / "app/src" / kind / "kotlin"
    for path in sources(kind):
        package = ".".join(path.relative_to(root).parent.parts)
        assert package.startswith(properties["app.package"])
        assert f"\npackage {package}\n" in "\n" + path.read_text("utf-8"), path


def test_only_the_ui_and_the_runtime_use_android() -> None:
    """Everything else is plain Kotlin, which other projects can reuse."""
    package = MAIN / "kotlin/org/cnnkeras/demo"
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.kt")
        if re.search(r"\bandroid\.", path.read_text("utf-8"))
    }
    assert {user for user in users if not user.startswith("ui/")} <= {
        "engine/LiteRtEngineFactory.kt"
    }


def test_only_one_class_uses_the_runtime() -> None:
    users = {
        path.name
        for path in sources("main")
        if re.search(r"org\.tensorflow\.lite\.(?!schema|support)", path.read_text("utf-8"))
    }
    assert users == {"LiteRtEngineFactory.kt"}


def test_no_androidx() -> None:
    assert not [path for path in sources("main") if "androidx." in path.read_text("utf-8")]


def test_instruction_sets_have_the_names_of_the_benchmark() -> None:
    device = (MAIN / "kotlin/org/cnnkeras/demo/benchmark/Device.kt").read_text("utf-8")
    rows = re.findall(r'^    "(.+)" to setOf\((.+)\),$', device, re.MULTILINE)
    assert [(name, set(re.findall(r'"(\w+)"', names))) for name, names in rows] == list(
        INSTRUCTIONS.items()
    )
