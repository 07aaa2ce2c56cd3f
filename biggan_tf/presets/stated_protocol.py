"""How a protocol is shown beside its numbers: without the fields that had no part in them."""

from __future__ import annotations

from collections.abc import Mapping

from biggan_tf.presets.preset import Leaf

# In these parts 0 and "" mean that no metric used a field. Elsewhere 0 says something: a seed may be 0.
_UNUSED_IF_EMPTY = frozenset({"computation", "paths", "fidelity"})


def stated(protocol: Mapping[str, Mapping[str, Leaf]]) -> dict[str, dict[str, Leaf]]:
    """The fields to show to a person, by part; a part of which nothing was used is left out.

    Args:
        protocol: Part, field and value, as `dataclasses.asdict` makes them of a `MetricProtocol`.
    """
    shown = {}
    for part, values in protocol.items():
        if part == "fidelity" and not values.get("enlargement"):
            continue  # how pixels were compared says nothing where no image was enlarged
        used = {name: value for name, value in values.items() if value or part not in _UNUSED_IF_EMPTY}
        if used:
            shown[part] = used
    return shown


def shortened(value: Leaf) -> str:
    """The text of a value on a screen or a page: a SHA-256 by its first digits, "-" for an empty one."""
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text or "-"
