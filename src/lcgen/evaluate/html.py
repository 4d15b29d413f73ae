"""The report card as one HTML file with its pictures inside."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..report import html_page, html_picture, html_table
from .figures import figures
from .text import Table, card_tables

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard

__all__ = ["render"]

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
    parts = [f"<h2>{escape(title)}</h2>", f'<p class="note">{escape(note)}</p>' if note else ""]
    return "\n".join([*parts, html_table(head, rows)])


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
        f"<p>{info['n_stars']} stars that it was not trained on, seed {info['seed']}. Weights "
        f"<code>{escape(str(info['sha256'])[:16] or 'not saved')}</code>.</p>",
    ]
    if card.active:
        variance = ", ".join(f"{v:.2f}" for v in card.active["variance"])
        parts.append(f"<p>Active latent dimensions: {card.active['active']} (variances {variance}).</p>")
    parts += [_table(t) for t in card_tables(card)]
    parts += [html_picture(*each) for each in figures(card)]
    return html_page(title, parts)
