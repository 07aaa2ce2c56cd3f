"""Where the time of a compiled function goes: shares of operation types, from TensorFlow's own trace."""

import collections
import glob
import os
import tempfile

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

CALLS = 2
# Function calls and loops hold the operations inside them.
_CONTAINERS = ("PartitionedCall", "StatefulPartitionedCall", "While", "If", "StatelessIf", "StatelessWhile")
_PRODUCTS = ("Conv", "MatMul", "Einsum")


def shares(function) -> dict[str, float]:
    """The share of all operations' time that each type takes, largest first.

    Args:
        function: A `tf.function` without arguments that was called before.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options):
            for _ in range(CALLS):
                tf.nest.map_structure(lambda t: t.numpy(), function())
        (path,) = glob.glob(os.path.join(folder, "plugins/profile/*/*.xplane.pb"))
        with open(path, "rb") as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    durations: dict[str, int] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if colon and name and name[-1] != ":" and kind.isidentifier() and kind not in _CONTAINERS:
                    # oneDNN's kernels count as the operation that they stand for.
                    durations[kind.removeprefix("_MklNative").removeprefix("_Mkl").lstrip("_")] += event.duration_ps
    total = sum(durations.values())
    return {kind: duration / total for kind, duration in durations.most_common()}


def summary(function, others: int = 4) -> str:
    """Products (convolutions and matrix products, the counted operations) in per cent, then the largest of the rest."""
    found = shares(function)
    products = sum(share for kind, share in found.items() if _is_product(kind))
    rest = [f"{kind} {share:.1%}" for kind, share in found.items() if not _is_product(kind)]
    return ", ".join([f"products {products:.0%}", *rest[:others]])


def _is_product(kind: str) -> bool:
    return any(name in kind for name in _PRODUCTS)
