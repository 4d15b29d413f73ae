"""A comparison in words: its headline and the tables of its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .quantities import quantity
from .table import ALL

if TYPE_CHECKING:  # pragma: no cover
    from .result import Comparison

__all__ = ["HEADLINE", "cadence_rows", "class_rows", "difference_rows", "magnitudes_text", "render_text", "tests_text"]

HEADLINE = ("recovered", "f1", "coverage", "gap", "amplitude_error", "mean_error")
"""Quantities of the summary."""

_STRONG = 3.0


def number(value: float, error: float = float("nan")) -> str:
    """A value with its error, to the digits that the error allows.

    Examples
    --------
    >>> number(0.81234, 0.0261), number(0.81234), number(float("nan"))
    ('0.812 ± 0.026', '0.812', '-')
    """
    if not np.isfinite(value):
        return "-"
    if not np.isfinite(error):
        return f"{value:.3f}"
    digits = 3 if error >= 0.001 or error == 0 else 4
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def signed(row: Any) -> str:
    """A difference with error and significance; bold, in the marks of tables, beyond three sigma."""
    value, error, sigma = float(row["difference"]), float(row["difference_error"]), float(row["n_sigma"])
    if not np.isfinite(value):
        return "-"
    text = f"{value:+.3f} ± {error:.3f}"
    if not np.isfinite(sigma):
        return text
    text += f" ({sigma:+.1f} σ)"
    return f"**{text}**" if abs(sigma) > _STRONG else text


def magnitudes_text(info: dict[str, Any]) -> str:
    """How bright the stars are, in words."""
    mags = info["mean_mag"]
    if isinstance(mags, list):
        return f"mean V magnitudes uniform between {mags[0]:g} and {mags[1]:g}"
    if mags is not None:
        return f"mean V magnitude {mags:g}"
    drawn = ", ".join(f"{k} = {v}" for k, v in info["drawn"].items())
    return "magnitudes as given by " + (", ".join([*info["given"], *([drawn] if drawn else [])]) or "the population")


def tests_text(info: dict[str, Any]) -> str:
    """How many differences there are, and how many chance alone would show, in words."""
    tests = info["tests"]
    return (
        f"{tests['tested']} differences were tested. {tests['beyond_3_sigma']} are beyond 3 sigma, where "
        f"{tests['expected_by_chance']:g} are expected by chance if there were none and errors were normal. Many share "
        "stars, so they are not independent."
    )


def cadence_rows(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """What each cadence is: head and rows."""
    bands = comparison.info["bands"]
    head = ["cadence", "noise", "visits a star (median)", *bands, "filters observed in", "stars never seen"]
    rows = [
        [
            c["label"],
            c["noise"],
            f"{c['visits']:.0f}",
            *(f"{c['visits_by_band'][b]:.0f}" for b in bands),
            c["observed_in"],
            str(c["never_seen"]),
        ]
        for c in comparison.info["cadences"]
    ]
    return head, rows


def class_rows(comparison: Comparison, name: str) -> tuple[list[str], list[list[str]]]:
    """A quantity by class under each cadence, with differences: head and rows."""
    first, *others = comparison.cadences
    head = ["class", "stars", first, *others, *(f"{o} - {first}" for o in others)]
    rows = []
    for each in (ALL, *comparison.classes):
        found = {str(r["cadence"]): r for r in comparison.rows(name, each)}
        base = found[first]
        rows.append(
            [
                each,
                str(int(base["n"])),
                *(number(float(found[c]["value"]), float(found[c]["error"])) for c in comparison.cadences),
                *(signed(found[o]) for o in others),
            ]
        )
    return head, rows


def difference_rows(comparison: Comparison, most: int = 25) -> tuple[list[str], list[list[str]]]:
    """The most significant differences of classes and period bins: head and rows."""
    table: Any = comparison.table
    sigma = np.nan_to_num(np.abs(np.asarray(table["n_sigma"], dtype=float)))
    order = [i for i in np.argsort(-sigma, kind="stable") if sigma[i] > _STRONG][:most]
    head = ["class", "bin", "quantity", "cadence", "pairs", "difference", "error if unpaired"]
    rows = []
    for i in order:
        row: Any = table[int(i)]
        rows.append(
            [
                str(row["class"]),
                bin_text(row),
                _with_unit(str(row["quantity"])),
                str(row["cadence"]),
                str(int(row["n_pairs"])),
                signed(row).strip("*"),
                f"{float(row['unpaired_error']):.3f}",
            ]
        )
    return head, rows


def bin_text(row: Any) -> str:
    """The bin of a row, in words."""
    if row["bin"] == "period":
        return f"{float(row['period_low']):.3g} to {float(row['period_high']):.3g} d"
    if row["bin"] == "mean_mag":
        return f"{float(row['mag_low']):.1f} to {float(row['mag_high']):.1f} mag"
    return "all"


def _with_unit(name: str) -> str:
    what = quantity(name)
    return f"{what.label} [{what.unit}]" if what.unit else what.label


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    cells = [list(head), *([c.strip("*") for c in row] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(head))]
    for line in cells:
        parts = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        yield "  ".join(parts).rstrip()


def render_text(comparison: Comparison) -> str:
    """The headline as plain text."""
    info = comparison.info
    lines = [
        f"{info['n_stars']} stars of {len(info['classes'])} classes from {info['generator']}, "
        f"{magnitudes_text(info)}, seed {info['seed']}",
        "",
        *_lines(*cadence_rows(comparison)),
    ]
    for name in HEADLINE:
        lines += ["", _with_unit(name), *_lines(*class_rows(comparison, name))]
    if len(comparison.cadences) > 1:
        lines += ["", tests_text(info)]
    return "\n".join(lines)
