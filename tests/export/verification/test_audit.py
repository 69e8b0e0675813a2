from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_keras
import export
from cnn_keras.zoo import ZOO
from export.cli import main
from export.recipes import DEFAULT, RECIPES
from export.tflite import flatbuffer, metadata
from export.tflite.interpreter import Interpreter, ModelFileError
from export.verification.audit import remarks
from export.verification.description import describe
from export.verification.refusal import problems
from tests.fixtures.mutations import offsets_outside_weights
from tests.fixtures.tiny_files import custom_file


@pytest.mark.parametrize("name", DEFAULT)
def test_every_recipe_is_one_partition_without_problems(trained, name):
    found = export.audit(export.quantize(trained.float32, name, trained.calibration))
    assert problems(found, RECIPES[name]) == []
    assert remarks(found) == []
    assert found.partitions == 1
    assert found.delegated_nodes == found.nodes == sum(found.ops.values())


# Weights do not matter here: what XNNPACK takes is decided by operations and types. The networks
# for ImageNet are small here, one of each kind; `study conversion` converts all at full size.
@pytest.mark.parametrize(
    ("network", "side", "options"),
    [
        # Deeper networks for 32×32 repeat the same operations.
        *((n, 32, {}) for n, row in ZOO.items() if row.input_shape[0] == 32 and row.depth <= 20),
        ("lenet5", 32, {"form": "1998"}),
        ("resnet20", 32, {"shortcut": "B"}),
        ("alexnet", 67, {}),
        ("alexnet", 67, {"form": "2014"}),
        ("vgg11", 32, {"batch_normalization": True}),
        ("googlenet", 64, {}),
        ("googlenet", 64, {"normalization": "batch_norm", "form": "torchvision"}),
        ("resnet18", 64, {}),
        ("resnet18", 64, {"shortcut": "A"}),
        ("resnet18", 64, {"preactivation": True}),
        ("resnet50", 64, {"stride_on": "3x3"}),
        ("plain18", 64, {}),
    ],
)
@pytest.mark.usefixtures("narrow")
def test_networks_are_one_partition_by_every_recipe(network, side, options):
    shape = (side, side, ZOO[network].input_shape[-1])
    float32 = export.convert(cnn_keras.build(network, shape, 10, **options))
    images = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    for name, recipe in DEFAULT.items():
        found = export.audit(export.quantize(float32, name, images))
        assert problems(found, recipe) == []
        assert (found.partitions, found.delegated_nodes) == (1, found.nodes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("edgetpu-custom-op", "runs only on a Coral Edge TPU: edgetpu-custom-op"),
        ("ethos-u", "runs only on an Arm Ethos-U (compiled by Vela): ethos-u"),
        ("NeutronGraph", "runs only on an NXP eIQ Neutron NPU: NeutronGraph"),
        ("vsi-npu", "runs only on a VeriSilicon NPU (compiled by TIM-VX): vsi-npu"),
        ("DISPATCH_OP", "runs only on the NPU that LiteRT compiled it for: DISPATCH_OP"),
        ("Flex-Tan", "needs operations outside TFLite: Flex-Tan"),
        ("my.op of mine-2", "needs operations outside TFLite: my.op of mine-2"),
    ],
)
@pytest.mark.parametrize(("dtype", "recipe"), [("uint8", None), ("int8", "static_wi8_ai8")])
def test_custom_operations_refuse_a_file_of_any_recipe(name, message, dtype, recipe, tmp_path):
    path = tmp_path / "compiled.tflite"
    path.write_bytes(custom_file(name, dtype))
    document = describe(path)
    assert (document["recipe"], document["custom_ops"]) == (recipe, (name,))
    assert document["reasons"] == [message]
    if dtype == "uint8":
        with pytest.raises(ModelFileError, match=re.escape(f" the operation {name}")) as caught:
            Interpreter(path)
        assert ("runs only on" in str(caught.value)) == ("runs only on" in message)


