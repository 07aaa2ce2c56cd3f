"""A generative adversarial network as a Keras model: two networks, their game, and one step of training them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf import latents, precision
from biggan_tf.config import Config, OptimizerConfig, from_dict, to_dict
from biggan_tf.config.parts import GameConfig, load
from biggan_tf.config.truncation import STANDING_PASSES
from biggan_tf.contracts.augmentation import Augmentation
from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.contracts.game import Batch, Game, GameWithState, Phase, Round
from biggan_tf.contracts.growing import GrowingNetwork
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.inference.served_moments import ServedMoments, has_served_moments, plan_of
from biggan_tf.ops.fading import faded_images
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.ops.replicas import means_over_replicas, num_replicas
from biggan_tf.presets.moments_file import digest
from biggan_tf.training import compute_report, fit_inputs, phases, schedules
from biggan_tf.training.aided_discriminator import discriminator_of
from biggan_tf.training.condition_terms import with_condition
from biggan_tf.training.ema import MovingAverage
from biggan_tf.training.frozen import freeze
from biggan_tf.training.loss_scale_optimizer import LossScaleOptimizer
from biggan_tf.training.round import LatentSampler, Sample, TrainingRound
from biggan_tf.training.update import NetworkUpdate, optimizer_numbers, optimizer_of
from biggan_tf.types import ByteImages, Images, Labels, Scalars, Tensor

# The mean sign of D's answers to real images, below the prefix of a phase.
_REAL_SIGN = "sign_of_real"
# What a GAN is called with: latents, or latents and labels where there are classes.
GANInputs: TypeAlias = Tensor | tuple[Tensor, Tensor | None] | list[Tensor]


class MicroBatchGradients(NamedTuple):
    """What one forward and backward pass over a micro-batch gives, on one replica.

    Attributes:
        gradients: The gradients of the scaled loss, in the order of the network's trainable variables.
        names: The names of the scalars.
        scalars: The loss and what else the phase reports.
        rows: How many rows the micro-batch had.
    """

    gradients: list[Tensor]
    names: tuple[str, ...]
    scalars: Float[Tensor, " names"]
    rows: int


@keras.saving.register_keras_serializable("biggan_tf")
class GAN(keras.Model):
    """A generator, its exponential moving average (EMA) and a discriminator, trained by a game.

    Calling the model computes images of the EMA generator, and `sample` draws pictures. `fit` takes batches of images
    in [-1, 1], or of uint8 images, with their labels. Each batch is shared out to all micro-batches of a step that read
    data. `gan.optimizer` is the generator's: a callback that sets its learning rate scales the configuration's schedule
    of the generator, and `gan.discriminator_optimizer.learning_rate` that of the discriminator.

    Args:
        config: The configuration: the family of networks, the game, the augmentation and the training.
        class_frequencies: How often each class occurs in the data, on any scale. Only `training.labels=data` needs it.
        game: A game that is taken in the place of the configuration's; None: the configuration's.
        augmentation: An augmentation that is taken in the place of the configuration's; None: the configuration's.
        **kwargs: Are passed on to `keras.Model`, such as `name`.

    Attributes:
        generator: The generator in training.
        discriminator: The discriminator.
        ema_generator: The generator with the moving average of the weights, from which one samples.
        steps_done: How many steps of the game have been done.
        images_seen: How many real images the discriminator has been trained on.
        random_key: The seed, and how often a collapsed run went back to a checkpoint; all random numbers of a step
            derive from it.
        phases: The phases of the game.
        images_per_step: How many real images the discriminator sees in a step. It changes where the batches grow, and
            `fit` sets it by the size of the batches that it is given.

    Example:
        >>> gan = GAN(config)
        >>> gan.compile()
        >>> gan.fit(dataset, epochs=1, steps_per_epoch=100)
        >>> images = gan((z, labels))  # gan(z) without classes
    """

    def __init__(
        self,
        config: Config | dict[str, Any],
        class_frequencies: Sequence[float] | None = None,
        game: Game | None = None,
        augmentation: Augmentation | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        config = config if isinstance(config, Config) else from_dict(Config, config)
        config.validate(tf.distribute.get_strategy().num_replicas_in_sync)
        self.config = config = dataclasses.replace(config, model=precision.resolved(config.model))
        fit_inputs.refuse_another_global_policy(config.model.policy)
        self.class_frequencies = class_frequencies
        self.generator = config.model.generator("generator")
        self.discriminator = discriminator_of(config, "discriminator")
        self.ema_generator = config.model.generator("ema_generator")
        freeze(self.generator, self.discriminator, config.initial.frozen)
        self.ema_generator.trainable = False
        self._standing: ServedMoments | None = None
        self._standing_of = ("", 0)  # the weights, by their digest, and the passes that it was measured with
        self._condition = config.model.condition.build()
        self._ema = MovingAverage(self.generator, self.ema_generator, config.model.averages_buffers)
        self._has_own_augmentation = augmentation is not None
        self._augmentation = augmentation or config.augmentation.build()
        self._augmentation_state = dict(self._augmentation.state()) if self._augmentation is not None else {}
        self.sample_latents = LatentSampler(config.model.prior, config.model.z_dim, _labels(config, class_frequencies))
        shared: dict[str, Any] = {"dtype": "int64", "trainable": False, "aggregation": "only_first_replica"}
        self.steps_done = self.add_weight(name="steps_done", initializer="zeros", **shared)
        self.images_seen = self.add_weight(name="images_seen", initializer="zeros", **shared)
        self.random_key = self.add_weight(name="random_key", shape=(2,), initializer="zeros", **shared)
        self.random_key.assign([config.training.seed, 0])  # seed, rollbacks
        self._set_game(game or config.game)
        self._set_configured_optimizers()
        self.built = True

    # One step of the game, on one replica. -----------------------------------------------------------------------

    def train_step(self, data: object) -> dict[str, Tensor]:
        """Runs one step; `fit` calls it.

        Args:
            data: The images of all micro-batches of the step, in [-1, 1] or uint8, and their labels; without classes
                the images alone will do.

        Returns:
            The scalars that the phases report, by name.
        """
        if self.config.training.growth.enabled:
            raise ValueError(
                "fit cannot let networks grow, since it does not change the size of a batch. Received: a configuration "
                "with training.growth; train it with biggan_tf.train, or leave training.growth out."
            )
        batch = fit_inputs.batch_of(data, self.config.model.num_classes)
        # All waits for the check of the images, or a refused batch would be counted as a step.
        with tf.control_dependencies([batch.images]):
            batches = split(batch, phases.batches_read(self.phases, self._accumulation))
            rows = batches[0].images.shape[0]
            # Not the configuration's: a batch of `fit` is shared out to all updates of the step.
            images_per_update = rows * self._accumulation * num_replicas()
            self.images_per_step: int = images_per_update * self.config.game.discriminator_steps
            return self.step(batches, rows)

    def step(self, batches: Sequence[Batch], rows: int, number: int | None = None) -> dict[str, Tensor]:
        """Runs one step on this replica.

        Args:
            batches: The micro-batches of the step, for the phases that read data, in order.
            rows: How many rows each of them has.
            number: How many steps were done before, which decides whether a phase with `every` > 1 is due. None: all
                phases run, and the loss of such a phase is divided by `every`.

        Returns:
            The scalars that the phases report, by name.
        """
        remaining = iter(batches)
        every_step = self.phases if number is not None else [_in_every_step(phase) for phase in self.phases]
        return phases.run_step(self, every_step, self._accumulation, rows, lambda: next(remaining), number)

    def gradients(
        self, phase: Phase, real: Batch | None, rows: int, number: int | Tensor, sample: Sample | None = None
    ) -> MicroBatchGradients:
        """Computes the gradients of a phase's loss on one micro-batch, on this replica.

        Args:
            phase: The phase.
            real: The real images; None in a phase that reads none.
            rows: How many rows the micro-batch has on this replica.
            number: The number of the micro-batch in the step.
            sample: The latents and labels for the generator; None: they are sampled.
        """
        if phase.batch_share < 1.0:
            rows = max(1, int(rows * phase.batch_share))
            real = None if real is None else Batch(real.images[:rows], real.labels[:rows])
        if real is not None:
            real = self._as_the_networks_see(real)
        # key = derive(seed and rollbacks, step, micro-batch); everything random in the round derives from it.
        key = latents.derive_key(latents.derive_key(tf.identity(self.random_key), self.steps_done.value), number)
        round_ = TrainingRound(
            self.generator,
            self.discriminator,
            self._augmentation,
            self._given(self.sample_latents(key, rows) if sample is None else sample, real),
            real,
            key,
            self.images_seen.value,
            self.sample_latents,
        )
        update = self.update_of(phase)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            update.watch(tape)
            loss, scalars = with_condition(self._condition, phase, round_, *phase.loss(round_))
            scaled = update.optimizer.scale_loss(loss)
        scalars = {f"{phases.prefix(phase)}loss": loss, **scalars}
        gradients = update.gradients(tape, scaled, phase.name)
        if self._augmentation is not None and round_.real_logits:
            # How sure D is of real images, r_t of arXiv:2006.06676, section 3.1. NaN, of an overflow, counts as 0.
            signs = tf.sign(tf.concat(round_.real_logits, axis=0))
            sign = tf.reduce_mean(tf.where(tf.math.is_nan(signs), tf.zeros_like(signs), signs))
            scalars[phases.prefix(phase) + _REAL_SIGN] = tf.cast(tf.stop_gradient(sign), loss.dtype)
        if phase.trains == "generator" and round_.fakes is not None and rows > 1:
            # It falls towards 0 when the generator draws the same image for all latents; of one image it is always 0.
            deviation = tf.math.reduce_std(tf.stop_gradient(round_.fakes), axis=0)
            scalars["sample_deviation"] = tf.reduce_mean(deviation)
        return MicroBatchGradients(gradients, tuple(scalars), tf.stack(list(scalars.values())), rows)

    def _as_the_networks_see(self, real: Batch) -> Batch:
        """Real images in the dtype of the weights, and faded as far as the networks' newest resolution is.

        Networks that enlarge images are given a small image of each in the place of its label.
        """
        images = tf.cast(real.images, self.generator.variable_dtype)
        if isinstance(self.generator, EnlargingGenerator):
            return Batch(images, self.generator.reduce(images))
        if self.config.training.growth.enabled and isinstance(self.generator, GrowingNetwork):
            images = faded_images(images, tf.identity(self.generator.lod))
        return Batch(images, real.labels)

    def _given(self, sample: Sample, real: Batch | None) -> Sample:
        """What the generator is given: where it enlarges images, the small ones of the real images."""
        return sample if self.config.model.enlargement == 1 or real is None else sample._replace(labels=real.labels)

    def update(self, phase: Phase, parts: Sequence[MicroBatchGradients]) -> dict[str, Tensor]:
        """Updates the network of a phase with the mean of the gradients of its micro-batches.

        Args:
            phase: The phase.
            parts: The gradients of each micro-batch on this replica.

        Returns:
            The means of the phase's scalars over replicas, and the report of `NetworkUpdate.apply`, by name.
        """
        total = mean_of(parts)
        network = self.update_of(phase)
        report = network.apply(
            total.gradients,
            self.images_seen.value,
            phase.kernel_gradient,
            phase.name,
            phase.weight_limit,
            total.rows * num_replicas(),
        )
        scalars = dict(zip(total.names, tf.unstack(means_over_replicas([total.scalars])[0]), strict=True))
        if phases.counts_images(phase):
            self.images_seen.assign_add(total.rows * num_replicas())
        sign = phases.prefix(phase) + _REAL_SIGN
        if self._augmentation is not None and sign in scalars:
            self._augmentation.observe(scalars[sign], total.rows * num_replicas())
        return {**scalars, **{phases.prefix(phase) + name: value for name, value in report.items()}}

    def end_step(self) -> dict[str, Tensor]:
        """Updates the EMA, ema <- decay ema + (1 - decay) w, and counts the step.

        Returns:
            The decay, and what the augmentation reports, by name.
        """
        steps = self.steps_done.value + 1
        dtype = self.generator.variable_dtype
        decay = schedules.ema_decay(self.config.training, steps, self.images_seen.value, self.images_per_step, dtype)
        self._ema.update(decay)
        self.steps_done.assign(steps)
        report = {"ema_decay": decay}
        if self._augmentation is not None:
            report.update(self._augmentation.end_step(steps, self.images_seen.value, self.images_per_step))
        return report

    # What Keras and the loop around the step need. --------------------------------------------------------------------

    def update_of(self, phase: Phase) -> NetworkUpdate:
        """What updates the network that a phase trains."""
        return self.generator_update if phase.trains == "generator" else self.discriminator_update

    def call(self, inputs: GANInputs, training: bool = False) -> Images:
        """Computes images of the EMA generator, in [-1, 1].

        Args:
            inputs: The latents and the labels, (z, labels); z alone without classes.
            training: Whether variables that a call in training moves are moved; they are not by default.
        """
        z, labels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        return self.ema_generator(self.ema_generator.inputs_of(z, labels), training=training)

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str | Mapping[str, keras.optimizers.Optimizer | str] | None = None,
        loss: Game | GameConfig | str | None = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Prepares `fit`, see `keras.Model.compile`.

        Args:
            optimizer: A Keras optimizer or its name, of which each network gets a copy, or one for each network by the
                names "generator" and "discriminator". Each is wrapped in a `LossScaleOptimizer`. None: Adam, as the
                configuration describes it.
            loss: A game, the configuration of one, or its name in `PARTS["game"]`. None: the configuration's.
            jit_compile: Whether XLA compiles the step.
            **kwargs: Are passed on to `keras.Model.compile`.
        """
        fit_inputs.refuse_options_of_compile(kwargs)
        if loss is not None:
            before = optimizer_numbers(self.config, "generator"), optimizer_numbers(self.config, "discriminator")
            self._set_game(load("game", loss)() if isinstance(loss, str) else loss)
            after = optimizer_numbers(self.config, "generator"), optimizer_numbers(self.config, "discriminator")
            if optimizer is None and after != before:
                self._set_configured_optimizers()
        if optimizer is not None:
            for name in ("generator", "discriminator"):
                self._set_optimizer(name, self._wrapped(fit_inputs.optimizer_for(optimizer, name), name), None)
        kwargs.setdefault("auto_scale_loss", False)
        super().compile(optimizer=self.generator_optimizer, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile_from_config` makes the same optimizers from; the game is in `get_config`."""
        optimizers = {name: getattr(self, f"{name}_optimizer") for name in ("generator", "discriminator")}
        return {
            "optimizer": {name: keras.saving.serialize_keras_object(value) for name, value in optimizers.items()},
            "own_schedule": self.generator_update.schedule is None,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        optimizer = None
        if config["own_schedule"]:
            optimizer = {name: keras.saving.deserialize_keras_object(o) for name, o in config["optimizer"].items()}
        self.compile(optimizer, jit_compile=config["jit_compile"])

    def fit(self, x: object = None, *args: object, **kwargs: object) -> keras.callbacks.History:
        """Trains, see `keras.Model.fit`. The first call in a process logs on which device, and warns of a slow one.

        Raises:
            ValueError: If the images are none, or an argument means nothing for a GAN, such as `validation_data`.
        """
        fit_inputs.refuse_options_of_fit(kwargs)
        compute_report.announce(self.config.model.policy)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # a dataset shuffles itself; Keras warns of its own default
        images, keras_fit = fit_inputs.refuse_values(x), super().fit
        return fit_inputs.with_clear_errors(lambda: keras_fit(images, *args, **kwargs))

    def train_on_batch(self, *args: object, **kwargs: object) -> object:
        """Trains on a batch, see `keras.Model.train_on_batch`; values that are no images raise a ValueError."""
        keras_train_on_batch = super().train_on_batch
        return fit_inputs.with_clear_errors(lambda: keras_train_on_batch(*args, **kwargs))

    def evaluate(self, *args: object, **kwargs: object) -> object:
        """Is refused: a GAN has no loss on images that it is not trained on."""
        raise ValueError(
            "A GAN has no loss on images that it is not trained on, so evaluate has nothing to compute. Received: a "
            "call of it; compare samples with images by the command biggan_tf.evaluate."
        )

    def sample(
        self,
        labels: Labels | Sequence[int] | None = None,
        seed: int = 0,
        truncation: float | None = None,
        count: int | None = None,
        standing_passes: int = STANDING_PASSES,
    ) -> ByteImages:
        """Draws pictures of the EMA generator, grey levels from 0 to 255.

        A picture depends on its class, its seed and the truncation alone. It is the one that `biggan_tf.sample` and a
        server draw for the same ones, but for rounding: a GAN draws in the precision that it trains in.

        Args:
            labels: The class of each picture; None: picture n is of class n, over and over.
            seed: The seed of the first picture; the next one has the next seed. 0 by default.
            truncation: Threshold of the latents, or psi of the styles where the family truncates these; None: neither.
            count: How many pictures; None: one for each label, or 8 without labels.
            standing_passes: How many passes of 64 images are averaged for the moments that batch norms draw with at a
                truncation that a server takes, as an export does it. The moments are measured when the weights or the
                truncation are new. 0: the moments of training are taken, which costs nothing and gives other pictures
                than a server.
        """
        model = self.config.model
        if isinstance(self.ema_generator, EnlargingGenerator):
            raise ValueError(
                "A GAN that enlarges images draws none from a seed alone. Received: a call of sample; call "
                "gan.ema_generator.enlarge(small images)."
            )
        given = None if labels is None else np.asarray(labels, np.int32)
        count = count or (8 if given is None else len(given))
        classes = np.arange(count, dtype=np.int32) % max(1, model.num_classes) if given is None else given
        if len(classes) != count:
            raise ValueError(f"There must be a label for each of {count} pictures. Received: {len(classes)}.")
        seeds = tf.range(count, dtype=tf.int64) + tf.constant(seed, tf.int64)
        level = None if truncation is None else tf.constant(truncation, tf.float32)
        with self._served_moments(standing_passes).at(truncation if standing_passes else None):
            return to_bytes(latents.images_of_rows(self.ema_generator, classes, seeds, level))

    def _served_moments(self, num_passes: int) -> ServedMoments:
        """The moments that an export of the EMA generator would serve with; known as long as its weights stay."""
        generator = self.ema_generator
        weights = digest(generator) if has_served_moments(generator) else ""
        if self._standing is None or self._standing_of != (weights, num_passes):
            plan = dataclasses.replace(plan_of(generator), num_passes=max(1, num_passes))
            self._standing, self._standing_of = ServedMoments(generator, plan, progress=True), (weights, num_passes)
        return self._standing

    def state(self) -> dict[str, dict[str, keras.Variable]]:
        """All variables that decide how the training goes on, by part and name: what a checkpoint holds."""
        state = {
            "generator": variables_by_path(self.generator),
            "discriminator": variables_by_path(self.discriminator),
            "average_generator": variables_by_path(self.ema_generator),  # its name in checkpoints since version 0.1
            "generator_optimizer": self.generator_update.state(),
            "discriminator_optimizer": self.discriminator_update.state(),
            "progress": {
                "steps_done": self.steps_done,
                "images_seen": self.images_seen,
                "random_key": self.random_key,
            },
        }
        parts = {"game": self._game_state, "augmentation": self._augmentation_state}
        return {**state, **{name: dict(variables) for name, variables in parts.items() if variables}}

    def get_config(self) -> dict[str, Any]:
        if not self._is_registered:
            raise ValueError(
                "A GAN can be saved if its game has a `config` that PARTS['game'] knows by its kind. "
                "Received: a game without one; give it a GameConfig."
            )
        if self._has_own_augmentation:
            raise ValueError(
                "A GAN can be saved if its augmentation is the one that its configuration describes. Received: "
                "another one, given to the constructor; set config.augmentation in its place."
            )
        frequencies = None if self.class_frequencies is None else [float(value) for value in self.class_frequencies]
        return {"name": self.name, "config": to_dict(self.config), "class_frequencies": frequencies}

    def _set_game(self, game: Game | GameConfig) -> None:
        """Trains by a game from here on; its numbers, where it has some, become the configuration's."""
        numbers = game if isinstance(game, GameConfig) else getattr(game, "config", None)
        if isinstance(numbers, GameConfig):
            self.config = dataclasses.replace(self.config, game=numbers)
        self.images_per_step = self.config.images_per_step
        played: Game = game.build() if isinstance(game, GameConfig) else game
        # Of another class than its numbers build: whoever loads a saved GAN could not have it again.
        self._is_registered = isinstance(numbers, GameConfig) and type(numbers.build()) is type(played)
        self.phases = tuple(played.phases())
        if self.config.model.enlargement > 1:
            # There is no generator's loss without images to reduce.
            self.phases = tuple(phase._replace(reads_data=True) for phase in self.phases)
        self._game_state = dict(played.state()) if isinstance(played, GameWithState) else {}
        self._accumulation = self.config.training.accumulation_steps

    def _set_configured_optimizers(self) -> None:
        """Makes the Adams of the configuration, with what the game needs of them, update the networks from now on."""
        for name in ("generator", "discriminator"):
            self._set_optimizer(name, optimizer_of(self.config, name), optimizer_numbers(self.config, name))

    def _set_optimizer(self, network: str, optimizer: LossScaleOptimizer, schedule: OptimizerConfig | None) -> None:
        """Makes an optimizer update a network from now on."""
        setattr(self, f"{network}_optimizer", optimizer)
        setattr(self, f"{network}_update", NetworkUpdate(getattr(self, network), optimizer, schedule))

    def _wrapped(self, optimizer: keras.optimizers.Optimizer, name: str) -> LossScaleOptimizer:
        if isinstance(optimizer, LossScaleOptimizer):
            return optimizer
        return optimizer_of(self.config, name, optimizer)


def mean_of(parts: Sequence[MicroBatchGradients]) -> MicroBatchGradients:
    """The means over micro-batches of the same size, as if the losses had been divided by their number.

    Args:
        parts: The gradients of each micro-batch; at least one.
    """
    if len(parts) == 1:
        return parts[0]
    rows = sum(part.rows for part in parts)
    share = 1.0 / len(parts)
    gradients = [tf.add_n(list(each)) * share for each in zip(*(part.gradients for part in parts), strict=True)]
    return parts[0]._replace(gradients=gradients, scalars=tf.add_n([part.scalars for part in parts]) * share, rows=rows)


def split(data: Batch, parts: int) -> list[Batch]:
    """Splits images and labels into micro-batches of the same size.

    Args:
        data: The images and the labels of a step.
        parts: How many micro-batches there are.

    Raises:
        ValueError: If the number of images is not known while tracing, or is no multiple of `parts`.
    """
    images, labels = data
    rows = images.shape[0]
    if rows is None or rows % parts:
        raise ValueError(
            f"A step's images must have a fixed number that divides into {parts} equal parts, the micro-batches that "
            f"its phases read. Received: {'no fixed number' if rows is None else rows}; batch with drop_remainder=True."
        )
    if parts == 1:
        return [Batch(images, labels)]
    return [Batch(*pair) for pair in zip(tf.split(images, parts), tf.split(labels, parts), strict=True)]


def _in_every_step(phase: Phase) -> Phase:
    """A phase that runs in every step with its loss divided by `every`, for one that runs in some steps only."""
    if phase.every == 1:
        return phase

    def loss(round_: Round) -> tuple[Tensor, Scalars]:
        value, scalars = phase.loss(round_)
        return value / phase.every, scalars

    return phase._replace(loss=loss, every=1)


def _labels(config: Config, frequencies: Sequence[float] | None) -> latents.LabelSampler:
    if config.training.labels == "uniform":
        return latents.LabelSampler(config.model.num_classes)
    if frequencies is None:
        raise ValueError("training.labels=data needs class_frequencies, the images of each class. Received: None")
    return latents.LabelSampler(config.model.num_classes, frequencies)
