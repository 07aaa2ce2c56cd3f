"""Places the nodes of a directed graph without cycles in layers, as Sugiyama, Tagawa and Toda (1981) do.

A node's layer is the length of the longest path to it. An edge over several layers gets a bend in each of them. The
nodes of a layer are sorted by the mean position of their neighbours, and then moved towards it in a few sweeps. The
algorithms are simple and slow, and meant for graphs of some dozens of nodes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

Node = Any  # any hashable value
_SWEEPS = 24


@dataclasses.dataclass(frozen=True)
class Layout:
    """The places of the nodes and edges.

    Attributes:
        layers: The layer of every node, counted from 0 at the top.
        positions: The horizontal middle of every node, in the unit of the nodes' widths.
        paths: For every edge the (position, layer) of its ends and of its bends, from the upper end to the lower.
        width: The width of the drawing.
    """

    layers: dict[Node, int]
    positions: dict[Node, float]
    paths: dict[tuple[Node, Node], list[tuple[float, int]]]
    width: float


def place(widths: Mapping[Node, float], edges: Sequence[tuple[Node, Node]], gap: float) -> Layout:
    """Places nodes.

    Args:
        widths: The width of every node.
        edges: Pairs (upper node, lower node); they must form no cycle.
        gap: Free space between neighbours in a layer.

    Raises:
        ValueError: If there is a cycle.
    """
    layers = _layers(list(widths), edges)
    chains = {edge: _chain(edge, layers) for edge in edges}
    all_layers = {**layers, **{node: layer for chain in chains.values() for node, layer in chain[1:-1]}}
    links = [(a[0], b[0]) for chain in chains.values() for a, b in itertools.pairwise(chain)]
    sizes = {node: widths.get(node, gap) for node in all_layers}
    rows: list[list[Node]] = [[] for _ in range(max(all_layers.values(), default=0) + 1)]
    for node, layer in all_layers.items():
        rows[layer].append(node)
    above = _neighbours([(b, a) for a, b in links])
    below = _neighbours(links)
    _order(rows, above, below)
    positions = _positions(rows, above, below, sizes, gap)
    least = min((positions[node] - sizes[node] / 2 for node in positions), default=0.0)
    positions = {node: position - least for node, position in positions.items()}
    paths = {edge: [(positions[node], layer) for node, layer in chain] for edge, chain in chains.items()}
    width = max((positions[node] + sizes[node] / 2 for node in positions), default=0.0)
    return Layout(layers, {node: positions[node] for node in layers}, paths, width)


def _layers(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> dict[Node, int]:
    """The length of the longest path that ends in a node; nodes without parents stand just above their children."""
    layers = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for above, below in edges:
            if layers[below] <= layers[above]:
                layers[below], moved = layers[above] + 1, True
        if not moved:
            break
    else:
        raise ValueError(f"a graph without cycles is needed. Received: a cycle among {len(nodes)} nodes")
    children = _neighbours(edges)
    parents = {below for _, below in edges}
    for node in nodes:
        if node not in parents and children.get(node):
            layers[node] = min(layers[child] for child in children[node]) - 1
    return layers


def _chain(edge: tuple[Node, Node], layers: Mapping[Node, int]) -> list[tuple[Node, int]]:
    """The edge's ends with their layers, and a bend in every layer between them."""
    above, below = edge
    bends = [(("bend", above, below, layer), layer) for layer in range(layers[above] + 1, layers[below])]
    return [(above, layers[above]), *bends, (below, layers[below])]


def _neighbours(links: Sequence[tuple[Node, Node]]) -> dict[Node, list[Node]]:
    neighbours: dict[Node, list[Node]] = {}
    for a, b in links:
        neighbours.setdefault(a, []).append(b)
    return neighbours


def _order(rows: list[list[Node]], above: dict[Node, list[Node]], below: dict[Node, list[Node]]) -> None:
    """Sorts each row by the mean place of its neighbours, downwards and upwards by turns."""
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for index in range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1):
            other = rows[index - 1] if downwards else rows[index + 1]
            places = {node: place for place, node in enumerate(other)}
            own = {node: place for place, node in enumerate(rows[index])}

            def mean(node: Node, places: dict = places, own: dict = own, neighbours: dict = neighbours) -> float:
                near = [places[other] for other in neighbours.get(node, []) if other in places]
                return sum(near) / len(near) if near else float(own[node])

            rows[index].sort(key=mean)


def _positions(
    rows: list[list[Node]],
    above: dict[Node, list[Node]],
    below: dict[Node, list[Node]],
    sizes: Mapping[Node, float],
    gap: float,
) -> dict[Node, float]:
    positions: dict[Node, float] = {}
    for row in rows:
        wanted = dict.fromkeys(row, 0.0)
        positions.update(_apart(row, wanted, sizes, gap))
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for row in rows if downwards else reversed(rows):
            wanted = {}
            for node in row:
                near = [positions[other] for other in neighbours.get(node, [])]
                wanted[node] = sum(near) / len(near) if near else positions[node]
            positions.update(_apart(row, wanted, sizes, gap))
    return positions


def _apart(
    row: Sequence[Node], wanted: Mapping[Node, float], sizes: Mapping[Node, float], gap: float
) -> dict[Node, float]:
    """Positions near the wanted ones, in the row's order and without overlap (least squares, pooled neighbours)."""
    blocks: list[tuple[list[Node], float, float]] = []  # nodes, sum of the wanted left edges, width
    for node in row:
        nodes, total, width = [node], wanted[node] - sizes[node] / 2, sizes[node] + gap
        while blocks and blocks[-1][1] / len(blocks[-1][0]) + blocks[-1][2] > total / len(nodes):
            earlier, earlier_total, earlier_width = blocks.pop()
            total = earlier_total + total - earlier_width * len(nodes)
            nodes, width = earlier + nodes, earlier_width + width
        blocks.append((nodes, total, width))
    placed = {}
    for nodes, total, _ in blocks:
        left = total / len(nodes)
        for node in nodes:
            placed[node] = left + sizes[node] / 2
            left += sizes[node] + gap
    return placed
