"""What HTML reports are made of: one page with its tables and pictures inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from .errors import MissingExtraError

__all__ = ["html_page", "html_picture", "html_table", "new_figure", "png"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1180px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { border-bottom: 1px solid #777; }
table.words td { text-align: left; white-space: normal; vertical-align: top; } table.words th { text-align: left; }
td.strong { font-weight: 600; } figure { margin: 1em 0; } img { max-width: 100%; }
figcaption { color: #555; font-size: 13px; } p.note { color: #555; }
"""


def html_page(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts that are HTML already, under its title.

    Examples
    --------
    >>> "<h1>a &amp; b</h1>" in html_page("a & b", ["<p>text</p>"])
    True
    """
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>"
    )
    return "\n".join([head, *parts, "</body></html>\n"])


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    """A table of text. Cells of `words` are sentences; a cell in ``**`` is set in bold."""
    parts = ['<div class="wide">', '<table class="words"><tr>' if words else "<table><tr>"]
    parts[-1] += "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr>"
    parts += ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows]
    return "\n".join([*parts, "</table></div>"])


def _cell(text: str) -> str:
    if text.startswith("**") and text.endswith("**") and len(text) > 4:
        return f'<td class="strong">{escape(text[2:-2])}</td>'
    return f"<td>{escape(text)}</td>"


def html_picture(heading: str, caption: str, picture: str) -> str:
    """A figure under its heading; `picture` is that of :func:`png`."""
    return (
        f'<h2>{escape(heading)}</h2><figure><img alt="{escape(heading)}" src="data:image/png;base64,{picture}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure [inch] that no window knows of.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "a report with pictures") from error
    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Any) -> str:
    """A figure as a PNG in base64; equal figures give equal text."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90, metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()
