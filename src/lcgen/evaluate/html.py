"""The report card as one HTML file with its pictures inside."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .figures import figures
from .text import Table, card_tables

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard

__all__ = ["render"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1180px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { border-bottom: 1px solid #777; }
figure { margin: 1em 0; } figcaption { color: #555; font-size: 13px; } img { max-width: 100%; }
p.note { color: #555; }
"""

_NOTES = {
    "Two-sample AUC, shape only": "0.5: a classifier cannot tell generated from real; 1: it always can. The floor "
    "is each star's own denoised curve with its own noise turned about.",
    "Rank histograms": "Where the true star falls among generated ones of the same period and subclass. Bias: above "
    "zero where real values are the larger ones. Spread: above one where the generated spread is too narrow.",
    "Spearman coefficients with physical parameters": "Stars with tabulated Fourier terms beside noise-free generated "
    "ones, drawn at the same period and that parameter. V-I is the real star's: it is where its temperature is from.",
    "Temperatures of": "Gaia DR2 temperatures of bulge stars follow the reddening: none may be in the population.",
    "Motion of": "One parameter goes from its 16th to its 84th percentile at one period, with the same random numbers; "
    "where no data support it the curve must stay.",
    "Copy rate": "Share of the noise-free curves that lie so much nearer to one training star than to the next as "
    "one in twenty unseen stars does.",
}


def _table(table: Table) -> str:
    title, head, rows = table
    note = next((text for start, text in _NOTES.items() if title.startswith(start)), "")
    parts = [f"<h2>{escape(title)}</h2>", f'<p class="note">{escape(note)}</p>' if note else "", '<div class="wide">']
    parts.append("<table><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr>")
    parts += ["<tr>" + "".join(f"<td>{escape(v)}</td>" for v in row) + "</tr>" for row in rows]
    return "\n".join([*parts, "</table></div>"])


def render(card: ReportCard) -> str:
    """The report as HTML.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    info = card.info
    title = f"Report card of {info['generator']}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{info['n_stars']} stars that it was not trained on, seed {info['seed']}. Weights "
        f"<code>{escape(str(info['sha256'])[:16] or 'not saved')}</code>.</p>",
    ]
    if card.active:
        variance = ", ".join(f"{v:.2f}" for v in card.active["variance"])
        parts.append(f"<p>Active latent dimensions: {card.active['active']} (variances {variance}).</p>")
    parts += [_table(t) for t in card_tables(card)]
    for heading, caption, picture in figures(card):
        parts.append(
            f'<h2>{escape(heading)}</h2><figure><img alt="{escape(heading)}" src="data:image/png;base64,{picture}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return "\n".join([*parts, "</body></html>\n"])
