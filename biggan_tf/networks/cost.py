"""What a configuration costs before anything is run: parameters, operations and memory."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras

from biggan_tf import precision
from biggan_tf.config import Config, ModelConfig
from biggan_tf.networks.discriminator import Discriminator
from biggan_tf.networks.generator import Generator
from biggan_tf.ops.operation_counter import OperationCounter, count_operations
from biggan_tf.ops.precision import accumulation_dtype

_ADAM_SLOTS = 2
_DTYPE_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclasses.dataclass(frozen=True)
class NetworkCost:
    """One network, per image.

    Attributes:
        parameters: Trained numbers.
        state: Others: u, running statistics.
        multiply_adds: Of a forward pass, by kind of operation.
        activations: Numbers that the backward pass needs.
    """

    parameters: int
    state: int
    multiply_adds: dict[str, int]
    activations: int

    @property
    def total_multiply_adds(self) -> int:
        return sum(self.multiply_adds.values())


def network_costs(model: ModelConfig, batch: int = 64) -> tuple[NetworkCost, NetworkCost]:
    """The generator's and the discriminator's, without creating a single weight.

    Args:
        model: Both networks.
        batch: Images in a call; which convolutions are fused depends on it.
    """
    generator, discriminator = _without_weights(model)
    z = keras.KerasTensor((batch, model.z_dim), model_dtype(model))
    embedding = keras.KerasTensor((batch, model.embedding_dim), model_dtype(model)) if model.num_classes else None
    images = keras.KerasTensor((batch, model.resolution, model.resolution, 3), "float32")
    labels = keras.KerasTensor((batch,), "int32") if model.num_classes else None
    inputs = (z, embedding) if model.num_classes else z
    seen = (images, labels) if model.num_classes else images
    return _trace(generator, inputs, batch), _trace(discriminator, seen, batch)


def parameter_counts(model: ModelConfig) -> tuple[int, int]:
    """Trained numbers of the generator and of the discriminator, without creating one."""
    generator, discriminator = _without_weights(model)
    return _size(generator.trainable_variables), _size(discriminator.trainable_variables)


def _without_weights(model: ModelConfig) -> tuple[Generator, Discriminator]:
    with keras.StatelessScope(initialize_variables=False):
        return Generator(model), Discriminator(model)


def _size(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def model_dtype(model: ModelConfig) -> str:
    """What activations are stored in."""
    return precision.resolve(model.policy).removeprefix("mixed_")


class _SymbolicCall(keras.Operation):
    """Runs a network's `call` on shapes alone."""

    def __init__(self, network: keras.Model):
        super().__init__()
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network.call(inputs, training=False)


def _trace(network: keras.Model, inputs: Any, batch: int) -> NetworkCost:
    with count_operations() as counter, keras.StatelessScope(initialize_variables=False):
        _SymbolicCall(network)(inputs)
    return _cost(network, counter, batch)


def _cost(network: keras.Model, counter: OperationCounter, batch: int) -> NetworkCost:
    return NetworkCost(
        _size(network.trainable_variables),
        _size(network.non_trainable_variables),
        {kind: count // batch for kind, count in counter.multiply_adds.items()},
        counter.output_values // batch,
    )


def training_multiply_adds(generator: NetworkCost, discriminator: NetworkCost, discriminator_steps: int) -> int:
    """Of one step (D steps and a G step), for each image of the batch.

    The backward pass of a layer costs twice its forward pass: a gradient for its input, one for its kernel. A D step
    runs G forward, and D forward and backward on a fake and a real image. The G step runs both forward, D backward for
    the inputs alone, and G backward.
    """
    g, d = generator.total_multiply_adds, discriminator.total_multiply_adds
    return discriminator_steps * (g + 2 * 3 * d) + (g + d) + (d + 2 * g)


def report(config: Config, num_replicas: int = 1) -> dict[str, Any]:
    """What `--dry_run` prints."""
    training = config.training
    micro_batch = training.batch_size // (num_replicas * training.accumulation_steps)
    generator, discriminator = network_costs(config.model, micro_batch)
    step = training_multiply_adds(generator, discriminator, training.discriminator_steps)
    stored = model_dtype(config.model)
    activation_bytes, weight_bytes = _DTYPE_BYTES[stored], _DTYPE_BYTES[accumulation_dtype(stored)]
    parameters = generator.parameters + discriminator.parameters
    state = generator.state + discriminator.state
    # The D step holds D's activations for a fake and a real image; the G step those of both networks for one.
    held = max(2 * discriminator.activations, generator.activations + discriminator.activations)
    memory = {
        "weights": weight_bytes * (parameters + state),
        "ema": weight_bytes * (generator.parameters + generator.state),
        "optimizer": weight_bytes * _ADAM_SLOTS * parameters,
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
    }
