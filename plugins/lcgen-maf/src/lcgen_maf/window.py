"""What a set of visits does to every star: the frequencies by which it shifts signals, and sinusoids at its times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from lcgen.compare.settings import Settings
from lcgen.rng import stream

__all__ = ["Turns", "Window", "cos_sin", "vertex", "window_of", "window_offsets"]

_SIDEREAL_DAY = 0.99726957
_YEAR = 365.25
_MAX_OFFSET = 4.2  # [1/d], beyond the aliases of three cycles a day
_N_WINDOW = 60
# How many frequencies all stars share, at least and at most, and about how many sinusoids at how many times that is.
_N_RANDOM = (1000, 8000)
_WORK = 400_000


def window_offsets(mjd: NDArray[np.float64], n: int = _N_WINDOW) -> NDArray[np.float64]:
    """Frequencies [1/d] by which the visits shift a signal most, the strongest first, shape (n,) or fewer.

    The highest maxima of the spectral window between its main peak and 4.2 cycles a day.

    Parameters
    ----------
    mjd : ndarray, shape (n_times,)
    n : int

    Examples
    --------
    >>> nights = 0.99726957 * np.arange(200.0)  # at the same sidereal time
    >>> float(abs(window_offsets(nights, 3) - 1 / 0.99726957).min()) < 0.001
    True
    """
    span = float(np.ptp(mjd))
    if span <= 0:
        return np.empty(0)
    # the times on a fine grid: eight cells or more a cycle of the highest frequency, four frequencies a resolution
    # element; no more than eight million cells, which are fine enough for 60,000 days
    size = 1 << min(int(np.ceil(np.log2(span * _MAX_OFFSET * 8.0 * 4.0))), 23)
    step = 4.0 * span / size
    counts = np.bincount(((mjd - mjd.min()) / step).astype(np.int64), minlength=size)[:size]
    spectrum = np.abs(np.asarray(rfft(counts.astype(np.float32)))) ** 2
    frequency = np.arange(spectrum.size) / (size * step)
    upper = int(np.searchsorted(frequency, _MAX_OFFSET))
    power = spectrum[: max(upper, 3)]
    top = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])) + 1
    top = top[frequency[top] > 1.0 / span]
    best = top[np.argsort(-power[top], kind="stable")[:n]]
    left, middle, right = power[best - 1], power[best], power[best + 1]
    return frequency[best] + vertex(left, middle, right) * frequency[1]


def vertex(left: NDArray, middle: NDArray, right: NDArray) -> NDArray:
    """Where parabolas through three values at -1, 0 and 1 are highest; 0 where they have no maximum."""
    curvature = left - 2.0 * middle + right
    return np.divide(0.5 * (left - right), curvature, out=np.zeros_like(curvature), where=curvature < 0)


class Window:
    """What a set of times does to all stars that are observed at them.

    Parameters
    ----------
    mjd : ndarray, shape (n_times,)
        Times [d].
    settings : Settings
        The limits of the search.

    Attributes
    ----------
    time : ndarray, shape (n_times,)
        From the middle of the times [d].
    low, high : float
        Ends of the search [1/d].
    shifts : ndarray
        Frequencies [1/d] by which a signal may be found shifted; the first is 0.
    """

    def __init__(self, mjd: NDArray[np.float64], settings: Settings) -> None:
        self.time = mjd - 0.5 * (mjd.min() + mjd.max())
        self.low, self.high = 1.0 / settings.max_period, 1.0 / settings.min_period
        self.shifts = np.concatenate([[0.0], _explicit(), window_offsets(mjd)])
        self.span = max(float(np.ptp(mjd)), 1e-9)
        self._step = 1.0 / (settings.oversampling * self.span)

    @cached_property
    def grid(self) -> NDArray[np.float64]:
        """All frequencies of a complete search [1/d], where they are few enough; none of them otherwise."""
        first, last = max(int(np.ceil(self.low / self._step)), 1), int(self.high / self._step)
        if not 3 <= last - first < _N_RANDOM[1]:
            return np.empty(0)
        return np.arange(first, last + 1, dtype=np.float64) * self._step

    @cached_property
    def elsewhere(self) -> NDArray[np.float64]:
        """Frequencies of no meaning [1/d], the more the fewer times there are."""
        n = int(np.clip(_WORK / self.time.size, *_N_RANDOM))
        return stream(0, "maf/frequencies").uniform(self.low, self.high, n)

    @cached_property
    def shared(self) -> tuple[Turns, ...]:
        """Sinusoids of the grid or, where there is none, elsewhere."""
        frequency, few = self.grid if self.grid.size else self.elsewhere, _N_RANDOM[0]
        return tuple(Turns.of(self.time, frequency[k : k + few]) for k in range(0, frequency.size, few))

    @cached_property
    def nearby(self) -> NDArray[np.float64]:
        """Steps within half a resolution element [1/d]; the first is 0."""
        return np.linspace(0.0, 0.5, 7) / self.span

    @cached_property
    def nearby_turns(self) -> Turns:
        """Sinusoids of the steps nearby."""
        return Turns.of(self.time, self.nearby)

    @cached_property
    def turns(self) -> Turns:
        """Sinusoids of the shifts."""
        return Turns.of(self.time, self.shifts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Turns:
    """Cosines and sines at some frequencies, and at twice these, shape (n_times, n_frequencies)."""

    cosine: NDArray[np.float32]
    sine: NDArray[np.float32]
    cosine_twice: NDArray[np.float32]
    sine_twice: NDArray[np.float32]

    @classmethod
    def of(cls, time: NDArray[np.float64], frequency: NDArray[np.float64]) -> Turns:
        """At `frequency` [1/d]."""
        cycles = np.outer(time, frequency)
        c, s = cos_sin(cycles)
        c2, s2 = cos_sin(2.0 * cycles)
        return cls(cosine=c, sine=s, cosine_twice=c2, sine_twice=s2)

    def first(self, n: int) -> Turns:
        """Those of the first frequencies."""
        return Turns(**{name: getattr(self, name)[:, :n] for name in self.__dataclass_fields__})


def cos_sin(cycles: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of angles in cycles, in single precision."""
    # whole cycles go before the precision does
    angle = (2.0 * np.pi * (cycles - np.rint(cycles))).astype(np.float32)
    return np.cos(angle), np.sin(angle)


# a slice point has one for all visits and some for the months until periods are known, of up to 25 MiB
@lru_cache(maxsize=16)
def window_of(mjd: bytes, settings: Settings) -> Window:
    """The window of times [d], given as the bytes of their array; those that were last asked for are remembered."""
    return Window(np.frombuffer(mjd), settings)


def _explicit() -> NDArray[np.float64]:
    """Shifts that every survey from one place makes: days, sidereal days and years."""
    days = [k / day for k in (1, 2, 3) for day in (1.0, _SIDEREAL_DAY)]
    return np.array([*days, 1.0 / _YEAR, 2.0 / _YEAR])
