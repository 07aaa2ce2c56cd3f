"""Computes what a configuration costs before anything is run: numbers of parameters, operations and bytes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
from jaxtyping import Float

from biggan_tf import precision
from biggan_tf.config import Config, OptimizerConfig
from biggan_tf.config.classifiers import FrozenClassifierConfig
from biggan_tf.config.parts import ClassifierConfig, FamilyConfig
from biggan_tf.contracts.discriminator import Discriminator, DiscriminatorInputs, Judgement
from biggan_tf.contracts.generator import Generator, GeneratorInputs
from biggan_tf.contracts.growing import GrowingNetwork
from biggan_tf.interop.deferred_variables import deferred_variables
from biggan_tf.ops.operation_counter import OperationCounter, count_operations, record
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.training.aided_discriminator import AidedDiscriminator
from biggan_tf.types import Images, Tensor

# Memory of usual GPUs in GB. A tenth of it is left to the libraries, and to what an operation needs while it runs.
GPU_MEMORY_GB = (24, 40, 80)
_USABLE = 0.9
CLASSIFIER = "classifier"  # the kind of a frozen classifier's operations
_DTYPE_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclasses.dataclass(frozen=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        parameters: How many numbers are trained.
        state: How many numbers it has beside these: running moments, and spectral norm's u.
        multiply_adds: How many multiplications with an addition a forward pass takes for one image, by kind of
            operation.
        activations: How many numbers the backward pass needs for one image.
    """

    parameters: int
    state: int
    multiply_adds: dict[str, int]
    activations: int

    @property
    def total_multiply_adds(self) -> int:
        """The multiply-adds of all kinds of operations."""
        return sum(self.multiply_adds.values())


def network_costs(
    model: FamilyConfig, batch: int = 64, classifier: ClassifierConfig | None = None
) -> tuple[NetworkCost, NetworkCost]:
    """Computes the costs of the generator and of the discriminator, without creating their weights.

    Args:
        model: The configuration of both networks.
        batch: How many images a call has, which decides which operations are fused; 64 by default.
        classifier: The classifier whose answers the discriminator sees, whose operations are counted with the
            discriminator's as those of kind "classifier"; None, the default: it sees none.
    """
    generator, discriminator = _without_weights(model, classifier)
    return _trace_both(generator, discriminator, batch, model.resolution)


def growth_costs(config: Config) -> list[dict[str, int]]:
    """What networks that grow cost at each of their resolutions; empty if they do not grow.

    Returns:
        By name the `resolution`; the `batch_size`; `from_images`, how many real images were seen when it begins to be
        faded in; and `training_step`, the floating-point operations of a step for each image of the batch.
    """
    growth, model = config.training.growth, config.model
    if not growth.enabled:
        return []
    generator, discriminator = _without_weights(model)
    rows = []
    for first_image, segment in growth.segments(model.resolution, config.training.batch_size):
        for network in (generator, discriminator):
            if isinstance(network, GrowingNetwork):
                network.training_size = segment.resolution
        costs = _trace_both(generator, discriminator, segment.batch_size, segment.resolution, training=True)
        further_calls = model.condition.further_real_calls
        operations = 2 * training_multiply_adds(*costs, config.game.discriminator_steps, further_calls)
        rows.append(
            {
                "resolution": segment.resolution,
                "batch_size": segment.batch_size,
                "from_images": first_image,
                "training_step": operations,
            }
        )
    return rows


