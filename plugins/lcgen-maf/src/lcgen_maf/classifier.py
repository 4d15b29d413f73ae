"""A classifier that is the same at every slice point and for every survey."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lcgen import InputError
from lcgen.cadence import as_cadence
from lcgen.lightcurve import phase_of
from lcgen.observe.depth import LSST_BANDS
from lcgen.photometry import flux_to_mag

from .field import ClassField, StarSource
from .photometry import observe
from .sample import StarSample, combined_seed
from .series import fit_series, harmonic_columns
from .slices import SliceVisits

__all__ = ["Classifier", "default_classifier", "feature_names", "features"]

_N_HARMONICS = 8
_MISSING = -1e4
# Training: stars of each class, at this many places of a ten-year wide survey.
_N_TRAIN = 400
_REFERENCE = "lsst-wfd"
_N_PLACES = 8


class Classifier(Protocol):
    """What classifies stars, such as a fitted estimator of scikit-learn."""

    def predict(self, features: NDArray[np.float64]) -> Any:
        """Names of classes, shape (n_stars,), for features, shape (n_stars, n_features)."""
        ...


def feature_names() -> tuple[str, ...]:
    """Names of the features, in order."""
    return (
        *("log_period", "power", "log10_fap", "log_amplitude", "odd_share"),
        *(f"{what}{k}" for k in (2, 3, 4) for what in ("ratio", "cos", "sin")),
        *("skewness",),
        *(f"log_amplitude_{b}" for b in LSST_BANDS),
        *(f"{a}-{b}" for a, b in combinations(LSST_BANDS, 2)),
    )


def features(stars: ClassField) -> NDArray[np.float64]:
    """What a classifier sees of stars, from their measurements alone, shape (n_stars, n_features).

    The found period and its power; amplitude and shape of a Fourier series in all bands at twice that period (odd
    harmonics tell unequal minima); the amplitude in each of LSST's bands that this shape has; colours of mean fluxes.
    Missing values are -10,000.
    """
    merged, found = stars.photometry.merged, stars.found
    value, weight = merged.asinh
    period = np.where(np.isfinite(found.period), found.period, 1.0)
    phase = phase_of(merged.mjd[None, :], 2.0 * period[:, None])
    fit = fit_series(phase, value, weight, merged.slices, n_harmonics=_N_HARMONICS, base_harmonic=2)
    power = np.sum(fit.coefficients**2, axis=2)
    odd = np.sqrt(power[:, 0::2].sum(axis=1) / np.maximum(power.sum(axis=1), 1e-30))
    even = fit.coefficients[:, 1::2, 0] + 1j * fit.coefficients[:, 1::2, 1]
    size = np.maximum(np.abs(even), 1e-12)
    columns = [
        np.log10(period),
        found.power,
        np.maximum(found.log10_fap, -50.0),
        np.log10(np.maximum(fit.amplitude, 1e-6)),
        odd,
    ]
    for k in (2, 3, 4):
        turn = even[:, k - 1] / size[:, k - 1] * np.conj(even[:, 0] / size[:, 0]) ** k
        columns += [size[:, k - 1] / size[:, 0], turn.real, turn.imag]
    curve = fit.at(np.arange(64) / 64.0)
    spread = np.maximum(curve.std(axis=1), 1e-12)
    columns.append(np.mean((curve - curve.mean(axis=1, keepdims=True)) ** 3, axis=1) / spread**3)
    amplitude, mean = _by_band(stars, fit.coefficients, phase, value, weight)
    columns += [np.log10(np.maximum(amplitude[:, k] * fit.amplitude, 1e-6)) for k in range(len(LSST_BANDS))]
    columns += [mean[:, a] - mean[:, b] for a, b in combinations(range(len(LSST_BANDS)), 2)]
    table = np.stack(columns, axis=1)
    # without a period there is no shape either
    table[~np.isfinite(found.period), : 15 + len(LSST_BANDS)] = np.nan
    return np.where(np.isfinite(table), table, _MISSING)


def _by_band(
    stars: ClassField, coefficients: NDArray, phase: NDArray, value: NDArray, weight: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The amplitude of the common shape, and the magnitude of the mean flux, shape (n_stars, len(LSST_BANDS))."""
    merged = stars.photometry.merged
    amplitude, mean = (np.full((len(stars), len(LSST_BANDS)), np.nan) for _ in range(2))
    flat = coefficients.reshape(len(stars), -1)
    model = np.einsum("nmk,nk->nm", harmonic_columns(phase, coefficients.shape[1]), flat)
    for band, columns in zip(merged.bands, merged.slices, strict=True):
        if band not in LSST_BANDS:
            continue
        k = LSST_BANDS.index(band)
        w = weight[:, columns]
        total = np.maximum(w.sum(axis=1), 1e-300)
        shape = model[:, columns] - (np.sum(w * model[:, columns], axis=1) / total)[:, None]
        norm = np.sum(w * shape**2, axis=1)
        slope = np.sum(w * shape * value[:, columns], axis=1)
        amplitude[:, k] = np.divide(slope, norm, out=np.full(norm.size, np.nan), where=norm > 0)
        there = merged.measured[:, columns]
        flux_weight = np.where(there, np.where(there, merged.flux_err[:, columns], 1.0) ** -2.0, 0.0)
        whole = flux_weight.sum(axis=1)
        flux = np.divide(
            np.sum(flux_weight * merged.flux[:, columns], axis=1), whole, out=np.zeros_like(whole), where=whole > 0
        )
        good = flux * np.sqrt(whole) > 3.0
        mean[good, k] = flux_to_mag(flux[good], band)
    return amplitude, mean


@lru_cache(maxsize=8)
def default_classifier(source: StarSource) -> Classifier:
    """A random forest that has learned other stars like those of `source` under the recipe of a ten-year survey.

    It is trained once, when first asked for, with 400 stars of each class at eight places under the cadence
    ``lsst-wfd`` of lcgen, and never sees a slice point: so that what differs between slice points and between surveys
    is their visits. scikit-learn's random forest (Breiman 2001, doi:10.1023/A:1010933404324), with the settings of
    :func:`lcgen.compare`.
    """
    from sklearn.ensemble import RandomForestClassifier

    sample: StarSample = source.sample
    cadence = as_cadence(_REFERENCE)
    x: list[NDArray] = []
    label: list[str] = []
    drawn = sample.training(_N_TRAIN)
    for place in range(_N_PLACES):
        visits = cadence.visits(seed=combined_seed(sample.seed, "reference", place))
        data = None
        if visits.depth5 is not None:
            data = SliceVisits.of_arrays(visits.mjd, visits.band, visits.depth5)
        if data is None:
            raise InputError(f"the cadence {_REFERENCE} has no depths: nothing to train a classifier with")
        noise = combined_seed(sample.seed, "noise", data.key)
        for name, stars in drawn.items():
            part = stars[place::_N_PLACES]
            photometry = observe(
                part, data, noise=sample.noise, seed=noise, irregular=sample.irregular, settings=sample.settings
            )
            field = ClassField(name=name, stars=part, photometry=photometry, sample=sample, key=data.key)
            x.append(features(field))
            label += [name] * len(part)
    forest = RandomForestClassifier(
        n_estimators=sample.settings.n_trees, min_samples_leaf=2, random_state=sample.seed % 2**32
    )
    return forest.fit(np.concatenate(x), np.array(label))
