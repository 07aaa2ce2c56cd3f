"""What must hold for a configuration: each check yields what must hold, what came and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from biggan_tf.config import metric_names

if TYPE_CHECKING:
    from biggan_tf.config.run import Config

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64", "auto")
# The networks whose features an evaluation compares, see `evaluation.extractors.features`.
EXTRACTORS = ("inception", "efficientnet_lite0", "classifier")
# How often an evaluation draws each class: as often as it is among the real images, or each equally often.
EVALUATED_LABELS = ("data", "uniform")
# What folders and tables call an entry, a choice or an option: `is_name` asks for it, and messages say it.
NAME_RULE = 'small letters, digits, "_", "." and "-", the first one a letter or a digit'
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
MAX_SEED = 2**32 - 1  # NumPy's, which Keras sets with TensorFlow's and Python's

CHOICES = {
    "training.labels": ("uniform", "data"),
    "training.clock": ("wall", "processor"),
    "distribution.strategy": ("one_device", "mirrored", "multi_worker", "tpu"),
    "monitoring.on_collapse": ("stop", "rollback", "warn"),
    "evaluation.labels": EVALUATED_LABELS,
    "evaluation.features": EXTRACTORS,
}

AT_LEAST_ONE = (
    "training.num_steps",
    "training.batch_size",
    "training.accumulation_steps",
    "data.shuffle_buffer",
    "checkpoints.every_steps",
    "checkpoints.keep",
    "monitoring.log_every_steps",
    "monitoring.sample_every_steps",
    "loss_scale.growth_steps",
    "evaluation.num_samples",
)

AT_LEAST_ZERO = (
    "training.ema_start_step",
    "training.ema_half_life_images",
    "training.ema_schedule_images",
    "training.ema_warmup_ratio",
    "checkpoints.keep_every_steps",
    "evaluation.every_steps",
    "evaluation.every_minutes",
    "training.max_minutes",
    "evaluation.num_real",
    "distribution.num_replicas",
    "training.generator.warmup_images",
    "training.discriminator.warmup_images",
    "training.generator.schedule_images",
    "training.discriminator.schedule_images",
)

# (field, lowest, highest): the ends are excluded.
OPEN_RANGES = (
    ("training.generator.learning_rate", 0.0, 1.0),
    ("training.discriminator.learning_rate", 0.0, 1.0),
    ("training.generator.epsilon", 0.0, 1.0),
    ("training.discriminator.epsilon", 0.0, 1.0),
    ("training.generator.final_learning_rate", 0.0, 1.0),
    ("training.discriminator.final_learning_rate", 0.0, 1.0),
)

# (field, lowest, highest): lowest allowed, highest excluded.
HALF_OPEN_RANGES = (
    # TensorFlow would take 0 for a default of its own.
    ("distribution.startup_timeout_s", 1.0, 1e6),
    ("distribution.worker_timeout_s", 1.0, 1e6),
    ("data.label_noise", 0.0, 1.0),
    ("training.ema_decay", 0.0, 1.0),
    ("training.generator.beta_1", 0.0, 1.0),
    ("training.generator.beta_2", 0.0, 1.0),
    ("training.discriminator.beta_1", 0.0, 1.0),
    ("training.discriminator.beta_2", 0.0, 1.0),
    ("training.generator.final_beta_2", 0.0, 1.0),
    ("training.discriminator.final_beta_2", 0.0, 1.0),
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


def choice(path: str, value: str, allowed: Iterable[str]) -> Iterator[str]:
    """`value` must be one of the words `allowed`."""
    allowed = tuple(allowed)
    if value not in allowed:
        yield f"{path} must be one of {', '.join(allowed)}. Received: {value!r}; {nearest(str(value), allowed)}"


def at_least(config: Any, section: str, minimum: float, names: Iterable[str]) -> Iterator[str]:
    """Each of these fields must be `minimum` or more.

    Args:
        config: The object that has the fields.
        section: Its place in the configuration, for the message.
        minimum: The smallest value that is allowed.
        names: The fields; a dotted name is looked up below `config`.
    """
    for name in names:
        value = _value(config, name)
        if value < minimum:
            path = f"{section}.{name}" if section else name
            yield f"{path} must be at least {minimum}. Received: {value}; give a larger number."


def between(path: str, value: float | None, low: float, high: float, low_allowed: bool = False) -> Iterator[str]:
    """`value` must lie between two numbers, neither included (`low_allowed`: the lower one is); None always passes."""
    if value is None:
        return
    if low_allowed and not low <= value < high:
        yield f"{path} must be at least {low:g} and less than {high:g}. Received: {value}; choose a value inside."
    elif not low_allowed and not low < value < high:
        yield f"{path} must lie between {low:g} and {high:g}. Received: {value}; choose a value inside."


def seed(path: str, value: int) -> Iterator[str]:
    """`value` must be a seed that every library takes."""
    if not 0 <= value <= MAX_SEED:
        yield f"{path} must be an integer from 0 to {MAX_SEED}. Received: {value}; choose another seed."


def is_name(text: str) -> bool:
    """Whether a text is what `NAME_RULE` says."""
    return _NAME.fullmatch(text) is not None


def problems(config: Config, num_replicas: int | None) -> Iterator[str]:
    """Every problem of `config`, a sentence each.

    Args:
        config: The configuration.
        num_replicas: Replicas the batch is split over; None: they are not known yet.
    """
    for path, allowed in CHOICES.items():
        yield from choice(path, _value(config, path), allowed)
    yield from at_least(config, "", 1, AT_LEAST_ONE)
    yield from at_least(config, "", 0, AT_LEAST_ZERO)
    for path, low, high in OPEN_RANGES:
        yield from between(path, _value(config, path), low, high)
    for path, low, high in HALF_OPEN_RANGES:
        yield from between(path, _value(config, path), low, high, low_allowed=True)
    yield from seed("training.seed", config.training.seed)
    yield from _schedules(config)
    yield from _frozen(config)
    of_model = list(config.model.problems())
    yield from of_model or config.model.discriminator_norm.problems_with(config.model)
    yield from config.game.problems()
    yield from config.game.problems_with(config.model)
    if not of_model:  # else it cannot say what levels its latents have
        yield from config.model.condition.problems_with(config.model, config.game)
    yield from config.augmentation.problems()
    yield from config.classifier.problems()
    yield from _enlargement(config)
    if config.evaluation.every_steps or config.evaluation.every_minutes:
        yield from metric_names.problems("evaluation.metrics", config.evaluation.metrics, config.model)
    yield from _batch(config, num_replicas or 1)
    if num_replicas is not None:
        yield from _batch_norm_groups(config, num_replicas)
    yield from _clocks(config)
    yield from config.training.growth.problems()
    if config.training.growth.enabled:
        yield from _growth(config, num_replicas or 1)


def _value(config: Any, path: str) -> Any:
    for part in path.split("."):
        config = getattr(config, part)
    return config


def _schedules(config: Config) -> Iterator[str]:
    """A number that moves to a final one needs to be told until when."""
    for network in ("generator", "discriminator"):
        numbers = getattr(config.training, network)
        moves = numbers.final_learning_rate is not None or numbers.final_beta_2 is not None
        if moves and not numbers.schedule_images:
            yield (
                f"training.{network}.schedule_images must be at least 1 with a final_learning_rate or final_beta_2. "
                "Received: 0; give the number of images after which they are reached."
            )
    if config.training.ema_schedule_images and not config.training.ema_half_life_images:
        yield (
            "training.ema_half_life_images must be at least 1 with training.ema_schedule_images. Received: 0; give the "
            "half-life at the end of the schedule."
        )


def _frozen(config: Config) -> Iterator[str]:
    for pattern in config.initial.frozen:
        if not pattern.startswith(("generator/", "discriminator/")):
            yield (
                "Each of initial.frozen must begin with generator/ or discriminator/. Received: "
                f"{pattern!r}; name weights as in generator/linear/*."
            )


def _enlargement(config: Config) -> Iterator[str]:
    """Where a small image is given, D must see the large one as it is: what moves one would have to move both."""
    if config.model.enlargement == 1:
        if config.monitoring.pixel_workdir:
            yield (
                "monitoring.pixel_workdir must be empty with networks that enlarge no images. Received: "
                f"{config.monitoring.pixel_workdir} with model {config.model.kind}; leave it out."
            )
        return
    for name in ("augmentation", "classifier"):
        kind = getattr(config, name).kind
        if kind != "none":
            yield (
                f"{name} must be none with model {config.model.kind}, whose discriminator compares an image with a "
                f"small one. Received: {kind}; leave it out."
            )
    inner = getattr(config.game, "game", None)  # that of the game restoration
    section, penalties = ("game.game" if inner else "game"), getattr(inner or config.game, "penalties", None)
    moved = [name for name in ("consistency", "fake_consistency") if penalties and getattr(penalties, name)]
    if moved:
        yield (
            f"{section}.penalties.{moved[0]} must be 0 with model {config.model.kind}, since it moves images and not "
            f"the small ones that D compares them with. Received: {getattr(penalties, moved[0])}; set it to 0."
        )


def _batch(config: Config, num_replicas: int) -> Iterator[str]:
    training = config.training
    pieces = num_replicas * training.accumulation_steps
    if pieces > 0 and training.batch_size % pieces:
        near = max(pieces, round(training.batch_size / pieces) * pieces)
        yield (
            f"training.batch_size must divide into {num_replicas} replicas x {training.accumulation_steps} "
            f"micro-batches. Received: {training.batch_size}; try {near}."
        )
    if config.data.label_noise and config.model.num_classes < 2:
        yield (
            "data.label_noise must be 0 where there is no other class to move a label to. Received: "
            f"{config.data.label_noise} with model.num_classes={config.model.num_classes}; set it to 0."
        )
    if config.model.condition.compares_rows and training.batch_size < 2 * training.accumulation_steps:
        yield (
            f"training.batch_size must give each of {training.accumulation_steps} micro-batches 2 images at least, "
            f"since model.condition {config.model.condition.kind} compares the images of one. Received: "
            f"{training.batch_size}; try {2 * pieces}."
        )


def _batch_norm_groups(config: Config, num_replicas: int) -> Iterator[str]:
    group = getattr(config.model, "batch_norm_group_size", 0)
    if group > 0 and num_replicas % group:
        yield (
            "model.batch_norm_group_size must divide the number of replicas. "
            f"Received: groups of {group} among {num_replicas} replicas; choose a divisor, or 0 for all."
        )


def _clocks(config: Config) -> Iterator[str]:
    """Workers must stop and evaluate at the same step, and each has a clock of its own."""
    by_time = config.training.max_minutes or config.evaluation.every_minutes
    if by_time and config.distribution.strategy == "multi_worker":
        yield (
            "training.max_minutes and evaluation.every_minutes must be 0 with several workers, whose clocks differ. "
            f"Received: {config.training.max_minutes} and {config.evaluation.every_minutes}; give numbers of steps."
        )


def _growth(config: Config, num_replicas: int) -> Iterator[str]:
    growth, model = config.training.growth, config.model
    if not model.grows:
        yield (
            "training.growth needs networks that grow, such as those of progan. Received: "
            f"model.kind={model.kind}; choose another family, or leave stable_images and fading_images at 0."
        )
        return
    if config.classifier.kind != "none":
        yield (
            "classifier must be none where networks grow, since it sees images of one size. Received: "
            f"{config.classifier.kind}; leave it out, or leave training.growth out."
        )
    first = growth.first_resolution
    if first < 4 or first & (first - 1) or first > model.resolution:
        yield (
            "training.growth.first_resolution must be a power of two from 4 to model.resolution. Received: "
            f"{first} and {model.resolution}; 4 is the paper's."
        )
    pieces = num_replicas * config.training.accumulation_steps
    uneven = [size for size in growth.batch_sizes if size < 1 or (pieces > 0 and size % pieces)]
    if uneven:
        yield (
            f"Each of training.growth.batch_sizes must divide into {num_replicas} replicas x "
            f"{config.training.accumulation_steps} micro-batches. Received: {uneven[0]}; give a multiple of {pieces}."
        )
