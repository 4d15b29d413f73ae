"""Periods of stars that come without one.

A multi-harmonic Lomb-Scargle search (VanderPlas 2018, ApJS 236, 16, doi:10.3847/1538-4365/aab766), refined with the
regularised Fourier series of :mod:`lcgen.prepare.fourier`. What decides whether a period is kept is how much better
it folds the data than its best rival, the daily and yearly aliases included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..prepare.fourier import FourierFit, fit_fourier
from .period_scan import OVERSAMPLING, scan
from .period_solution import PeriodSolution

if TYPE_CHECKING:  # pragma: no cover
    from astropy.timeseries import LombScargle

__all__ = ["MIN_OBSERVATIONS", "PeriodSolution", "find_period"]

MIN_OBSERVATIONS = 25
"""Smallest number of observations that are searched for a period."""

_SIDEREAL = 1.0027379
_YEAR = 365.25
# sidereal and solar day, their halves, the year: what a single site cannot tell apart easily [cycles/d]
_ALIASES = {"day": (_SIDEREAL, 1.0), "half-day": (2 * _SIDEREAL, 2.0), "year": (1.0 / _YEAR, 2.0 / _YEAR)}
_MULTIPLES = (0.5, 2.0, 1.0 / 3.0, 3.0, 1.5, 2.0 / 3.0)
# of a binary's frequency: what folds its minima onto each other
_FAMILY = (1.0, 2.0, 3.0, 4.0, 1.5, 0.5)
_REFINED = 5
_MAX_ROUGHNESS = 20.0
# log-likelihood by which a candidate is so much worse that refining it cannot help
_HOPELESS = 40.0


def find_period(
    mjd: ArrayLike,
    mag: ArrayLike,
    mag_err: ArrayLike,
    *,
    period_range: tuple[float, float],
    n_terms: int = 3,
    base_harmonic: int = 1,
    refine: bool = True,
) -> PeriodSolution:
    """Find the period of one star.

    Parameters
    ----------
    mjd, mag, mag_err : array_like, shape (n_obs,)
        Times [d], magnitudes and errors [mag], in one band.
    period_range : tuple of float
        Shortest and longest period to consider [d].
    n_terms : int, optional
        Harmonics of the search: of the dominant frequency, that is ``base_harmonic / period``.
    base_harmonic : {1, 2}, optional
        2 for eclipsing and ellipsoidal variables, whose two minima make one period. Where the minima cannot be told
        apart the longer period is returned.
    refine : bool, optional
        Whether to compare the best candidates by their regularised Fourier fits. Without it the Lomb-Scargle power
        decides, which is faster and confuses more aliases.

    Returns
    -------
    PeriodSolution

    Raises
    ------
    InputError
        With fewer than 25 observations, values that are not finite, errors that are not positive, magnitudes that
        are all the same, or a range that is empty or would take more than 20 million frequencies.

    Notes
    -----
    The single-term periodogram is computed once, on a grid of three frequencies per 1 / time span that reaches the
    highest harmonic; its sums over harmonics propose candidates. These, their multiples and their aliases of a day,
    half a day and a year are then fitted exactly, first with a Fourier series (Lomb-Scargle of several terms), then
    with the regularised one. Errors get a floor of a tenth of the spread, so that a truncated series is not
    held against a star with precise photometry, and single far outliers are left out. With ``base_harmonic=1`` the
    harmonics k > 1 have a Gaussian prior with standard deviation 1/k of the first: at a wrong period of a noisy star
    high harmonics take over.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> mjd = 53000 + np.sort(rng.uniform(0, 400, 150))
    >>> mag = 15 + 0.3 * np.sin(2 * np.pi * mjd / 0.5678) + rng.normal(0, 0.03, 150)
    >>> solution = find_period(mjd, mag, np.full(150, 0.03), period_range=(0.2, 1.0))
    >>> round(solution.period, 4)
    0.5678
    """
    low, high = _checked_range(period_range)
    if base_harmonic not in (1, 2):
        raise InputError(f"base_harmonic = {base_harmonic!r}; allowed are 1 and 2")
    if not 1 <= n_terms <= 10:
        raise InputError(f"n_terms = {n_terms!r}; allowed are 1 to 10")
    search = _Search(mjd, mag, mag_err, n_terms=n_terms, base_harmonic=base_harmonic, low=1.0 / high, high=1.0 / low)
    found = search.candidates()
    return search.decide(found, refine=refine)


def _checked_range(period_range: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in period_range)
    except (TypeError, ValueError):
        raise InputError(f"period_range must be two numbers, received {period_range!r}") from None
    if not (0 < low < high < np.inf):
        raise InputError(f"period_range must be two increasing positive numbers, received ({low:g}, {high:g})")
    return low, high


@dataclass(kw_only=True)
class _Candidate:
    """A frequency; its `cost` is minus the log-likelihood (and log-prior), `rss` its weighted sum of squares."""

    frequency: float
    rss: float
    cost: float
    curvature: float = np.nan


class _Search:
    """One star: its cleaned data, and the two ways of judging a frequency."""

    def __init__(
        self,
        mjd: ArrayLike,
        mag: ArrayLike,
        mag_err: ArrayLike,
        *,
        n_terms: int,
        base_harmonic: int,
        low: float,
        high: float,
    ) -> None:
        t, y, err = (np.asarray(x, dtype=float) for x in (mjd, mag, mag_err))
        if t.ndim != 1 or t.shape != y.shape or y.shape != err.shape:
            raise InputError(f"times, magnitudes and errors have shapes {t.shape}, {y.shape}, {err.shape}")
        if t.size < MIN_OBSERVATIONS:
            raise InputError(f"a period search needs at least {MIN_OBSERVATIONS} observations, received {t.size}")
        if not (np.isfinite(t).all() and np.isfinite(y).all() and np.isfinite(err).all() and (err > 0).all()):
            raise InputError("a period search needs finite times and magnitudes and positive errors")
        keep = _not_outlying(y, faint=base_harmonic == 1)
        t, y, err = t[keep], y[keep], err[keep]
        self.spread = float(np.std(y))
        self.span = float(np.ptp(t))
        if not (self.spread > 0 and self.span > 0):
            raise InputError("a period search needs magnitudes and times that are not all the same")
        self.t, self.y = t - t.min(), y
        self.err = np.hypot(err, 0.1 * self.spread)
        self.weight = self.err**-2
        self.nights = int(np.unique(np.floor(t)).size)
        self.low, self.high = low, high
        self.base, self.n_terms = base_harmonic, n_terms
        self.harmonics = min(2 * n_terms * base_harmonic, 12)
        centre = np.sum(self.weight * y) / np.sum(self.weight)
        self.total = float(np.sum(self.weight * (y - centre) ** 2))

    def _periodogram(self, n_terms: int) -> LombScargle:
        from astropy.timeseries import LombScargle

        # too many terms for few observations would fit anything
        n_terms = max(1, min(n_terms, self.t.size // 8))
        return LombScargle(self.t, self.y, self.err, nterms=n_terms)

    def candidates(self) -> NDArray[np.float64]:
        """Frequencies worth a closer look."""
        limits = (self.low, self.high)
        found = scan(self._periodogram(1), limits, span=self.span, n_terms=self.n_terms, base_harmonic=self.base)
        return np.clip(found, *limits)

    def decide(self, start: NDArray[np.float64], *, refine: bool) -> PeriodSolution:
        """Compare candidates and their aliases, and choose."""
        pool = self._polish(start)
        more = [f for c in pool[:3] if c.cost < pool[0].cost + _HOPELESS for f in self._relatives(c.frequency)]
        pool = _distinct([*pool, *self._polish(np.array(more))], 0.7 / self.span)
        if refine:
            # the best few, and rivals even where the first places go to multiples of one period
            rivals = [c for c in pool[_REFINED - 2 :] if not self._is_multiple(c, pool[0])]
            limit = pool[0].cost + _HOPELESS
            tried = pool[: _REFINED - 2] + rivals[:2]
            tried = [self._refined(c) if c.cost < limit else self._at(c.frequency) for c in tried]
            pool = _distinct(tried, 0.7 / self.span)
        best, doubled = self._simplest(pool)
        if refine:
            best = self._refined(best, width=0.03)
        return self._solution(best, pool, doubled=doubled)

    def _polish(self, frequencies: NDArray[np.float64]) -> list[_Candidate]:
        """The best frequency near each of the given ones, by the Lomb-Scargle power of several terms."""
        centre = np.unique(frequencies)
        centre = centre[(centre >= self.low) & (centre <= self.high)]
        if centre.size == 0:
            return []
        terms = self.n_terms * self.base
        step = 0.5 / (self.span * max(terms, 2))
        # half the spacing of the scan on either side is enough
        reach = int(np.ceil(0.25 / (OVERSAMPLING * self.span) / step)) + 1
        grid = centre[:, None] + step * np.arange(-reach, reach + 1)
        grid = np.clip(grid, self.low, self.high)
        power = np.asarray(self._periodogram(terms).power(grid.ravel(), method="chi2")).reshape(grid.shape)
        chosen = power.argmax(axis=1)
        rows = np.arange(centre.size)
        out = [
            self._candidate(float(f), float(1.0 - p) * self.total)
            for f, p in zip(grid[rows, chosen], power[rows, chosen], strict=True)
        ]
        return _distinct(out, 0.7 / self.span)

    def _relatives(self, frequency: float) -> list[float]:
        shifts = [s / b for values in _ALIASES.values() for s in values for b in range(1, self.base + 1)]
        near = [abs(frequency + sign * s) for s in shifts for sign in (-1.0, 1.0)]
        # a periodogram may peak at the mirror of an alias: s - f instead of s + f
        return [*near, *(frequency * m for m in _MULTIPLES)]

    def _candidate(self, frequency: float, rss: float, prior: float = 0.0) -> _Candidate:
        # nights count and not observations: residuals within a night are correlated
        cost = 0.5 * self.nights * float(np.log(max(rss, 1e-9 * self.total))) + prior
        return _Candidate(frequency=frequency, rss=rss, cost=cost)

    def _at(self, frequency: float) -> _Candidate:
        """A frequency judged by its regularised Fourier fit."""
        phase = (self.t * frequency) % 1.0
        fit = fit_fourier(phase, self.y, self.err, n_harmonics=self.harmonics, base_harmonic=self.base)
        rss = float(np.sum(self.weight * (self.y - fit(phase)) ** 2))
        return self._candidate(frequency, rss, self._roughness(fit) if self.base == 1 else 0.0)

    def _roughness(self, fit: FourierFit) -> float:
        # Pulsators are dominated by their first harmonic; a wrong period makes up for its misfit by high ones.
        amplitude = np.hypot(*fit.coefficients.T)
        k = np.arange(2, amplitude.size + 1)
        relative = k * amplitude[1:] / max(float(amplitude[0]), 1e-6 * self.spread)
        return min(0.5 * float(np.sum(relative**2)), _MAX_ROUGHNESS)

    def _refined(self, candidate: _Candidate, width: float = 0.12) -> _Candidate:
        """Minimise the cost over a fine grid, then between its points with a parabola."""
        offsets = np.linspace(-width, width, 7) / self.span
        tried = [self._at(float(f)) for f in np.clip(candidate.frequency + offsets, self.low, self.high)]
        cost = np.array([c.cost for c in tried])
        i = int(cost.argmin())
        best = tried[i]
        if 0 < i < cost.size - 1:
            h = float(offsets[1] - offsets[0])
            bend = float(cost[i - 1] - 2 * cost[i] + cost[i + 1]) / h**2
            if bend > 0:
                best.frequency += float(np.clip(0.5 * (cost[i - 1] - cost[i + 1]) / (bend * h), -h, h))
                best.curvature = bend
        return best

    def _simplest(self, pool: list[_Candidate]) -> tuple[_Candidate, bool]:
        """The best candidate, or a multiple of its frequency that folds as well with less freedom."""
        best = min(pool, key=lambda c: c.cost)
        if self.base == 2:
            return self._orbital(best)
        # twice the period can fold anything that the period folds: it must gain what its terms are worth
        penalty = 1.5 * float(np.log(self.nights))
        simpler = [c for c in pool if self._is_ratio(c, best, (2.0, 3.0)) and c.cost - best.cost < penalty]
        return max(simpler, key=lambda c: c.frequency, default=best), False

    def _orbital(self, best: _Candidate) -> tuple[_Candidate, bool]:
        """Of a family of periods that fold a binary, the one with two minima; and whether that is a default."""
        family = [self._at(best.frequency * m) for m in _FAMILY if m == 1.0 or self._may_be_half(best.frequency * m)]
        least = min(family, key=lambda c: c.cost)
        # Nights of one system differ by more than its noise, so that a longer period always gains something. Unequal
        # minima need no gain: their half period has but one minimum, and is doubled.
        penalty = min(
            0.5 * self.harmonics * float(np.log(self.nights)),
            0.3 * (self._candidate(0.0, self.total).cost - least.cost),
        )
        shortest = max((c for c in family if c.cost - least.cost <= penalty), key=lambda c: c.frequency)
        if shortest.frequency <= self.high and self._has_two_minima(shortest.frequency):
            return shortest, False
        if shortest.frequency < 2.0 * self.low:
            return shortest, True
        double = self._at(0.5 * shortest.frequency)
        return double, bool(shortest.cost - double.cost < np.log(self.nights))

    def _may_be_half(self, frequency: float) -> bool:
        return self.low <= frequency <= 2.0 * self.high

    def _has_two_minima(self, frequency: float) -> bool:
        phase = (self.t * frequency) % 1.0
        fit = fit_fourier(phase, self.y, self.err, n_harmonics=self.harmonics, base_harmonic=self.base)
        curve = fit(np.arange(200) / 200)
        primary = int(curve.argmax())
        away = np.roll(curve, -primary)[70:131]
        place = (70 + int(away.argmax())) / 200
        # the data and not the series, which ripples beside a narrow eclipse
        phase = (phase - primary / 200) % 1.0
        first, second = np.minimum(phase, 1.0 - phase) < 0.03, np.abs(phase - place) < 0.03
        outside = (np.abs(phase - 0.25) < 0.1) | (np.abs(phase - 0.75) < 0.1)
        if min(first.sum(), second.sum(), outside.sum()) < 4:
            return False
        level = float(np.median(self.y[outside]))
        depths = [float(np.median(self.y[rows])) - level for rows in (first, second)]
        noise = fit.scatter / np.sqrt(second.sum())
        return depths[1] > max(0.08 * depths[0], 5.0 * noise)

    def _is_ratio(self, a: _Candidate, b: _Candidate, ratios: tuple[float, ...]) -> bool:
        return any(abs(a.frequency - r * b.frequency) * self.span < 1.0 for r in ratios)

    def _is_multiple(self, a: _Candidate, b: _Candidate) -> bool:
        return self._is_ratio(a, b, (*_MULTIPLES, 0.25, 4.0))

    def _solution(self, best: _Candidate, pool: list[_Candidate], *, doubled: bool) -> PeriodSolution:
        # a rival within a resolution element is the same peak
        others = [c for c in pool if abs(c.frequency - best.frequency) * self.span > 1.0]
        rivals = [c for c in others if not self._is_multiple(c, best)]
        second = min(rivals, key=lambda c: c.cost, default=None)
        multiples = [c.cost - best.cost for c in others if self._is_multiple(c, best)]
        power = self._periodogram(self.n_terms * self.base).power(np.array([best.frequency]), method="chi2")
        error = best.curvature**-0.5 if best.curvature > 0 else np.nan
        return PeriodSolution(
            period=1.0 / best.frequency,
            period_err=float(error) / best.frequency**2,
            power=float(power[0]),
            significance=second.cost - best.cost if second is not None else np.inf,
            second_period=1.0 / second.frequency if second is not None else np.nan,
            second_ratio=best.frequency / second.frequency if second is not None else np.nan,
            alias=self._alias(best.frequency, second.frequency) if second is not None else "",
            multiple=min(multiples, default=np.inf),
            scatter_ratio=float(np.sqrt(best.rss / self.total)),
            n_observations=int(self.t.size),
            n_nights=self.nights,
            doubled=doubled,
        )

    def _alias(self, a: float, b: float) -> str:
        for name, shifts in _ALIASES.items():
            for s in shifts:
                for base in {1, self.base}:
                    if min(abs(abs(a - b) - s / base), abs(a + b - s / base)) < 1.5 / self.span:
                        return name
        return ""


def _not_outlying(y: NDArray, *, faint: bool, limit: float = 6.0) -> NDArray[np.bool_]:
    # a deep eclipse is faint and rare, as an outlier is: only bright ones go there
    middle = np.median(y)
    scale = max(1.4826 * float(np.median(np.abs(y - middle))), 1e-6)
    off = (y - middle) / scale
    keep = off > -limit
    return keep & (off < limit) if faint else keep


def _distinct(candidates: list[_Candidate], resolution: float) -> list[_Candidate]:
    """The best of every group of candidates closer than `resolution`, best first."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda c: c.cost):
        if all(abs(candidate.frequency - k.frequency) > resolution for k in kept):
            kept.append(candidate)
    return kept
