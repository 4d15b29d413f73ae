"""Bootstrap of stars that are the same under every cadence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluate.classify import f1_by_class
from ..rng import stream

__all__ = ["Difference", "Level", "PairedBootstrap"]


@dataclass(frozen=True, kw_only=True)
class Level:
    """A statistic of a group of stars under one cadence: `value`, its standard `error`, of `n` stars."""

    value: float
    error: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A statistic under one cadence minus that under another.

    Attributes
    ----------
    value, error : float
        Of the stars that have a value under both; resampled together.
    unpaired_error : float
        What the error would be were the stars not the same.
    n : int
        Stars with both values.
    """

    value: float
    error: float
    unpaired_error: float
    n: int

    @property
    def n_sigma(self) -> float:
        """The difference in units of its error; 0 where both are 0, NaN where there is none."""
        if not np.isfinite(self.value):
            return float("nan")
        return 0.0 if self.value == 0.0 else self.value / self.error if self.error > 0 else float("nan")


class PairedBootstrap:
    """Resamples the stars of a group, within strata, the same for all cadences and quantities.

    Parameters
    ----------
    strata : ndarray of int, shape (n_stars,)
        Stars are drawn among those of equal number.
    n_boot : int
    seed, index : int
        Name the random stream.

    Notes
    -----
    Errors are standard deviations over the samples (Efron & Tibshirani 1993, An Introduction to the Bootstrap). A
    share of n stars never has an error below 1 / (n + 2): where all stars agree the bootstrap would say zero, which n
    stars cannot show (Laplace's rule of succession gives this size).

    Examples
    --------
    >>> boot = PairedBootstrap(np.zeros(100, dtype=int), n_boot=200, seed=1)
    >>> a = np.repeat([0.0, 1.0], 50)
    >>> boot.difference(a, a, "share").error == 1 / 102
    True
    """

    def __init__(self, strata: NDArray[np.integer], *, n_boot: int, seed: int, index: int = 0) -> None:
        random = stream(seed, "compare/bootstrap", index)
        self.n = int(strata.size)
        self._rows = np.empty((n_boot, self.n), dtype=np.int64)
        start = 0
        for value in np.unique(strata):
            rows = np.flatnonzero(strata == value)
            self._rows[:, start : start + rows.size] = rows[random.integers(0, rows.size, (n_boot, rows.size))]
            start += rows.size
        places = self._rows + self.n * np.arange(n_boot)[:, None]
        self._counts = np.bincount(places.ravel(), minlength=n_boot * self.n).reshape(n_boot, self.n).astype(float)

    def level(self, values: NDArray[np.float64], statistic: str) -> Level:
        """Of one cadence; `values` has shape (n_stars,), NaN for stars without one."""
        known = np.isfinite(values)
        value, samples = self._both(np.where(known, values, np.nan), statistic)
        return Level(value=value, error=self._error(samples, statistic, int(known.sum())), n=int(known.sum()))

    def difference(self, values: NDArray[np.float64], first: NDArray[np.float64], statistic: str) -> Difference:
        """Of `values` minus `first`, each of shape (n_stars,)."""
        known = np.isfinite(values) & np.isfinite(first)
        n = int(known.sum())
        pairs = [self._both(np.where(known, v, np.nan), statistic) for v in (values, first)]
        separate = [self._error(samples, statistic, n) for _, samples in pairs]
        return Difference(
            value=pairs[0][0] - pairs[1][0],
            error=self._error(pairs[0][1] - pairs[1][1], statistic, n),
            unpaired_error=float(np.hypot(separate[0], separate[1])),
            n=n,
        )

    def f1_samples(self, true: NDArray, predicted: NDArray, n_classes: int) -> NDArray[np.float64]:
        """F1 of each class in each sample, shape (n_boot, n_classes)."""
        return np.array([f1_by_class(true, predicted, n_classes, w) for w in self._counts])

    @staticmethod
    def _error(samples: NDArray[np.float64], statistic: str, n: int) -> float:
        if n == 0:
            return float("nan")
        spread = float(np.nanstd(samples)) if np.isfinite(samples).any() else float("nan")
        return max(spread, 1.0 / (n + 2)) if statistic == "share" else spread

    def _both(self, values: NDArray[np.float64], statistic: str) -> tuple[float, NDArray[np.float64]]:
        known = np.isfinite(values)
        if not known.any():
            return float("nan"), np.full(self._counts.shape[0], np.nan)
        if statistic == "median":
            return float(np.median(values[known])), _medians(values[self._rows])
        total = self._counts @ np.where(known, values, 0.0)
        number = self._counts @ known.astype(float)
        return float(values[known].mean()), np.where(number > 0, total / np.maximum(number, 1.0), np.nan)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of the rows, without NaN."""
    ordered = np.sort(values, axis=1)  # NaN last
    n = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(n.size)
    low, high = np.maximum((n - 1) // 2, 0), n // 2
    middle = 0.5 * (ordered[rows, low] + ordered[rows, np.minimum(high, ordered.shape[1] - 1)])
    return np.where(n > 0, middle, np.nan)
