import importlib
import pathlib

import numpy as np
import pytest
from keras.src.backend.common import global_state

from biggan_tf.conditions.config import InfoNCEConfig
from biggan_tf.config import Config
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.training import cost
from biggan_tf.training.gan import GAN
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.training import tiny

# The published models' (generator, discriminator).
GOLDEN = {
    "biggan_128": (70_433_988, 87_982_370),
    "biggan_256": (82_097_604, 99_225_890),
    "biggan_512": (82_468_068, 99_401_282),
    "biggan_deep_128": (50_244_484, 34_590_210),
    "biggan_deep_256": (55_736_708, 38_247_426),
    "biggan_deep_512": (56_019_780, 38_301_122),
    "stylegan3t_256": (28_472_133, 28_864_129),
    # The discriminator without shortcuts, three kernels of 512 x 512 fewer than the 23,876,096 with them.
    "stylegan2_32": (20_215_315, 23_089_664),
    "stylegan2_256": (30_034_338, 28_864_129),
}
VARIANTS = {
    ("biggan_256", "compare_gan", 140): (82_097_604, 98_635_298),
    ("biggan_512", "compare_gan", 160): (82_468_068, 98_801_378),
    ("biggan_512", "tfhub", 128): (82_296_804, 99_401_282),
    ("biggan_deep_128", "tfhub", 128): (50_388_609, 34_590_210),
    ("biggan_deep_256", "tfhub", 128): (55_880_833, 38_247_426),
    ("biggan_deep_512", "tfhub", 128): (56_163_905, 38_301_122),
}


def test_counting_leaves_no_network_that_keras_would_give_memory_to_later():
    config = tiny.config()
    cost.parameter_counts(config.model)
    cost.report(config)
    # Whatever opens a scope like this one, such as Keras when it looks for the shape of a result, initialises the list.
    assert not global_state.get_global_attribute("uninitialized_variables")


@pytest.mark.parametrize("recipe", sorted(GOLDEN))
def test_parameters_are_the_papers(recipe):
    assert cost.parameter_counts(importlib.import_module(f"configs.{recipe}").get_config().model) == GOLDEN[recipe]


@pytest.mark.parametrize("key", sorted(VARIANTS))
def test_parameters_are_the_references(key):
    recipe, reference, z_dim = key
    config = importlib.import_module(f"configs.{recipe}").get_config()
    config.model.reference, config.model.z_dim = reference, z_dim
    assert cost.parameter_counts(config.model) == VARIANTS[key]


@pytest.mark.parametrize("architecture", ["biggan", pytest.param("biggan_deep", marks=pytest.mark.slow)])
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
    [
        ("float32", 4, 4),
        ("mixed_bfloat16", 4, 2),
        pytest.param("mixed_float16", 4, 2, marks=pytest.mark.slow),
        pytest.param("float64", 8, 8, marks=pytest.mark.slow),
    ],
)
def test_bytes_are_those_of_the_policy(policy, weight_bytes, activation_bytes):
    model = small(policy=policy)
    memory = cost.report(Config(model=model))["memory_bytes_per_replica"]
    generator, discriminator = cost.network_costs(model, memory["micro_batch"])
    parameters = generator.parameters + discriminator.parameters
    held = max(2 * discriminator.activations, generator.activations + discriminator.activations)
    assert memory["weights"] == weight_bytes * (parameters + generator.state + discriminator.state)
    assert memory["ema"] == weight_bytes * (generator.parameters + generator.state)
    # Without momentum Adam stores the second moment alone.
    assert memory["optimizer"] == weight_bytes * parameters
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


def test_a_condition_that_asks_about_the_real_images_once_more_is_counted():
    config = tiny.config()
    plain = cost.report(config)["operations_per_image"]
    config.model.condition = InfoNCEConfig(embedding_dim=4)
    report = cost.report(config)
    operations = report["operations_per_image"]
    g, d = operations["generator_forward"], operations["discriminator_forward"]
    assert d > plain["discriminator_forward"]
    steps = config.game.discriminator_steps
    assert operations["training_step"] == steps * (g + 9 * d) + 3 * g + 2 * d
    discriminator = cost.network_costs(config.model, config.training.batch_size)[1]
    assert report["memory_bytes_per_replica"]["activations"] >= 4 * 3 * discriminator.activations


def test_the_smallest_accumulation_with_which_a_gpu_has_room_is_told():
    config = Config(model=small())
    report = cost.report(config)
    memory, fits = report["memory_bytes_per_replica"], report["smallest_accumulation_that_fits"]
    fixed = memory["total"] - memory["activations"]
    for size in (24, 40, 80):
        count, room = fits[f"{size} GB"], 0.9 * size * 2**30
        assert config.training.batch_size % count == 0
        assert fixed + memory["activations"] / count <= room
        assert count == 1 or fixed + memory["activations"] / (count / 2) > room
    assert cost._accumulations(8, {"weights": 10**12, "activations": 8}, 8) == dict.fromkeys(fits, None)


def test_adam_has_a_slot_more_with_momentum():
    config = tiny.config()
    generator, discriminator = cost.parameter_counts(config.model)
    config.training.generator.beta_1 = 0.5
    memory = cost.report(config)["memory_bytes_per_replica"]
    assert memory["optimizer"] == 4 * (2 * generator + discriminator)
    gan = GAN(config)
    slots = [
        sum(int(np.prod(v.shape)) for v in moments)
        for moments in (
            gan.generator_optimizer.inner_optimizer.first_moments,
            gan.generator_optimizer.inner_optimizer.second_moments,
            gan.discriminator_optimizer.inner_optimizer.first_moments,
            gan.discriminator_optimizer.inner_optimizer.second_moments,
        )
    ]
    assert memory["optimizer"] == 4 * sum(slots)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["biggan_cifar10", "biggan_64", "r3gan_cifar10"])
def test_the_readme_tells_the_memory_of_a_recipe_and_the_accumulation_that_fits(recipe):
    config = importlib.import_module(f"configs.{recipe}").get_config()
    config.model.policy = "float32"
    report = cost.report(config)
    readme = (pathlib.Path(__file__).parents[3] / "README.md").read_text()
    row = next(line for line in readme.splitlines() if line.startswith(f"| `configs/{recipe}.py`"))
    memory, micro_batches = (cell.strip() for cell in row.split("|")[4:6])
    total = report["memory_bytes_per_replica"]["total"] / 1e9
    assert memory == (f"{total:.1f} GB" if total < 10 else f"{total:.0f} GB")
    counts = list(report["smallest_accumulation_that_fits"].values())
    assert micro_batches == ("1" if set(counts) == {1} else " / ".join(map(str, counts)))
