"""One HTML file that contains its pictures, so that a browser needs nothing else to show it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from biggan_tf import files

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
p, h1, h2 { overflow-wrap: anywhere; } img { max-width: 100%; height: auto; } div { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #eee; } td { white-space: nowrap; }
td:first-child, th:first-child { text-align: left; padding-left: 0; white-space: normal; } p.missing { color: #666; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.side { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); gap: 1rem; }
.pair { grid-template-columns: repeat(auto-fill, minmax(min(28rem, 100%), 1fr)); }
figure { margin: 1rem 0 0; min-width: 0; }
figcaption { font-weight: 600; }
@media (max-width: 40rem) { body { margin: 1rem auto; padding: 0 .5rem; } }
"""


class HtmlReport:
    """Sections of text, tables and pictures, in the order in which they are added.

    Args:
        title: The heading of the page.

    Example:
        >>> report = HtmlReport("Analysis of runs/cifar10")
        >>> report.section("Samples")
        >>> report.text("Each row is a class.")
        >>> report.save("report.html")
    """

    def __init__(self, title: str):
        self._title = title
        self._sections: list[str] = []
        self._parts: list[str] = []

    def section(self, title: str) -> None:
        """Starts a section; what is added from now on belongs to it."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{html.escape(title)}</h2>')

    def text(self, text: str) -> None:
        """Adds a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def missing(self, text: str) -> None:
        """Adds a paragraph in grey that says why something could not be shown."""
        self._parts.append(f'<p class="missing">{html.escape(text)}</p>')

    def table(self, header: list[str], rows: list[list[str]]) -> None:
        """Adds a table; the first column is aligned to the left and all others to the right."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        self._parts.append(f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")

    def figure(self, figure: Figure, description: str) -> None:
        """Adds a plot; `description` is read to those who cannot see it."""
        self._parts.append(_element(_png(figure), description))

    def image(self, image: Image.Image, description: str) -> None:
        """Adds a picture; `description` is read to those who cannot see it."""
        self._parts.append(_element(_png(image), description))

    def side_by_side(self, pictures: Mapping[str, Image.Image | Figure]) -> None:
        """Adds pictures next to one another, below one another where the window is narrow.

        Args:
            pictures: By their captions, which are also read to those who cannot see them.
        """
        parts = [
            f"<figure><figcaption>{html.escape(caption)}</figcaption>{_element(_png(picture), caption)}</figure>"
            for caption, picture in pictures.items()
        ]
        classes = "side pair" if len(parts) <= 2 else "side"
        self._parts.append(f'<div class="{classes}">{"".join(parts)}</div>')

    def html(self) -> str:
        """Returns the document."""
        links = "".join(f'<a href="#s{i}">{html.escape(title)}</a>' for i, title in enumerate(self._sections, 1))
        title = html.escape(self._title)
        head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
        head += f"<style>{_STYLE}</style></head>"
        return head + f"<body><h1>{title}</h1><nav>{links}</nav>{''.join(self._parts)}</body></html>\n"

    def save(self, path: str | Path) -> None:
        """Writes the file, which appears complete or not at all."""
        files.write_text(path, self.html())


def _png(picture: Image.Image | Figure) -> bytes:
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG")
    else:
        picture.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _element(png: bytes, description: str) -> str:
    encoded = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(description)}" src="data:image/png;base64,{encoded}">'
