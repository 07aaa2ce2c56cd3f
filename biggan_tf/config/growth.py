"""Progressive growing: at which resolution, with which batches and rates networks train after how many images."""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

from biggan_tf.config import checks
from biggan_tf.config.section import Section


class Segment(NamedTuple):
    """A part of a training in which every shape stays the same.

    Attributes:
        resolution: Height and width of the images.
        batch_size: How many real images an update reads, over all replicas and micro-batches.
        rate_factor: What the learning rates of both networks are multiplied by.
    """

    resolution: int
    batch_size: int
    rate_factor: float


@dataclasses.dataclass
class GrowthConfig(Section):
    """The schedule of growing networks (Karras et al. 2018, arXiv:1710.10196, section 2); by default they do not grow.

    Each resolution is faded in over `fading_images` and then trained for `stable_images`, but for the first one, which
    is there from the beginning. After the last one the run goes on at the full resolution. Steps of any batch size
    count as one in `training.num_steps`.

    Attributes:
        stable_images: Real images for which each resolution is trained.
        fading_images: Real images over which a resolution is faded in.
        first_resolution: The resolution that training begins with.
        batch_sizes: The batch sizes of the resolutions from the first one on; those that are left out have
            `training.batch_size`.
        rate_factors: What both learning rates are multiplied by at the resolutions from the first one on; 1 for those
            that are left out.
        every_steps: The schedule is read every so many steps, so that the share of a new resolution changes then.
    """

    stable_images: int = 0
    fading_images: int = 0
    first_resolution: int = 4
    batch_sizes: tuple[int, ...] = ()
    rate_factors: tuple[float, ...] = ()
    every_steps: int = 4

    @property
    def enabled(self) -> bool:
        """Whether the networks grow."""
        return self.stable_images + self.fading_images > 0

    def lod_at(self, images_seen: int, full_resolution: int) -> float:
        """The level of detail after a number of images, see `contracts.growing.GrowingNetwork`.

        Args:
            images_seen: Real images that the discriminator has been trained on.
            full_resolution: The resolution of the fully grown networks.
        """
        period_images = self.stable_images + self.fading_images
        period = images_seen // period_images  # of a resolution by itself, and of the fade of the next one
        # lod = log2 R - log2 R_first - period - max(images of the period - stable, 0) / fading
        lod = math.log2(full_resolution) - math.log2(self.first_resolution) - period
        if self.fading_images:
            lod -= max(images_seen - period * period_images - self.stable_images, 0) / self.fading_images
        return max(lod, 0.0)

    def segment_at(self, lod: float, full_resolution: int, batch_size: int) -> Segment:
        """The segment of a level of detail.

        Args:
            lod: The level of detail.
            full_resolution: The resolution of the fully grown networks.
            batch_size: `training.batch_size`.
        """
        resolution = full_resolution >> math.floor(lod)
        number = resolution.bit_length() - self.first_resolution.bit_length()
        size = self.batch_sizes[number] if number < len(self.batch_sizes) else batch_size
        return Segment(resolution, size, self.rate_factors[number] if number < len(self.rate_factors) else 1.0)

    def segments(self, full_resolution: int, batch_size: int) -> Iterator[tuple[int, Segment]]:
        """The segments in order, each with the number of real images at which it begins.

        Args:
            full_resolution: The resolution of the fully grown networks.
            batch_size: `training.batch_size`.
        """
        last = full_resolution.bit_length() - self.first_resolution.bit_length()
        period_images = self.stable_images + self.fading_images
        for number in range(last + 1):
            first_image = max(0, number - 1) * period_images + (self.stable_images if number else 0)
            yield first_image, self.segment_at(float(last - number), full_resolution, batch_size)

    def steps_until(self, images_seen: int, full_resolution: int, batch_size: int) -> int:
        """How many steps with one update of the discriminator read this many images, or a few more.

        Args:
            images_seen: The number of real images.
            full_resolution: The resolution of the fully grown networks.
            batch_size: `training.batch_size`.
        """
        images = steps = 0
        while images < images_seen:
            segment = self.segment_at(self.lod_at(images, full_resolution), full_resolution, batch_size)
            images += segment.batch_size * self.every_steps
            steps += self.every_steps
        return steps

    def problems(self) -> Iterator[str]:
        """What is wrong with these numbers, a sentence each; `config.checks` looks at the model as well."""
        yield from checks.at_least(self, "training.growth", 0, ("stable_images", "fading_images"))
        yield from checks.at_least(self, "training.growth", 1, ("every_steps",))
        if any(factor <= 0 for factor in self.rate_factors):
            yield (
                "Each of training.growth.rate_factors must be above 0. Received: "
                f"{min(self.rate_factors)}; 1 leaves the rates as they are."
            )
