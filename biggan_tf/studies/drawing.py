"""How all figures of studies look: sizes for a phone's width, and colours that the colour-blind can tell apart."""

from __future__ import annotations

import textwrap
from typing import TypeAlias, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from biggan_tf.evaluation.reports import palette

# Each series also gets a marker and a dash of its own, for those who see no colours at all.
COLOURS = palette.COLOURS
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
Dash: TypeAlias = str | tuple[int, tuple[int, ...]]
DASHES: tuple[Dash, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


class LineStyle(TypedDict, total=False):
    """What the drawing of a line is told, as keywords of `Axes.plot`."""

    color: str
    marker: str
    linestyle: Dash
    markersize: float
    linewidth: float


THEORY: LineStyle = {"color": "#000000", "linestyle": ":", "linewidth": 1.6}  # of a formula, next to what was measured
SEQUENTIAL = "cividis"  # a colour map for images of numbers; the colour-blind see its steps as others do

_WIDTH = 5.4  # inches; at 110 dots per inch the page shows it on a phone with letters of 8 to 11 pixels
_PANEL_HEIGHT = 3.3
_TITLE_COLUMNS = 50


def new_figure(title: str, num_panels: int = 1, panel_height: float = _PANEL_HEIGHT) -> tuple[Figure, list[Axes]]:
    """A figure with panels below one another, which stay readable on a narrow screen.

    Args:
        title: A sentence that says what is seen; it is wrapped.
        num_panels: How many axes there are.
        panel_height: The height of each, in inches.

    Returns:
        The figure, and its axes from top to bottom.
    """
    lines = textwrap.wrap(title, _TITLE_COLUMNS)
    figure = Figure(figsize=(_WIDTH, num_panels * panel_height + 0.25 * len(lines)), layout="constrained")
    FigureCanvasAgg(figure)  # Draws without a screen, whatever backend the rest of the process uses.
    figure.suptitle("\n".join(lines), fontsize=12, fontweight="bold")
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(num_panels, 1)))
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=10)
    return figure, panels


def style(number: int, joined: bool = True, marked: bool = True) -> LineStyle:
    """The colour, marker and dash of a series, as keywords of `Axes.plot`.

    Args:
        number: The series' number, from 0; the styles repeat after seven.
        joined: Whether a line joins the points; it does by default.
        marked: Whether the points have markers; they have by default.
    """
    place = number % len(COLOURS)
    return {
        "color": COLOURS[place],
        "marker": MARKERS[place] if marked else "",
        "linestyle": DASHES[place] if joined else "",
        "markersize": 5.0,
        "linewidth": 1.6,
    }


def label(axes: Axes, across: str, upward: str, title: str = "", legend: bool = True) -> None:
    """Names both axes, and shows the legend.

    Args:
        axes: A panel.
        across: What the horizontal axis is, with its unit.
        upward: What the vertical axis is, with its unit.
        title: What this panel shows; "": the figure's title says it.
        legend: Whether to show the names of the series; nothing is shown where there are none.
    """
    axes.set_xlabel(across, fontsize=11)
    axes.set_ylabel(upward, fontsize=11)
    if title:
        axes.set_title("\n".join(textwrap.wrap(title, _TITLE_COLUMNS + 6)), fontsize=11)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9)


def rounded(value: float, digits: int = 4) -> float:
    """A number with so many significant digits, as a text shows it.

    Args:
        value: The number.
        digits: How many are kept; 4 by default.
    """
    return float(f"{value:.{digits}g}")
