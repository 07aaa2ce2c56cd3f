"""StyleGAN3's configuration."""

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.families.stylegan2.config import StyleConfig

if TYPE_CHECKING:
    from biggan_tf.families.stylegan3.discriminator import Discriminator
    from biggan_tf.families.stylegan3.generator import Generator


# What the settings of a file may ask for at most. The authors' networks have 14 layers, filters of up to 24 taps and a
# margin of 10. A radial filter is computed when a network is built, at a cost that grows with the third power of its
# taps, so that without a limit a few wrong numbers would take all time and memory.
_MOST_TAPS = 64
_MOST = (("num_layers", 128), ("margin", 256), ("filter_taps", _MOST_TAPS), ("activation_upsampling", _MOST_TAPS))


@dataclasses.dataclass
class StyleGAN3Config(StyleConfig):
    """Both networks. The defaults are StyleGAN3-T at 256 pixels; `rotating` has what StyleGAN3-R changes.

    `channel_base` and `channel_max` are the discriminator's, which is StyleGAN2's.

    Attributes:
        generator_channel_base: Channels times twice the cutoff: a layer of the generator with cutoff f has
            min(generator_channel_base / (2 f), generator_channel_max) channels; None: `channel_base`.
        generator_channel_max: The most channels of the generator; None: `channel_max`.
        num_layers: Layers of the generator, the conversion to RGB not counted.
        num_critical: How many of the last layers have the cutoff R / 2, the highest frequency of the image's pixels.
        first_cutoff: Cutoff of the first layer's filters, in periods across the image.
        first_stopband: The frequency that the first layer's filters must stop, and all above it, in the same unit.
        last_stopband_ratio: The frequency that the last layer's filters must stop, divided by the layer's cutoff.
        margin: Pixels around the image that the layers compute in addition, so that its border is not seen.
        output_scale: What the last layer's result is multiplied by.
        kernel_size: The height and width of the layers' kernels: 3, or 1 for R. The conversion to RGB always has 1.
        filter_taps: The taps of a resampling filter, divided by the factor by which it enlarges or reduces.
        activation_upsampling: How much an image is enlarged for its activation.
        radial_filters: Whether images are reduced with filters that treat all directions alike, as R does; critical
            layers keep the separable ones.
        magnitude_decay: The share of the running mean square of a layer's inputs that a micro-batch in training keeps.
            The authors take 0.5^(batch / 20,000).
    """

    kind: ClassVar[str] = "stylegan3"
    folding: ClassVar[str] = "biggan_tf.families.stylegan3.inference:fold"
    free_to_change: ClassVar[tuple[str, ...]] = (*StyleConfig.free_to_change, "magnitude_decay")

    mapping_layers: int = 2
    generator_channel_base: int | None = None
    generator_channel_max: int | None = None
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2.0**2.1
    last_stopband_ratio: float = 2.0**0.3
    margin: int = 10
    output_scale: float = 0.25
    kernel_size: int = 3
    filter_taps: int = 6
    activation_upsampling: int = 2
    radial_filters: bool = False
    magnitude_decay: float = 0.999

    @property
    def num_styles(self) -> int:
        """How many w an image has: for the input, for each layer, and for the conversion to RGB."""
        return self.num_layers + 2

    def rotating(self) -> "StyleGAN3Config":
        """This configuration as StyleGAN3-R's: 1x1 kernels, twice the channels and radial filters."""
        return dataclasses.replace(
            self,
            kernel_size=1,
            radial_filters=True,
            generator_channel_base=2 * self.channel_base,
            generator_channel_max=2 * self.channel_max,
        )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            yield (
                f"model.resolution must be a power of two, 8 or more. Received: {self.resolution}; prepare the data at "
                "such a size."
            )
        yield from checks.at_least(self, "model", 1, ("filter_taps", "activation_upsampling", "num_layers"))
        yield from checks.at_least(self, "model", 0, ("num_critical", "margin"))
        for name, most in _MOST:
            if getattr(self, name) > most:
                yield f"model.{name} must be at most {most}. Received: {getattr(self, name)}; give a smaller number."
        for name in ("first_cutoff", "first_stopband", "last_stopband_ratio", "output_scale"):
            if not math.isfinite(getattr(self, name)):
                yield f"model.{name} must be a finite number. Received: {getattr(self, name)}"
        for name in ("generator_channel_base", "generator_channel_max"):
            value = getattr(self, name)
            if value is not None and value < 1:
                yield f"model.{name} must be at least 1, or null for the discriminator's. Received: {value}"
        if self.num_critical >= self.num_layers:
            yield (
                "model.num_critical must be smaller than model.num_layers. Received: "
                f"num_critical={self.num_critical}, num_layers={self.num_layers}; the paper has 2 of 14."
            )
        if self.kernel_size not in (1, 3):
            yield f"model.kernel_size must be 3 for StyleGAN3-T or 1 for StyleGAN3-R. Received: {self.kernel_size}"
        yield from checks.between("model.magnitude_decay", self.magnitude_decay, 0.0, 1.0, low_allowed=True)
        yield from self._frequency_problems()

    def _frequency_problems(self) -> Iterator[str]:
        if not 0.0 < self.first_cutoff < self.first_stopband:
            yield (
                "model.first_cutoff must be positive and below model.first_stopband. Received: "
                f"first_cutoff={self.first_cutoff}, first_stopband={self.first_stopband}; the paper has 2 and 2^2.1."
            )
        if self.first_cutoff >= self.resolution / 2:
            yield (
                "model.first_cutoff must be below half of model.resolution, the highest frequency of its pixels. "
                f"Received: first_cutoff={self.first_cutoff}, resolution={self.resolution}; the paper has 2."
            )
        yield from checks.between("model.last_stopband_ratio", self.last_stopband_ratio, 1.0, 64.0)
        last_stopband = self.resolution / 2 * self.last_stopband_ratio
        if self.first_stopband > last_stopband:
            yield (
                "model.first_stopband must be at most that of the last layer, half of model.resolution times "
                f"model.last_stopband_ratio. Received: {self.first_stopband} and {last_stopband:g}."
            )
        if 2 * self.first_stopband < 1:
            yield (
                "model.first_stopband must be at least 0.5, so that the first layer has a pixel across the image. "
                f"Received: {self.first_stopband}; the paper has 2^2.1."
            )
        yield from self._filter_problems()

    def _filter_problems(self) -> Iterator[str]:
        """A limit of the longest filter's taps, for frequencies without other problems."""
        growing = self.num_layers - self.num_critical
        last = self.resolution / 2 * self.last_stopband_ratio
        if growing < 1 or not 0.5 <= self.first_stopband <= last < math.inf:
            return
        if max(self.filter_taps, self.activation_upsampling) > _MOST_TAPS:
            return
        # A layer's rate is a power of two, so it grows by less than twice as much as the frequency f_t does:
        # u <= activation_upsampling s[i] / s[i - 1],   s[i] / s[i - 1] < 2 (f_tN / f_t0)^(1 / growing layers)
        growth = 2 * (last / self.first_stopband) ** (1 / growing)
        longest = self.filter_taps * self.activation_upsampling * growth
        if longest > _MOST_TAPS:
            yield (
                f"No filter may have more than {_MOST_TAPS} taps: model.filter_taps x activation_upsampling x the "
                f"growth of the layers' rates. Received: {self.filter_taps} x {self.activation_upsampling} x "
                f"{growth:.3g}; give smaller numbers or more layers. The paper has 6, 2 and 2."
            )

    def generator(self, name: str = "generator") -> "Generator":
        from biggan_tf.families.stylegan3.generator import Generator

        return Generator(self, name=name)

    def discriminator(self, name: str = "discriminator") -> "Discriminator":
        from biggan_tf.families.stylegan3.discriminator import Discriminator

        return Discriminator(self, name=name)
