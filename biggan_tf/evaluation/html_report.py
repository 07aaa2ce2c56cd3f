"""One HTML file that holds its pictures, for a browser without a network."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from biggan_tf.evaluation import atomic_files

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
img { max-width: 100%; height: auto; } div { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #eee; }
td:first-child, th:first-child { text-align: left; } p.missing { color: #777; } nav a { margin-right: 1rem; }
"""


class HtmlReport:
    """Sections of text, tables and pictures in the order in which they were added."""

    def __init__(self, title: str):
        self._title = title
        self._sections: list[str] = []
        self._parts: list[str] = []

    def section(self, title: str) -> None:
        """Starts a section."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{html.escape(title)}</h2>')

    def text(self, text: str) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def missing(self, text: str) -> None:
        """A paragraph that says why something is not there."""
        self._parts.append(f'<p class="missing">{html.escape(text)}</p>')

    def table(self, header: list[str], rows: list[list[str]]) -> None:
        """A table, text to the left and numbers to the right."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        self._parts.append(f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")

    def figure(self, figure: Figure, description: str) -> None:
        """A plot."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        self._picture(buffer.getvalue(), description)

    def image(self, image: Image.Image, description: str) -> None:
        """A picture."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        self._picture(buffer.getvalue(), description)

    def html(self) -> str:
        """The whole document."""
        links = "".join(f'<a href="#s{i}">{html.escape(title)}</a>' for i, title in enumerate(self._sections, 1))
        title = html.escape(self._title)
        head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        head += f"<style>{_STYLE}</style></head>"
        return head + f"<body><h1>{title}</h1><nav>{links}</nav>{''.join(self._parts)}</body></html>\n"

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all."""
        atomic_files.write_text(path, self.html())

    def _picture(self, data: bytes, description: str) -> None:
        encoded = base64.b64encode(data).decode()
        self._parts.append(f'<img alt="{html.escape(description)}" src="data:image/png;base64,{encoded}">')
