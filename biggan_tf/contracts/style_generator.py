"""The interface of generators with a space of styles w, such as StyleGAN's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import keras
from jaxtyping import Float, Int
from keras import ops

from biggan_tf.contracts.generator import Generator, Styles
from biggan_tf.types import Count, Embeddings, Images, Latents, RowKeys, Tensor, Truncation

# What is added to the activations of a layer, times the strength that is learned; the same for all channels.
NoiseMap: TypeAlias = Float[Tensor, "#N _ _ 1"]


class StyleGenerator(Generator):
    """A generator whose mapping network turns a latent and a class into a vector w, which steers every layer.

    Its styles are a vector for each layer, `ws` [N, num_styles, V], equal in all layers unless they were truncated up
    to a layer, mixed, or searched for each layer by itself. So whoever edits images can edit these vectors, and needs
    to know nothing else of the family.

    A family implements `map`, `styles_from` and `modulations`, and has a running mean of w. One with noise implements
    `noise_maps` and `synthesise_with_noise`.

    Attributes:
        mean_w: The running mean of w in training, [V], towards which styles are truncated.
    """

    mean_w: keras.Variable

    def map(self, z: Latents, embedding: Embeddings | None = None) -> Float[Tensor, "N V"]:
        """The vectors w of latents and class embeddings.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define map.")

    def styles_from(self, ws: Float[Tensor, "N layers V"]) -> Styles:
        """What `synthesise` takes, from a vector for each layer."""
        raise NotImplementedError(f"{type(self).__name__} must define styles_from.")

    @property
    def noise_correlation(self) -> float:
        """How much neighbouring numbers of a noise map depend on each other; 0, the default: not at all."""
        return 0.0

    def noise_maps(self, keys: RowKeys | None) -> list[NoiseMap]:
        """The noise that `synthesise` adds for these keys, a map for each layer that has some; none by default."""
        return []

    def synthesise_with_noise(self, styles: Styles, maps: Sequence[NoiseMap]) -> Images:
        """The images of some styles with given noise.

        Args:
            styles: What `styles_from` or `styles` returned.
            maps: A map for each layer with noise, in the sizes that `noise_maps` returns. A map of one row is added to
                all rows.
        """
        raise NotImplementedError(f"{type(self).__name__} has no noise. Call synthesise.")

    def modulations(self) -> list[Float[Tensor, "V C"]]:
        """For each style the matrix that turns w into the scales of the channels of its convolution.

        A style that steers no convolution but a conversion to RGB alone has the matrix of that.
        """
        raise NotImplementedError(f"{type(self).__name__} must define modulations.")

    @property
    def default_cutoff(self) -> int | None:
        """How many of the first layers a truncation acts on where the caller does not say; None: on all."""
        return None

    def layer_ws(
        self,
        z: Latents,
        embedding: Embeddings | None = None,
        truncation: Truncation | None = None,
        cutoff: int | Count | Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "N layers V"]:
        """The vector of each layer.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: psi, for each row or for all; None: 1.
            cutoff: How many of the first layers are truncated, for each row or for all, see `truncated`.
        """
        ws = ops.repeat(self.map(z, embedding)[:, None], self.num_styles, axis=1)
        return ws if truncation is None else self.truncated(ws, truncation, cutoff)

    def truncated(
        self,
        ws: Float[Tensor, "N layers V"],
        truncation: Truncation,
        cutoff: int | Count | Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "N layers V"]:
        """Moves the vectors of the first layers towards their mean.

        Args:
            ws: The vector of each layer.
            truncation: psi, for each row or for all.
            cutoff: How many of the first layers are moved, for each row or for all; any number from the number of
                layers on: all. None or a negative number: `default_cutoff`.
        """
        psi = ops.reshape(ops.convert_to_tensor(truncation, ws.dtype), (-1, 1, 1))
        mean = ops.convert_to_tensor(self.mean_w)
        # Karras et al. 2019, arXiv:1812.04948, appendix B: w' = mean + psi (w - mean).
        moved = ops.cast(mean + psi * (ws - mean), ws.dtype)
        own = self.default_cutoff
        if cutoff is None and own is None:
            return moved
        wanted = ops.reshape(ops.convert_to_tensor(own if cutoff is None else cutoff, "int32"), (-1, 1, 1))
        wanted = ops.where(wanted < 0, self.num_styles if own is None else own, wanted)
        return ops.where(ops.arange(self.num_styles, dtype="int32")[None, :, None] < wanted, moved, ws)
