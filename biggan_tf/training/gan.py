"""The two networks, their game, and one step of training them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from biggan_tf import latents, precision
from biggan_tf.config import Config
from biggan_tf.losses.adversarial import LOSSES
from biggan_tf.networks import Discriminator, Generator
from biggan_tf.ops.replicas import num_replicas
from biggan_tf.training import compute_report, loss_scale, regularisers, schedules
from biggan_tf.training.adam import Adam
from biggan_tf.training.ema import MovingAverage
from biggan_tf.training.gradient_step import GradientStep, average
from biggan_tf.training.variables import by_name

D_SCALARS = ("d_loss", "d_real", "d_fake")
G_SCALARS = ("g_loss", "sample_deviation")


class Pass(NamedTuple):
    """What one forward and backward pass over a micro-batch gives, on one replica."""

    gradients: list[Any]
    scalars: Any  # [len(D_SCALARS)] or [len(G_SCALARS)]


class BigGAN(keras.Model):
    """Generator, its moving average and discriminator, trained as in Brock et al. 2018 (arXiv:1809.11096).

    Each element that `fit` is given feeds all D steps and micro-batches of one step: `training.batch_size` x
    `training.discriminator_steps` images in [-1, 1] with their labels. Calling the model draws from the average.

    Args:
        config: Of the run; reads `model`, `training`, `latents` and `loss_scale`.
        class_frequencies: Images of each class in the data; needed by `latents.labels=data`.
        loss: An object like `losses.HingeLoss`; None: as `training.loss` says.
        regulariser: An object like `OrthogonalRegulariser`; None: as `training.orthogonal_strength` says.
        prior: A function like `latents.normal`; None: as `latents.distribution` says.
        augmentation: Applied to real and fake images before D sees them, a differentiable function; None: nothing.

    Example:
        >>> gan = BigGAN(config)
        >>> gan.compile()
        >>> gan.fit(dataset, epochs=1, steps_per_epoch=100)
        >>> images = gan((z, labels))
    """

    def __init__(
        self,
        config: Config,
        class_frequencies: Sequence[float] | None = None,
        loss: Any = None,
        regulariser: Any = None,
        prior: latents.Prior | None = None,
        augmentation: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if config.model.policy == precision.AUTO:
            config = dataclasses.replace(config, model=precision.resolved(config.model))
        self.config = config
        training = config.training
        self.generator = Generator(config.model, name="generator")
        self.discriminator = Discriminator(config.model, name="discriminator")
        self.average_generator = Generator(config.model, name="average_generator")
        self.average_generator.trainable = False
        self._average = MovingAverage(
            self.generator, self.average_generator, average_buffers=config.model.reference != "compare_gan"
        )
        self._loss: Any = loss or LOSSES[training.loss]()
        if regulariser is None and training.orthogonal_strength > 0:
            regulariser = regularisers.OrthogonalRegulariser(training.orthogonal_strength)
        self._prior = prior or latents.PRIORS[config.latents.distribution]
        self._labels = _label_sampler(config, class_frequencies)
        self._augment = augmentation or (lambda images: images)
        self._discriminator_steps = training.discriminator_steps
        self._accumulation = training.accumulation_steps
        self.d_step = self._gradient_step(self.discriminator, training.discriminator, None)
        self.g_step = self._gradient_step(self.generator, training.generator, regulariser)
        once: dict[str, Any] = {
            "dtype": tf.int64,
            "trainable": False,
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        self.steps_done = tf.Variable(0, name="steps_done", **once)  # G steps
        self.images_seen = tf.Variable(0, name="images_seen", **once)  # real images that D saw
        self.random_key = tf.Variable([training.seed, 0], name="random_key", **once)  # seed, rollbacks
        self.built = True

    def _gradient_step(self, network: Any, config: Any, regulariser: Any) -> GradientStep:
        optimizer = Adam(
            config.learning_rate, config.beta_1, config.beta_2, config.epsilon, name=f"{network.name}_adam"
        )
        scale = loss_scale.for_policy(self.config.model.policy, self.config.loss_scale, f"{network.name}_loss_scale")
        return GradientStep(network, optimizer, config, scale, regulariser)

    def compile(self, jit_compile: bool = False, **kwargs: Any) -> None:
        """Readies `fit`. Optimizers and losses come from the configuration; see `keras.Model.compile` for the rest."""
        super().compile(optimizer=self.g_step.optimizer, jit_compile=jit_compile, auto_scale_loss=False, **kwargs)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit`; the first one logs what computes and what that costs."""
        compute_report.announce(self.config.model.policy)
        return super().fit(*args, **kwargs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images of the averaged generator for (z, labels)."""
        z, labels = inputs
        if not self.config.model.num_classes:
            return self.average_generator(z, training=training)
        return self.average_generator((z, self.average_generator.embed(labels)), training=training)

    def train_step(self, data: tuple[Any, Any] | list[tuple[Any, Any]]) -> dict[str, Any]:
        """D steps, then a G step, each over its micro-batches; then the average. Runs on every replica.

        Args:
            data: Real images and labels of this replica: for all D steps, or a list with one pair for each.

        Returns:
            Scalars, the same on all replicas.
        """
        report: dict[str, Any] = {}
        rows = 0
        batches = data if isinstance(data, list) else _split(data, self._discriminator_steps)
        for step, batch in enumerate(batches):
            passes = []
            for number, (images, labels) in enumerate(_split(batch, self._accumulation)):
                rows = images.shape[0]
                passes.append(self.discriminator_pass(images, labels, step * self._accumulation + number))
            report.update(self.update_discriminator(mean_of(passes), rows))
        first = self._discriminator_steps * self._accumulation
        passes = [self.generator_pass(rows, first + number) for number in range(self._accumulation)]
        report.update(self.update_generator(mean_of(passes)))
        return report

    def discriminator_pass(self, images: Any, labels: Any, number: Any) -> Pass:
        """D's gradients on real images and as many fresh fakes.

        Args:
            images: [N, R, R, 3] in [-1, 1].
            labels: [N].
            number: Which pass of this step it is; decides the draws.
        """
        z, fake_labels = self.draw(images.shape[0], number)
        return self.discriminator_gradients(z, fake_labels, images, labels)

    def discriminator_gradients(self, z: Any, fake_labels: Any, images: Any, labels: Any) -> Pass:
        """D's gradients for given latents and images."""
        fakes = self._generate(z, fake_labels)  # G in train mode here too
        with tf.GradientTape() as tape:
            # One call on [fake; real] together, so that u advances once.
            both = self._augment(tf.concat([fakes, tf.cast(images, fakes.dtype)], axis=0))
            logits = self._judge(both, tf.concat([fake_labels, tf.cast(labels, fake_labels.dtype)], axis=0))
            fake_logits, real_logits = tf.split(logits, [fakes.shape[0], images.shape[0]])
            loss = self._loss.discriminator(real_logits, fake_logits)
            scaled = self.d_step.loss_scale.scale_loss(loss)
        gradients = self.d_step.gradients(tape, scaled)
        return Pass(gradients, tf.stack([loss, tf.reduce_mean(real_logits), tf.reduce_mean(fake_logits)]))

    def update_discriminator(self, total: Pass, rows: int) -> dict[str, Any]:
        """Applies D's gradients; `rows` real images a replica went into each micro-batch."""
        report = self.d_step.apply(total.gradients, self.images_seen)
        self.images_seen.assign_add(rows * self._accumulation * num_replicas())
        return _named(D_SCALARS, total.scalars, "d_", report)

    def generator_pass(self, rows: int, number: Any) -> Pass:
        """G's gradients on `rows` fresh fakes; `number` as in `discriminator_pass`."""
        return self.generator_gradients(*self.draw(rows, number))

    def generator_gradients(self, z: Any, labels: Any) -> Pass:
        """G's gradients for given latents."""
        with tf.GradientTape() as tape:
            fakes = self._generate(z, labels)
            loss = self._loss.generator(self._judge(self._augment(fakes), labels))
            scaled = self.g_step.loss_scale.scale_loss(loss)
        gradients = self.g_step.gradients(tape, scaled)
        deviation = tf.reduce_mean(tf.math.reduce_std(tf.stop_gradient(fakes), axis=0))
        return Pass(gradients, tf.stack([loss, deviation]))

    def update_generator(self, total: Pass) -> dict[str, Any]:
        """Applies G's gradients, advances the average and ends the step."""
        report = self.g_step.apply(total.gradients, self.images_seen)
        steps = self.steps_done + 1
        decay = schedules.ema_decay(self.config.training, steps, self.images_seen, self.generator.variable_dtype)
        self._average.update(decay)
        self.steps_done.assign(steps)
        return {**_named(G_SCALARS, total.scalars, "g_", report), "ema_decay": decay}

    def draw(self, rows: int, number: Any) -> tuple[Any, Any]:
        """Latents and labels for one pass on this replica.

        All replicas draw the whole batch and take their rows, so that the draws do not depend on how many there are.
        """
        context = tf.distribute.get_replica_context()
        key = latents.fold(latents.fold(self.random_key.read_value(), self.steps_done), number)
        total = rows * context.num_replicas_in_sync
        begin = context.replica_id_in_sync_group * rows
        z = self._prior(latents.fold(key, 0), [total, self.config.model.z_dim])
        labels = self._labels(latents.fold(key, 1), total)
        return tf.slice(z, [begin, 0], [rows, z.shape[1]]), tf.slice(labels, [begin], [rows])

    def _generate(self, z: Any, labels: Any) -> Any:
        if not self.config.model.num_classes:
            return self.generator(z, training=True)
        return self.generator((z, self.generator.embed(labels)), training=True)

    def _judge(self, images: Any, labels: Any) -> Any:
        return self.discriminator((images, labels) if self.config.model.num_classes else images, training=True)

    def state(self) -> dict[str, dict[str, Any]]:
        """Everything that decides how training goes on, except the data's position: variables by part and name."""
        return {
            "generator": by_name(self.generator),
            "discriminator": by_name(self.discriminator),
            "average_generator": by_name(self.average_generator),
            "generator_optimizer": self.g_step.state(),
            "discriminator_optimizer": self.d_step.state(),
            "progress": {
                "steps_done": self.steps_done,
                "images_seen": self.images_seen,
                "random_key": self.random_key,
            },
        }


def mean_of(passes: Sequence[Pass]) -> Pass:
    """The mean over micro-batches: the loss divided by their number."""
    if len(passes) == 1:
        return passes[0]
    share = 1.0 / len(passes)
    gradients = [tf.add_n(list(parts)) * share for parts in zip(*(p.gradients for p in passes), strict=True)]
    return Pass(gradients, tf.add_n([p.scalars for p in passes]) * share)


def _split(data: tuple[Any, Any], parts: int) -> list[tuple[Any, Any]]:
    images, labels = data
    if parts == 1:
        return [(images, labels)]
    rows = images.shape[0]
    if rows is None or rows % parts:
        raise ValueError(
            f"A step's images must have a fixed number that divides into {parts} equal parts "
            f"(discriminator_steps, then accumulation_steps). Received: {rows}; batch with drop_remainder=True."
        )
    return list(zip(tf.split(images, parts), tf.split(labels, parts), strict=True))


def _named(names: Sequence[str], scalars: Any, prefix: str, report: dict[str, Any]) -> dict[str, Any]:
    values = tf.unstack(average([scalars])[0])
    return {
        **dict(zip(names, values, strict=True)),
        **{prefix + name: value for name, value in report.items()},
    }


def _label_sampler(config: Config, frequencies: Sequence[float] | None) -> latents.LabelSampler:
    if config.latents.labels == "uniform":
        return latents.LabelSampler(config.model.num_classes)
    if frequencies is None:
        raise ValueError("latents.labels=data needs class_frequencies, the images of each class. Received: None")
    return latents.LabelSampler(config.model.num_classes, frequencies)
