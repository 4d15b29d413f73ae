"""Single numbers of generated stars beside published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..stars import Stars
from .luminosity import absolute_magnitudes, fit_relation, fundamental_log_period

__all__ = ["check_rows"]

_GULDENSCHUH = "Guldenschuh et al. 2005, PASP 117, 721"
_BAILLEUL = "Bailleul et al. 2026, arXiv:2602.11994 (Galactic Cepheids, interferometry)"
_MURAVEVA = "Muraveva et al. 2018, MNRAS 481, 1195"
_COX = "Cox 1980, Theory of Stellar Pulsation; first overtone: times 0.74"
_MURAVEVA_PERIOD, _MURAVEVA_FE_H = 0.5238, -1.5
_PIVOT = 0.7

# quantity, unit, kind, published, error, source; the quantity names a column of the table of the cycle
_FROM_CYCLE = (
    ("v_i_minimum", "mag", "RRLYR RRab", 0.579, 0.006, _GULDENSCHUH),
    ("radius_slope", "dex/dex", "CEP F", 0.688, 0.016, _BAILLEUL),
    ("log_radius_5d", "dex", "CEP F", 1.133 + _PIVOT * 0.688, 0.022, _BAILLEUL),
    ("q", "d", "RRLYR RRab", 0.036, np.nan, _COX),
    ("q", "d", "RRLYR RRc", 0.74 * 0.036, np.nan, _COX),
)


def check_rows(samples: Mapping[str, Stars], cycles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Numbers that have a published value.

    Parameters
    ----------
    samples : mapping of label to Stars
    cycles : sequence of mapping
        Rows of the table of the cycle.

    Returns
    -------
    list of dict
        ``quantity``, ``unit``, ``kind``, ``generated``, ``published``, ``published_error`` (NaN where none is given),
        ``source``. Quantities: V-I averaged over phases 0.5-0.8 after maximum light (``v_i_minimum``), slope of log R
        on log P and its value at 5 d, pulsation constant for one mass (``q``), absolute magnitudes of RR Lyrae stars
        of [Fe/H] = -1.5 and P = 0.5238 d.
    """
    by_kind = {row["kind"]: row for row in cycles}
    rows = [
        _row(quantity, unit, kind, float(by_kind[kind][quantity]), published, error, source)
        for quantity, unit, kind, published, error, source in _FROM_CYCLE
        if kind in by_kind
    ]
    parts = [samples[k] for k in ("RRLYR RRab", "RRLYR RRc") if k in samples]
    if parts:
        x = np.concatenate([fundamental_log_period(s) for s in parts])
        fe_h = np.concatenate([np.asarray(s.columns["fe_h"], dtype=float) for s in parts])
        for band, published, error in (("V", 0.66, 0.06), ("G", 0.63, 0.08)):
            mag = np.concatenate([absolute_magnitudes(s, band) for s in parts])
            known = np.isfinite(mag) & np.isfinite(fe_h)
            if known.sum() < 10:
                continue
            fit = fit_relation(x[known], mag[known], pivot=np.log10(_MURAVEVA_PERIOD), log_metals=fe_h[known])
            value = fit.zero + fit.metals * (_MURAVEVA_FE_H - float(fe_h[known].mean()))
            rows.append(_row(f"M_{band}", "mag", "RRLYR", value, published, error, _MURAVEVA))
    return rows


def _row(
    quantity: str, unit: str, kind: str, generated: float, published: float, error: float, source: str
) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "unit": unit,
        "kind": kind,
        "generated": generated,
        "published": published,
        "published_error": error,
        "source": source,
    }
