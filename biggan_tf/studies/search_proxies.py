"""Proxies: whether what the networks are like before any training tells which recipes will learn fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.architecture_search import proxies, ranking
from biggan_tf.config import Config
from biggan_tf.config.discriminator_norms import LayerNormConfig, NoNormConfig, SpectralConfig
from biggan_tf.config.parts import DiscriminatorNormConfig
from biggan_tf.config.search import PROXIES
from biggan_tf.evaluation.metrics.frechet import frechet_distance_of_features
from biggan_tf.studies import drawing, small_training
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.short_training import ShortTraining, new_gan
from biggan_tf.types import Images, Labels

_CHANCE = 0.05  # how often ranks that mean nothing may be as good
_PERMUTATIONS = 20_000
_PROXY_IMAGES = 16
# All recipes have the same learning rates, by which r of the linearised game has the ranks of the interaction.
_NAMES = tuple(name for name in PROXIES if name != "linearised_r")
_QUICK = ("discriminator_slope", "latent_diversity", "feature_rank")


class _Recipe(NamedTuple):
    """What is changed of the small training's recipe."""

    generator_channels: int
    discriminator_channels: int
    norm: DiscriminatorNormConfig
    initializer: str

    @property
    def name(self) -> str:
        return f"{self.generator_channels}/{self.discriminator_channels} {self.norm.kind} {self.initializer}"

    def config(self, seed: int) -> Config:
        """The recipe as a configuration."""
        made = small_training.config()
        changes = self._asdict()
        for field in ("generator_channels", "discriminator_channels", "initializer"):
            setattr(made.model, field, changes[field])
        made.model.discriminator_norm = self.norm
        made.training.seed = seed
        return made


_RECIPES = (
    _Recipe(8, 8, SpectralConfig(), "orthogonal"),
    _Recipe(2, 8, SpectralConfig(), "orthogonal"),
    _Recipe(8, 2, SpectralConfig(), "orthogonal"),
    _Recipe(8, 8, NoNormConfig(), "orthogonal"),
    _Recipe(8, 8, LayerNormConfig(), "orthogonal"),
    _Recipe(8, 8, SpectralConfig(), "normal"),
    _Recipe(2, 2, NoNormConfig(), "normal"),
    _Recipe(16, 4, LayerNormConfig(), "normal"),
)


def _run(context: StudyContext) -> StudyResult:
    """Measures recipes untrained, trains each twice, and compares the ranks."""
    steps, count, names = context.sized((1, 3, _QUICK), (150, len(_RECIPES), _NAMES))
    recipes = _RECIPES[:count]
    images = small_training.drawn_images(context.random("images"), context.sized(256, 2048))
    real = tf.constant(images[:_PROXY_IMAGES]), tf.zeros([_PROXY_IMAGES], tf.int32)
    values = {each.name: _measured(each.config(context.seed), names, *real, context.seed) for each in recipes}
    distances = np.array([[_distance(each, seed, steps, images, context) for each in recipes] for seed in (1, 2)])
    results = distances.mean(axis=0)
    score = ranking.scores(values)
    found = {"score": _correlation([score[each.name] for each in recipes], results)}
    for name in names:
        found[name] = _correlation(ranking.costs([values[each.name][name] for each in recipes], name), results)
    between_seeds = _correlation(distances[0], distances[1])
    needed = critical_value(count, context.random("permutations"))
    holds = found["score"] >= needed
    return StudyResult(
        holds=bool(holds),
        numbers={
            "recipes": [each.name for each in recipes],
            "proxies": values,
            "score": [score[each.name] for each in recipes],
            "distances_by_seed": distances,
            "rank_correlation": found,
            "rank_correlation_between_seeds": between_seeds,
            "needed": needed,
        },
        settings={"steps": steps, "recipes": count, "proxy_images": _PROXY_IMAGES, "chance": _CHANCE},
        paragraph=_paragraph(found, between_seeds, needed, count, steps),
        figure=_figure(score, recipes, distances, found, needed),
        alt=(
            "Two panels: the distance after training against the score before it, a point for each recipe and seed; "
            "and bars with the rank correlation of each proxy, next to the line that chance passes once in twenty."
        ),
    )


def _measured(config: Config, names: Sequence[str], images: Images, labels: Labels, seed: int) -> dict[str, float]:
    """The proxies, without the digits that sums in another order change."""
    found = proxies.measure(config, names, images, labels, seed)
    return {name: drawing.rounded(value) for name, value in found.items()}


