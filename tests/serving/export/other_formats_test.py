"""`synthesize` of an export as a LiteRT and as an ONNX model: both give the pictures of the SavedModel."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from serving import signatures as s
from tests.serving import tiny_export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return tiny_export.write(str(tmp_path_factory.mktemp("other_formats")))


@pytest.fixture(scope="module")
def inputs():
    return tiny_export.rows(s.SYNTHESIZE, 2)


@pytest.fixture(scope="module")
def images(exported, inputs):
    synthesize = tf.saved_model.load(exported).signatures[s.SYNTHESIZE]
    return synthesize(**{name: tf.constant(value) for name, value in inputs.items()})[s.IMAGES].numpy()


@pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow announces where LiteRT's interpreter will move to.
def test_litert_gives_the_images_of_the_saved_model(exported, inputs, images):
    model = tf.lite.TFLiteConverter.from_saved_model(exported, signature_keys=[s.SYNTHESIZE]).convert()
    runner = tf.lite.Interpreter(model_content=model).get_signature_runner(s.SYNTHESIZE)
    np.testing.assert_allclose(runner(**inputs)[s.IMAGES], images, rtol=0, atol=1e-5)


def test_onnx_gives_the_images_of_the_saved_model(exported, inputs, images, tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "synthesize.onnx"
    # The command of docs/how_to/serve.md.
    command = ["-m", "tf2onnx.convert", "--saved-model", exported, "--tag=serve", f"--signature_def={s.SYNTHESIZE}"]
    subprocess.run([sys.executable, *command, "--opset=18", "--output", str(path)], check=True, capture_output=True)
    answers = onnxruntime.InferenceSession(path).run([s.IMAGES], inputs)
    np.testing.assert_allclose(answers[0], images, rtol=0, atol=1e-5)
