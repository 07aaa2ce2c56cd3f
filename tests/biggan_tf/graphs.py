"""What a traced function computes with."""

import tensorflow as tf


def values_of_type(traced: tf.types.experimental.ConcreteFunction, dtypes) -> list[str]:
    """Names of the operations, those of inner functions too, that put out a value of one of some dtypes."""
    graphs = [traced.graph, *(inner.graph for inner in _inner_functions(traced.graph))]
    return [
        operation.name
        for graph in graphs
        for operation in graph.get_operations()
        if any(output.dtype in dtypes for output in operation.outputs)
    ]


def _inner_functions(graph):
    return [function for function in graph._functions.values() if hasattr(function, "graph")]
