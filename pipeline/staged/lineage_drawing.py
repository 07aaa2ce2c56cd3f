"""Draws a lineage: as a graph in Graphviz's language, and as an SVG picture, for which nothing must be installed."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterable

from pipeline.staged.lineage import Lineage, duration_s
from pipeline.staged.lineage_layout import Layout, place
from pipeline.staged.metadata import Artifact, Execution, ExecutionState

Node = tuple[str, int]  # kind and id
_CHARACTER, _LINE, _MARGIN, _GAP, _ROW = 7.0, 17, 24, 26, 100
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1a1a1a; } .note { font-size: 11px; fill: #555; }
.artifact { fill: #eef4ff; stroke: #4a73b8; } .execution { fill: #fff; stroke: #777; stroke-width: 1.5; }
.bad { fill: #fdeceb; stroke: #b3261e; } .target { stroke-width: 2.5; }
path { fill: none; stroke: #8a8a8a; stroke-width: 1.3; }
"""


def to_dot(lineage: Lineage) -> str:
    """The graph in Graphviz's language."""
    lines = ["digraph lineage {", '  node [fontname="sans-serif", fontsize=11];']
    for number, artifact in lineage.artifacts.items():
        label = _quoted("\n".join(_artifact_lines(artifact)))
        lines.append(f"  a{number} [shape=box, style=rounded, label={label}];")
    for number, execution in lineage.executions.items():
        lines.append(f"  e{number} [shape=box, label={_quoted(chr(10).join(_execution_lines(execution)))}];")
    lines += [f"  a{source} -> e{reader} [label={_quoted(key)}];" for source, reader, key in lineage.reads]
    lines += [f"  e{writer} -> a{written} [label={_quoted(key)}];" for writer, written, key in lineage.writes]
    return "\n".join([*lines, "}", ""])


def to_svg(lineage: Lineage) -> str:
    """The graph as an SVG document."""
    texts: dict[Node, list[str]] = {}
    for number, artifact in lineage.artifacts.items():
        texts["artifact", number] = _artifact_lines(artifact)
    for number, execution in lineage.executions.items():
        texts["execution", number] = _execution_lines(execution)
    edges: list[tuple[Node, Node]] = [(("artifact", a), ("execution", e)) for a, e, _ in lineage.reads]
    edges += [(("execution", e), ("artifact", a)) for e, a, _ in lineage.writes]
    widths = {node: max(len(line) for line in lines) * _CHARACTER + 20 for node, lines in texts.items()}
    layout = place(widths, list(dict.fromkeys(edges)), _GAP)
    rows = max(layout.layers.values(), default=0) + 1
    width, height = layout.width + 2 * _MARGIN, rows * _ROW + 2 * _MARGIN - (_ROW - 60)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img"><title>Lineage</title><style>{_STYLE}</style>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" style="fill:#8a8a8a;stroke:none"/></marker></defs>',
    ]
    parts += [_edge(points, texts[a], texts[b]) for (a, b), points in layout.paths.items()]
    parts += [_node(node, lines, widths[node], layout, lineage) for node, lines in texts.items()]
    return "\n".join([*parts, "</svg>", ""])


def _node(node: Node, lines: list[str], width: float, layout: Layout, lineage: Lineage) -> str:
    kind, number = node
    x, y = layout.positions[node] + _MARGIN, _middle(layout.layers[node])
    height = len(lines) * _LINE + 10
    classes = [kind]
    if kind == "execution" and _is_bad(lineage.executions[number]):
        classes.append("bad")
    if kind == "artifact" and lineage.artifacts[number].properties.get("blessed") in (0, "0"):
        classes.append("bad")
    if kind == "artifact" and len(lineage.targets) == 1 and number in lineage.targets:
        classes.append("target")
    radius = 10 if kind == "artifact" else 2
    shape = (
        f'<rect class="{" ".join(classes)}" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height}" rx="{radius}"/>'
    )
    rows = [
        f'<text{" class=" + chr(34) + "note" + chr(34) if index else ""} x="{x:.1f}" '
        f'y="{y - height / 2 + 18 + index * _LINE:.1f}" text-anchor="middle">{html.escape(line)}</text>'
        for index, line in enumerate(lines)
    ]
    return shape + "".join(rows)


def _edge(points: list[tuple[float, int]], above: list[str], below: list[str]) -> str:
    """A smooth line from the lower edge of one node to the upper edge of the other, through the bends between them."""
    places = [(x + _MARGIN, _middle(layer)) for x, layer in points]
    places[0] = (places[0][0], places[0][1] + (len(above) * _LINE + 10) / 2)
    places[-1] = (places[-1][0], places[-1][1] - (len(below) * _LINE + 10) / 2)
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        middle = (y0 + y1) / 2
        path += f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{path}" marker-end="url(#tip)"/>'


def _middle(layer: int) -> float:
    return _MARGIN + 30 + layer * _ROW


def _artifact_lines(artifact: Artifact) -> list[str]:
    lines = [f"{artifact.type} {artifact.id}", *_shortened(_notable(artifact))]
    return [*lines, artifact.fingerprint[:12]]


def _notable(artifact: Artifact) -> Iterable[str]:
    if "producer" not in artifact.properties:
        yield artifact.uri if len(artifact.uri) < 40 else "..." + artifact.uri[-37:]
    if "summary" in artifact.properties:
        yield str(artifact.properties["summary"])


def _shortened(lines: Iterable[str]) -> list[str]:
    return [line if len(line) <= 44 else line[:41] + "..." for line in lines]


def _execution_lines(execution: Execution) -> list[str]:
    return [execution.type, f"execution {execution.id}, {duration_s(execution):.0f} s"]


def _is_bad(execution: Execution) -> bool:
    return bool(execution.properties.get("gate")) or execution.state != ExecutionState.COMPLETE


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
