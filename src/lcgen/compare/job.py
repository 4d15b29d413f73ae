"""The stars of a comparison, in blocks that any process can measure in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cadence import Cadence
from ..ensemble.job import EnsembleJob
from ..lightcurve import LightCurves
from .cadences import FetchedVisits
from .measure import Truth, feature_names, measure_star
from .settings import Settings

__all__ = ["BLOCK", "CompareJob", "Measured"]

BLOCK = 25
"""Stars of a block: small, so that an interrupted run loses little."""

_TEXT = {"kind": "U12"}
# relative error of fluxes that were observed without noise, for the weights of the fits
_NOISE_FREE = 1e-3

Measured = dict[str, NDArray[Any]]
"""Columns of stars, as ``stars/<name>``; measurements under cadence k, as ``<k>/<name>``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CompareJob:
    """What a comparison measures.

    Attributes
    ----------
    population : EnsembleJob
        Draws the stars; its own cadence is not used.
    cadences : mapping of str to Cadence
    noise : mapping of str to noise model
        By label of the cadence.
    band : mapping of str to band
        By label of the cadence, as :meth:`lcgen.Stars.observe` takes it.
    bands : tuple of str
        Bands in which any cadence is observed, in order of wavelength.
    settings : Settings
    """

    population: EnsembleJob
    cadences: Mapping[str, Cadence]
    noise: Mapping[str, Any]
    band: Mapping[str, Any]
    bands: tuple[str, ...]
    settings: Settings

    def block(self, generator: Any, start: int, stop: int) -> Measured:
        """Stars number `start` to `stop`, measured under every cadence."""
        stars: Any = self.population.stars(generator, start, stop)
        out: Measured = {
            f"stars/{k}": np.asarray(v) for k, v in stars.columns.items() if np.asarray(v).dtype.kind in "Ufib"
        }
        sizes = {b: np.ptp(stars.template(256, band=b), axis=1) for b in self.bands}
        means = {b: np.asarray(stars.mean_magnitude(band=b)) for b in self.bands}
        for k, label in enumerate(self.cadences):
            curves, seen = self._observe(stars, label)
            rows, features = [], []
            for i in range(len(stars)):
                truth = Truth(
                    class_name=str(stars.columns["class"][i]),
                    period=float(stars.columns["period"][i]),
                    t0=float(stars.columns["t0"][i]),
                    amplitude=np.array([sizes[b][i] for b in self.bands]),
                    mean=np.array([means[b][i] for b in self.bands]),
                )
                row, feature = measure_star(
                    **self._measurements(curves, seen[i]), bands=self.bands, truth=truth, settings=self.settings
                )
                rows.append(row)
                features.append(feature)
            for name in rows[0]:
                out[f"{k}/{name}"] = np.array([row[name] for row in rows], dtype=_TEXT.get(name))
            out[f"{k}/features"] = np.array(features).reshape(len(rows), len(feature_names(self.bands)))
        return out

    def _observe(self, stars: Any, label: str) -> tuple[LightCurves | None, list[int]]:
        """Light curves, and which of them is each star's: -1 for stars that the cadence does not see."""
        cadence: Any = self.cadences[label]
        fetched = FetchedVisits.of(cadence, stars.columns)
        seen = np.arange(len(stars))
        if fetched is not None:
            there = np.isin(stars.columns["star_id"], list(fetched.found))
            seen = np.where(there, np.cumsum(there) - 1, -1)
            if not there.any():
                return None, seen.tolist()
            stars, cadence = stars[there], fetched
        options: dict[str, Any] = {"irregular": True} if self.population.irregular else {}
        curves = stars.observe(
            cadence, noise=self.noise[label], seed=self.population.seed, band=self.band[label], **options
        )
        return curves, seen.tolist()

    def _measurements(self, curves: LightCurves | None, star: int) -> dict[str, NDArray[Any]]:
        if curves is None or star < 0:
            return {"mjd": np.empty(0), "flux": np.empty(0), "flux_err": np.empty(0), "band": np.empty(0, np.int64)}
        rows = slice(int(curves.offsets[star]), int(curves.offsets[star + 1]))
        flux = np.asarray(curves.flux[rows], dtype=float)
        err = np.asarray(curves.flux_err[rows], dtype=float)
        noise_free = err <= 0
        if noise_free.any():
            err = np.where(noise_free, _NOISE_FREE * np.abs(flux), err)
        place = np.array([self.bands.index(b) for b in curves.band_names], dtype=np.int64)
        usable = np.isfinite(flux) & np.isfinite(err) & (err > 0)
        return {
            "mjd": curves.mjd[rows][usable],
            "flux": flux[usable],
            "flux_err": err[usable],
            "band": place[curves.band_index[rows]][usable],
        }
