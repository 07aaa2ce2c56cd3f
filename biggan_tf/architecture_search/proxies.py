"""What the networks of a recipe are like at their initial weights, as numbers by which recipes are ranked.

Each is a guess at how well a training will go that costs seconds and not minutes. Whether the guesses are worth
anything is measured by the search itself: its page has the rank correlation of each with the results of trainings.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, Phase
from biggan_tf.evaluation.metrics.game_interaction import growth_factor, largest_interaction
from biggan_tf.evaluation.metrics.jacobian_isometry import jacobian_isometry
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.inference import standing_statistics
from biggan_tf.inference.batch_norm_moments import has_batch_norm
from biggan_tf.training.gan import GAN
from biggan_tf.types import Images, Labels, Tensor

_POWER_STEPS = 3  # after which the largest singular value is right to a few per cent
_STANDING_PASSES = 8
_ISOMETRY_IMAGES = 4  # each costs as many passes as z has values
_DAMPING = 1.0  # alpha, as in `studies.dynamics`
_TINY = 1e-30


class Proxy(NamedTuple):
    """One of the numbers.

    Attributes:
        meaning: What it is, as a clause for tables.
        lower_is_better: Which way it is ranked.
        measure: Computes it for new networks and real images.
    """

    meaning: str
    lower_is_better: bool
    measure: Callable[[_Networks], float]


class _Networks(NamedTuple):
    """A GAN with its initial weights, and as many real images as it is measured on."""

    gan: GAN
    images: Images
    labels: Labels

    @property
    def rows(self) -> int:
        return int(self.images.shape[0])

    def gradients(self, phase: Phase) -> list[Tensor]:
        """The gradients of a phase's loss on the real images, as a training would see them first."""
        scale = self.gan.update_of(phase).optimizer.scale_loss(tf.ones([]))
        parts = self.gan.gradients(phase, Batch(self.images, self.labels), self.rows, 0).gradients
        return [tf.cast(part, tf.float32) / tf.cast(scale, tf.float32) for part in parts]

    def fakes(self, one_class: bool = False) -> Images:
        """Images of G in training mode, always of the same latents.

        Args:
            one_class: Whether all are of the class of the first real image; by default of the real images' classes.
        """
        model = self.gan.config.model
        draw = self.gan.sample_latents(tf.constant([self.gan.config.training.seed, 1], tf.int64), self.rows)
        labels = tf.repeat(self.labels[:1], self.rows) if one_class else self.labels
        generator = self.gan.generator
        return generator(generator.inputs_of(draw.z, labels if model.num_classes else None), training=True)

    def judge(self, images: Images, labels: Labels) -> Judgement:
        """D's answers in training mode, so that the networks are as a first step finds them."""
        inputs = (images, labels) if self.gan.config.model.num_classes else images
        return self.gan.discriminator(inputs, training=True)

    def phase(self, trains: str) -> Phase:
        """The first phase that trains a network."""
        return next(phase for phase in self.gan.phases if phase.trains == trains)


def measure(recipe: Config, names: Sequence[str], images: Images, labels: Labels, seed: int) -> dict[str, float]:
    """Measures proxies of a recipe's networks.

    Args:
        recipe: Its networks are computed in float32, whatever its policy.
        names: Which of `PROXIES`.
        images: Real images in [-1, 1].
        labels: Their classes.
        seed: Decides the initial weights and the latents.

    Returns:
        The numbers by name. One that is not finite says that the networks overflow before they are trained.
    """
    recipe = copy.deepcopy(recipe)
    recipe.model.policy, recipe.training.seed = "float32", seed
    keras.utils.set_random_seed(seed)
    gan = GAN(recipe)
    initial = [variable.numpy() for variable in gan.variables]
    values = {}
    for name in names:
        values[name] = float(PROXIES[name].measure(_Networks(gan, images, labels)))
        for variable, value in zip(gan.variables, initial, strict=True):  # a call in training moves some of them
            variable.assign(value)
    return values


def _generator_isometry(networks: _Networks) -> float:
    generator = networks.gan.generator
    if has_batch_norm(generator):
        standing_statistics.measure_and_apply(generator, None, num_passes=_STANDING_PASSES, batch_size=networks.rows)
    sampler = GeneratorSampler(generator, batch_size=networks.rows)
    return jacobian_isometry("jodi_z", sampler, _ISOMETRY_IMAGES)


