"""The networks that `jax_steps` times, and what is timed on them: pure functions of their state, compiled by XLA.

Training is TensorFlow's in this package, but networks and losses speak `keras.ops`: here their variables take the
values of a state, of which JAX computes the gradients.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from biggan_tf.config.parts import FamilyConfig
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan2.mapped_generator import LayerStyles
from biggan_tf.games.config import HingeConfig, NonSaturatingConfig

_EPSILON, _DECAY = 1e-8, 0.9999


def on_gpu() -> bool:
    """Whether JAX computes on a GPU."""
    return jax.default_backend() == "gpu"


def device_name() -> str:
    """The card's name, or the processor's."""
    if jax.default_backend() != "cpu":
        return f"{jax.devices()[0].device_kind}, {jax.device_count()} of them"
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return f"{' and '.join(sorted(names)) or 'unknown processor'}, no accelerator"


def product_rate(size: int, seconds: float = 1.0) -> float:
    """Floating-point operations per second of bfloat16 matrix products of random numbers, the best of several."""
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.bfloat16)
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        product(a, a).block_until_ready()
        best = max(best, 2 * size**3 / (time.perf_counter() - begin))
    return best


class Phase(NamedTuple):
    """An update.

    Attributes:
        trains: The network.
        loss: A key of random numbers to the loss; it calls the networks, whose variables have the state's values then.
        every: In steps whose number is a multiple of this one.
        repeats: How often in such a step.
    """

    trains: keras.Model
    loss: Callable[[jax.Array], jax.Array]
    every: int = 1
    repeats: int = 1


@dataclasses.dataclass
class _State:
    """All arrays of a training; each list is in the order of the variables."""

    trained: dict[str, list[jax.Array]]
    others: list[jax.Array]
    squares: dict[str, list[jax.Array]]
    average: list[jax.Array]
    updates: jax.Array


jax.tree_util.register_dataclass(_State, [field.name for field in dataclasses.fields(_State)], [])


class Networks:
    """A family's networks, their state, and the work on them.

    Args:
        model: The configuration.
        batch: The images of a call.
        limit: The device's floating-point operations per second, which shares are taken of.
        beta_2: Adam's, whose beta_1 is 0.
        learning_rate: Adam's.
    """

    def __init__(self, model: FamilyConfig, batch: int, limit: float, beta_2: float, learning_rate: float):
        self.model, self.batch, self._limit = model, batch, limit
        self._beta_2, self._learning_rate = beta_2, learning_rate
        keras.utils.set_random_seed(0)
        self.generator, self.discriminator = model.generator(), model.discriminator()
        random = np.random.default_rng(0)
        self.images = jnp.asarray(random.uniform(-1, 1, (batch, model.resolution, model.resolution, 3)), jnp.float32)
        self.labels = jnp.asarray(random.integers(0, max(1, model.num_classes), batch), jnp.int32)
        self._networks = {network.name: network for network in (self.generator, self.discriminator)}
        self._others = [v for network in self._networks.values() for v in network.non_trainable_variables]
        self._state = self._first_state()
        self._key, self._steps = jax.random.key(0), 0
        self.phases = self.make_phases()
        self._updates = {
            name: jax.jit(self._update(phase), donate_argnums=0) for name, phase in self.phases.items()
        }  # fmt: skip
        self._forward = jax.jit(self._generated)
        self._follow = jax.jit(_followed, donate_argnums=0, static_argnums=1)
        self._operations: dict[str, float] = {}

    def make_phases(self) -> dict[str, Phase]:
        """The updates of a step in order, by the names of the table."""
        raise NotImplementedError

    def _first_state(self) -> _State:
        trained = {name: [jnp.array(v.value) for v in n.trainable_variables] for name, n in self._networks.items()}
        return _State(
            trained,
            [jnp.array(v.value) for v in self._others],
            {name: [jnp.zeros_like(value) for value in values] for name, values in trained.items()},
            [jnp.array(value) for value in trained[self.generator.name]],
            jnp.zeros((), jnp.int32),
        )

    def _with_values(self, state: _State, trained: dict[str, list[jax.Array]], function: Callable[[], Any]) -> Any:
        """What a function gives while all variables have the values of a state, and the others' values after it."""
        pairs = list(zip(self._others, state.others, strict=True))
        for name, network in self._networks.items():
            pairs += zip(network.trainable_variables, trained[name], strict=True)
        with keras.StatelessScope(state_mapping=pairs) as scope:
            result = function()
        values = [scope.get_current_value(v) for v in self._others]
        return result, [old if new is None else new for old, new in zip(state.others, values, strict=True)]

    def _generated(self, state: _State, key: jax.Array) -> jax.Array:
        images, _ = self._with_values(state, state.trained, lambda: self.fakes(key, training=False))
        return images

    def _update(self, phase: Phase) -> Callable[[_State, jax.Array], _State]:
        name = phase.trains.name

        def loss_of(values: list[jax.Array], state: _State, key: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
            return self._with_values(state, {**state.trained, name: values}, lambda: phase.loss(key))

        def update(state: _State, key: jax.Array) -> _State:
            gradients, others = jax.grad(loss_of, has_aux=True)(state.trained[name], state, key)
            count = state.updates + 1
            # Adam (arXiv:1412.6980, algorithm 1) with beta_1 = 0, t updates done:
            # v <- b v + (1 - b) g^2, w <- w - r g / (sqrt(v / (1 - b^t)) + eps)
            pairs = zip(state.squares[name], gradients, strict=True)
            squares = [self._beta_2 * v + (1.0 - self._beta_2) * g * g for v, g in pairs]
            correction = 1.0 - self._beta_2**count
            moved = [
                w - self._learning_rate * g / (jnp.sqrt(v / correction) + _EPSILON)
                for w, g, v in zip(state.trained[name], gradients, squares, strict=True)
            ]
            return dataclasses.replace(
                state,
                trained={**state.trained, name: moved},
                squares={**state.squares, name: squares},
                others=others,
                updates=count,
            )

        return update

    # What losses are made of, called while the variables have the values of a state. ---------------------------------

    def latents(self, key: jax.Array, rows: int | None = None) -> jax.Array:
        """Latents of N(0, 1)."""
        return jax.random.normal(key, (rows or self.batch, self.model.z_dim))

    def fakes(self, key: jax.Array, training: bool = True) -> jax.Array:
        """Images of the generator for new latents."""
        labels = self.labels if self.model.num_classes else None
        z_key, noise_key = jax.random.split(key)
        noise = {"keys": row_keys(noise_key, self.batch)} if self.generator.has_noise else {}
        return self.generator(self.generator.inputs_of(self.latents(z_key), labels), training=training, **noise)

    def logits(self, images: jax.Array, copies: int = 1) -> jax.Array:
        """The discriminator's answers to images, whose labels are those of the batch, several times over."""
        if not self.model.num_classes:
            return self.discriminator(images, training=True).logits
        return self.discriminator((images, jnp.tile(self.labels, copies)), training=True).logits

    # What `side_by_side` asks for. ------------------------------------------------------------------------------------

    @property
    def work(self) -> dict[str, Callable[[], Any]]:
        """The functions to time, by name."""
        return {
            "G forward": lambda: self._forward(self._state, self._new_key()),
            **{name: self._caller(name) for name in self.phases},
            "step": self._step,
        }

    def _new_key(self) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        return key

    def _caller(self, name: str) -> Callable[[], Any]:
        def call() -> _State:
            self._state = self._updates[name](self._state, self._new_key())
            return self._state

        return call

    def _step(self) -> _State:
        for name, phase in self.phases.items():
            if self._steps % phase.every == 0:
                for _ in range(phase.repeats):
                    self._caller(name)()
        self._state = self._follow(self._state, self.generator.name)
        self._steps += 1
        return self._state

    def parameters(self) -> list[int]:
        """How many trained numbers G and D have."""
        return [sum(math.prod(v.shape) for v in n.trainable_variables) for n in (self.generator, self.discriminator)]

    def seconds(self, work: str, at_least: float) -> list[float]:
        """Seconds of one call: of the clock, and of all cores together. Steps come in whole rounds of their phases."""
        calls, function = 0, self.work[work]
        together = math.lcm(*(phase.every for phase in self.phases.values())) if work == "step" else 1
        begin, used = time.perf_counter(), time.process_time()
        while not calls or time.perf_counter() - begin < at_least:
            for _ in range(together):
                result = function()
            jax.block_until_ready(result)
            calls += together
        return [(time.perf_counter() - begin) / calls, (time.process_time() - used) / calls]

    def columns(self, work: str, rate: float) -> dict[str, Any]:
        """The share of the device's limit that a rate of images is."""
        return {"share": self.operations(work) * rate / self.batch / self._limit}

    def operations(self, work: str) -> float:
        """Floating-point operations of a call, as XLA counts them before it optimises."""
        if work == "step":
            return sum(self.operations(name) * p.repeats / p.every for name, p in self.phases.items())
        if work not in self._operations:
            function = self._forward if work == "G forward" else self._updates[work]
            analysed: Any = function.lower(self._state, self._key).cost_analysis()
            self._operations[work] = float(analysed["flops"])
        return self._operations[work]


def _followed(state: _State, name: str) -> _State:
    """The state after the moving average has moved: ema <- decay ema + (1 - decay) w."""
    pairs = zip(state.average, state.trained[name], strict=True)
    return dataclasses.replace(state, average=[_DECAY * kept + (1.0 - _DECAY) * new for kept, new in pairs])


def row_keys(key: jax.Array, rows: int) -> jax.Array:
    """A key for each row's noise."""
    return jax.random.key_data(jax.random.split(key, rows))


class BigGANNetworks(Networks):
    """BigGAN and the hinge game; D sees real images and fakes in one call. The arguments are torch_biggan.py's."""

    def __init__(
        self, policy: str, limit: float, pixels: int, channels: int, batch: int, classes: int, z_dim: int,
        attention: str, discriminator_steps: int,
    ):  # fmt: skip
        sizes = () if attention == "0" else (int(attention),)
        self._steps_of_discriminator, self._game = discriminator_steps, HingeConfig().build()
        model = BigGANConfig(
            reference="ajbrock", resolution=pixels, num_classes=classes, z_dim=z_dim, generator_channels=channels,
            discriminator_channels=channels, generator_attention=sizes, discriminator_attention=sizes,
            initializer="normal", policy=policy,
        )  # fmt: skip
        super().__init__(model, batch, limit, beta_2=0.999, learning_rate=2e-4)

    def make_phases(self) -> dict[str, Phase]:
        return {
            "D step": Phase(self.discriminator, self._discriminator_loss, repeats=self._steps_of_discriminator),
            "G step": Phase(self.generator, self._generator_loss),
        }

    def _discriminator_loss(self, key: jax.Array) -> jax.Array:
        fakes = jax.lax.stop_gradient(self.fakes(key))
        real, fake = jnp.split(self.logits(jnp.concatenate([self.images, fakes]), copies=2), 2)
        return self._game.discriminator(real, fake)

    def _generator_loss(self, key: jax.Array) -> jax.Array:
        return self._game.generator(self.logits(self.fakes(key)))


class StyleGAN2Networks(Networks):
    """StyleGAN2 without classes, and its four phases. The arguments are torch_stylegan2.py's."""

    gamma, path_weight, mixing = 10.0, 2.0, 0.9

    def __init__(self, policy: str, limit: float, pixels: int, channel_base: int, batch: int):
        self._game = NonSaturatingConfig().build()
        model = StyleGAN2Config(resolution=pixels, channel_base=channel_base, policy=policy)
        super().__init__(model, batch, limit, beta_2=0.99, learning_rate=2e-3)

    def make_phases(self) -> dict[str, Phase]:
        return {
            "G step": Phase(self.generator, lambda key: self._game.generator(self.logits(self._mixed_fakes(key)))),
            "path length step": Phase(self.generator, self._path_loss, every=4),
            "D step": Phase(self.discriminator, self._discriminator_loss),
            "R1 step": Phase(self.discriminator, self._r1_loss, every=16),
        }

    def _styles(self, key: jax.Array, rows: int, moves: bool = False) -> LayerStyles:
        """Styles of which nine in ten are mixed of two latents'."""
        first, second, cut, whether = jax.random.split(key, 4)
        generator, count = self.generator, self.generator.num_styles
        random_cut = jax.random.randint(cut, (), 1, count)
        chosen = jnp.where(jax.random.uniform(whether) < self.mixing, random_cut, count)
        styles = generator.styles(self.latents(first, rows), training=moves)
        return generator.mixed(styles, generator.styles(self.latents(second, rows)), chosen)

    def _mixed_fakes(self, key: jax.Array, moves: bool = False) -> jax.Array:
        styles_key, noise_key = jax.random.split(key)
        keys = row_keys(noise_key, self.batch)
        return self.generator.synthesise(self._styles(styles_key, self.batch, moves), keys=keys, training=True)

    def _discriminator_loss(self, key: jax.Array) -> jax.Array:
        fakes = jax.lax.stop_gradient(self._mixed_fakes(key, moves=True))
        return self._game.discriminator(self.logits(self.images), self.logits(fakes))

    def _r1_loss(self, key: jax.Array) -> jax.Array:
        # R1 = gamma / 2 E[|dD(x)/dx|^2] (arXiv:1801.04406, equation 9), times the 16 steps that it stands for
        slopes = jax.grad(lambda images: jnp.sum(self.logits(images)))(self.images)
        return 16 * self.gamma / 2 * jnp.mean(jnp.sum(jnp.square(slopes), axis=(1, 2, 3)))

    def _path_loss(self, key: jax.Array) -> jax.Array:
        # E[(|J^T y| - a)^2] (arXiv:1912.04958, equation 4) on half of the rows, times 4 steps; a is the batch's own
        # mean, in the place of a running one, which is a number more.
        styles_key, noise_key, pixels_key = jax.random.split(key, 3)
        rows = self.batch // 2
        (ws,), keys = self._styles(styles_key, rows), row_keys(noise_key, rows)
        images, pull = jax.vjp(lambda w: self.generator.synthesise(LayerStyles(w), keys=keys, training=True), ws)
        noise = jax.random.normal(pixels_key, images.shape, images.dtype) / math.sqrt(math.prod(images.shape[1:3]))
        (gradient,) = pull(noise)
        lengths = jnp.sqrt(jnp.mean(jnp.sum(jnp.square(gradient), axis=2), axis=1))
        return 4 * self.path_weight * jnp.mean(jnp.square(lengths - jax.lax.stop_gradient(jnp.mean(lengths))))


class R3GANNetworks(Networks):
    """R3GAN with classes and its game. The arguments are torch_r3gan.py's."""

    gamma = 0.05

    def __init__(
        self, policy: str, limit: float, pixels: int, widths: list[int], cardinalities: list[int], blocks: list[int],
        batch: int, classes: int,
    ):  # fmt: skip
        model = R3GANConfig(
            resolution=pixels, num_classes=classes, widths=tuple(widths), cardinalities=tuple(cardinalities),
            blocks=tuple(blocks), policy=policy,
        )  # fmt: skip
        super().__init__(model, batch, limit, beta_2=0.9, learning_rate=2e-4)

    def make_phases(self) -> dict[str, Phase]:
        return {
            "D step": Phase(self.discriminator, self._discriminator_loss),
            "G step": Phase(self.generator, self._generator_loss),
        }

    def _with_slopes(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """D's answers, and |dD(x)/dx|^2 of each row."""
        logits, pull = jax.vjp(self.logits, images)
        (slopes,) = pull(jnp.ones_like(logits))
        return logits, jnp.sum(jnp.square(slopes), axis=(1, 2, 3))

    def _discriminator_loss(self, key: jax.Array) -> jax.Array:
        real, r1 = self._with_slopes(self.images)
        fake, r2 = self._with_slopes(jax.lax.stop_gradient(self.fakes(key)))
        # L_D = E[softplus(-(D(x) - D(G(z))))] + gamma / 2 E[R1 + R2] (arXiv:2501.05441, section 2)
        return jnp.mean(jax.nn.softplus(fake - real)) + self.gamma / 2 * jnp.mean(r1 + r2)

    def _generator_loss(self, key: jax.Array) -> jax.Array:
        # L_G = E[softplus(-(D(G(z)) - D(x)))]
        return jnp.mean(jax.nn.softplus(self.logits(self.images) - self.logits(self.fakes(key))))
