"""What must hold for a configuration: each check yields what must hold, what came and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biggan_tf.config import Config

TABLE_RESOLUTIONS = (32, 64, 128, 256, 512)

CHOICES = {
    "model.architecture": ("biggan", "biggan_deep"),
    "model.reference": ("paper", "ajbrock", "compare_gan", "tfhub"),
    "model.initializer": ("orthogonal", "normal"),
    "model.policy": ("float32", "mixed_bfloat16", "mixed_float16", "float64", "auto"),
    "latents.distribution": ("normal", "uniform", "student_t", "bernoulli", "censored_normal"),
    "latents.labels": ("uniform", "data"),
    "training.loss": ("hinge", "non_saturating"),
    "distribution.strategy": ("one_device", "mirrored", "multi_worker", "tpu"),
    "monitoring.on_collapse": ("stop", "rollback", "warn"),
    "evaluation.features": ("inception", "efficientnet_lite0", "classifier"),
}

AT_LEAST_ONE = (
    "model.z_dim",
    "model.generator_channels",
    "model.discriminator_channels",
    "training.num_steps",
    "training.batch_size",
    "training.accumulation_steps",
    "training.discriminator_steps",
    "data.shuffle_buffer",
    "checkpoints.every_steps",
    "checkpoints.keep",
    "monitoring.log_every_steps",
    "monitoring.sample_every_steps",
    "loss_scale.growth_steps",
    "evaluation.num_samples",
)

AT_LEAST_ZERO = (
    "model.num_classes",
    "model.batch_norm_group_size",
    "training.orthogonal_strength",
    "training.ema_start_step",
    "training.ema_half_life_images",
    "training.ema_warmup_ratio",
    "checkpoints.keep_every_steps",
    "evaluation.every_steps",
    "evaluation.num_real",
    "distribution.num_replicas",
    "training.generator.warmup_images",
    "training.discriminator.warmup_images",
)

# (field, lowest, highest): the ends are excluded.
OPEN_RANGES = (
    ("training.generator.learning_rate", 0.0, 1.0),
    ("training.discriminator.learning_rate", 0.0, 1.0),
    ("training.generator.epsilon", 0.0, 1.0),
    ("training.discriminator.epsilon", 0.0, 1.0),
    ("model.spectral_norm_epsilon", 0.0, 1.0),
    ("model.batch_norm_epsilon", 0.0, 1.0),
)

# (field, lowest, highest): lowest allowed, highest excluded.
HALF_OPEN_RANGES = (
    ("model.batch_norm_momentum", 0.0, 1.0),
    ("training.ema_decay", 0.0, 1.0),
    ("training.generator.beta_1", 0.0, 1.0),
    ("training.generator.beta_2", 0.0, 1.0),
    ("training.discriminator.beta_1", 0.0, 1.0),
    ("training.discriminator.beta_2", 0.0, 1.0),
)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what a misspelt word may have meant."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "the names are " + ", ".join(sorted(known)) + "."


def unknown_field(name: str, known: Iterable[str]) -> str:
    """The error text for a field that no dataclass of the tree has."""
    return f"A field must be one of the configuration's. Received: {name}; {nearest(name, known)}"


def problems(config: Config, num_replicas: int) -> Iterator[str]:
    """Every problem of `config`, a sentence each."""
    yield from _choices(config)
    yield from _ranges(config)
    yield from _architecture(config)
    yield from _attention(config)
    yield from _latent(config)
    yield from _batch(config, num_replicas)


def _value(config: Any, path: str) -> Any:
    for part in path.split("."):
        config = getattr(config, part)
    return config


def _choices(config: Config) -> Iterator[str]:
    for path, allowed in CHOICES.items():
        value = _value(config, path)
        if value not in allowed:
            yield f"{path} must be one of {', '.join(allowed)}. Received: {value!r}; {nearest(str(value), allowed)}"


def _ranges(config: Config) -> Iterator[str]:
    for minimum, paths in ((1, AT_LEAST_ONE), (0, AT_LEAST_ZERO)):
        for path in paths:
            value = _value(config, path)
            if value < minimum:
                yield f"{path} must be at least {minimum}. Received: {value}; give a larger number."
    for path, low, high in OPEN_RANGES:
        value = _value(config, path)
        if value is not None and not low < value < high:
            yield f"{path} must lie between {low:g} and {high:g}. Received: {value}; choose a value inside."
    for path, low, high in HALF_OPEN_RANGES:
        value = _value(config, path)
        if not low <= value < high:
            yield f"{path} must be at least {low:g} and less than {high:g}. Received: {value}; choose a value inside."


def _num_stages(table: tuple[int, ...] | None, default: int) -> int:
    return default if table is None else max(len(table) - 1, 0)


def _table(
    network: str, table: tuple[int, ...] | None, resampling: tuple[bool, ...] | None, num_stages: int
) -> Iterator[str]:
    if table is not None and (len(table) < 2 or min(table) < 1):
        yield f"model.{network}_table must hold 2 numbers or more, each at least 1. Received: {table}."
    flags = f"model.{network}_{'upsampling' if network == 'generator' else 'downsampling'}"
    if resampling is not None and table is None:
        yield f"{flags} needs model.{network}_table beside it. Received: {resampling} alone; give both or neither."
    elif resampling is not None and len(resampling) != num_stages:
        yield f"{flags} must hold a flag for each of {num_stages} stages. Received: {resampling}; add or drop flags."


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def num_doublings(resolution: int) -> int:
    """Doublings from 4x4 to the image."""
    return resolution.bit_length() - 3


def _architecture(config: Config) -> Iterator[str]:
    model = config.model
    resolution = model.resolution
    if not _is_power_of_two(resolution) or resolution < 8:
        near = max(8, 1 << max(resolution, 8).bit_length() - 1)
        yield (
            f"model.resolution must be a power of two, 8 or more. Received: {resolution}; "
            f"try {near} or {2 * near} and prepare the data at that size."
        )
        return
    doublings = num_doublings(resolution)
    own = model.generator_table is not None and model.discriminator_table is not None
    if resolution not in TABLE_RESOLUTIONS and not own:
        yield (
            f"model.resolution without own tables must be one of {', '.join(map(str, TABLE_RESOLUTIONS))}. Received: "
            f"{resolution}; give model.generator_table ({doublings + 1} numbers) and model.discriminator_table."
        )
    stages = _num_stages(model.generator_table, doublings)
    yield from _table("generator", model.generator_table, model.generator_upsampling, stages)
    up = (True,) * stages if model.generator_upsampling is None else model.generator_upsampling
    if sum(up) != doublings:
        yield (
            f"model.generator_table must double 4x4 exactly {doublings} times for {resolution} pixels. Received: "
            f"{sum(up)} doublings in {stages} stages; change the table or model.generator_upsampling."
        )
    stages = _num_stages(model.discriminator_table, doublings) + (not model.is_deep)
    yield from _table("discriminator", model.discriminator_table, model.discriminator_downsampling, stages)
    if model.discriminator_table is not None and sum(model.discriminator_downsampling or ()) > doublings + 2:
        yield (
            f"model.discriminator_downsampling must not halve {resolution} pixels more than {doublings + 2} times. "
            f"Received: {model.discriminator_downsampling}; set some to False."
        )
    if model.num_classes > 0 and model.embedding_dim < 1:
        yield f"model.embedding_dim must be at least 1 with classes. Received: {model.embedding_dim}; try 128."
    if model.is_deep:
        for name in ("generator_channels", "discriminator_channels"):
            if getattr(model, name) % 4:
                yield (
                    f"model.{name} must be a multiple of 4 for biggan_deep, whose bottleneck has a quarter of the "
                    f"channels. Received: {getattr(model, name)}; round it."
                )


def _attention(config: Config) -> Iterator[str]:
    model = config.model
    if not _is_power_of_two(model.resolution) or model.resolution < 8:
        return
    outputs = {
        "generator_attention": [8 << i for i in range(num_doublings(model.resolution))],
        "discriminator_attention": [4 << i for i in range(num_doublings(model.resolution))],
    }
    for name, resolutions in outputs.items():
        wanted = getattr(model, name)
        wrong = sorted(set(wanted) - set(resolutions))
        if len(wanted) > len(resolutions) or len(set(wanted)) != len(wanted):
            yield (
                f"model.{name} must name each of at most {len(resolutions)} resolutions once. "
                f"Received: {wanted}; choose among {resolutions}."
            )
        elif wrong:
            yield (
                f"model.{name} must name resolutions that a block puts out: {resolutions}. "
                f"Received: {wanted}; drop {', '.join(map(str, wrong))}."
            )


def _latent(config: Config) -> Iterator[str]:
    model = config.model
    if not (model.hierarchical and not model.is_deep and _is_power_of_two(model.resolution)):
        return
    chunks = len(model.generator_table) if model.generator_table else num_doublings(model.resolution) + 1
    if chunks > 0 and model.z_dim % chunks:
        near = max(chunks, round(model.z_dim / chunks) * chunks)
        yield (
            f"model.z_dim must split into {chunks} equal chunks, one for the first layer and one for each block. "
            f"Received: {model.z_dim}; try {near}, or model.hierarchical=False."
        )


def _batch(config: Config, num_replicas: int) -> Iterator[str]:
    training, group = config.training, config.model.batch_norm_group_size
    pieces = num_replicas * training.accumulation_steps
    if pieces > 0 and training.batch_size % pieces:
        near = max(pieces, round(training.batch_size / pieces) * pieces)
        yield (
            f"training.batch_size must divide into {num_replicas} replicas x {training.accumulation_steps} "
            f"micro-batches. Received: {training.batch_size}; try {near}."
        )
    if group > 0 and num_replicas % group:
        yield (
            "model.batch_norm_group_size must divide the number of replicas. "
            f"Received: groups of {group} among {num_replicas} replicas; choose a divisor, or 0 for all."
        )