def critical_value(count: int, random: np.random.Generator) -> float:
    """The rank correlation that ranks without a meaning reach with the probability `_CHANCE`.

    Args:
        count: How many recipes are ranked.
        random: Draws the ranks.
    """
    ordered = np.arange(count)
    drawn = np.stack([random.permutation(count) for _ in range(_PERMUTATIONS)])
    # Spearman: 1 - 6 sum (difference of ranks)^2 / (n (n^2 - 1))
    values = 1.0 - 6.0 * np.sum((drawn - ordered) ** 2, axis=1) / (count * (count**2 - 1))
    return float(np.quantile(values, 1.0 - _CHANCE, method="higher"))


def _correlation(first: Sequence[float] | Float64[np.ndarray, " R"], second: Float64[np.ndarray, " R"]) -> float:
    """The rank correlation; 0 where one side does not vary, which foretells nothing."""
    return ranking.correlation(list(first), list(second)) or 0.0


def _distance(recipe: _Recipe, seed: int, steps: int, images: np.ndarray, context: StudyContext) -> float:
    """The Frechet distance of pixels between real images and those of a short training."""
    gan = new_gan(recipe.config(context.seed + seed))
    ShortTraining(gan, images, compiled=steps > 1).run(steps)
    z = tf.constant(context.random("latents").standard_normal((len(images) // 2, small_training.Z_DIM)), tf.float32)
    fakes = np.asarray(gan.generator(z, training=True), np.float64).reshape(len(z), -1)
    real = images.astype(np.float64).reshape(len(images), -1)
    return drawing.rounded(frechet_distance_of_features(real, fakes).total)


def _paragraph(found: dict[str, float], between_seeds: float, needed: float, count: int, steps: int) -> str:
    best = max((name for name in found if name != "score"), key=lambda name: found[name])
    worst = min((name for name in found if name != "score"), key=lambda name: found[name])
    verb = "is above" if found["score"] >= needed else "is not above"
    return (
        "Claim: numbers of the networks at their initial weights rank recipes better than chance by how far a short "
        f"training gets them. Computed: {count} small BigGANs that differ in widths, norm of D and initial weights, "
        "the proxies of the architecture search for each, and the Frechet distance of pixels after two trainings of "
        f"{steps} steps. Came out: the score, the mean rank over all proxies, has a rank correlation of "
        f"{found['score']:.2f} with the distance, which {verb} the {needed:.2f} that chance passes once in twenty; "
        f"the best single proxy is {best.replace('_', ' ')} with {found[best]:.2f}, the worst "
        f"{worst.replace('_', ' ')} with {found[worst]:.2f}. Two trainings of the same recipes agree with "
        f"{between_seeds:.2f}, and no proxy can be expected to foretell more than that. Where it stops: few and small "
        "networks, one data set, and short trainings, which say who learns fast and not who ends best; with so few "
        "recipes a single correlation is uncertain by some tenths. The table of a search has the same correlations "
        "for its own candidates."
    )


def _figure(
    score: dict[str, float],
    recipes: Sequence[_Recipe],
    distances: Float64[np.ndarray, "2 R"],
    found: dict[str, float],
    needed: float,
) -> Figure:
    figure, (points, bars) = drawing.new_figure("What recipes are like untrained, and how far a short training gets", 2)
    across = [score[each.name] for each in recipes]
    for number, of_seed in enumerate(distances):
        points.plot(across, of_seed, label=f"seed {number + 1}", **drawing.style(number, joined=False))
    drawing.label(points, "score before training, 0 is best", "Frechet distance of pixels\nafter training")
    names = list(found)
    bars.barh(range(len(names)), list(found.values()), color=drawing.COLOURS[0], height=0.6)
    bars.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    bars.set_ylim(len(names) + 0.8, -0.6)  # the first on top, and room for the legend below the last
    bars.axvline(needed, color=drawing.COLOURS[1], linestyle="--", label="chance passes this once in 20")
    bars.axvline(0.0, color="#000000", linewidth=0.8)
    drawing.label(bars, "rank correlation with the distance", "proxies")
    return figure


STUDY = Study(
    name="search_proxies",
    title="Proxies of an architecture search",
    claim="Numbers of untrained networks rank recipes better than chance by what a short training makes of them.",
    run=_run,
)
