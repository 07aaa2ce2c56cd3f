"""BigGAN's and BigGAN-deep's configuration."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks, parts
from biggan_tf.config.parts import DiscriminatorNormConfig, FamilyConfig, NormSlot
from biggan_tf.layer_options import KERNEL_INITIALIZERS

if TYPE_CHECKING:
    from biggan_tf.families.biggan.discriminator import Discriminator
    from biggan_tf.families.biggan.generator import Generator

_DEFAULT_ATTENTION = (64,)


@dataclasses.dataclass
class BigGANConfig(FamilyConfig):
    """Both networks. A field that is None takes the value of the published variant or of the table for `resolution`.

    Attributes:
        architecture: biggan, or biggan_deep with its bottleneck blocks, two a resolution.
        reference: Which published variant's conventions hold: paper, ajbrock, compare_gan or tfhub; variants.py shows
            them side by side.
        hierarchical: Whether every block sees a chunk of z (deep: all of z) beside the class.
        embedding_dim: Values of the class embedding that all blocks share.
        generator_channels: The generator's ch, the unit of the table of channels. The paper: 96 (deep: 128).
        discriminator_channels: The discriminator's.
        generator_table: The generator's own table in units of ch: the width at 4x4, then each level's output; None: the
            paper's for this resolution.
        discriminator_table: The discriminator's own table in units of its ch: the output of each level (deep: of the
            stem first); None: the variant's for this resolution.
        generator_upsampling: Which levels of an own table double the image; None: all.
        discriminator_downsampling: Which levels of an own table halve the image; None: all but the last (deep: all).
        generator_attention: Resolutions after whose level self-attention follows; by default 64 pixels, where there is
            such a level.
        discriminator_attention: The discriminator's resolutions after whose level self-attention follows; by default 64
            pixels, where there is such a level.
        initializer: The initializer of the kernels: orthogonal, or normal with deviation 0.02 (for small images).
        resampling: How images are doubled and halved in the blocks: "published" as the variant does it, or "filtered"
            with the filter (1, 3, 3, 1) of StyleGAN2, which keeps frequencies from appearing as others.
        fused_resampling: Join a change of resolution and its convolution in one operation: the same values, a quarter
            of the operations.
        spectral_norm_epsilon: Guards spectral norm's divisions.
        batch_norm_epsilon: Added to the variance in batch norms.
        batch_norm_momentum: The share of the running moments that a training step keeps.
        batch_norm_group_size: Neighbouring replicas that share batch statistics; 0: all do.
    """

    kind: ClassVar[str] = "biggan"
    carries_heads: ClassVar[bool] = True
    free_to_change: ClassVar[tuple[str, ...]] = (
        *FamilyConfig.free_to_change,
        "fused_resampling",
        "initializer",
        "batch_norm_momentum",
        "batch_norm_group_size",
    )
    folding: ClassVar[str] = "biggan_tf.families.biggan.inference:fold"
    has_norm_slots: ClassVar[bool] = True

    discriminator_norm: DiscriminatorNormConfig = dataclasses.field(
        default_factory=parts.default("discriminator_norm", "spectral")
    )
    architecture: str = "biggan"
    reference: str = "paper"
    hierarchical: bool = True
    embedding_dim: int = 128
    generator_channels: int = 96
    discriminator_channels: int = 96
    generator_table: tuple[int, ...] | None = None
    discriminator_table: tuple[int, ...] | None = None
    generator_upsampling: tuple[bool, ...] | None = None
    discriminator_downsampling: tuple[bool, ...] | None = None
    generator_attention: tuple[int, ...] = _DEFAULT_ATTENTION
    discriminator_attention: tuple[int, ...] = _DEFAULT_ATTENTION
    initializer: str = "orthogonal"
    resampling: str = "published"
    fused_resampling: bool = True
    spectral_norm_epsilon: float | None = None
    batch_norm_epsilon: float | None = None
    batch_norm_momentum: float = 0.9
    batch_norm_group_size: int = 0

    @property
    def is_deep(self) -> bool:
        return self.architecture == "biggan_deep"

    @property
    def averages_buffers(self) -> bool:
        """Whether the EMA averages running moments and spectral norm's u, or copies them: see variants.py."""
        from biggan_tf.families.biggan.variants import VARIANTS

        return VARIANTS[self.reference].averages_buffers

    def latent_levels(self) -> tuple[int, ...]:
        """A chunk of z for the first layer and one for each block; all of z where it is not split."""
        chunks = _num_chunks(self)
        return (self.z_dim // chunks,) * chunks

    def norm_slots(self) -> tuple[NormSlot, ...]:
        """One in front of each ReLU of a block."""
        from biggan_tf.families.biggan.tables import discriminator_levels

        slots, size = [], self.resolution
        for index, level in enumerate(discriminator_levels(self)):
            if self.is_deep:
                slots += _bottleneck_slots(size, level.in_channels, level.out_channels)
                slots += _bottleneck_slots(level.size, level.out_channels, level.out_channels)
            else:
                slots += [NormSlot(size, level.in_channels)] if index else []
                slots.append(NormSlot(size, level.out_channels))
            size = level.size
        return tuple(slots)

    def problems(self) -> Iterator[str]:
        from biggan_tf.families.biggan import variants

        yield from super().problems()
        yield from checks.choice("model.architecture", self.architecture, ("biggan", "biggan_deep"))
        yield from checks.choice("model.reference", self.reference, variants.VARIANTS)
        yield from checks.choice("model.resampling", self.resampling, ("published", "filtered"))
        yield from checks.choice("model.initializer", self.initializer, KERNEL_INITIALIZERS)
        yield from checks.at_least(self, "model", 1, ("generator_channels", "discriminator_channels"))
        yield from checks.at_least(self, "model", 0, ("batch_norm_group_size",))
        yield from checks.between("model.spectral_norm_epsilon", self.spectral_norm_epsilon, 0.0, 1.0)
        yield from checks.between("model.batch_norm_epsilon", self.batch_norm_epsilon, 0.0, 1.0)
        yield from checks.between("model.batch_norm_momentum", self.batch_norm_momentum, 0.0, 1.0, low_allowed=True)
        of_architecture = list(_architecture(self))
        yield from of_architecture
        if not of_architecture:
            yield from _attention(self)
        yield from _latent(self)

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.biggan.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.biggan.discriminator import Discriminator

        return Discriminator(self, name=name)


def _bottleneck_slots(size: int, in_channels: int, out_channels: int) -> list[NormSlot]:
    return [NormSlot(size, in_channels), *[NormSlot(size, max(out_channels // 4, 1))] * 3]


def _num_levels(table: tuple[int, ...] | None, default: int) -> int:
    return default if table is None else max(len(table) - 1, 0)


def _table(
    network: str, table: tuple[int, ...] | None, resampling: tuple[bool, ...] | None, num_levels: int
) -> Iterator[str]:
    if table is not None and (len(table) < 2 or min(table) < 1):
        yield f"model.{network}_table must hold 2 numbers or more, each at least 1. Received: {table}."
    flags = f"model.{network}_{'upsampling' if network == 'generator' else 'downsampling'}"
    if resampling is not None and table is None:
        yield f"{flags} needs model.{network}_table beside it. Received: {resampling} alone; give both or neither."
    elif resampling is not None and len(resampling) != num_levels:
        yield f"{flags} must hold a flag for each of {num_levels} levels. Received: {resampling}; add or drop flags."


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def num_doublings(resolution: int) -> int:
    """Doublings from 4x4 to the image."""
    return resolution.bit_length() - 3


def _architecture(model: BigGANConfig) -> Iterator[str]:
    from biggan_tf.families.biggan import tables

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
    if resolution not in tables.GENERATOR_CHANNELS and not own:
        yield (
            f"model.resolution without own tables must be one of {', '.join(map(str, tables.GENERATOR_CHANNELS))}. "
            f"Received: {resolution}; give model.generator_table ({doublings + 1} numbers) and "
            "model.discriminator_table."
        )
    levels = _num_levels(model.generator_table, doublings)
    yield from _table("generator", model.generator_table, model.generator_upsampling, levels)
    up = (True,) * levels if model.generator_upsampling is None else model.generator_upsampling
    if sum(up) != doublings:
        yield (
            f"model.generator_table must double 4x4 exactly {doublings} times for {resolution} pixels. Received: "
            f"{sum(up)} doublings in {levels} levels; change the table or model.generator_upsampling."
        )
    levels = _num_levels(model.discriminator_table, doublings) + (not model.is_deep)
    yield from _table("discriminator", model.discriminator_table, model.discriminator_downsampling, levels)
    if model.discriminator_table is not None:
        halves = model.discriminator_downsampling or tables.default_halves(model, levels)
        if sum(halves) > doublings + 2:
            yield (
                f"model.discriminator_table must not halve {resolution} pixels more than {doublings + 2} times. "
                f"Received: {sum(halves)} halvings in {levels} levels; set some of model.discriminator_downsampling to "
                "False."
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


def _attention(model: BigGANConfig) -> Iterator[str]:
    """What is wrong with the places of self-attention, for a model whose levels have no problem."""
    from biggan_tf.families.biggan import tables, variants

    if model.reference not in variants.VARIANTS:
        model = dataclasses.replace(model, reference="paper")
    for name, resolutions in tables.attention_sizes(model).items():
        wanted = getattr(model, name)
        if tuple(wanted) == _DEFAULT_ATTENTION:
            continue
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


def _num_chunks(model: BigGANConfig) -> int:
    """How many chunks z is split into: one for the first layer and one for each block, or 1 where it is not split."""
    if not model.hierarchical or model.is_deep:
        return 1
    return len(model.generator_table) if model.generator_table else num_doublings(model.resolution) + 1


def _latent(model: BigGANConfig) -> Iterator[str]:
    if not _is_power_of_two(model.resolution):
        return
    chunks = _num_chunks(model)
    if chunks > 0 and model.z_dim % chunks:
        near = max(chunks, round(model.z_dim / chunks) * chunks)
        yield (
            f"model.z_dim must split into {chunks} equal chunks, one for the first layer and one for each block. "
            f"Received: {model.z_dim}; try {near}, or model.hierarchical=False."
        )
