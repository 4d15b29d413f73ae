"""Which period a search would find, for many stars at the same visits, without searching all periods.

A blind search with a sinusoid fails in a few ways: another harmonic of the true frequency is stronger; the visits,
which come at night and in seasons, make an alias as strong (Deeming 1975, Ap&SS 36, 137; VanderPlas 2018, ApJS 236, 16,
section 7.2); noise has a higher peak somewhere; or the right peak is found but its place is off. So it is enough to
compare the power of the periodogram (the shared-phase model of VanderPlas & Ivezic 2015, ApJ 812, 18, as in
:mod:`lcgen.compare`) at the true frequency, at its harmonics, and at the frequencies that the window function of the
visits makes of these, with a maximum of noise drawn from its distribution (Baluev 2008, MNRAS 385, 1279), and to ask
how far off the peak is. The sinusoids of a star at its frequency and those of the window, which are the same for all
stars, combine by the addition theorems, so that powers of all stars come from products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from lcgen.compare.settings import Settings

from .photometry import Merged
from .series import harmonic_columns
from .window import Turns, Window, cos_sin, vertex, window_of

__all__ = ["HARMONICS", "FoundPeriods", "find_periods", "log_fap"]

_ALIASED = (1.0, 2.0, 3.0, 4.0)
HARMONICS = (*_ALIASED, 0.5, 1.5, 2.0 / 3.0, 1.0 / 3.0, 0.25)
"""Ratios to the true frequency that are looked at: those that a found period is named after, as in lcgen.compare. Where
a curve has power, at the whole ones, its aliases are looked at as well."""

_SHARPENING = 3
_N_STEPS = 2
_MIN_OBSERVATIONS = 10
_TOP = 10

Matrix = NDArray[np.float64]
_Pair = tuple[NDArray, NDArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundPeriods:
    """What a search finds for each star; arrays of shape (n_stars,).

    Attributes
    ----------
    period : ndarray
        The period of the highest peak [d]; NaN where there was too little to search.
    power : ndarray
        Share of the weighted variance that its sinusoid explains.
    log10_fap : ndarray
        Of the probability that noise alone has a peak as high, an upper bound.
    ratio : ndarray
        The found frequency over the true one where the peak is the true one's or a harmonic's; 0 for aliases; -1 for
        any other; NaN where there is no period.
    recovered : ndarray of bool
        Whether the period counts as recovered: within the tolerance of the true one, or of half of it in classes with
        two minima a period.
    """

    period: NDArray[np.float64]
    power: NDArray[np.float64]
    log10_fap: NDArray[np.float64]
    ratio: NDArray[np.float64]
    recovered: NDArray[np.bool_]


def log_fap(power: Matrix, n: NDArray, width: NDArray) -> Matrix:
    """Natural logarithm of the probability that noise alone has a peak of at least `power` anywhere.

    Baluev (2008, MNRAS 385, 1279), equation 6 with the bound of Davies for the standard normalisation.

    Parameters
    ----------
    power : ndarray
        Share of the variance that a sinusoid explains, in [0, 1).
    n : ndarray
        Number of measurements.
    width : ndarray
        The highest frequency times the square root of 4 pi times the weighted variance of the times.
    """
    h, k = n - 1.0, n - 3.0
    gamma = np.sqrt(2.0 / h) * np.exp(gammaln(0.5 * h) - gammaln(0.5 * (h - 1.0)))
    log_rest = np.log1p(-power)
    single = np.exp(0.5 * k * log_rest)
    tau = gamma * width * np.exp(0.5 * (k - 1.0) * log_rest) * np.sqrt(0.5 * h * power)
    with np.errstate(divide="ignore"):
        return np.log(-np.expm1(-tau) + single * np.exp(-tau))


def find_periods(
    merged: Merged,
    period: NDArray[np.float64],
    *,
    two_minima: bool,
    uniforms: Matrix,
    settings: Settings,
) -> FoundPeriods:
    """The periods that a search would find.

    Parameters
    ----------
    merged : Merged
    period : ndarray, shape (n_stars,)
        True periods [d].
    two_minima : bool
        Whether half of the period counts as well.
    uniforms : ndarray, shape (n_stars, 2)
        Numbers in [0, 1) of which the highest peak of noise and its place are made.
    settings : Settings
    """
    n = period.size
    enough = (merged.count >= _MIN_OBSERVATIONS) & (merged.span >= 2.0 * settings.min_period)
    found = np.full(n, np.nan)
    if not enough.any():
        return FoundPeriods(
            period=found, power=found.copy(), log10_fap=np.zeros(n), ratio=found.copy(), recovered=enough
        )
    # all classes at a slice point share its times
    window = window_of(merged.mjd.tobytes(), settings)
    f0 = 1.0 / period
    y, w = merged.asinh
    finder = _Powers(merged.slices, window.time, y, w)
    resolution = 1.0 / np.maximum(merged.span, 1e-9)
    peaks = _Peaks(n)
    meant = [_offer_harmonic(peaks, finder, window, ratio, f0, resolution) for ratio in HARMONICS]
    total = np.maximum(w.sum(axis=1), 1e-300)
    mean = (w @ window.time) / total
    variance = np.maximum((w @ window.time**2) / total - mean**2, 0.0)
    width = window.high * np.sqrt(4.0 * np.pi * variance)
    count = np.maximum(merged.count, 5).astype(float)
    if window.grid.size:
        _offer_grid(peaks, finder, window, f0, resolution)
    else:
        # peaks that a third of the measurements would not make once in a million need no comparison
        near = np.flatnonzero(log_fap(peaks.power, np.maximum(count / 3.0, 5.0), width) > np.log(1e-6))
        if near.size:
            few = _Powers(merged.slices, window.time, y[near], w[near])
            equal = _effective_number(few, window, count[near], np.concatenate([m[near] for m in meant], axis=1))
            noise = np.zeros(n)
            noise[near] = _noise_peak(uniforms[near, 0], equal, width[near])
            place = window.low + uniforms[:, 1] * (window.high - window.low)
            peaks.offer(noise[:, None], place[:, None], -1.0)
    frequency = peaks.frequency
    for _ in range(_N_STEPS):
        step = _sharpened(merged, window.time, y, w, frequency)
        # a correction beyond half a resolution element is no correction
        moves = (peaks.ratio > 0) & (np.abs(frequency + step - peaks.frequency) <= 0.5 * resolution)
        frequency = np.where(moves, frequency + step, frequency)
    found = 1.0 / frequency
    accepted = (1.0, 2.0) if two_minima else (1.0,)
    recovered = np.zeros(n, dtype=bool)
    for multiple in accepted:
        recovered |= np.abs(found * multiple * f0 - 1.0) <= settings.tolerance
    fap = log_fap(peaks.power, count, width) / np.log(10.0)
    return FoundPeriods(
        period=np.where(enough, found, np.nan),
        power=np.where(enough, peaks.power, np.nan),
        log10_fap=np.where(enough, np.maximum(fap, -300.0), 0.0),
        ratio=np.where(enough, peaks.ratio, np.nan),
        recovered=recovered & enough,
    )


class _Peaks:
    """The highest peak of each star so far: power, frequency [1/d], and ratio to the true frequency."""

    def __init__(self, n: int) -> None:
        self.power, self.frequency, self.ratio = np.zeros(n), np.ones(n), np.full(n, -1.0)

    def offer(self, power: Matrix, frequency: Matrix, ratio: Matrix | float) -> None:
        """Take what is higher than before, of peaks of shape (n_stars, n_peaks)."""
        rows, top = np.arange(power.shape[0]), power.argmax(axis=1)
        higher = power[rows, top] > self.power
        self.power = np.where(higher, np.minimum(power[rows, top], 1.0 - 1e-12), self.power)
        self.frequency = np.where(higher, frequency[rows, top], self.frequency)
        self.ratio = np.where(higher, np.broadcast_to(ratio, power.shape)[rows, top], self.ratio)


def _to_harmonics(frequency: NDArray, f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of frequencies of each star, shape (n_stars, n) or (1, n), to the nearest of its harmonics."""
    out = np.full((f0.size, frequency.shape[1]), np.inf)
    for ratio in HARMONICS:
        np.minimum(out, np.abs(frequency - ratio * f0[:, None]), out=out)
    return out


