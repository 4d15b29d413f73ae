"""The report of a comparison: one HTML file with its pictures inside."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ..report import html_page, html_picture, html_table
from .figures import figures
from .quantities import QUANTITIES
from .text import HEADLINE, cadence_rows, class_rows, difference_rows, magnitudes_text, tests_text

if TYPE_CHECKING:  # pragma: no cover
    from .result import Comparison

__all__ = ["render"]

_LIMITS = (
    "A single sinusoid, in all bands at once, is what is searched with: narrow eclipses and strongly asymmetric curves "
    "are harder for it than for methods made for them. The search is blind and the same for all classes.",
    "A period is what the catalogues call it: that of RV Tauri stars (type II Cepheids beyond 20 d) holds two minima, "
    "and half of it is found. It is counted as half, not as recovered.",
    "Stars repeat exactly unless said otherwise above. There is no crowding and no bad photometry but what the error "
    "model says.",
    "Errors of differences come from resampling stars. They do not hold what another realisation of a random cadence "
    "or another model of the stars would change.",
    "The classifier is told the class shares (equal numbers unless said otherwise) and knows no other classes; its F1 "
    "compares cadences and is no forecast of a survey's purity.",
    "Amplitudes and means come from detections only, which for faint stars are their brighter phases.",
)


def render(comparison: Comparison) -> str:
    """The report as HTML.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    many = len(comparison.cadences) > 1
    title = "Cadences on the same stars: " + ", ".join(comparison.cadences)
    parts = [*_simulated(comparison), *_summary(comparison)]
    if many:
        parts += _significant(comparison)
    parts += [html_picture(*each) for each in figures(comparison)]
    parts += _definitions(comparison)
    return html_page(title, parts)


def _simulated(comparison: Comparison) -> list[str]:
    info = comparison.info
    counts = ", ".join(f"{n} {c}" for c, n in info["classes"].items())
    given = f" Given: {', '.join(info['given'])}." if info["given"] else ""
    changes = "Stars depart from repeating as real ones do." if info["irregular"] else "Stars repeat exactly."
    command = f"<p><code>{escape(info['command'])}</code></p>" if info["command"] else ""
    sources = sorted({s for bands in info["band_sources"].values() for s in bands.values()})
    bands = _band_sources(info) if len(sources) > 1 else f"<p>All bands are {sources[0]}.</p>" if sources else ""
    return [
        command,
        "<h2>What was simulated</h2>",
        f"<p>{info['n_stars']} stars ({escape(counts)}) drawn from the generator "
        f"<code>{escape(info['generator'])}</code> (weights <code>{escape(info['checkpoint_sha256'][:16])}</code>), "
        f"{escape(magnitudes_text(info))}, seed {info['seed']}, lcgen {escape(info['lcgen_version'])}.{escape(given)} "
        f"{changes} The same stars, with the same seed of the noise, are observed under each cadence.</p>",
        html_table(*cadence_rows(comparison)),
        bands,
    ]


def _band_sources(info: dict[str, Any]) -> str:
    rows = [[cls, *(bands[b] for b in info["bands"])] for cls, bands in info["band_sources"].items()]
    note = '<p class="note">How the curves of each band were obtained:</p>'
    return note + html_table(["class", *info["bands"]], rows)


def _summary(comparison: Comparison) -> list[str]:
    out = ["<h2>Summary by class</h2>"]
    if len(comparison.cadences) > 1:
        out.append(
            '<p class="note">Differences are of the same stars; bold beyond 3 sigma. '
            f"{escape(tests_text(comparison.info))}</p>"
        )
    for name in HEADLINE:
        what = next(q for q in QUANTITIES if q.name == name)
        unit = f" [{what.unit}]" if what.unit else ""
        median = ", median" if what.statistic == "median" else ""
        out.append(f"<h2>{escape(what.label.capitalize())}{escape(unit)}{median}</h2>")
        out += [f'<p class="note">{escape(what.definition)}</p>', html_table(*class_rows(comparison, name))]
    return out


def _significant(comparison: Comparison) -> list[str]:
    head, rows = difference_rows(comparison)
    if not rows:
        return ["<h2>Most significant differences</h2><p>None is beyond 3 sigma.</p>"]
    note = f'<p class="note">At most {len(rows)} of those beyond 3 sigma, of all classes and bins.</p>'
    return ["<h2>Most significant differences</h2>", note, html_table(head, rows)]


def _definitions(comparison: Comparison) -> list[str]:
    s = comparison.info["settings"]
    rows = [[q.name, f"{q.label}{f' [{q.unit}]' if q.unit else ''}", q.statistic, q.definition] for q in QUANTITIES]
    search = (
        f"Periods from {s['min_period']:g} to {s['max_period']:g} d on a grid of {s['oversampling']} frequencies per "
        f"1 / time span, blind and the same for all classes. Visits of a band within {s['merge']:g} min are merged "
        "before periods and Fourier series are fitted. The statistic is the multi-band Lomb-Scargle periodogram of one "
        "sinusoid in all bands about a mean of its own in each (VanderPlas & Ivezic 2015, ApJ 812, 18; astropy, grid "
        f"by {s['engine']}), of asinh magnitudes (Lupton, Gunn & Szalay 1999, AJ 118, 1406). The period of the highest "
        "peak is refined there with a series of three harmonics. A period counts as the "
        f"true one within {100 * s['tolerance']:g} %."
    )
    shape = (
        f"A detection has a signal-to-noise ratio of {s['snr']:g} or more; phase coverage has {s['phase_bins']} bins. "
        f"Fourier series have up to {s['n_harmonics']} harmonics with a prior whose width the evidence chooses. The "
        f"classifier is a random forest of {s['n_trees']} trees, cross-validated by star in {s['n_folds']} folds that "
        "are the same for all cadences. It sees period, power, false-alarm probability, Fourier shape, amplitudes and "
        f"colours, all as found in the light curve. Errors are from {s['n_boot']} bootstrap samples of stars, drawn "
        "within classes, the same for all cadences; a share of n stars never has an error below 1 / (n + 2)."
    )
    limits = "".join(f"<li>{escape(text)}</li>" for text in _LIMITS)
    return [
        "<h2>Definitions</h2>",
        f"<p>{escape(search)}</p><p>{escape(shape)}</p>",
        html_table(["name", "quantity", "statistic", "of one star"], rows, words=True),
        f"<h2>Limits</h2><ul>{limits}</ul>",
    ]
