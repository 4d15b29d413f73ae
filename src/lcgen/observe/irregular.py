"""Stars that do not repeat exactly: cycle-to-cycle changes, modulated and double-mode stars.

A star may change its amplitude, wander in phase, have light added to its curve, and pulsate in a second mode::

    m(t) = mean + (1 + a(t)) curve(phase(t) + d(t)) + A (b(t) + second mode)

a, d and b are stationary random processes of zero mean with the Matern correlation of smoothness 2 (Rasmussen &
Williams 2006, Gaussian Processes for Machine Learning, eq. 4.14), each a sum of a few cosines with frequencies drawn
from its spectrum (Rahimi & Recht 2007, Random features for large-scale kernel machines). So what a star does is a
smooth function of its random stream and of time alone: the same under any cadence and in any batch, and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import rng

__all__ = ["CHANNELS", "Irregularity", "Kind", "Realisation", "SecondMode", "Wander", "correlation"]

CHANNELS = ("amplitude", "phase", "added")
"""What wanders: the amplitude [relative], the phase [cycles], and the magnitude [amplitudes]."""

# Four cosines reach 2.8 times their rms: well below these, one plus the amplitude keeps its sign.
_LARGEST = {"amplitude": 0.28, "phase": 0.1, "added": 0.5}
_LARGEST_MODE = 0.5
_N_COSINES = 4
_PER_CHANNEL = 2 * _N_COSINES
_EPOCH = 60000.0
# Slow processes are evaluated in single precision; they begin anew every 179 years, centred on MJD 60000.
_SPAN = 65536.0


def correlation(lag: ArrayLike) -> NDArray[np.float64]:
    """Correlation of a process with itself, `lag` correlation times later; any shape.

    Examples
    --------
    >>> correlation([0.0, 1.0, 3.0]).round(2)
    array([1.  , 0.51, 0.03])
    """
    from scipy.special import kv

    x = np.maximum(2.0 * np.abs(np.asarray(lag, dtype=float)), 1e-6)
    return np.where(x > 40.0, 0.0, 0.5 * x**2 * kv(2, np.minimum(x, 40.0)))


@dataclass(frozen=True, kw_only=True)
class Wander:
    """How one quantity wanders in the stars of one kind.

    Attributes
    ----------
    median : float
        Median over stars of the rms over time: relative to the amplitude, or in cycles.
    spread : float
        Standard deviation over stars of the natural logarithm of the rms.
    time : float
        Correlation time, in units of `unit`.
    unit : {"d", "period"}
    """

    median: float
    spread: float
    time: float
    unit: str = "d"


@dataclass(frozen=True, kw_only=True)
class SecondMode:
    """The second mode of double-mode stars: one cosine.

    Attributes
    ----------
    share : float
        Share of the stars in which it was found; the others get none.
    median, spread : float
        Median of its rms over the peak-to-peak amplitude of the first, and standard deviation of the logarithm.
    ratio, ratio_spread : float
        Its frequency over that of the first: median and standard deviation.
    """

    share: float
    median: float
    spread: float
    ratio: float
    ratio_spread: float


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the stars of a class and subclass do.

    Attributes
    ----------
    amplitude, phase, added : Wander or None
        None where nothing was found.
    second_mode : SecondMode or None
    survey, band : str
        Where it was measured.
    n_stars : int
        Stars it was measured on.
    explained : float
        Share of the variance of their residuals that this accounts for; the rest is noise.
    """

    amplitude: Wander | None = None
    phase: Wander | None = None
    added: Wander | None = None
    second_mode: SecondMode | None = None
    survey: str = ""
    band: str = ""
    n_stars: int = 0
    explained: float = 0.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Kind:
        """The inverse of ``dataclasses.asdict``."""
        parts: dict[str, Any] = {k: Wander(**config[k]) for k in CHANNELS if config.get(k)}
        if config.get("second_mode"):
            parts["second_mode"] = SecondMode(**config["second_mode"])
        return cls(**{k: v for k, v in config.items() if k not in (*CHANNELS, "second_mode")}, **parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Irregularity:
    """What is known of the stars that do not repeat; measured by :func:`lcgen.train.irregular.measure_irregularity`.

    Attributes
    ----------
    kinds : mapping of str to Kind
        By ``"class/subclass"``, and ``"class/"`` for stars of another or no subclass. Stars of kinds that are not here
        repeat.
    noise_ratio : mapping of survey to mapping of class to float
        True scatter over quoted errors without what is generated here: what :class:`SurveyNoise` has to use instead of
        its own ratio, so that nothing is counted twice.
    drift : mapping of str to float
        Zero-point drift of each ``"survey band"`` [mag, rms], seen in stars that repeat and taken off the others.
    """

    kinds: Mapping[str, Kind]
    noise_ratio: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    drift: Mapping[str, float] = field(default_factory=dict)

    def kind_of(self, cls: str, subclass: str = "") -> Kind:
        """What stars of a class and subclass do; nothing where that was not measured."""
        return self.kinds.get(f"{cls}/{subclass}", self.kinds.get(f"{cls}/", Kind()))

    def to_config(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "kinds": {name: asdict(kind) for name, kind in self.kinds.items()},
            "noise_ratio": {s: dict(r) for s, r in self.noise_ratio.items()},
            "drift": dict(self.drift),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Irregularity:
        """The inverse of :meth:`to_config`."""
        return cls(
            kinds={name: Kind.from_config(kind) for name, kind in config["kinds"].items()},
            noise_ratio=config.get("noise_ratio", {}),
            drift=config.get("drift", {}),
        )

    def realise(
        self, classes: NDArray, subclasses: NDArray, period: NDArray[np.float64], ids: NDArray[np.int64], seed: int
    ) -> Realisation:
        """What each of some stars does.

        Parameters
        ----------
        classes, subclasses : ndarray of str, shape (n,)
        period : ndarray, shape (n,)
            Periods [d].
        ids : ndarray of int, shape (n,)
            ``star_id``; with the seed they name the stars' random streams.
        seed : int
        """
        n, names = len(period), np.char.add(np.char.add(np.asarray(classes).astype(str), "/"), subclasses.astype(str))
        kinds, which = np.unique(names, return_inverse=True)
        found = [self.kind_of(*str(name).split("/", 1)) for name in kinds]
        u = rng.uniforms(seed, "irregular", ids, len(CHANNELS) * _PER_CHANNEL + 5)
        extra = u[:, len(CHANNELS) * _PER_CHANNEL :]
        # one level for all: a star that changes its amplitude wanders in phase as well
        level = _normal(extra[:, 0])
        out: dict[str, Any] = {}
        for c, channel in enumerate(CHANNELS):
            wander = [getattr(kind, channel) for kind in found]
            columns = [
                (w.median, w.spread, w.time, w.unit == "period") if w is not None else (0.0, 0.0, 1.0, False)
                for w in wander
            ]
            median, spread, time, in_periods = np.array(columns, dtype=float).reshape(-1, 4).T[:, which]
            rms = np.minimum(median * np.exp(spread * level), _LARGEST[channel])
            scale = time * np.where(in_periods > 0, period, 1.0)
            own = u[:, c * _PER_CHANNEL : (c + 1) * _PER_CHANNEL]
            omega = _student4(own[:, :_N_COSINES]) / scale[:, None]
            start = 2.0 * np.pi * own[:, _N_COSINES:]
            out[channel] = _Cosines(
                rms=rms,
                omega=np.ascontiguousarray(omega.T, dtype=np.float32),
                start=np.ascontiguousarray(start.T, dtype=np.float32),
            )
        modes = [kind.second_mode for kind in found]
        columns = [
            (m.share, m.median, m.spread, m.ratio, m.ratio_spread) if m is not None else (0.0,) * 5 for m in modes
        ]
        share, median, spread, ratio, ratio_spread = np.array(columns, dtype=float).reshape(-1, 5).T[:, which]
        rms = np.minimum(median * np.exp(spread * _normal(extra[:, 2])), _LARGEST_MODE)
        frequency = (ratio + ratio_spread * _normal(extra[:, 3])) / period
        return Realisation(
            **out,
            mode_rms=np.where(extra[:, 1] < share, rms, 0.0),
            mode_frequency=frequency,
            mode_start=extra[:, 4] - _EPOCH * frequency % 1.0,
            n_stars=n,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cosines:
    """One process of many stars; `omega` [rad/d] and `start` [rad] of shape (n_cosines, n)."""

    rms: NDArray[np.float64]
    omega: NDArray[np.float32]
    start: NDArray[np.float32]

    def __call__(self, first: int, counts: NDArray[np.int64], elapsed: NDArray[np.float32]) -> NDArray | None:
        """Values for `counts` observations of the stars from number `first` on; None where they all stand still."""
        stars = slice(first, first + counts.size)
        scale = (np.sqrt(2.0 / _N_COSINES) * self.rms[stars]).astype(np.float32)
        if not scale.any():
            return None
        alike = bool((counts == counts[0]).all())  # one row a star then, which is faster, with the same numbers
        elapsed = elapsed.reshape(counts.size, -1) if alike else elapsed

        def of_each(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return values[:, None] if alike else np.repeat(values, counts)

        total = np.zeros_like(elapsed)
        for omega, start in zip(self.omega, self.start, strict=True):
            angle = elapsed * of_each(omega[stars])
            angle += of_each(start[stars])
            total += np.cos(angle, out=angle)
        total *= of_each(scale)
        return total.ravel()


@dataclass(frozen=True, kw_only=True, eq=False)
class Realisation:
    """What each of some stars does, at any time; made by :meth:`Irregularity.realise`.

    Attributes
    ----------
    amplitude, phase, added
        The processes.
    mode_rms, mode_frequency, mode_start : ndarray, shape (n,)
        Second mode: rms in units of the amplitude, frequency [1/d], phase at MJD 0 [cycles].
    n_stars : int
    """

    amplitude: _Cosines
    phase: _Cosines
    added: _Cosines
    mode_rms: NDArray[np.float64]
    mode_frequency: NDArray[np.float64]
    mode_start: NDArray[np.float64]
    n_stars: int

    def at(self, star: NDArray[np.int64], mjd: NDArray[np.float64]) -> Motion | None:
        """The processes at the times `mjd` of the stars `star`, which stand together in rising order; None where all of
        them repeat."""
        first = int(star[0])
        own = slice(first, int(star[-1]) + 1)
        if not any(r[own].any() for r in (self.amplitude.rms, self.phase.rms, self.added.rms, self.mode_rms)):
            return None
        counts = np.bincount(star - first)
        elapsed = (mjd - _EPOCH).astype(np.float32)
        if np.abs(elapsed).max() > 0.5 * _SPAN:
            elapsed = (mjd - _EPOCH - _SPAN * np.rint((mjd - _EPOCH) / _SPAN)).astype(np.float32)
        amplitude, phase, added = (getattr(self, channel)(first, counts, elapsed) for channel in CHANNELS)
        if self.mode_rms[own].any():
            rows = np.flatnonzero(self.mode_rms.take(star))
            few = star[rows]
            cycles = self.mode_frequency.take(few) * mjd[rows] + self.mode_start.take(few)
            added = np.zeros(mjd.size, dtype=np.float32) if added is None else added
            added[rows] += np.sqrt(2.0) * self.mode_rms.take(few) * np.cos(2.0 * np.pi * (cycles - np.floor(cycles)))
        return Motion(amplitude=amplitude, phase=phase, added=added)

    def rms(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Root mean square [mag] of the departures from the curves, of shape (n, n_grid) [mag]; shape (n,)."""
        slope = 0.5 * curves.shape[1] * (np.roll(curves, -1, axis=1) - np.roll(curves, 1, axis=1))
        added = np.ptp(curves, axis=1) ** 2 * (self.added.rms**2 + self.mode_rms**2)
        return np.sqrt(self.amplitude.rms**2 * curves.var(axis=1) + self.phase.rms**2 * slope.var(axis=1) + added)


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """Values of the processes, each of shape (n_obs,), or None where all are zero."""

    amplitude: NDArray | None
    phase: NDArray | None
    added: NDArray | None

    def shifted(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        """Phases with the wander, in [0, 1]."""
        if self.phase is None:
            return phase
        moved = phase + self.phase
        return moved - np.floor(moved)

    def changed(
        self, values: NDArray[np.float64], size: NDArray[np.float64], curve: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Curve values [mag] with what changes them; `size` is the peak-to-peak amplitude of each `curve`."""
        if self.amplitude is not None:
            values = values * (1.0 + self.amplitude)
        return values if self.added is None else values + size.take(curve) * self.added


def _normal(u: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    return ndtri(np.clip(u, 2.0**-54, None))


def _student4(u: NDArray[np.float64]) -> NDArray[np.float64]:
    # Student's t with four degrees of freedom, which the spectrum of the correlation is; its quantiles are algebraic
    # (Shaw 2006, J. Comput. Finance 9, 37)
    a = np.clip(4.0 * u * (1.0 - u), 2.0**-50, 1.0)
    root = np.sqrt(a)
    quarter = np.cos(np.arccos(root) / 3.0) / root
    return np.sign(u - 0.5) * 2.0 * np.sqrt(np.maximum(quarter - 1.0, 0.0))