def _offer_harmonic(
    peaks: _Peaks, finder: _Powers, window: Window, ratio: float, f0: NDArray, resolution: NDArray
) -> Matrix:
    """The peaks of a harmonic and, where curves have power, of its aliases; returns all frequencies, (n_stars, n)."""
    # noise moves a peak within its resolution element, and all its aliases with it
    steps = np.concatenate([window.nearby, -window.nearby])
    close = finder.at(ratio * f0, window.nearby_turns).reshape(f0.size, -1)  # plus, then minus
    base = np.maximum(ratio * f0 + steps[close.argmax(axis=1)], 1e-9)
    used = window.shifts if ratio in _ALIASED else window.shifts[:1]
    power = finder.at(base, window.turns.first(used.size)).reshape(f0.size, -1)
    frequency = np.abs(base[:, None] + np.concatenate([used, -used]))
    own = np.concatenate([used, used]) == 0.0
    # within a resolution element of a harmonic it is that one's peak
    allowed = own | (_to_harmonics(frequency, f0) > resolution[:, None])
    allowed &= (frequency >= window.low) & (frequency <= window.high)
    peaks.offer(np.where(allowed, power, -1.0), frequency, np.where(own, ratio, 0.0))
    return frequency


def _offer_grid(peaks: _Peaks, finder: _Powers, window: Window, f0: NDArray, resolution: NDArray) -> None:
    """The highest peak of the complete periodogram that is none of a harmonic."""
    power = np.concatenate([finder.everywhere(turns) for turns in window.shared], axis=1)
    free = _to_harmonics(window.grid[None, :], f0) > resolution[:, None]
    top = np.where(free, power, -1.0)[:, 1:-1].argmax(axis=1) + 1
    rows = np.arange(f0.size)
    left, middle, right = power[rows, top - 1], power[rows, top], power[rows, top + 1]
    shift = np.clip(vertex(left, middle, right), -1.0, 1.0)
    height = np.where(free[rows, top], middle - 0.25 * (left - right) * shift, -1.0)
    frequency = window.grid[top] + shift * (window.grid[1] - window.grid[0])
    peaks.offer(height[:, None], frequency[:, None], -1.0)


