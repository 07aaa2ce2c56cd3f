"""What "auto" resolves to. No test rests on the processor: its speed is faked, or measured without a verdict."""

import math

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import precision
from biggan_tf.config import Config, ConfigError
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.training import cost
from tests.biggan_tf.families.biggan.models import small


@pytest.fixture
def speed(monkeypatch):
    """Sets what the measurement finds."""

    def fake(value):
        monkeypatch.setattr(precision, "bfloat16_speed", lambda: value)

    return fake


@pytest.mark.parametrize(
    ("value", "policy", "reason"),
    [
        (1.9, "mixed_bfloat16", "is 1.9 times as fast as in float32"),
        (precision.FASTER, "mixed_bfloat16", "is 1.2 times"),
        (1.1, "float32", "is 1.1 times"),
        (0.07, "float32", "is 0.07 times"),
        (0.0, "float32", "fails on this device"),
    ],
)
def test_bfloat16_is_taken_where_it_is_clearly_faster(speed, value, policy, reason):
    speed(value)
    assert precision.resolve("auto") == policy
    assert reason in precision.automatic().reason


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_policy_asked_for_by_name_is_taken_without_measuring(monkeypatch, policy):
    monkeypatch.setattr(precision, "bfloat16_speed", lambda: pytest.fail("measured"))
    assert precision.resolve(policy) == policy
    model = BigGANConfig(policy=policy)
    assert precision.resolved(model) is model


def test_the_measurement_agrees_with_itself():
    first = precision.bfloat16_speed()
    assert math.isfinite(first)
    assert first >= 0
    assert precision.bfloat16_speed() == first
    assert precision.automatic() == precision.automatic()
    assert (precision.resolve("auto") == "mixed_bfloat16") == (first >= precision.FASTER)


def test_what_is_measured_is_a_convolution_and_its_gradients():
    random = np.random.default_rng(0)
    images = tf.constant(random.standard_normal((2, 5, 5, 3)), tf.float64)
    kernel = tf.constant(random.standard_normal((3, 3, 3, 4)), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch((images, kernel))
        outputs = tf.nn.conv2d(images, kernel, 1, "SAME")
        energy = 0.5 * tf.reduce_sum(outputs**2)  # its gradient for the outputs is the outputs
    expected = (outputs, *tape.gradient(energy, (images, kernel)))
    for found, wanted in zip(precision._tensorflow_results(images, kernel), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_kernel_that_fails_counts_as_no_speed(monkeypatch):
    def failing(dtype):
        raise tf.errors.AbortedError(None, None, f"could not create a primitive for {dtype}")

    monkeypatch.setattr(precision, "_convolution", failing)
    assert precision.bfloat16_speed.__wrapped__() == 0


def test_measuring_works_while_a_graph_is_traced(monkeypatch):
    monkeypatch.setattr(precision, "_SHORTEST_S", 1e-9)  # one round
    monkeypatch.setattr(precision, "_LONGEST_S", 0.0)
    found = []
    tf.function(lambda: found.append(precision.bfloat16_speed.__wrapped__()))()
    assert found[0] >= 0


@pytest.mark.parametrize(
    ("capability", "policy"), [((7, 5), "float32"), ((8, 0), "mixed_bfloat16"), ((12, 0), "mixed_bfloat16")]
)
def test_an_nvidia_gpu_is_judged_by_its_compute_capability(monkeypatch, capability, policy):
    monkeypatch.setattr(precision, "bfloat16_speed", lambda: pytest.fail("measured"))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"] if kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert precision.resolve("auto") == policy
    assert ".".join(map(str, capability)) in precision.automatic().reason


def test_the_weakest_of_several_gpus_decides(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [(8, 0), (7, 0)] if kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu})
    assert precision.resolve("auto") == "float32"


def test_a_tpu_takes_bfloat16(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["tpu"] if kind == "TPU" else [])
    assert precision.resolve("auto") == "mixed_bfloat16"


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_a_network_keeps_what_it_resolved_to_when_it_is_rebuilt_elsewhere(speed, network):
    speed(2.0)
    built = network(small(policy="auto"))
    assert built.dtype_policy.name == "mixed_bfloat16"
    assert built.config.policy == "mixed_bfloat16"
    speed(0.1)
    assert network.from_config(built.get_config()).dtype_policy.name == "mixed_bfloat16"
    assert network(small(policy="auto")).dtype_policy.name == "float32"


@pytest.mark.parametrize(("value", "dtype"), [(2.0, "bfloat16"), pytest.param(0.1, "float32", marks=pytest.mark.slow)])
def test_the_cost_is_that_of_the_resolved_policy(speed, value, dtype):
    speed(value)
    report, wanted = (
        cost.report(Config(model=small(policy=policy)))
        for policy in ("auto", {"bfloat16": "mixed_bfloat16"}.get(dtype, dtype))
    )
    assert cost.model_dtype(small(policy="auto")) == dtype
    assert report == wanted


def test_a_misspelt_policy_names_the_near_one():
    with pytest.raises(ConfigError, match=r"model\.policy must be one of .*Received: 'atuo'; did you mean auto"):
        Config(model=BigGANConfig(policy="atuo")).validate()
