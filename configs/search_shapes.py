"""A search for networks for the drawn shapes that cost no more than those of the demo.

    python -m biggan_tf.search --config=configs/search_shapes.py --config.data.path=DATA --output=DIR

The data are those of the demo: `python -m pipeline.preprocess --source=shapes --num_shapes=2000 --resolutions=32
--output=DATA`, and DATA/32 is their folder. The demo's recipe, pipeline_demo.py, is the base.

Cost and score on two cores with AVX2: about an hour of both. The winner costs 0.87 of the demo's operations and has
0.62 of its parameters. After 38,400 images its Fréchet distance over EfficientNet-Lite0 (1,000 samples, 1,000 images)
is 93.2, that of the demo's recipe 107.8, with deviations of 6.6 and 8.5 over three seeds.
"""

from biggan_tf.config import Config, EvaluationConfig
from biggan_tf.config.discriminator_norms import InstanceNormConfig, LayerNormConfig, SpectralConfig
from biggan_tf.config.search import LimitsConfig, SearchChoice, SearchConfig, SearchOption, SearchRoundConfig
from configs import pipeline_demo

# Multiples of the channels from 4 x 4 pixels to 32 x 32; a level that does not double has False.
GENERATORS = {
    "halving": ((8, 4, 2, 1), (True, True, True)),
    "even": ((4, 4, 4, 2), (True, True, True)),
    "wide_start": ((16, 4, 2, 1), (True, True, True)),
    "deeper": ((8, 8, 4, 2, 1), (False, True, True, True)),
    "deeper_end": ((8, 4, 2, 1, 1), (True, True, True, False)),
}
DISCRIMINATORS = {
    "doubling": ((1, 2, 4, 8), (True, True, True, False)),
    "even": ((2, 4, 4, 4), (True, True, True, False)),
    "shallower": ((1, 2, 4), (True, True, True)),
    "deeper": ((1, 2, 4, 8, 8), (True, True, True, False, False)),
}
LATENTS_PER_LEVEL = 8  # each level has its own part of z, as in the demo
CHANNELS = (8, 12, 16, 20, 24)


def get_config() -> SearchConfig:
    return SearchConfig(
        base=_base(),
        name="Networks for the shapes",
        description=(
            "Recipes that cost no more operations of a training step than the demo's, which takes part in every round. "
            "Trainings are short: what learns fast is found, and not what would be best in the end."
        ),
        space=(
            SearchChoice("generator_levels", tuple(_levels("generator", "upsampling", GENERATORS))),
            SearchChoice("discriminator_levels", tuple(_levels("discriminator", "downsampling", DISCRIMINATORS))),
            SearchChoice("generator_width", tuple(_fields("model.generator_channels", CHANNELS))),
            SearchChoice("discriminator_width", tuple(_fields("model.discriminator_channels", CHANNELS))),
            SearchChoice(
                "resampling",
                tuple(SearchOption(how, {"model.resampling": how}) for how in ("published", "filtered")),
            ),
            SearchChoice("generator_attention", tuple(_attention("generator"))),
            SearchChoice("discriminator_attention", tuple(_attention("discriminator"))),
            SearchChoice(
                "norm",
                (
                    SearchOption("spectral", {"model.discriminator_norm": SpectralConfig()}),
                    SearchOption("layer", {"model.discriminator_norm": LayerNormConfig()}),
                    SearchOption("instance", {"model.discriminator_norm": InstanceNormConfig()}),
                ),
            ),
        ),
        limits=LimitsConfig(operations=1.0, least_operations=0.5),
        candidates=24,
        rounds=(
            SearchRoundConfig(candidates=8, images=6_000),
            SearchRoundConfig(candidates=3, images=12_000),
            SearchRoundConfig(candidates=1, images=38_400, seeds=(0, 1, 2)),
        ),
        evaluation=EvaluationConfig(metrics=("fd",), features="efficientnet_lite0", num_samples=1_000, num_real=1_000),
    )


def _base() -> Config:
    """The demo's recipe."""
    base = pipeline_demo.get_config().trainer
    base.name = "base"
    return base


def _levels(
    network: str, resampling: str, tables: dict[str, tuple[tuple[int, ...], tuple[bool, ...]]]
) -> list[SearchOption]:
    options = []
    for name, (table, flags) in tables.items():
        changes: dict[str, object] = {f"model.{network}_table": table, f"model.{network}_{resampling}": flags}
        if network == "generator":
            changes["model.z_dim"] = LATENTS_PER_LEVEL * len(table)
        options.append(SearchOption(name, changes))
    return options


def _fields(path: str, values: tuple[int, ...]) -> list[SearchOption]:
    return [SearchOption(str(value), {path: value}) for value in values]


def _attention(network: str) -> list[SearchOption]:
    return [
        SearchOption("none", {f"model.{network}_attention": ()}),
        SearchOption("16", {f"model.{network}_attention": (16,)}),
    ]