class _Powers:
    """Powers of the shared-phase periodogram of many stars."""

    def __init__(self, bands: tuple[slice, ...], time: NDArray, y: Matrix, w: Matrix) -> None:
        self._bands, self._time, self._y, self._w = bands, time, y, w
        self._total = [np.maximum(w[:, b].sum(axis=1), 1e-300)[:, None, None] for b in bands]
        self._power = np.maximum(np.sum(w * y * y, axis=1), 1e-300)[:, None, None]

    def at(self, frequency: NDArray[np.float64], turns: Turns) -> Matrix:
        """Powers at a frequency of each star, shape (n_stars,), plus and minus shifts, shape (n_stars, 2, n_shifts)."""
        c, s = cos_sin(frequency[:, None] * self._time)
        w, wy = self._w, self._w * self._y
        data = _rotated(wy * c, wy * s, turns.cosine, turns.sine)
        twice = _rotated(w * (c * c - s * s), 2.0 * w * c * s, turns.cosine_twice, turns.sine_twice)
        means = (_rotated(w[:, b] * c[:, b], w[:, b] * s[:, b], turns.cosine[b], turns.sine[b]) for b in self._bands)
        return self._power_of(data, twice, means)

    def everywhere(self, turns: Turns) -> Matrix:
        """Powers of all stars at the same frequencies, shape (n_stars, n_frequencies)."""
        w, wy = self._w.astype(np.float32), (self._w * self._y).astype(np.float32)
        data = (wy @ turns.cosine)[:, None], (wy @ turns.sine)[:, None]
        twice = (w @ turns.cosine_twice)[:, None], (w @ turns.sine_twice)[:, None]
        means = (((w[:, b] @ turns.cosine[b])[:, None], (w[:, b] @ turns.sine[b])[:, None]) for b in self._bands)
        return self._power_of(data, twice, means)[:, 0]

    def _power_of(self, data: _Pair, twice: _Pair, means: Iterable[_Pair]) -> Matrix:
        """The share of the variance that a sinusoid explains, about a mean of its own in each band.

        From sums over the measurements, weighted: of values times cosine and sine, of cosine and sine of twice the
        angle, and in each band of cosine and sine.
        """
        half = 0.5 * sum(self._total)
        cc, ss, cs = half + 0.5 * twice[0], half - 0.5 * twice[0], 0.5 * twice[1]
        for (mc, ms), total in zip(means, self._total, strict=True):
            # means of y in each band are zero already
            cc -= mc * mc / total
            ss -= ms * ms / total
            cs = cs - mc * ms / total
        yc, ys = data
        determinant = cc * ss - cs * cs
        explained = yc * yc * ss + ys * ys * cc - 2.0 * yc * ys * cs
        # where sine and cosine are nearly the same, what they explain cannot be told
        known = determinant > 1e-4 * np.maximum(cc * ss, 1e-300)
        return np.divide(explained, determinant * self._power, out=np.zeros_like(explained), where=known)