def _trace_both(
    generator: Generator, discriminator: Discriminator, batch: int, size: int, training: bool = False
) -> tuple[NetworkCost, NetworkCost]:
    model = generator.config
    z = keras.KerasTensor((batch, model.z_dim), model_dtype(model))
    images = keras.KerasTensor((batch, size, size, 3), "float32")
    if model.enlargement > 1:
        small = keras.KerasTensor((batch, size // model.enlargement, size // model.enlargement, 3), "float32")
        return _trace(generator, (z, small), batch, training), _trace(discriminator, (images, small), batch, training)
    if not model.num_classes:
        return _trace(generator, z, batch, training), _trace(discriminator, images, batch, training)
    embedding = keras.KerasTensor((batch, generator.embedding_dim), model_dtype(model))
    labels = keras.KerasTensor((batch,), "int32")
    return (
        _trace(generator, (z, embedding), batch, training),
        _trace(discriminator, (images, labels), batch, training),
    )


def parameter_counts(model: FamilyConfig) -> tuple[int, int]:
    """How many numbers the generator and the discriminator train. Their weights are not created."""
    generator, discriminator = _without_weights(model)
    return _size(generator.trainable_variables), _size(discriminator.trainable_variables)


def _without_weights(
    model: FamilyConfig, classifier: ClassifierConfig | None = None
) -> tuple[Generator, Discriminator]:
    if not isinstance(classifier, FrozenClassifierConfig):
        with deferred_variables():
            return model.generator(), model.discriminator()
    loaded = classifier.load()
    stand_in = _StandIn(loaded.num_values, loaded.multiply_adds(model.resolution))
    with deferred_variables():
        return model.generator(), AidedDiscriminator(model, classifier, stand_in, name="discriminator")


class _StandIn:
    """Has the shapes of a classifier's answers, and counts its operations without computing anything.

    Args:
        num_values: How many values an answer has.
        operations: How many multiply-adds an answer takes.
    """

    fingerprint = ""

    def __init__(self, num_values: int, operations: int):
        self.num_values, self._operations = num_values, operations

    def __call__(self, images: Images) -> Float[Tensor, "N V"]:
        shape = (images.shape[0], self.num_values)
        record(CLASSIFIER, shape, self._operations / self.num_values)
        return keras.ops.zeros(shape)

    def multiply_adds(self, resolution: int) -> int:
        """As of the classifier that it stands for."""
        del resolution
        return self._operations


def _size(variables: Sequence[keras.Variable]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def model_dtype(model: FamilyConfig) -> str:
    """The dtype in which activations are stored."""
    return precision.resolve(model.policy).removeprefix("mixed_")


class _SymbolicCall(keras.Operation):
    """Runs the `call` of a network on shapes without values."""

    def __init__(self, network: keras.Model, training: bool):
        super().__init__()
        self.network, self.training = network, training

    def call(self, inputs: GeneratorInputs | DiscriminatorInputs) -> Tensor | Judgement:
        return self.network.call(inputs, training=self.training)


def _trace(
    network: keras.Model, inputs: GeneratorInputs | DiscriminatorInputs, batch: int, training: bool
) -> NetworkCost:
    with count_operations() as counter, deferred_variables():
        _SymbolicCall(network, training)(inputs)
    return _cost(network, counter, batch)


def _cost(network: keras.Model, counter: OperationCounter, batch: int) -> NetworkCost:
    return NetworkCost(
        _size(network.trainable_variables),
        _size(network.non_trainable_variables),
        {kind: count // batch for kind, count in counter.multiply_adds.items()},
        counter.output_values // batch,
    )


def training_multiply_adds(
    generator: NetworkCost, discriminator: NetworkCost, discriminator_steps: int, further_real_calls: int = 0
) -> int:
    """The multiply-adds of one step of training for each image of the batch.

    The backward pass of a layer costs twice its forward pass: a gradient for its input, and one for its kernel. With
    g, d and c for the forward passes of the generator, the discriminator and the classifier whose answers it sees,

        an update of the discriminator: g + 2 (d + 2 d + c), for a generated and a real image
        a further call of it there:     d + 2 d + c
        the update of the generator:    (g + d + c) + (d + c + 2 g), since the kernels of d and c need no gradient

    Penalties, real images in the generator's loss and further updates of the generator are not counted.

    Args:
        generator: From `network_costs`.
        discriminator: From `network_costs`.
        discriminator_steps: How many updates of the discriminator a step has.
        further_real_calls: How many times each of these asks the discriminator about the real images once more.
    """
    g, c = generator.total_multiply_adds, discriminator.multiply_adds.get(CLASSIFIER, 0)
    d = discriminator.total_multiply_adds - c
    return discriminator_steps * (g + (2 + further_real_calls) * (3 * d + c)) + (g + d + c) + (d + c + 2 * g)


def adam_slots(config: OptimizerConfig) -> int:
    """How many numbers Adam stores for each one that is trained: without beta_1 the second moment alone."""
    return 2 if config.beta_1 > 0 else 1


def report(config: Config, num_replicas: int = 1) -> dict[str, Any]:
    """What a training costs, as `--dry_run` prints it in JSON.

    Args:
        config: The configuration of the training.
        num_replicas: How many replicas share a batch; 1 by default.
    """
    training = config.training
    micro_batch = training.batch_size // (num_replicas * training.accumulation_steps)
    generator, discriminator = network_costs(config.model, micro_batch, config.classifier)
    further_calls = config.model.condition.further_real_calls
    step = training_multiply_adds(generator, discriminator, config.game.discriminator_steps, further_calls)
    stored = model_dtype(config.model)
    activation_bytes, weight_bytes = _DTYPE_BYTES[stored], _DTYPE_BYTES[accumulation_dtype(stored)]
    parameters = generator.parameters + discriminator.parameters
    state = generator.state + discriminator.state
    # The D step holds D's activations for each of its images; the G step those of both networks for one.
    held = max((2 + further_calls) * discriminator.activations, generator.activations + discriminator.activations)
    memory = {
        "weights": weight_bytes * (parameters + state),
        "ema": weight_bytes * (generator.parameters + generator.state),
        "optimizer": weight_bytes
        * (
            adam_slots(training.generator) * generator.parameters
            + adam_slots(training.discriminator) * discriminator.parameters
        ),
        "gradients": weight_bytes * max(generator.parameters, discriminator.parameters),
        "activations": activation_bytes * held * micro_batch,
    }
    return {
        "parameters": {"generator": generator.parameters, "discriminator": discriminator.parameters},
        "operations_per_image": {
            "unit": "floating-point operations, two for a multiply-add of a convolution or a matrix product",
            "generator_forward": 2 * generator.total_multiply_adds,
            "discriminator_forward": 2 * discriminator.total_multiply_adds,
            "training_step": 2 * step,
        },
        "memory_bytes_per_replica": {"micro_batch": micro_batch, **memory, "total": sum(memory.values())},
        "smallest_accumulation_that_fits": _accumulations(training.batch_size // num_replicas, memory, micro_batch),
        **({"growth": growth_costs(config)} if training.growth.enabled else {}),
    }


def _accumulations(batch: int, memory: dict[str, int], micro_batch: int) -> dict[str, int | None]:
    """For each usual size of a GPU the fewest micro-batches with which a replica fits; None: not even single images do.

    Args:
        batch: The images of a batch on one replica.
        memory: The bytes of one replica by what they hold, with the activations of one micro-batch.
        micro_batch: How many images that micro-batch has.
    """
    per_image = memory["activations"] / micro_batch
    fixed = sum(memory.values()) - memory["activations"]
    divisors = [number for number in range(1, batch + 1) if batch % number == 0]
    return {
        f"{size} GB": next((n for n in divisors if fixed + per_image * batch / n <= _USABLE * size * 2**30), None)
        for size in GPU_MEMORY_GB
    }
