"""What a period search of one star gives."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PeriodSolution"]


@dataclass(frozen=True, kw_only=True)
class PeriodSolution:
    """The period of one star and how far it can be trusted.

    Attributes
    ----------
    period : float
        Period [d]; of binaries the orbital one.
    period_err : float
        Standard error from the curvature of the residuals about the best period [d]. It says nothing of aliases.
    power : float
        Multi-harmonic Lomb-Scargle power: the share of the weighted variance that the series explains.
    significance : float
        Gain in log-likelihood over the best period that is neither this one nor a simple multiple of it:
        ``n / 2 ln(R_second / R_best)`` with R the weighted sum of squared residuals and n the number of nights, and
        for pulsators a prior against high harmonics (see Notes of :func:`find_period`).
    second_period : float
        That rival [d]; NaN if there is none within the range.
    second_ratio : float
        ``second_period / period``.
    alias : str
        What the rival is to the period: ``"day"``, ``"half-day"`` or ``"year"``, else an empty string.
    multiple : float
        Gain in log-likelihood, as above, over the best simple multiple (1/2, 2, 1/3, 3 ...) in the range; infinite
        if there is none. Negative where a longer multiple folds better, but not by as much as its freedom is worth.
    scatter_ratio : float
        Weighted standard deviation of the residuals of the folded fit, over that of the magnitudes.
    n_observations, n_nights : int
        Observations used, and nights among them.
    doubled : bool
        Of binaries: the period is twice the one that folds the data, by default and not because the minima differ.
    """

    period: float
    period_err: float
    power: float
    significance: float
    second_period: float
    second_ratio: float
    alias: str
    multiple: float
    scatter_ratio: float
    n_observations: int
    n_nights: int
    doubled: bool = False