def _rotated(cosine: Matrix, sine: Matrix, cos_shift: NDArray[np.float32], sin_shift: NDArray[np.float32]) -> _Pair:
    """Sums over times of cosines and sines at a frequency plus and minus shifts, shape (n_stars, 2, n_shifts)."""
    n = cosine.shape[0]
    both = np.empty((2 * n, cosine.shape[1]), dtype=np.float32)
    both[:n], both[n:] = cosine, sine
    with_cos, with_sin = both @ cos_shift, both @ sin_shift
    out = np.empty((2, n, 2, cos_shift.shape[1]))
    np.subtract(with_cos[:n], with_sin[n:], out=out[0, :, 0])
    np.add(with_cos[:n], with_sin[n:], out=out[0, :, 1])
    np.add(with_cos[n:], with_sin[:n], out=out[1, :, 0])
    np.subtract(with_cos[n:], with_sin[:n], out=out[1, :, 1])
    return out[0], out[1]


def _effective_number(finder: _Powers, window: Window, count: NDArray, meant: Matrix) -> NDArray:
    """How many equal measurements would have powers like these at frequencies of no meaning.

    Where few measurements hold most of the variance, or the signal itself is what looks like noise at a wrong
    frequency, peaks are higher than the number of measurements says. For n equal ones power exceeds z with the
    probability (1 - z)^((n - 3) / 2); here that is set right for the tenth highest of some thousand powers, the more
    the fewer measurements there are, as it is then that the tail is not what the formula says. Frequencies within a
    resolution element or two of those that are `meant`, harmonics and aliases, are left out.
    """
    power = np.concatenate([finder.everywhere(turns) for turns in window.shared], axis=1)
    cells = int(window.high * window.span) + 2
    taken = np.zeros((count.size, cells), dtype=bool)
    rows = np.arange(count.size)[:, None]
    for beside in (-1, 0, 1):
        taken[rows, np.clip((meant * window.span).astype(np.int64) + beside, 0, cells - 1)] = True
    used = ~taken[:, (window.elsewhere * window.span).astype(np.int64)]
    power[~used] = 0.0
    high_power = np.partition(power, -_TOP, axis=1)[:, -_TOP].clip(1e-6, 1.0 - 1e-6)
    share = np.log((_TOP - 0.5) / np.maximum(used.sum(axis=1), 2 * _TOP))
    return np.clip(3.0 + 2.0 * share / np.log1p(-high_power), 5.0, count)


def _noise_peak(uniform: NDArray, n: NDArray, width: NDArray) -> NDArray[np.float64]:
    """Power of the highest peak of noise, for uniform numbers in [0, 1): where that is the probability of a higher."""
    goal = np.log(np.maximum(1.0 - uniform, 1e-12))
    low, high = np.zeros(n.size), np.full(n.size, 1.0 - 1e-9)
    for _ in range(40):
        middle = 0.5 * (low + high)
        above = log_fap(middle, n, width) > goal
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return 0.5 * (low + high)


def _sharpened(merged: Merged, time: NDArray, y: Matrix, w: Matrix, frequency: NDArray[np.float64]) -> NDArray:
    """Correction of each frequency by a step of Gauss and Newton with three harmonics [1/d], shape (n_stars,)."""
    columns = harmonic_columns(frequency[:, None] * time, _SHARPENING)
    design, slope = columns.copy(), np.zeros_like(y)
    for part in merged.slices:
        total = np.maximum(w[:, part].sum(axis=1), 1e-300)
        design[:, part] -= (np.einsum("nm,nmk->nk", w[:, part], design[:, part]) / total[:, None])[:, None, :]
    solution = _solved(design, y, w)
    for k in range(_SHARPENING):
        a, b = solution[:, 2 * k, None], solution[:, 2 * k + 1, None]
        slope += 2.0 * np.pi * (k + 1) * time * (b * columns[:, :, 2 * k] - a * columns[:, :, 2 * k + 1])
    for part in merged.slices:
        total = np.maximum(w[:, part].sum(axis=1), 1e-300)
        slope[:, part] -= (np.sum(w[:, part] * slope[:, part], axis=1) / total)[:, None]
    design = np.concatenate([design, slope[:, :, None]], axis=2)
    return _solved(design, y, w)[:, -1]


def _solved(design: NDArray, y: Matrix, w: Matrix) -> Matrix:
    """Weighted least squares of each star, shape (n_stars, n_columns)."""
    weighted = design * w[:, :, None]
    gram = np.swapaxes(weighted, 1, 2) @ design
    moment = np.einsum("nmk,nm->nk", weighted, y)
    # in units in which the diagonal is one; a little more on it keeps columns that are nearly alike apart
    scale = 1.0 / np.sqrt(np.maximum(np.einsum("nkk->nk", gram), 1e-300))
    gram = gram * scale[:, :, None] * scale[:, None, :]
    gram += 1e-9 * np.eye(gram.shape[1])
    return scale * np.linalg.solve(gram, (scale * moment)[:, :, None])[:, :, 0]
