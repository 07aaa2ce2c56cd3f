"""Names for variables that do not depend on how many networks a process has built."""

from __future__ import annotations

from typing import Any


def by_name(network: Any) -> dict[str, Any]:
    """A network's variables by their path below the network, e.g. 'stage_1_block/conv_1/kernel'."""
    named = {variable.path.partition("/")[2]: variable for variable in network.weights}
    if len(named) != len(network.weights):
        raise ValueError(
            f"Every layer of a network must have its own name. Received: {network.name} with {len(network.weights)} "
            f"variables under {len(named)} names; name its layers."
        )
    return named