def test_a_command_refuses_a_compiled_file(tmp_path, capsys):
    path = tmp_path / "net_edgetpu.tflite"
    path.write_bytes(custom_file("edgetpu-custom-op"))
    assert main(["audit", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["reasons"]


def test_a_compiled_detector_is_refused_with_its_device(tmp_path):
    model = flatbuffer.parse(custom_file("edgetpu-custom-op"))
    model.subgraphs[0].outputs = [2, 2]
    path = tmp_path / "detector.tflite"
    path.write_bytes(flatbuffer.pack(model))
    with pytest.raises(
        ModelFileError, match=r"1 input and 2 outputs; .* only on a Coral"
    ) as caught:
        export.audit(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (([0], [2, 2, 2, 2]), "has 1 input and 4 outputs; an image classifier has one of each"),
        (([0, 1], [2]), "has 2 inputs and 1 output; an image classifier has one of each"),
    ],
)
def test_inputs_and_outputs_of_other_models_are_counted(indices, message, tmp_path):
    model = flatbuffer.parse(custom_file("TFLite_Detection_PostProcess"))
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = indices
    path = tmp_path / "detector.tflite"
    path.write_bytes(flatbuffer.pack(model))
    with pytest.raises(ModelFileError, match=rf"detector\.tflite' {message}"):
        export.audit(path)


@pytest.mark.parametrize("codes", [0, 1])
def test_a_file_without_operations_is_reported(codes, tmp_path):
    model = flatbuffer.parse(custom_file("any"))
    graph = model.subgraphs[0]
    graph.operators, graph.outputs = [], [0]
    model.operatorCodes = model.operatorCodes[:codes]
    path = tmp_path / "identity.tflite"
    path.write_bytes(flatbuffer.pack(model))
    with pytest.raises(ModelFileError, match=r"identity\.tflite: .* without operations") as caught:
        export.audit(path)
    assert "truncated" not in str(caught.value)


def test_raw_pixels_do_not_count_as_activations():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 1), tf.uint8)])
    def scores(image):
        pixels = tf.cast(tf.transpose(image, (0, 2, 1, 3)), tf.float32)
        return tf.reshape(pixels * 2, (1, 16))

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [scores.get_concrete_function()], tf.Module()
    )
    found = export.audit(converter.convert())
    assert (found.recipe, problems(found)) == ("float32", [])


def test_dictionary_is_json(labeled_file, tmp_path):
    path = tmp_path / "labeled_file.tflite"
    path.write_bytes(labeled_file)
    document = json.loads(json.dumps(export.audit(path).to_dict()))
    assert document["size_bytes"] == len(labeled_file)
    assert document["metadata"] is True
    assert document["flex_ops"] == []
    assert document["input"]["shape"] == [1, 8, 8, 1]


def test_truncated_files_are_refused_in_one_line(labeled_file):
    for length in np.linspace(0, len(labeled_file) - 1, 100, dtype=int):
        with pytest.raises(ModelFileError) as caught:
            export.audit(labeled_file[:length])
        assert "\n" not in str(caught.value)


def test_random_bytes_are_refused():
    generator = np.random.default_rng(0)
    for length in (0, 1, 8, 100, 10_000):
        for head in (b"", b"\x1c\x00\x00\x00TFL3"):
            with pytest.raises(ModelFileError):
                export.audit(head + generator.bytes(length))


def test_altered_files_are_read_or_refused(labeled_file):
    """Neither a crash nor another exception, for a change of any byte outside the weights.

    With seed 0 an altered size makes LiteRT work for many seconds before it fails.
    """
    generator = np.random.default_rng(1)
    for position in generator.choice(offsets_outside_weights(labeled_file), 300):
        altered = bytearray(labeled_file)
        altered[position] ^= int(generator.integers(1, 256))
        with contextlib.suppress(ModelFileError):
            export.audit(bytes(altered))


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match=r"Cannot read .*nothing\.tflite': No such file"):
        export.audit(tmp_path / "nothing.tflite")


def test_names_and_labels_are_read_and_shown_in_an_ascii_locale(trained, tmp_path):
    """In a subprocess, because Python chooses the locale at its start."""
    labels = ("größe", "模型", *"23456789")
    path = tmp_path / "größe.tflite"
    path.write_bytes(metadata.write(trained.float32, metadata.Metadata("模型", "", labels, None)))
    (tmp_path / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
    for label in labels:
        (tmp_path / "pictures" / label).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pictures" / label / "größe.png")
    own = (
        "from pathlib import Path\n"
        "from cnn_keras.data import image_folder\n"
        "from cnn_keras.training.run_folder import Run\n"
        "from cnn_keras.weights.labels import class_names\n"
        "print(ascii(image_folder.list_images(Path('pictures')).classes))\n"
        "print(ascii((Run(Path()).classes, class_names(10, Path('labels.txt')))))"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments, code, expected in (
        (["-m", "export", "audit", path.name], 0, "gr\\xf6"),
        (["-m", "export", "audit", "ü.tflite"], 1, "Cannot read"),
        (["-c", own], 0, f"{tuple(sorted(labels))!a}\n{(labels, labels)!a}"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **ascii_only, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            check=False,
        )
        printed = (done.stdout + done.stderr).decode()
        assert (done.returncode, "Traceback" in printed) == (code, False)
        assert expected in printed
