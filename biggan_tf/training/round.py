"""One micro-batch of a phase on one replica: what the loss of a game is computed with (`contracts.game.Round`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
from jaxtyping import Float

from biggan_tf import latents
from biggan_tf.contracts.augmentation import Augmentation
from biggan_tf.contracts.condition import JudgedBatch
from biggan_tf.contracts.discriminator import Discriminator, Judgement
from biggan_tf.contracts.game import Batch, FakeBatch, RealBatch
from biggan_tf.contracts.generator import Generator, Styles
from biggan_tf.ops.replicas import num_replicas, rows_of_this_replica
from biggan_tf.types import Count, Images, Key, LabelsOrImages, Latents, Logits, RowKeys, Tensor

_LATENTS, _LABELS, _NOISE, _AUGMENTATION, _MIXING, _NORMAL, _UNIFORM, _LATENT_NOISE = range(
    8
)  # the uses for which a key is derived from that of the round


class Sample(NamedTuple):
    """What the generator is given for a batch.

    Attributes:
        z: The latents.
        labels: The class of each row; in families that enlarge images, the small image.
        keys: The key that decides the noise of each row.
    """

    z: Latents
    labels: LabelsOrImages
    keys: RowKeys


class LatentSampler:
    """Samples latents and labels for training.

    Each replica samples the rows of all replicas and takes its own, so that a batch does not depend on how many
    replicas share it.

    Args:
        prior: The distribution of the latents, a name in `PARTS["prior"]`.
        z_dim: How many values a latent has.
        labels: Samples the labels.
    """

    def __init__(self, prior: str, z_dim: int, labels: latents.LabelSampler):
        self._prior = latents.prior(prior)
        self._z_dim = z_dim
        self._labels = labels

    def __call__(self, key: Key, rows: int) -> Sample:
        """Samples a batch for this replica.

        Args:
            key: Decides the sample; the same on all replicas.
            rows: How many rows this replica gets.
        """
        total = rows * num_replicas()
        z = self._prior(latents.derive_key(key, _LATENTS), [total, self._z_dim])
        labels = self._labels(latents.derive_key(key, _LABELS), total)
        keys = latents.row_keys(latents.derive_key(key, _NOISE), total)
        return Sample(
            rows_of_this_replica(z, rows), rows_of_this_replica(labels, rows), rows_of_this_replica(keys, rows)
        )


class ReplicaRandom:
    """Random numbers for batches that go through the discriminator together, on this replica.

    It is a `contracts.augmentation.RowRandom`.

    Args:
        keys: A key for each batch, the same on all replicas.
        rows: How many rows of each batch this replica has.
    """

    def __init__(self, keys: list[Key], rows: list[int]):
        self._keys, self._rows = keys, rows
        self._num_calls = 0

    def uniform(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers in [0, 1), uniformly distributed; each call gives others.

        Args:
            *shape: The shape of the numbers of one row; none: one number for each row.
        """
        return self._drawn(latents.unit_uniform, shape)

    def normal(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers of N(0, 1); each call gives others.

        Args:
            *shape: The shape of the numbers of one row; none: one number for each row.
        """
        return self._drawn(latents.normal, shape)

    def _drawn(self, distribution: Callable[[Key, Sequence[int]], Tensor], shape: Sequence[int]) -> Tensor:
        parts = []
        for key, rows in zip(self._keys, self._rows, strict=True):
            own = latents.derive_key(key, self._num_calls)
            parts.append(_rows_of(distribution, own, rows, shape))
        self._num_calls += 1
        return tf.concat(parts, axis=0)


class TrainingRound:
    """The round that a game's loss is given in training, see `contracts.game.Round`.

    Args:
        generator: The generator that is trained.
        discriminator: The discriminator that is trained.
        augmentation: Changes images before the discriminator sees them; None: nothing changes them.
        sample: What `generate` gives to the generator.
        real: The real images; None in a phase that reads none.
        key: The key from which every random number of the round but those of `sample` derives; the same on all
            replicas.
        images_seen: How many real images the discriminator has seen so far.
        sampler: Samples the further latents of mixed styles; None: styles are never mixed.

    Attributes:
        fakes: The images of the latest call of `generate` or `synthesise`; None before it.
        real_logits: The discriminator's logits for the real images, of each time that it was asked about them.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        augmentation: Augmentation | None,
        sample: Sample,
        real: Batch | None,
        key: Key,
        images_seen: Count,
        sampler: LatentSampler | None = None,
    ):
        self._sampler = sampler
        self._generator, self._discriminator, self._augmentation = generator, discriminator, augmentation
        self._sample, self._real = sample, None if real is None else RealBatch(*real)
        self._judged: list[JudgedBatch] = []
        self.key, self.images_seen = key, images_seen
        self.fakes: Images | None = None
        self._uniform_calls = 0
        self.real_logits: list[Logits] = []
        self._augmented = 0

    def real_batch(self) -> Batch:
        """The real images; raises ValueError in a phase that reads none."""
        if self._real is None:
            raise ValueError("A phase that uses real images must have reads_data=True. Received: False; set it.")
        return self._real

    def latents(self) -> Latents:
        """The latents of the round as they were drawn."""
        return self._sample.z

    def styles(self, mixing: float = 0.0, moves_state: bool = True, latent_noise: float = 0.0) -> Styles:
        """What steers the generator for the latents and labels of the round.

        Args:
            mixing: The probability that the styles of the whole round are mixed with those of further latents.
            moves_state: Whether variables that a call in training moves are moved.
            latent_noise: The deviation of normal noise that is added to the latents; 0: none.
        """
        generator = self._generator
        z, embedding = generator.checked(generator.inputs_of(self._near(latent_noise), self._sample.labels))
        styles = generator.styles(z, embedding, training=moves_state)
        if mixing == 0.0 or self._sampler is None:
            return styles
        key = latents.derive_key(self.key, _MIXING)
        further = self._sampler(latents.derive_key(key, 0), z.shape[0]).z
        # arXiv:1812.04948, section 3.1, mixes the styles of a share of the images. Here, as in its authors' code, a
        # whole batch is mixed at one layer or not at all, so the numbers are the same on all replicas.
        chance, place = tf.unstack(latents.unit_uniform(latents.derive_key(key, 1), [2]))
        layers = generator.num_styles
        cutoff = 1 + tf.minimum(tf.cast(place * (layers - 1), tf.int32), layers - 2)
        return generator.mixed(styles, generator.styles(further, embedding), tf.where(chance < mixing, cutoff, layers))

    def synthesise(self, styles: Styles, moves_state: bool = True) -> Batch:
        """Images of the generator for styles of this round, with the labels of the round.

        Args:
            styles: What `styles` returned.
            moves_state: Whether variables that a call in training moves are moved, in generators that can do without.
        """
        training = moves_state or not self._generator.training_moves_state_alone
        self.fakes = self._generator.synthesise(styles, self._sample.keys, training=training)
        return FakeBatch(self.fakes, self._sample.labels)

    def random_normal(self, shape: Sequence[int]) -> Float[Tensor, " N *S"]:
        """Numbers of N(0, 1) for each row of the round.

        Args:
            shape: The shape of the numbers of one row. Each call with the same shape gives the same numbers.
        """
        rows = self._sample.z.shape[0]
        key = latents.derive_key(self.key, _NORMAL)
        return _rows_of(latents.normal, key, rows, shape)

    def random_uniform(self, shape: Sequence[int]) -> Float[Tensor, " N *S"]:
        """Numbers in [0, 1) for each row of the round.

        Args:
            shape: The shape of the numbers of one row. Each call gives others.
        """
        key = latents.derive_key(latents.derive_key(self.key, _UNIFORM), self._uniform_calls)
        self._uniform_calls += 1
        return _rows_of(latents.unit_uniform, key, self._sample.z.shape[0], shape)

    def generate(self, labels: LabelsOrImages | None = None, latent_noise: float = 0.0) -> Batch:
        """Images of the generator for the latents of the round, with their labels.

        Args:
            labels: The class of each image; None: those that were sampled for the round.
            latent_noise: The deviation of normal noise that is added to the latents; 0: none.
        """
        labels = self._sample.labels if labels is None else labels
        # Before Keras rounds z to the dtype of the activations, in which two values may both be the largest.
        z = self._generator.with_codes(self._near(latent_noise))
        self.fakes = self._generator(self._generator.inputs_of(z, labels), training=True, keys=self._sample.keys)
        # Fakes of other latents are not those of the round.
        return Batch(self.fakes, labels) if latent_noise else FakeBatch(self.fakes, labels)

    def _near(self, latent_noise: float) -> Latents:
        """The latents of the round, or neighbours of theirs."""
        z = self._sample.z
        if not latent_noise:
            return z
        key = latents.derive_key(self.key, _LATENT_NOISE)
        return z + latent_noise * tf.cast(_rows_of(latents.normal, key, z.shape[0], tuple(z.shape[1:])), z.dtype)

    def discriminate(self, *batches: Batch) -> list[Judgement]:
        """The discriminator's answers to augmented images, one for each batch.

        Args:
            *batches: All of them go through the discriminator in one call, so that spectral norm's u moves once. If it
                couples the rows of a call and cannot keep batches apart, each goes through it in a call of its own.
        """
        apart = self._discriminator.couples_rows and len(batches) > 1
        if apart and not self._discriminator.keeps_batches_apart:
            return [judgement for batch in batches for judgement in self.discriminate(batch)]
        images, labels = batches[0]
        rows = [batch.images.shape[0] for batch in batches]
        if len(batches) > 1:
            images = tf.concat([tf.cast(batch.images, images.dtype) for batch in batches], axis=0)
            labels = tf.concat([tf.cast(batch.labels, labels.dtype) for batch in batches], axis=0)
        if self._augmentation is not None:
            key = latents.derive_key(latents.derive_key(self.key, _AUGMENTATION), self._augmented)
            keys = [latents.derive_key(key, number) for number in range(len(batches))]
            images = self._augmentation(images, ReplicaRandom(keys, rows))
            self._augmented += 1
        conditional = self._discriminator.config.is_conditional
        inputs = (images, labels) if conditional else images
        judgement = self._discriminator(inputs, training=True, **({"batches": tuple(rows)} if apart else {}))
        judgements = self._split(judgement, rows)
        self._judged += [JudgedBatch(*pair) for pair in zip(batches, judgements, strict=True)]
        self.real_logits += [
            each.logits for each, batch in zip(judgements, batches, strict=True) if batch is self._real
        ]
        return judgements

    def first_judged(self, kind: type[Batch]) -> JudgedBatch | None:
        """The first batch of a kind that the discriminator was asked about; None: there was none.

        Args:
            kind: `RealBatch` or `FakeBatch`.
        """
        return next((judged for judged in self._judged if isinstance(judged.batch, kind)), None)

    @staticmethod
    def _split(judgement: Judgement, rows: list[int]) -> list[Judgement]:
        if len(rows) == 1:
            return [judgement]
        logits, features = tf.split(judgement.logits, rows), tf.split(judgement.features, rows)
        heads = {name: tf.split(value, rows) for name, value in judgement.heads.items()}
        return [
            Judgement(logits[i], features[i], {name: parts[i] for name, parts in heads.items()})
            for i in range(len(rows))
        ]


def _rows_of(
    distribution: Callable[[Key, Sequence[int]], Tensor], key: Key, rows: int, shape: Sequence[int]
) -> Float[Tensor, " N *S"]:
    """Numbers for this replica's rows; those of all replicas are drawn, so that their number does not matter."""
    return rows_of_this_replica(distribution(key, [rows * num_replicas(), *shape]), rows)
