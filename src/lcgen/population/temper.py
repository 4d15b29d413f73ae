"""Powers of a mixture: the density ``p^b`` is no mixture, so a mixture is fitted to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..rng import stream
from .fit import fit_weighted
from .gaussian import ClassMixture

__all__ = ["tempered_mixture"]

_SAMPLES = 6000


def tempered_mixture(cls: str, mixture: ClassMixture, b: float) -> ClassMixture:
    """The mixture of one class to the power `b`; see :meth:`lcgen.population.Population.tempered`."""
    fractions = mixture.fractions**b
    fractions /= fractions.sum()
    weights, means, covariances, index = [], [], [], []
    for s, fraction in enumerate(fractions):
        w, m, c = _temper_subclass(mixture, s, b, stream(0, f"population/temper/{cls}", s))
        weights.append(fraction * w)
        means.append(m)
        covariances.append(c)
        index.append(np.full(len(w), s))
    return ClassMixture(
        parameters=mixture.parameters,
        subclasses=mixture.subclasses,
        subclass_index=np.concatenate(index),
        available=mixture.available,
        weights=np.concatenate(weights),
        means=np.concatenate(means),
        covariances=np.concatenate(covariances),
        low=mixture.low,
        high=mixture.high,
    )


def _temper_subclass(
    mixture: ClassMixture, s: int, b: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    members = np.flatnonzero(mixture.subclass_index == s).tolist()
    means, covariances = mixture.means[members], mixture.covariances[members] / b
    if len(members) == 1:
        return np.ones(1), means, covariances
    dims = np.flatnonzero(mixture.available[s])
    block = np.ix_(np.arange(len(members)), dims, dims)
    weights = mixture.weights[members] / mixture.weights[members].sum()
    determinants = np.linalg.slogdet(mixture.covariances[members][block])[1]
    log_w = b * np.log(weights) + 0.5 * (1.0 - b) * determinants
    # the powers of the single components: exact without overlap, and what the sample is drawn from
    power = np.exp(log_w - log_w.max())
    proposal = 0.5 * power / power.sum() + 0.5 / len(members)
    start = ClassMixture(
        parameters=mixture.parameters,
        subclasses=("",),
        subclass_index=np.zeros(len(members), dtype=np.int64),
        available=mixture.available[[s]],
        weights=proposal,
        means=means,
        covariances=covariances,
        low=mixture.low,
        high=mixture.high,
    )
    k = rng.choice(len(members), _SAMPLES, p=proposal)
    factors = np.linalg.cholesky(covariances[block])
    normal = rng.standard_normal((_SAMPLES, len(dims)))
    x = means[np.ix_(np.arange(len(members)), dims)][k] + np.einsum("nij,nj->ni", factors[k], normal)
    target = _log_density(mixture, members, weights, tuple(dims.tolist()), x)
    drawn = _log_density(start, list(range(len(members))), proposal, tuple(dims.tolist()), x)
    log_importance = b * target - drawn
    importance = np.exp(log_importance - log_importance.max())
    w, m, c = fit_weighted(x, importance, power / power.sum(), means[:, dims], np.ascontiguousarray(covariances[block]))
    out_means = np.zeros((len(w), len(mixture.parameters)))
    out_covariances = np.tile(np.eye(len(mixture.parameters)), (len(w), 1, 1))
    out_means[:, dims] = m
    out_covariances[np.ix_(np.arange(len(w)), dims, dims)] = c
    return w, out_means, out_covariances


def _log_density(
    mixture: ClassMixture,
    members: list[int],
    weights: NDArray[np.float64],
    dims: tuple[int, ...],
    x: NDArray[np.float64],
) -> NDArray[np.float64]:
    terms = np.stack([mixture.component_log_density(k, dims, x.T) for k in members])
    return np.logaddexp.reduce(terms + np.log(weights)[:, None], axis=0)
