from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

import cnn_keras
from cnn_keras.data import photographs
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import CLASSIFIER
from cnn_keras.training.run_folder import Run
from cnn_keras.weights import published
from tests.fixtures.command_line import run_main

SIDE = 64  # a sixteenth of the published networks' work, and of VGG's first dense layer
TOLERANCE = 1e-4  # of the largest logit

random = np.random.default_rng(0)


def randomize(model: keras.Model) -> keras.Model:
    """Give every layer numbers of its own, that let what is in an image reach the logits."""
    for layer in model.layers:
        arrays = layer.get_weights()
        shapes = [array.shape for array in arrays]
        if len(arrays) == 4:
            scale, variance = (random.uniform(0.5, 1.5, shapes[0]) for _ in range(2))
            shift, mean = (random.normal(0, 0.1, shapes[0]) for _ in range(2))
            layer.set_weights([scale, shift, mean, variance])
        elif arrays:
            deviation = math.sqrt(2 / math.prod(shapes[0][:-1]))
            kernel = random.standard_normal(shapes[0], np.float32) * np.float32(deviation)
            layer.set_weights([kernel, *(random.normal(0, 0.1, shape) for shape in shapes[1:])])
    return model


def pixels(side: int = SIDE) -> NDArray[np.uint8]:
    return photographs.crops((side, side, 3), 2, 0, 0)


