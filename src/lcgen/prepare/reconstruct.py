"""Light curves from tables of Fourier terms: curves known exactly, but only up to a harmonic.

The tables of RR Lyrae stars of Dekany, Grebel & Pojmanski (2021, ApJ 920, 33) hold the first three terms of the sine
series of the magnitude, ``sum_k A_k sin(2 pi k phase + phi_k)``; the fits went up to the harmonic in the column
``order``. That it is this series is seen from the ASAS stars whose photometry and terms are both at hand: turned to
the same phase zero the two agree to 1.4 % of the curve's standard deviation (RRab; 3 % for RRc).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError, InputError, UnknownNameError
from ..photometry import band_info
from ..rng import stream
from ..taxonomy import CLASSES, PHYSICAL, class_info
from .align import alignment_shift, rotate_coefficients
from .dataset import AMPLITUDE_IN_V, N_BINS, PreparationReport, PreparedCurves
from .fourier import harmonics

__all__ = ["FE_H_SCATTER", "N_TERMS", "FourierLimits", "reconstruct", "scatter_metallicity"]

N_TERMS = 3
"""Harmonics in the tables."""

_N_POINTS = 64
_INFLATION = 1.3
"""Published errors of the phases of RRab over those of white noise (53 stars in ASAS I, median)."""

FE_H_SCATTER: dict[str, float] = {"RRab": 0.21, "RRc": 0.39}
"""Scatter of the spectroscopic [Fe/H] about the relation that gives the photometric one [dex]; see
:func:`lcgen.population.training_table`."""

_NEEDED = (
    *("id", "period", "amplitude", "mean_mag", "cost", "phcov", "snr", "Npt", "order"),
    *(f"{name}{k}" for name in ("A", "phi") for k in range(1, N_TERMS + 1)),
)


@dataclass(frozen=True, kw_only=True)
class FourierLimits:
    """Which fits of a table are good enough.

    Attributes
    ----------
    snr_min : float
        Smallest amplitude over the error of the mean, ``totamp sqrt(Npt) / scatter``.
    coverage_min : float
        Smallest phase coverage, which is one minus the largest gap.
    min_observations : int
        Smallest number of observations.
    amplitude_min : float
        Smallest peak-to-peak amplitude [mag].
    scatter_max : float
        Largest scatter about the fit, over the amplitude.
    sum_low, sum_high : float
        Range of the amplitude of the sum of the terms over that of the whole fit. What was left out of the sum, or
        overshoots, is more elsewhere.
    """

    snr_min: float = 30.0
    coverage_min: float = 0.85
    min_observations: int = 30
    amplitude_min: float = 0.05
    scatter_max: float = 0.5
    sum_low: float = 0.8
    sum_high: float = 1.15

    def __post_init__(self) -> None:
        for name in ("snr_min", "coverage_min", "amplitude_min", "scatter_max", "sum_low"):
            if not getattr(self, name) >= 0.0:
                raise ConfigError(f"{name} must not be negative, received {getattr(self, name)}")
        if not self.sum_high > self.sum_low:
            raise ConfigError(f"sum_high must be above sum_low = {self.sum_low}, received {self.sum_high}")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fits:
    """What of the table is needed, as arrays of one row a star; `scatter` is that of single observations [mag]."""

    coefficients: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    sum_ratio: NDArray[np.float64]
    scatter: NDArray[np.float64]
    table: Mapping[str, NDArray] = field(default_factory=dict)


def _fits(table: Mapping[str, NDArray]) -> _Fits:
    k = range(1, N_TERMS + 1)
    size = np.stack([table[f"A{i}"] for i in k], axis=1)
    angle = np.stack([table[f"phi{i}"] for i in k], axis=1)
    # A sin(x + phi) = A sin(phi) cos(x) + A cos(phi) sin(x)
    coefficients = np.stack([size * np.sin(angle), size * np.cos(angle)], axis=2)
    basis = harmonics(np.arange(512) / 512, N_TERMS)
    summed = np.ptp(coefficients.reshape(-1, 2 * N_TERMS) @ basis.T, axis=1)
    total, n, order = table["amplitude"], table["Npt"], table["order"]
    with np.errstate(divide="ignore", invalid="ignore"):
        # two estimates, of which either fails at times: snr is totamp sqrt(Npt) over the root mean square of the
        # residuals, cost half the sum of their squares, with large ones counted less
        mean_square = np.stack([total**2 * n / table["snr"] ** 2, 2 * table["cost"] / (n - 2 * order - 1)])
        scatter = np.sqrt(np.where(n > 2 * order + 1, mean_square.max(axis=0), np.inf))
        # where no more terms were fitted, their sum is the curve
        amplitude = np.where(order <= N_TERMS, summed, total)
        return _Fits(
            coefficients=coefficients, amplitude=amplitude, sum_ratio=summed / total, scatter=scatter, table=table
        )


def _why_not(fits: _Fits, limits: FourierLimits) -> NDArray[np.str_]:
    table = fits.table
    with np.errstate(divide="ignore", invalid="ignore"):
        checks = {
            "terms missing": np.isfinite(fits.coefficients).all(axis=(1, 2)) & np.isfinite(table["mean_mag"]),
            "no period": np.isfinite(table["period"]) & (table["period"] > 0),
            "few observations": table["Npt"] >= limits.min_observations,
            "phase gap": table["phcov"] >= limits.coverage_min,
            "small amplitude": (fits.amplitude >= limits.amplitude_min)
            & (table["amplitude"] >= limits.amplitude_min)
            & (table["A1"] > 0),
            "low signal-to-noise": fits.amplitude * np.sqrt(table["Npt"]) >= limits.snr_min * fits.scatter,
            "large scatter": fits.scatter <= limits.scatter_max * fits.amplitude,
            "terms contradict the amplitude": (fits.sum_ratio >= limits.sum_low) & (fits.sum_ratio <= limits.sum_high),
        }
    why = np.full(fits.amplitude.size, "", dtype="U32")
    for reason, good in checks.items():
        why[(why == "") & ~good] = reason
    return why


def reconstruct(
    table: Mapping[str, NDArray],
    *,
    survey: str,
    band: str,
    cls: str,
    subclass: str = "",
    params: Mapping[str, ArrayLike] | None = None,
    bands: Sequence[str] = ("V", "I"),
    limits: FourierLimits | None = None,
) -> tuple[PreparedCurves, PreparationReport]:
    """Light curves from a table of Fourier terms.

    Parameters
    ----------
    table : mapping of str to ndarray, shape (n_stars,)
        As :func:`lcgen.catalog.read_fourier_table` gives it: ``id``, ``period``, ``amplitude``, ``mean_mag``, ``A1``
        to ``A3``, ``phi1`` to ``phi3``, ``cost``, ``phcov``, ``snr``, ``Npt``, ``order``.
    survey : str
        Label of the curves.
    band, cls, subclass : str
        Of all stars of the table.
    params : mapping of str to array_like, shape (n_stars,), optional
        Further physical parameters, NaN where unknown. The period is the table's.
    bands : sequence of str
        Bands that the prepared curves are to know.
    limits : FourierLimits, optional
        Which fits are good enough.

    Returns
    -------
    PreparedCurves
        With ``n_harmonics`` = 3: nothing is known of the curve beyond. ``value`` is the sum of the terms at 64 evenly
        spaced phases, aligned as measured curves are, in units of the amplitude *of the whole fit* brought to V, so
        that the sum of an RRab spans 0.9 to 1 of it. ``shift`` is relative to the table's own phase zero,
        ``scatter_ratio`` is 1, as there are no quoted errors.
    PreparationReport

    Raises
    ------
    InputError
        If a column is missing, or nothing is left.

    Notes
    -----
    Of N observations with the scatter s, each coefficient of a series has the error ``s sqrt(2 / N)``. The 64 points
    get the ``sigma`` that gives the same, ``1.3 s sqrt(64 / N)``; the factor accounts for noise that is not white. The
    scatter follows from ``snr``, which is ``totamp sqrt(Npt) / s`` (on 53 RRab in ASAS I whose photometry is at hand,
    the residuals are 1.02 of it), and is never taken smaller than ``sqrt(2 cost / (Npt - 2 order - 1))``.

    Examples
    --------
    >>> import numpy as np
    >>> columns = {"period": 0.55, "amplitude": 0.9, "mean_mag": 15.0, "cost": 0.02, "phcov": 0.97, "snr": 300.0,
    ...            "Npt": 150.0, "order": 8.0, "A1": 0.32, "A2": 0.16, "A3": 0.1, "phi1": 0, "phi2": 2.4, "phi3": -1.1}
    >>> table = {"id": np.array(["a"])} | {name: np.array([v]) for name, v in columns.items()}
    >>> curves, _ = reconstruct(table, survey="OGLE", band="V", cls="RRLYR", subclass="RRab")
    >>> curves.n_harmonics.tolist(), curves.value.shape
    ([3], (64,))
    """
    info, limits = class_info(cls), limits or FourierLimits()
    bands = tuple(bands)
    if band_info(band).name not in bands:
        raise UnknownNameError("band", band, bands)
    if subclass and subclass not in info.subclasses:
        raise UnknownNameError("subclass", subclass, info.subclasses)
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise InputError(f"the table of Fourier terms has no column {', '.join(missing)}")
    fits = _fits({n: np.asarray(table[n], dtype=None if n == "id" else float) for n in _NEEDED})
    why = _why_not(fits, limits)
    rows = np.flatnonzero(why == "")
    if rows.size == 0:
        raise InputError(f"none of the {why.size} fits of the table is good enough")
    report = PreparationReport(
        kept={cls: int(rows.size)},
        dropped={cls: int(why.size - rows.size)},
        reasons={(cls, reason): n for reason, n in Counter(w for w in why.tolist() if w).items()},
    )
    n = rows.size
    shift = np.array([alignment_shift(c, base_harmonic=info.base_harmonic) for c in fits.coefficients[rows]])
    turned = np.stack([rotate_coefficients(c, s) for c, s in zip(fits.coefficients[rows], shift, strict=True)])
    scale = fits.amplitude[rows] * AMPLITUDE_IN_V.get(band, 1.0)
    physical = np.full((n, len(PHYSICAL)), np.nan)
    for j, name in enumerate(PHYSICAL):
        if params is not None and name in params:
            physical[:, j] = np.asarray(params[name], dtype=float)[rows]
    physical[:, PHYSICAL.index("period")] = fits.table["period"][rows]

    def curve(size: int) -> NDArray[np.float32]:
        basis = harmonics(np.arange(size) / size, N_TERMS)
        return (turned.reshape(n, -1) @ basis.T / scale[:, None]).astype(np.float32)

    sigma = _INFLATION * fits.scatter[rows] * np.sqrt(_N_POINTS / fits.table["Npt"][rows]) / scale
    curves = PreparedCurves(
        star_id=np.asarray(fits.table["id"])[rows].astype(str),
        survey=np.full(n, survey),
        cls=np.full(n, CLASSES.index(cls), dtype=np.int64),
        subclass=np.full(n, subclass),
        band=np.full(n, bands.index(band), dtype=np.int64),
        params=physical,
        mean=fits.table["mean_mag"][rows],
        scale=scale,
        amplitude=fits.amplitude[rows],
        shift=shift,
        scatter_ratio=np.ones(n),
        fit_grid=curve(N_BINS),
        partner=np.full(n, -1, dtype=np.int64),
        offsets=np.arange(n + 1, dtype=np.int64) * _N_POINTS,
        phase=np.tile(np.arange(_N_POINTS) / _N_POINTS, n).astype(np.float32),
        value=curve(_N_POINTS).ravel(),
        sigma=np.repeat(sigma, _N_POINTS).astype(np.float32),
        n_harmonics=np.full(n, N_TERMS, dtype=np.int64),
        bands=bands,
    )
    return curves, report


def scatter_metallicity(
    fe_h: ArrayLike, star_id: ArrayLike, *, subclass: str, photometric: ArrayLike, seed: int = 0
) -> NDArray[np.float64]:
    """Give photometric metallicities the scatter that real ones have about the light curve.

    A photometric [Fe/H] is a function of period, phi31 and amplitude: whatever learns from it together with the curve
    takes the relation for exact. One draw a star of the calibration's residual, which is independent of the curve,
    makes it as loose as it is among stars with spectra.

    Parameters
    ----------
    fe_h : array_like, shape (n,)
        [Fe/H] [dex], NaN where unknown.
    star_id : array_like of str, shape (n,)
        Each star's draw follows from its name and the seed alone.
    subclass : str
        ``"RRab"`` or ``"RRc"``; for others nothing is changed.
    photometric : array_like of bool, shape (n,)
        Which values are photometric.
    seed : int
    """
    out = np.array(fe_h, dtype=float, copy=True)
    scatter = FE_H_SCATTER.get(subclass, 0.0)
    if scatter:
        ids = np.asarray(star_id).astype(str)
        for i in np.flatnonzero(np.asarray(photometric, dtype=bool) & np.isfinite(out)):
            out[i] += scatter * stream(seed, f"fe_h/{ids[i]}").standard_normal()
    return out