def _discriminator_slope(networks: _Networks) -> float:
    images = tf.concat([networks.images, networks.fakes()], axis=0)
    labels = tf.concat([networks.labels, networks.labels], axis=0)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = networks.judge(images, labels).logits
    slopes = tape.gradient(logits, images)
    # The only singular value of the Jacobian of a number: the norm of the gradient.
    norms = np.linalg.norm(np.asarray(slopes, np.float64).reshape(len(slopes), -1), axis=1)
    return float(np.std(np.log10(norms + _TINY)))


def _gradient_spread(networks: _Networks) -> float:
    ratios = []
    for trains in ("discriminator", "generator"):
        weights = networks.gan.update_of(networks.phase(trains)).variables
        for weight, gradient in zip(weights, networks.gradients(networks.phase(trains)), strict=True):
            if len(weight.shape) > 1:  # gains and biases begin at 1 and 0, which says nothing of their scale
                ratios.append(_size(gradient) / max(_size(weight), _TINY))
    return float(np.std(np.log10(np.array(ratios) + _TINY)))


def _gradient_balance(networks: _Networks) -> float:
    sizes = [
        _size(tf.concat([tf.reshape(part, [-1]) for part in networks.gradients(networks.phase(trains))], axis=0))
        for trains in ("discriminator", "generator")
    ]
    return float(abs(np.log10(sizes[0] + _TINY) - np.log10(sizes[1] + _TINY)))


def _interaction(networks: _Networks) -> float:
    generator, discriminator = (
        [weight.value for weight in network.trainable_variables]
        for network in (networks.gan.generator, networks.gan.discriminator)
    )
    return largest_interaction(
        lambda: networks.judge(networks.fakes(), networks.labels).logits,
        generator,
        discriminator,
        np.random.default_rng(0),
        _POWER_STEPS,
    )


def _linearised_r(networks: _Networks) -> float:
    rates = [getattr(networks.gan.config.training, name).learning_rate for name in ("generator", "discriminator")]
    # Both players act on one another by eta_G s and eta_D s, whose product is that of two equal rates.
    both = np.sqrt(np.prod(rates, keepdims=True))
    return float(growth_factor(both, _DAMPING, _interaction(networks))[0])


def _latent_diversity(networks: _Networks) -> float:
    fakes = np.asarray(networks.fakes(one_class=True), np.float64).reshape(networks.rows, -1)
    # The mean of |x - y|^2 over all pairs of different rows is twice their variance with n - 1 in the denominator.
    return float(np.sqrt(2.0 * fakes.var(axis=0, ddof=1).mean()))


def _feature_rank(networks: _Networks) -> float:
    features = [networks.judge(images, networks.labels).features for images in (networks.images, networks.fakes())]
    rows = np.concatenate([np.asarray(part, np.float64).reshape(networks.rows, -1) for part in features])
    squares = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    # (sum s^2)^2 / sum s^4 counts the directions that the features take, out of as many as there could be.
    return float(squares.sum() ** 2 / max((squares**2).sum(), _TINY) / min(rows.shape[0] - 1, rows.shape[1]))


def _size(values: Tensor) -> float:
    """The root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


PROXIES: dict[str, Proxy] = {
    "generator_isometry": Proxy(
        "how unequally G stretches the directions of z (JODI of its Jacobian)", True, _generator_isometry
    ),
    "discriminator_slope": Proxy(
        "how much the size of D's gradient differs between images (the Jacobian's singular value), in powers of 10",
        True,
        _discriminator_slope,
    ),
    "gradient_spread": Proxy(
        "how much the gradients of the layers differ in proportion to their weights, in powers of 10",
        True,
        _gradient_spread,
    ),
    "gradient_balance": Proxy("how far the gradients of D and G are apart, in powers of 10", True, _gradient_balance),
    "interaction": Proxy(
        "s_max, the largest singular value of how both networks act on one another",
        True,
        _interaction,
    ),
    "linearised_r": Proxy(
        "r of the linearised game at the recipe's learning rates: by how much a gradient step multiplies squared "
        "distances from an equilibrium",
        True,
        _linearised_r,
    ),
    "latent_diversity": Proxy(
        "the root mean square difference of pixels between images of one class and different latents",
        False,
        _latent_diversity,
    ),
    "feature_rank": Proxy("the share of their directions that D's features take", False, _feature_rank),
}
