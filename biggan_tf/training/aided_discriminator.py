"""A discriminator that sees the answer of a frozen classifier next to the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.config.classifiers import FrozenClassifierConfig
from biggan_tf.config.parts import FamilyConfig, load
from biggan_tf.contracts.classifier import Classifier
from biggan_tf.contracts.discriminator import Discriminator, DiscriminatorInputs, Judgement
from biggan_tf.contracts.input_checks import class_weights
from biggan_tf.interop.deferred_variables import deferred_variables
from biggan_tf.ops.activations import SLOPE, normalise_second_moment
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import InputShape, Scalar, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class AidedDiscriminator(Discriminator):
    """A family's discriminator, whose features are joined with what a frozen classifier answers to the same image.

    No public code feeds a pretrained classifier's logits into a discriminator, so this is our definition. With the
    family's discriminator D, its features phi(x), the classifier's answer F(x), n(v) = v / sqrt(mean v^2 + 1e-8), and
    the trained matrix A, vectors a and w, and a vector v_y for each class y, where there are classes,

        h     = lrelu(A [n(phi(x)), n(F(x))] + a)
        logit = D(x, y) + <w + v_y, h>

    w and all v_y are 0 at first, so that training begins with D as it is. The classifier sees the augmented image that
    D sees. Its weights are constants: no gradient reaches them, and no checkpoint holds them, while the gradient of the
    logit with respect to the image passes through the classifier, too. It computes in float32 under every policy. A
    norm that divides the kernels of D leaves A, w and v_y alone.

    Args:
        config: The configuration of both networks of the family, or the dict that `to_dict` wrote of it.
        classifier: The configuration of the classifier, or the dict that `to_dict` wrote of it.
        loaded: The classifier itself; None: it is loaded.
        **kwargs: Are passed on to `keras.Model`, such as `name`.
    """

    def __init__(
        self,
        config: FamilyConfig | Mapping[str, object],
        classifier: FrozenClassifierConfig | Mapping[str, object],
        loaded: Classifier | None = None,
        **kwargs: Any,
    ):
        model = config if isinstance(config, FamilyConfig) else _part("model", config)
        self.classifier_config = (
            classifier if isinstance(classifier, FrozenClassifierConfig) else _part("classifier", classifier)
        )
        self.config = model
        self._classifier = self.classifier_config.load() if loaded is None else loaded
        # Images stay in the wide dtype here: the inner discriminator narrows them, and the classifier does not.
        kwargs.setdefault("dtype", "float64" if model.policy == "float64" else "float32")
        super().__init__(**kwargs)
        self.build(self.input_shapes)

    @property
    def compares_rows(self) -> bool:
        """As the family's discriminator does."""
        return self.inner.compares_rows

    def build(self, input_shape: InputShape | Sequence[InputShape] | None = None) -> None:
        """Creates all layers and variables. The configuration gives every shape, so `input_shape` is not needed."""
        width, num_classes = self.classifier_config.width, self.config.num_classes
        self.inner = self.config.discriminator("inner")
        self.config = self.inner.config
        inputs = _num_features(self.inner) + self._classifier.num_values
        self.joined = keras.layers.Dense(width, name="joined", dtype=self.dtype_policy)
        self.joined.build((None, inputs))
        self.weights_of_all = self._zeros("weights_of_all", (width,))
        self.weights_of_classes = self._zeros("weights_of_classes", (num_classes, width)) if num_classes else None
        self.built = True

    def _zeros(self, name: str, shape: Shape) -> keras.Variable:
        made: keras.Variable = self.add_weight(name=name, shape=shape, initializer="zeros", autocast=False)
        return made

    def call(self, inputs: DiscriminatorInputs, training: bool = False, batches: Sequence[int] = ()) -> Judgement:
        """Answers images, or (images, labels) with classes; `batches` as in `compares_rows`."""
        images, labels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        judgement = self.inner(inputs, training=training, **({"batches": batches} if batches else {}))
        answers = ops.cast(self._classifier(images), self.compute_dtype)
        parts = [normalise_second_moment(part) for part in (judgement.features, answers)]
        # h = lrelu(A [n(phi(x)), n(F(x))] + a)
        hidden = ops.leaky_relu(self.joined(ops.concatenate(parts, axis=1)), SLOPE)
        weights = ops.convert_to_tensor(self.weights_of_all)[None]
        if labels is not None and self.weights_of_classes is not None:
            classes = class_weights(self.checked_labels(labels), self.config.num_classes, self.compute_dtype)
            weights = weights + ops.matmul(classes, ops.convert_to_tensor(self.weights_of_classes))
        # logit = D(x, y) + <w + v_y, h>
        return judgement._replace(logits=judgement.logits + ops.sum(weights * hidden, axis=1))

    def alike(self, **changes: Any) -> AidedDiscriminator:
        """As in `Discriminator.alike`; the new one has this one's classifier."""
        model = dataclasses.replace(self.config, **changes)
        return AidedDiscriminator(model, self.classifier_config, self._classifier, name=self.name)

    def health(self) -> dict[str, Scalar]:
        """That of the family's discriminator."""
        return self.inner.health()

    def kernels_left_alone(self) -> list[keras.Variable]:
        """Those of the family's discriminator, and the vectors of the classes."""
        own = [] if self.weights_of_classes is None else [self.weights_of_classes]
        return [*self.inner.kernels_left_alone(), *own]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "config": to_dict(self.config), "classifier": to_dict(self.classifier_config)}


def discriminator_of(config: Config, name: str = "discriminator") -> Discriminator:
    """A new discriminator of a run, with the classifier of its configuration if there is one."""
    if isinstance(config.classifier, FrozenClassifierConfig):
        return AidedDiscriminator(config.model, config.classifier, name=name)
    return config.model.discriminator(name)


def with_fingerprint(config: Config) -> Config:
    """A copy of a configuration that names the weights of its classifier, if it has one.

    Raises:
        ConfigError: If the classifier cannot be loaded, or is not the one that the configuration names already.
    """
    if not isinstance(config.classifier, FrozenClassifierConfig):
        return config
    fingerprint = config.classifier.load().fingerprint
    return dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, fingerprint=fingerprint))


def _part(slot: str, values: Mapping[str, object]) -> Any:
    return from_dict(load(slot, str(values["kind"])), dict(values))


class _Features(keras.Operation):
    """The features of a discriminator, on shapes without values."""

    def __init__(self, network: Discriminator):
        super().__init__()
        self.network = network

    def call(self, images: Tensor, labels: Tensor) -> Tensor:
        conditional = self.network.config.num_classes > 0
        return self.network.call((images, labels) if conditional else images).features


def _num_features(network: Discriminator) -> int:
    size = network.config.resolution
    images = keras.KerasTensor((2, size, size, 3), accumulation_dtype(network.compute_dtype))
    with deferred_variables():  # on shapes alone; it creates none
        features = _Features(network)(images, keras.KerasTensor((2,), "int32"))
    return int(features.shape[1])
