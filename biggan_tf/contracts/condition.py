"""The interface of a condition: heads of the discriminator, and the terms that their answers add to both losses."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import keras

from biggan_tf.contracts.discriminator import Judgement, LinearLayer
from biggan_tf.contracts.game import Batch, Round
from biggan_tf.types import DType, Scalar, Scalars


class JudgedBatch(NamedTuple):
    """A batch with the discriminator's answer to it.

    Attributes:
        batch: The images as the game showed them to the discriminator, before the augmentation, and their labels.
        judgement: The answer.
    """

    batch: Batch
    judgement: Judgement


@runtime_checkable
class Condition(Protocol):
    """Adds terms to the losses of any game. It uses the judgements that the game asked for.

    The terms are added in the updates of D in which it judged new real images and fakes, and in those of G in which it
    judged fakes; so not to lazy penalties.
    """

    def head(self, num_classes: int, linear: LinearLayer, dtype: DType) -> keras.layers.Layer | None:
        """A layer that maps (features, feature_map, labels, training) to answers by name; None: it needs none.

        Args:
            num_classes: Classes of the data; 0: there are none.
            linear: Creates linear layers that are normalised as the discriminator's are.
            dtype: The dtype of the layer.
        """
        ...

    def discriminator_term(self, round_: Round, real: JudgedBatch, fake: JudgedBatch) -> tuple[Scalar, Scalars]:
        """The term that is added to D's loss, and scalars to report by name.

        Args:
            round_: The round of D's phase whose loss the term is added to.
            real: The real images.
            fake: The fakes.
        """
        ...

    def generator_term(self, round_: Round, fake: JudgedBatch) -> tuple[Scalar, Scalars] | None:
        """The term that is added to G's loss, and scalars to report by name; None: there is none.

        Args:
            round_: The round of G's phase whose loss the term is added to.
            fake: The fakes.
        """
        ...