def logits(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    model = keras.Model(model.input, model.get_layer(CLASSIFIER).output)
    return np.asarray(model(images, training=False))


def require_equal(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    greatest = np.abs(theirs).max()
    assert np.abs(theirs[0] - theirs[1]).max() > 0.01 * greatest  # the images are told apart
    assert np.abs(ours - theirs).max() <= TOLERANCE * greatest


def save_as_published(model: keras.Model, path: Path) -> None:
    """Save as Keras 2 did, and as keras.applications still downloads."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
        file.move("predictions", "probs")


@pytest.mark.parametrize(
    ("name", "their_name", "suffix", "save"),
    [
        ("vgg16", "VGG16", ".weights.h5", keras.Model.save_weights),
        ("vgg19", "VGG19", ".h5", keras.Model.save),
        ("resnet50", "ResNet50", ".keras", keras.Model.save),
        ("resnet101", "ResNet101", ".h5", save_as_published),
        ("resnet152", "ResNet152", ".weights.h5", keras.Model.save_weights),
    ],
)
def test_equals_keras_applications(
    name: str,
    their_name: str,
    suffix: str,
    save: Callable[[keras.Model, Path], None],
    tmp_path: Path,
) -> None:
    applications = keras.applications
    build = getattr(applications, their_name)
    theirs = randomize(build(weights=None, input_shape=(SIDE, SIDE, 3), classifier_activation=None))
    path = tmp_path / f"{name}{suffix}"
    save(theirs, path)
    row = published.find(name, path)
    ours = published.build(published.File(path, row), SIDE)
    assert ours.output_shape == (None, 1000)

    family = applications.resnet if name.startswith("resnet") else applications.vgg16
    their_images = family.preprocess_input(pixels().astype(np.float32))
    our_images = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    require_equal(logits(ours, our_images), np.asarray(theirs(their_images, training=False)))


def torch_kernel(kernel: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))


def torch_normalization(name: str, arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    named = {f"{name}.{part}": array for part, array in zip(parts, arrays, strict=True)}
    return named | {f"{name}.num_batches_tracked": np.array(1000)}


def resnet18_as_torchvision(model: keras.Model) -> dict[str, NDArray[Any]]:
    """Name a ResNet-18's tensors as torchvision's file does."""
    names = {"conv1": ("conv1", "bn1")}
    for stage in range(4):
        for block in range(2):
            row, module = f"conv{stage + 2}_{block + 1}", f"layer{stage + 1}.{block}"
            names[f"{row}_a"] = (f"{module}.conv1", f"{module}.bn1")
            names[f"{row}_b"] = (f"{module}.conv2", f"{module}.bn2")
            if stage and not block:
                names[f"{row}_shortcut"] = (f"{module}.downsample.0", f"{module}.downsample.1")
    tensors: dict[str, NDArray[Any]] = {}
    for ours, (conv, norm) in names.items():
        tensors[f"{conv}.weight"] = torch_kernel(model.get_layer(ours).get_weights()[0])
        tensors |= torch_normalization(norm, model.get_layer(f"{ours}_bn").get_weights())
    kernel, bias = model.get_layer("logits").get_weights()
    return tensors | {"fc.weight": torch_kernel(kernel), "fc.bias": bias}


@pytest.fixture(scope="module")
def resnet18() -> keras.Model:
    """With three classes, whose logits are some units apart."""
    model = randomize(cnn_keras.build("resnet18", (SIDE, SIDE, 3), 3))
    kernel, bias = model.get_layer("logits").get_weights()
    scale = np.abs(logits(model, images_of("resnet18"))).max() / 4
    model.get_layer("logits").set_weights([kernel / scale, bias / scale])
    return model


def images_of(name: str) -> NDArray[np.float32]:
    row = published.find(name, Path(f"{name}.safetensors"))
    return Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())


@pytest.fixture(scope="module")
def resnet18_file(resnet18: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("torchvision") / "resnet18.safetensors"
    save_file(resnet18_as_torchvision(resnet18), path)
    return path


def test_a_state_dict_becomes_the_network_it_is_of(
    resnet18: keras.Model, resnet18_file: Path
) -> None:
    """Equality with torchvision itself is tested with torch: `test_backends.py`."""
    row = published.find("resnet18", resnet18_file)
    ours = published.build(published.File(resnet18_file, row), SIDE)
    assert ours.output_shape == (None, 3)
    images = images_of("resnet18")
    np.testing.assert_array_equal(logits(ours, images), logits(resnet18, images))


def test_bfloat16_is_read_to_the_bit(
    resnet18: keras.Model, resnet18_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "DataParallel.SafeTensors"
    tensors = load_file(resnet18_file)
    save_file({f"module.{name}": tensors[name].astype("bfloat16") for name in tensors}, path)
    ours = published.build(published.File(path, published.find("resnet18", path)), SIDE)
    for layer in ours.layers:
        for found, exact in zip(
            layer.get_weights(), resnet18.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, exact.astype("bfloat16").astype(np.float32))


# As they begin and end in torchvision's files of two families.
NAMES = ("conv1.weight", "layer1.0.bn1.running_mean", "fc.bias")
VGG_NAMES = ("features.0.weight", "features.1.running_var", "classifier.6.bias")


@pytest.mark.parametrize("names", [NAMES, VGG_NAMES])
@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "module.{}",
        "_orig_mod.{}",
        "module._orig_mod.{}",
        "_orig_mod.module.{}",
        "module.module.{}",
        "model.{}",
        "model.net.module._orig_mod.{}",
    ],
)
def test_what_wraps_a_network_is_taken_off_its_names(
    wrapped: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "wrapped.safetensors"
    save_file({wrapped.format(name): np.zeros(1, np.float32) for name in names}, path)
    assert set(published.TORCHVISION.read(path)) == set(names)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # Only a part was compiled; torch's AveragedModel counts what it averaged.
        (("fc.bias", "layer1._orig_mod.0.bn1.bias"), {"fc.bias", "layer1.0.bn1.bias"}),
        (("n_averaged", *(f"module.{name}" for name in NAMES)), set(NAMES)),
        # Two networks, or one of which a part is called so.
        (("module.conv1.weight", "teacher.conv1.weight"), None),
        (("module.conv1.weight", "fc.bias"), None),
        (("weight", "bias"), None),
    ],
)
def test_what_not_all_names_begin_with_stays(
    names: tuple[str, ...], expected: set[str] | None, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.safetensors"
    save_file({name: np.zeros(1, np.float32) for name in names}, path)
    assert set(published.TORCHVISION.read(path)) == (expected or set(names))


def test_torch_flattens_channel_by_channel(tmp_path: Path) -> None:
    """AlexNet on 99×99 flattens maps of 2×2, so that the order of its sums tells."""
    side = 99
    model = randomize(cnn_keras.build("alexnet", (side, side, 3), 2, form="2014"))
    places = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
    names = {layer: f"features.{place}" for layer, place in places.items()}
    names |= {"fc6": "classifier.1", "fc7": "classifier.4", "logits": "classifier.6"}
    tensors = {}
    for ours, theirs in names.items():
        kernel, bias = model.get_layer(ours).get_weights()
        if ours == "fc6":
            kernel = kernel.reshape(2, 2, 256, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        tensors |= {f"{theirs}.weight": torch_kernel(kernel), f"{theirs}.bias": bias}
    path = tmp_path / "alexnet.safetensors"
    save_file(tensors, path)
    ours = published.build(published.File(path, published.find("alexnet", path)), side)
    images = pixels(side).astype(np.float32) / 255
    np.testing.assert_array_equal(logits(ours, images), logits(model, images))


def test_biases_and_epsilons_are_folded_in() -> None:
    """A convolution with a bias, another epsilon: `vgg11_bn` has the one, `googlenet` the other."""
    for name, epsilon in (("vgg11_bn", 1e-5), ("googlenet", 1e-3)):
        assert published.find(name, Path("x.pth")).epsilon == epsilon
    image = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, name="conv1_1")(image)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="conv1_1_bn")(x)
    theirs = randomize(keras.Model(image, x))
    _, bias = theirs.layers[1].get_weights()
    row = published.find("vgg11_bn", Path("x.pth"))
    tensors = torch_normalization("features.1", theirs.layers[2].get_weights())
    tensors["features.0.bias"] = bias
    file = with_tensors(row._replace(epsilon=1e-3), tensors)
    ours = keras.layers.BatchNormalization(epsilon=1e-5, name="conv1_1_bn")
    convolved = keras.layers.Conv2D(4, 3, use_bias=False)
    model = keras.Model(image, ours(convolved(image)))
    convolved.set_weights(theirs.layers[1].get_weights()[:1])
    ours.set_weights(published._normalization(file, ours))
    images = random.normal(size=(2, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(model(images), theirs(images), rtol=1e-5, atol=1e-6)


def with_tensors(row: published.Weights, tensors: Mapping[str, NDArray[Any]]) -> published.File:
    """Return a file that holds these tensors."""
    publisher = row.publisher._replace(read=lambda _: tensors)
    return published.File(Path(__file__), row._replace(publisher=publisher))


def test_every_name_is_one_of_a_kind() -> None:
    names = [(row.publisher.name, row.name) for row in published.WEIGHTS]
    assert len(set(names)) == len(names) == 20
    for row in published.WEIGHTS:
        assert cnn_keras.zoo.checked_options(row.network, row.options) == dict(row.options)


def test_the_published_googlenet_takes_pixels_from_minus_one_to_one() -> None:
    """As `transform_input` of torchvision makes them of what its transforms normalized."""
    row = published.find("googlenet", Path("googlenet-1378be20.pth"))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalized = (pixels() / 255 - mean) / std
    transformed = normalized * (std / 0.5) + (mean - 0.5) / 0.5
    ours = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    np.testing.assert_allclose(ours, transformed, atol=1e-6)


def test_the_others_of_torchvision_take_what_its_transforms_give() -> None:
    row = published.find("resnet18", Path("resnet18-f37072fd.pth"))
    normalized = (pixels() / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    ours = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    np.testing.assert_allclose(ours, normalized, atol=1e-6)


def test_imagenet_has_a_thousand_labels() -> None:
    labels = published.class_names(1000)
    assert len(set(labels)) == 1000
    assert (labels[0], labels[985], labels[999]) == ("tench", "daisy", "toilet tissue")
    assert published.class_names(3) == ("0", "1", "2")


def pictures(folder: Path, names: tuple[str, ...]) -> Path:
    """Write five crops for each class."""
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index, crop in enumerate(photographs.crops((80, 80, 3), 5, 0, place)):
            Image.fromarray(crop).save(folder / name / f"{index}.png")
    return folder


@pytest.mark.parametrize(
    "content",
    ["größe\n模型\ncat", "\ufeffgröße\r\n模型\r\ncat\r\n", "größe \n\n\t模型\u3000\n cat\n\n"],
    ids=["plain", "Windows", "blanks"],
)
def test_labels_are_what_is_in_the_lines_of_hand_made_files(content: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode())
    assert published.class_names(3, path) == ("größe", "模型", "cat")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_labels_in_another_encoding_are_refused(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("größe\ncat".encode(encoding))
    with pytest.raises(Error, match="save it as text in UTF-8"):
        published.class_names(2, path)


def test_the_run_is_like_a_trained_one(
    resnet18: keras.Model,
    resnet18_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("palace\nflower\nboat\n")
    folder = pictures(tmp_path / "pictures", ("flower", "palace"))  # other order, one less
    out = tmp_path / "runs" / "mine"
    command = ("import-weights", "resnet18", resnet18_file, "--out", out, "--image-size", SIDE)
    given = ("--labels", labels, "--data", f"folder:{folder}")
    code, said, _ = run_main(capsys, *command, *given, "--json")
    assert code == 0
    document = json.loads(said)
    assert document["imported"]["publisher"] == "torchvision"
    assert set(document["guesses"]) == {"china.jpg", "flower.jpg"}
    names = {path.name for path in out.iterdir()}
    assert names == {"model.keras", "config.json", "preprocessing.json", "labels.txt"}
    assert [path.name for path in out.parent.iterdir()] == ["mine"]

    run = Run.open(out)
    assert run.classes == ("palace", "flower", "boat")
    assert len(run.config["imported"]["sha256"]) == 64
    dataset = run.dataset()
    assert dataset.labeled
    assert set(dataset.train.labels) == {0, 1}
    expected = np.exp(logits(resnet18, run.preprocessing(dataset.test.images)))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.predict(dataset.test.images), expected, atol=1e-5)

    code, said, _ = run_main(capsys, "evaluate", out)
    assert code == 0
    assert "palace" in said
    assert "boat" not in said  # no picture shows one
    picture = next(folder.rglob("*.png"))
    code, said, _ = run_main(capsys, "predict", out, picture, "--top", "3", "--json")
    guessed = [guess["label"] for guess in json.loads(said)[0]["top"]]
    assert (code, set(guessed)) == (0, set(run.classes))
    assert run_main(capsys, *command)[0] == 2  # the folder is not empty


def test_without_labels_nothing_is_evaluated(
    resnet18_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ("import-weights", "resnet18", resnet18_file, "--out", out, "--image-size", SIDE)
    code, said, _ = run_main(capsys, *command)
    assert code == 0
    assert "resnet18 and the weights of torchvision, 3 classes" in said
    run = Run.open(out)
    assert run.classes == ("0", "1", "2")
    dataset = run.dataset()
    assert (dataset.labeled, dataset.classes) == (False, ())
    sizes = [len(split.images) for split in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [200, 100, 100]
    code, said, err = run_main(capsys, "evaluate", out)
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert "have no labels" in err
    training = ("train", "resnet18", "--data", "photographs", "--out", tmp_path / "trained")
    assert run_main(capsys, *training)[0] == 2


def test_crops_are_of_either_half_and_follow_the_seed() -> None:
    left, right = (photographs.crops((8, 8, 3), 20, half, 0) for half in (0, 1))
    again = photographs.crops((8, 8, 3), 20, 0, 0)
    np.testing.assert_array_equal(left, again)
    assert not (left == photographs.crops((8, 8, 3), 20, 0, 1)).all()
    assert not (left == right).all()


@pytest.fixture
def changed(resnet18_file: Path, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Write the file with tensors changed, added, or (None) left out."""

    def write(name: str, **changes: NDArray[Any] | None) -> Path:
        tensors = load_file(resnet18_file) | changes
        path = tmp_path / name
        save_file({key: value for key, value in tensors.items() if value is not None}, path)
        return path

    return write


@pytest.fixture
def bad(
    changed: Callable[..., Path], resnet18_file: Path, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """Fill the names of bad files into a command."""
    key = "layer2.0.conv1.weight"
    whole = load_file(resnet18_file)[key]
    nan = whole.copy()
    nan[3, 1, 2, 0] = np.nan
    changed("nan.safetensors", **{key: nan})
    changed("shape.safetensors", **{key: whole[:, :, :2]})
    changed("missing.safetensors", **{key: None})
    changed("more.safetensors", **{"layer5.0.conv1.weight": whole})
    changed("constant.safetensors", **{"fc.weight": np.zeros((3, 512), np.float32)})
    content = resnet18_file.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[: len(content) // 2])
    for suffix in ("safetensors", "pth", "h5", "keras", "txt"):
        (tmp_path / f"text.{suffix}").write_text("no weights at all")
    with h5py.File(tmp_path / "cut.h5", "w") as file:
        file["x"] = np.zeros(10_000)
    (tmp_path / "cut.h5").write_bytes((tmp_path / "cut.h5").read_bytes()[:5000])
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    pictures(tmp_path / "pictures", ("1", "cat"))
    return lambda command: command.replace("{good}", str(resnet18_file)).replace(
        "{}", str(tmp_path)
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            "resnet51 {good}",
            2,
            "Unknown network of torchvision 'resnet51'. Did you mean 'resnet50'",
        ),
        ("alexnet {}/text.h5", 2, "Unknown network of keras.applications 'alexnet'"),
        (
            "resnet18 {}/text.txt",
            2,
            "ends with none of .h5, .hdf5, .keras (keras.app",
        ),
        ("resnet18 {}/none.pth", 1, "No such weights: {}/none.pth"),
        ("resnet18 {}/text.safetensors", 1, "text.safetensors cannot be read as safetensors"),
        ("resnet18 {}/cut.safetensors", 1, "cut.safetensors cannot be read as safetensors"),
        ("resnet18 {}/text.pth", 1, "text.pth cannot be read as a state dict of torch"),
        ("resnet50 {}/text.h5", 1, "text.h5 cannot be read as a file of Keras"),
        ("resnet50 {}/text.keras", 1, "text.keras cannot be read as a file of Keras"),
        ("resnet50 {}/cut.h5", 1, "cut.h5 cannot be read as a file of Keras"),
        ("resnet34 {good}", 1, "has no tensor 'layer1.2.conv1.weight', which torchvision's"),
        ("vgg16 {good}", 1, "has no tensor 'classifier.6.bias', which torchvision's vgg16 has"),
        ("resnet18 {}/missing.safetensors", 1, "has no tensor 'layer2.0.conv1.weight'"),
        ("resnet18 {}/more.safetensors", 1, "has a tensor 'layer5.0.conv1.weight', which"),
        (
            "resnet18 {}/shape.safetensors",
            1,
            "'layer2.0.conv1.weight' of {}/shape.safetensors is 128×64×2×3, that of torchvision's "
            "resnet18 128×64×3×3.",
        ),
        ("resnet18 {}/nan.safetensors", 1, "'layer2.0.conv1.weight' of {}/nan.safetensors has NaN"),
        ("resnet18 {}/constant.safetensors", 1, "gives the same answer for china.jpg and flower"),
        ("resnet18 {good} --labels {}/labels.txt", 2, "has 2 labels, and the network has 3"),
        ("resnet18 {good} --labels {}/none.txt", 1, "none.txt cannot be read as labels"),
        ("resnet18 {good} --data folder:{}/pictures", 1, "The class 'cat' of pictures is none of"),
        ("resnet18 {good} --data nothing", 2, "Unknown data set 'nothing'"),
        ("resnet18 {good} --out {}/full", 2, "full exists and is not empty"),
        ("resnet18 {good} --image-size 0", 2, "An input shape is"),
    ],
)
def test_bad_input_is_said_in_one_line(
    arguments: str,
    code: int,
    message: str,
    bad: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(tmp_path.rglob("*"))
    if "--out" not in arguments:
        arguments += " --out {}/new/run"
    if "--image-size" not in arguments:
        arguments += f" --image-size {SIDE}"
    found, out, err = run_main(capsys, "import-weights", *bad(arguments).split())
    assert (found, out) == (code, "")
    *progress, last = err.splitlines()
    assert bad(message) in last
    assert all("pictures" in line for line in progress)
    assert sorted(tmp_path.rglob("*")) == before


def test_another_network_of_the_same_names_is_refused(resnet18_file: Path) -> None:
    file = with_tensors(published.find("resnet50", resnet18_file), load_file(resnet18_file))
    with pytest.raises(Error, match="that of torchvision's resnet50"):
        published.build(file, SIDE)


def test_a_name_is_needed_as_it_is_published() -> None:
    with pytest.raises(UsageError, match="Did you mean 'vgg16_bn'"):
        published.find("vgg16-bn", Path("x.pth"))


@pytest.mark.parametrize(
    ("file", "publisher"),
    [
        ("r50.PTH", published.TORCHVISION),
        ("r50.Pt", published.TORCHVISION),
        ("r50.ckpt", published.TORCHVISION),
        ("model_best.pth.tar", published.TORCHVISION),
        ("r50.SafeTensors", published.TORCHVISION),
        ("R50.WEIGHTS.H5", published.KERAS),
        ("r50.hdf5", published.KERAS),
        ("r50.HDF5", published.KERAS),
        ("r50.Keras", published.KERAS),
    ],
)
def test_the_ending_of_a_name_tells_the_publisher_in_any_case(
    file: str, publisher: published.Publisher
) -> None:
    assert published.find("resnet50", Path(file)).publisher is publisher
