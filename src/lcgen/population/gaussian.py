"""Gaussian conditionals and truncated normals; a row's result never depends on the other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataFormatError, InputError
from ..taxonomy import PARAMETERS

__all__ = [
    "ClassMixture",
    "Conditional",
    "checked_column",
    "component_log_posterior",
    "from_model",
    "to_model",
    "truncated_normal",
]

_LOG_2PI = float(np.log(2.0 * np.pi))


def to_model(parameter: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Model coordinate: log10 where :data:`lcgen.taxonomy.PARAMETERS` says so, else the value."""
    return np.log10(np.ascontiguousarray(values)) if PARAMETERS[parameter].log else np.array(values)


def from_model(parameter: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of :func:`to_model`."""
    return np.power(10.0, np.ascontiguousarray(values)) if PARAMETERS[parameter].log else np.array(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassMixture:
    """The mixture of one class, in model coordinates.

    Attributes
    ----------
    parameters : tuple of str, length D
        Parameters modelled for the class.
    subclasses : tuple of str, length S
        Subclasses; ``("",)`` where none is known.
    subclass_index : ndarray of int64, shape (K,)
        The subclass that each component belongs to, in ascending order.
    available : ndarray of bool, shape (S, D)
        Which parameters are known for which subclass. A component's entries for others are placeholders.
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, D)
    covariances : ndarray, shape (K, D, D)
    low, high : ndarray, shape (D,)
        Domain; draws stay within.
    """

    parameters: tuple[str, ...]
    subclasses: tuple[str, ...]
    subclass_index: NDArray[np.int64]
    available: NDArray[np.bool_]
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __post_init__(self) -> None:
        k, d, s = len(self.weights), len(self.parameters), len(self.subclasses)
        shapes = {
            "subclass_index": (k,),
            "available": (s, d),
            "means": (k, d),
            "covariances": (k, d, d),
            "low": (d,),
            "high": (d,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataFormatError("population", f"{name} has shape {getattr(self, name).shape}, expected {shape}")

    @property
    def fractions(self) -> NDArray[np.float64]:
        """Weight of each subclass, shape (S,)."""
        return np.array([self.weights[self.subclass_index == s].sum() for s in range(len(self.subclasses))])

    def component_log_density(self, k: int, dims: tuple[int, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log density of component `k` over the dimensions `dims`; `x` has shape (len(dims), n)."""
        if not dims:
            return np.zeros(x.shape[1])
        index = list(dims)
        factor = np.linalg.cholesky(self.covariances[k][np.ix_(index, index)])
        total = np.full(x.shape[1], -0.5 * len(index) * _LOG_2PI - float(np.log(np.diag(factor)).sum()))
        solved: list[NDArray[np.float64]] = []
        for i, dim in enumerate(index):
            z = x[i] - self.means[k, dim]
            for j in range(i):
                z = z - factor[i, j] * solved[j]
            z = z / factor[i, i]
            solved.append(z)
            total = total - 0.5 * z * z
        return total


@dataclass(frozen=True)
class Conditional:
    """Mean and standard deviation of one dimension given others, for every component."""

    given: tuple[int, ...]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    sigma: NDArray[np.float64]

    @classmethod
    def of(cls, mixture: ClassMixture, dim: int, given_of: list[tuple[int, ...]]) -> Conditional:
        """The conditional of `dim` given, for component k, the dimensions ``given_of[k]``."""
        given = tuple(sorted({g for gs in given_of for g in gs}))
        n = len(mixture.weights)
        slope, intercept, sigma = np.zeros((len(given), n)), np.empty(n), np.empty(n)
        for k, gs in enumerate(given_of):
            mean, cov, index = mixture.means[k], mixture.covariances[k], list(gs)
            variance = cov[dim, dim]
            intercept[k] = mean[dim]
            if index:
                b = np.linalg.solve(cov[np.ix_(index, index)], cov[index, dim])
                variance = variance - float((b * cov[index, dim]).sum())
                for g, value in zip(index, b, strict=True):
                    slope[given.index(g), k] = value
                    intercept[k] -= value * mean[g]
            sigma[k] = np.sqrt(max(variance, 1e-12))
        return cls(given, slope, intercept, sigma)

    def moments(self, k: NDArray[np.int64], x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation for stars of components `k`; `x` has shape (D, n)."""
        mean = self.intercept[k]
        for row, g in enumerate(self.given):
            b = self.slope[row][k]
            mean = mean + b * np.where(b == 0.0, 0.0, x[g])
        return mean, self.sigma[k]


def truncated_normal(
    u: NDArray[np.float64],
    mean: NDArray[np.float64],
    sigma: NDArray[np.float64],
    low: float,
    high: float,
) -> NDArray[np.float64]:
    """Normal values truncated to [low, high], by the inverse of the truncated distribution function at `u`.

    Where the interval holds no probability that floating point can tell from zero, the nearer limit is
    returned.
    """
    from scipy.special import ndtr, ndtri

    a, b = (low - mean) / sigma, (high - mean) / sigma
    # in the upper tail ndtr rounds to one: work with the mirror image there
    flip = a > 0
    lower, upper = np.where(flip, -b, a), np.where(flip, -a, b)
    p_low, p_high = ndtr(lower), ndtr(upper)
    u = np.where(flip, 1.0 - u, u)
    p = p_low + u * (p_high - p_low)
    z = ndtri(np.clip(p, 1e-300, 1.0 - 2.0**-54))
    z = np.clip(z, lower, upper)
    return np.clip(mean + sigma * np.where(flip, -z, z), low, high)


def component_log_posterior(
    mixture: ClassMixture, allowed: list[int], given: list[int], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log probability of each component given the known dimensions, up to a constant; shape (K, n)."""
    common = tuple(g for g in given if mixture.available[allowed, g].all())
    out = np.full((len(mixture.weights), x.shape[1]), -np.inf)
    for s in allowed:
        members = np.flatnonzero(mixture.subclass_index == s).tolist()
        own = tuple(g for g in given if mixture.available[s, g])
        for k in members:
            out[k] = np.log(mixture.weights[k]) + mixture.component_log_density(k, own, x[list(own)])
        if own != common:
            # the subclass is weighed with what all have, its components among themselves with all they have
            base = [
                np.log(mixture.weights[k]) + mixture.component_log_density(k, common, x[list(common)]) for k in members
            ]
            shift = _log_sum(base) - _log_sum([out[k] for k in members])
            for k in members:
                out[k] = out[k] + shift
    return out


def _log_sum(terms: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    top = terms[0]
    for term in terms[1:]:
        top = np.maximum(top, term)
    total = np.zeros_like(top)
    for term in terms:
        total = total + np.exp(term - top)
    return top + np.log(total)


def checked_column(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    """A column of `n` values of a parameter, NaN where missing; refuses what cannot be."""
    try:
        column = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers") from None
    column = np.broadcast_to(column, (n,)).copy() if column.ndim == 0 else column
    if column.shape != (n,):
        raise InputError(f"{name} has shape {column.shape}, needed is ({n},)")
    bad = np.isinf(column) | (PARAMETERS[name].log & (column <= 0))
    if bad.any():
        raise InputError(f"{name} = {column[bad][0]:g} is not possible")
    return column
