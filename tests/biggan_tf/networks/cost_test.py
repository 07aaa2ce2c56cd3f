import importlib

import numpy as np
import pytest

from biggan_tf.config import Config
from biggan_tf.networks import Discriminator, Generator, cost
from tests.biggan_tf.networks.models import small

# The published models' (generator, discriminator).
GOLDEN = {
    "biggan_128": (70_433_988, 87_982_370),
    "biggan_256": (82_097_604, 99_225_890),
    "biggan_512": (82_468_068, 99_401_282),
    "biggan_deep_128": (50_244_484, 34_590_210),
    "biggan_deep_256": (55_736_708, 38_247_426),
    "biggan_deep_512": (56_019_780, 38_301_122),
}
VARIANTS = {
    ("biggan_256", "compare_gan", 140): (82_097_604, 98_635_298),
    ("biggan_512", "compare_gan", 160): (82_468_068, 98_801_378),
    ("biggan_512", "tfhub", 128): (82_296_804, 99_401_282),
    ("biggan_deep_128", "tfhub", 128): (50_388_609, 34_590_210),
    ("biggan_deep_256", "tfhub", 128): (55_880_833, 38_247_426),
    ("biggan_deep_512", "tfhub", 128): (56_163_905, 38_301_122),
}


@pytest.mark.parametrize("recipe", sorted(GOLDEN))
def test_parameters_are_the_papers(recipe):
    assert cost.parameter_counts(importlib.import_module(f"configs.{recipe}").get_config().model) == GOLDEN[recipe]


@pytest.mark.parametrize("key", sorted(VARIANTS))
def test_parameters_are_the_references(key):
    recipe, reference, z_dim = key
    config = importlib.import_module(f"configs.{recipe}").get_config()
    config.model.reference, config.model.z_dim = reference, z_dim
    assert cost.parameter_counts(config.model) == VARIANTS[key]


@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
def test_counting_creates_no_weight_and_agrees_with_the_networks(architecture):
    model = small(architecture=architecture)
    for counted, network in zip(cost.network_costs(model), (Generator(model), Discriminator(model)), strict=True):
        assert counted.parameters == sum(np.prod(v.shape) for v in network.trainable_variables)
        assert counted.state == sum(np.prod(v.shape) for v in network.non_trainable_variables)


def test_operations_are_counted_by_hand():
    model = small(
        generator_attention=(), discriminator_attention=(), num_classes=0, hierarchical=False, fused_resampling=False
    )
    generator, _ = cost.network_costs(model)
    channels = 32
    convolutions = sum(size**2 * channels**2 * (9 + 9 + 1) for size in (8, 16, 32)) + 32**2 * channels * 3 * 9
    assert generator.multiply_adds == {"dense": 16 * 16 * channels, "convolution": convolutions, "batch_norm": 0}


def test_fusing_saves_what_the_algebra_says():
    plain, fused = (
        cost.network_costs(small(fused_resampling=f, generator_attention=(), discriminator_attention=()))[0]
        for f in (False, True)
    )
    channels = 32
    saved = sum(size**2 * channels**2 * ((9 - 9 / 4) + (1 - 1 / 4)) for size in (8, 16, 32))
    assert plain.total_multiply_adds - fused.total_multiply_adds == saved


@pytest.mark.parametrize(
    ("policy", "weight_bytes", "activation_bytes"),
    [("float32", 4, 4), ("mixed_bfloat16", 4, 2), ("mixed_float16", 4, 2), ("float64", 8, 8)],
)
def test_bytes_are_those_of_the_policy(policy, weight_bytes, activation_bytes):
    model = small(policy=policy)
    memory = cost.report(Config(model=model))["memory_bytes_per_replica"]
    generator, discriminator = cost.network_costs(model, memory["micro_batch"])
    parameters = generator.parameters + discriminator.parameters
    held = max(2 * discriminator.activations, generator.activations + discriminator.activations)
    assert memory["weights"] == weight_bytes * (parameters + generator.state + discriminator.state)
    assert memory["ema"] == weight_bytes * (generator.parameters + generator.state)
    assert memory["optimizer"] == weight_bytes * 2 * parameters
    assert memory["gradients"] == weight_bytes * max(generator.parameters, discriminator.parameters)
    assert memory["activations"] == activation_bytes * held * memory["micro_batch"]


def test_report_adds_up():
    report = cost.report(Config(model=small()))
    memory = report["memory_bytes_per_replica"]
    assert memory["micro_batch"] == 2048
    parts = [value for name, value in memory.items() if name not in ("micro_batch", "total")]
    assert memory["total"] == sum(parts)
    operations = report["operations_per_image"]
    g, d = operations["generator_forward"], operations["discriminator_forward"]
    assert operations["training_step"] == 2 * (g + 6 * d) + 3 * g + 2 * d
