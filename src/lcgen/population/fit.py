"""Expectation-maximisation for mixtures whose stars lack some parameters and some subclass labels."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..rng import stream
from ..taxonomy import class_info
from .gaussian import ClassMixture, checked_column, to_model

__all__ = ["fit_classes", "fit_weighted"]

_log = logging.getLogger(__name__)

_MIN_IN_SUBCLASS = 5
"""A subclass, or a parameter within a subclass, needs as many labelled stars."""
_STARS_PER_COMPONENT = 15
_MAX_ROWS = 3000
"""Rows kept of each subclass and pattern of missing values; more are sampled, with their weight kept."""
_MARGIN = 0.02
_TRIM = 0.001
_TRIM_FROM = 500
"""With fewer values the domain is set by the extremes."""
_MAX_ITERATIONS = 150
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass
class _Data:
    x: NDArray[np.float64]  # (n, D), scaled, NaN missing
    label: NDArray[np.int64]  # (n,), -1 unknown
    weight: NDArray[np.float64]

    def take(self, index: NDArray) -> _Data:
        return _Data(self.x[index], self.label[index], self.weight[index])


@dataclass
class _Params:
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    subclass: NDArray[np.int64]


def fit_classes(
    columns: Mapping[str, ArrayLike],
    parameters: tuple[str, ...],
    *,
    seed: int,
    max_components: int,
    min_stars: int,
) -> dict[str, ClassMixture]:
    """Fit one mixture a class; see :meth:`Population.fit <lcgen.population.Population.fit>`."""
    if "class" not in columns:
        raise InputError("the columns lack 'class'")
    if max_components < 1 or min_stars < 1:
        raise InputError(f"max_components ({max_components}) and min_stars ({min_stars}) must be at least 1")
    classes = np.atleast_1d(np.asarray(columns["class"])).astype(str)
    n = classes.size
    subclass = np.asarray(columns.get("subclass", np.full(n, ""))).astype(str)
    weight = np.asarray(columns.get("weight", np.ones(n)), dtype=float)
    if subclass.shape != (n,) or weight.shape != (n,):
        raise InputError(f"subclass and weight must have the length of class, {n}")
    if not np.all(np.isfinite(weight) & (weight > 0)):
        raise InputError("weights must be positive")
    present = [p for p in parameters if p in columns]
    if not present:
        raise InputError(f"none of the columns is a parameter: {', '.join(parameters)}")
    x = np.stack([to_model(p, checked_column(p, columns[p], n)) for p in present], axis=1)
    out: dict[str, ClassMixture] = {}
    for name in _check_classes(classes):
        rows = classes == name
        used = np.flatnonzero(np.isfinite(x[rows]).sum(axis=0) >= min_stars)
        if not used.size:
            _log.warning("class %s has no parameter known for %d stars: left out", name, min_stars)
            continue
        names = tuple(present[j] for j in used)
        rng = stream(seed, f"population/{name}")
        out[name] = _fit_class(names, x[rows][:, used], subclass[rows], weight[rows], rng, max_components)
    if not out:
        raise InputError(f"no class has a parameter known for at least {min_stars} stars")
    return out


def _fit_class(
    names: tuple[str, ...],
    x: NDArray[np.float64],
    subclass: NDArray[np.str_],
    weight: NDArray[np.float64],
    rng: np.random.Generator,
    max_components: int,
) -> ClassMixture:
    low, high = _domain(x)
    with np.errstate(invalid="ignore"):
        x = np.where((x < low) | (x > high), np.nan, x)
    keep = np.isfinite(x).any(axis=1)
    x, subclass, weight = x[keep], subclass[keep], weight[keep]

    labels = _labels(subclass)
    label = np.full(len(x), -1)
    for s, text in enumerate(labels):
        label[subclass == text] = s
    available = np.array([np.isfinite(x[label == s]).sum(axis=0) >= _MIN_IN_SUBCLASS for s in range(len(labels))])
    x = np.where(np.where((label >= 0)[:, None], available[label], available.all(axis=0)), x, np.nan)
    keep = np.isfinite(x).any(axis=1)
    x, label, weight = x[keep], label[keep], weight[keep]

    centre = np.nanmedian(x, axis=0)
    scale = 1.4826 * np.nanmedian(np.abs(x - centre), axis=0)
    scale = np.where(scale > 0, scale, np.where(np.nanstd(x, axis=0) > 0, np.nanstd(x, axis=0), 1.0))
    data = _thin(_Data((x - centre) / scale, label, weight / weight.mean()), rng)

    pooled = _pooled_covariance(data, available)
    params = _initialise(data, available, pooled, rng, max_components)
    labelled = data.take(data.label >= 0)
    params = _em(labelled, _one_hot(labelled.label, len(labels)), params, available, pooled)
    if len(labelled.x) < len(data.x):
        # the labelled stars alone decide on the unlabelled ones, once: a subclass with few labels would
        # otherwise
        # drift away to wherever the unlabelled stars crowd
        params = _em(data, _memberships(data, params, len(labels)), params, available, pooled)
    order = np.lexsort((params.means[:, 0], params.subclass))
    return ClassMixture(
        parameters=names,
        subclasses=tuple(labels),
        subclass_index=params.subclass[order],
        available=available,
        weights=params.weights[order],
        means=params.means[order] * scale + centre,
        covariances=params.covariances[order] * scale[:, None] * scale,
        low=low,
        high=high,
    )


def _labels(subclass: NDArray[np.str_]) -> list[str]:
    """Subclasses to model; stars of others, and unlabelled ones, belong to whichever of them fits."""
    found, counts = np.unique(subclass, return_counts=True)
    frequent = {str(s): int(c) for s, c in zip(found, counts, strict=True) if c >= _MIN_IN_SUBCLASS}
    named = [s for s in frequent if s]
    # beside a single named subclass, what has no label is likely something else
    return [*([""] if len(named) < 2 and (not named or "" in frequent) else []), *named]


def _domain(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    trim = np.where(np.isfinite(x).sum(axis=0) >= _TRIM_FROM, _TRIM, 0.0)
    low = np.array([np.nanquantile(column, t) for column, t in zip(x.T, trim, strict=True)])
    high = np.array([np.nanquantile(column, 1.0 - t) for column, t in zip(x.T, trim, strict=True)])
    # a parameter that is the same for all stars still needs an interval
    margin = np.maximum(_MARGIN * (high - low), 1e-6)
    return low - margin, high + margin


def _thin(data: _Data, rng: np.random.Generator) -> _Data:
    rows, weight = [], np.array(data.weight)
    codes = np.isfinite(data.x) @ (1 << np.arange(data.x.shape[1])) + (data.label + 1) * 1024
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        if members.size > _MAX_ROWS:
            chosen = np.sort(rng.choice(members, _MAX_ROWS, replace=False))
            weight[chosen] *= weight[members].sum() / weight[chosen].sum()
            members = chosen
        rows.append(members)
    return _Data(data.x, data.label, weight).take(np.sort(np.concatenate(rows)))


def _pooled_covariance(data: _Data, available: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Covariance within subclasses, from pairwise complete stars, made positive definite."""
    d = data.x.shape[1]
    residual = np.array(data.x)
    for s in range(len(available)):
        rows = data.label == s
        for j in np.flatnonzero(available[s]):
            residual[rows, j] -= np.nanmean(residual[rows, j])
    residual = np.where((data.label >= 0)[:, None], residual, np.nan)
    filled, seen = np.nan_to_num(residual), np.isfinite(residual).astype(float)
    pairs = seen.T @ seen
    cov = np.where(pairs >= _MIN_IN_SUBCLASS, filled.T @ filled / np.maximum(pairs, 1), 0.0)
    diagonal = np.where(np.diag(cov) > 0, np.diag(cov), 1.0)
    cov[np.arange(d), np.arange(d)] = diagonal
    values, vectors = np.linalg.eigh(cov)
    return (vectors * np.maximum(values, 1e-3)) @ vectors.T


def _initialise(
    data: _Data,
    available: NDArray[np.bool_],
    pooled: NDArray[np.float64],
    rng: np.random.Generator,
    max_components: int,
) -> _Params:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    d = data.x.shape[1]
    weights, means, covariances, index = [], [], [], []
    total = data.weight[data.label >= 0].sum()
    for s in range(len(available)):
        rows, dims = data.label == s, np.flatnonzero(available[s])
        part, fraction = data.x[rows][:, dims], data.weight[rows].sum() / total
        complete = part[np.isfinite(part).all(axis=1)]
        n_components = int(np.clip(len(complete) // _STARS_PER_COMPONENT, 1, max_components))
        if n_components > 1:
            model = BayesianGaussianMixture(
                n_components=n_components,
                weight_concentration_prior=0.1,
                max_iter=200,
                random_state=int(rng.integers(2**31)),
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(complete)
            used = np.flatnonzero(model.weights_ > 0.01)
            w, m, c = model.weights_[used], model.means_[used], model.covariances_[used]
        else:
            w, m = np.ones(1), np.nanmean(part, axis=0)[None]
            c = pooled[np.ix_(dims, dims)][None]
        for k in range(len(w)):
            mean, cov = np.zeros(d), np.eye(d)
            mean[dims] = m[k]
            cov[np.ix_(dims, dims)] = c[k]
            weights.append(fraction * w[k] / w.sum())
            means.append(mean)
            covariances.append(cov)
            index.append(s)
    return _Params(np.array(weights), np.array(means), np.array(covariances), np.array(index, dtype=np.int64))


def fit_weighted(
    x: NDArray[np.float64],
    weight: NDArray[np.float64],
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit a mixture to complete, weighted points `x`, shape (n, D), from the given start."""
    n, d = x.shape
    share = weight / weight.sum()
    centre = share @ x
    covariance = (share[:, None] * (x - centre)).T @ (x - centre) + 1e-12 * np.eye(d)
    data = _Data(x, np.zeros(n, dtype=np.int64), share * n)
    start = _Params(weights, means, covariances, np.zeros(len(weights), dtype=np.int64))
    end = _em(data, np.ones((1, n)), start, np.ones((1, d), dtype=bool), covariance)
    return end.weights, end.means, end.covariances


def _one_hot(label: NDArray[np.int64], n_subclasses: int) -> NDArray[np.float64]:
    return (label == np.arange(n_subclasses)[:, None]).astype(float)


def _memberships(data: _Data, params: _Params, n_subclasses: int) -> NDArray[np.float64]:
    """Probability of each subclass, shape (S, n): one where labelled, from `params` elsewhere."""
    log_r = np.empty((len(params.weights), len(data.x)))
    for dims, rows in _patterns(data.x):
        for k in range(len(params.weights)):
            log_r[k, rows] = _log_density(data.x, rows, dims, params, k)
    r = np.exp(log_r - log_r.max(axis=0))
    out = np.stack([r[params.subclass == s].sum(axis=0) for s in range(n_subclasses)])
    out /= out.sum(axis=0)
    return np.where(data.label >= 0, _one_hot(data.label, n_subclasses), out)


def _patterns(x: NDArray[np.float64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Dimensions observed and the rows where just these are."""
    patterns, inverse = np.unique(np.isfinite(x), axis=0, return_inverse=True)
    return [(np.flatnonzero(p), np.flatnonzero(inverse.ravel() == i)) for i, p in enumerate(patterns)]


def _log_density(
    x: NDArray[np.float64], rows: NDArray[np.int64], dims: NDArray[np.int64], params: _Params, k: int
) -> NDArray[np.float64]:
    factor = np.linalg.cholesky(params.covariances[k][np.ix_(dims, dims)])
    z = np.linalg.solve(factor, (x[np.ix_(rows, dims)] - params.means[k, dims]).T)
    constant = np.log(params.weights[k]) - np.log(np.diag(factor)).sum() - 0.5 * len(dims) * _LOG_2PI
    return constant - 0.5 * (z * z).sum(axis=0)


def _em(
    data: _Data,
    memberships: NDArray[np.float64],
    params: _Params,
    available: NDArray[np.bool_],
    pooled: NDArray[np.float64],
) -> _Params:
    """Maximum a posteriori fit: marginal likelihood of the observed values, Wishart-like prior.

    `memberships`, shape (S, n), are the fixed probabilities of the subclasses of each star.
    """
    groups = _patterns(data.x)
    previous = -np.inf
    n, d = data.x.shape
    for _ in range(_MAX_ITERATIONS):
        k_all = len(params.weights)
        log_r = np.empty((k_all, n))
        filled = np.empty((k_all, n, d))
        extra = np.zeros((k_all, len(groups), d, d))
        for k in range(k_all):
            mean, cov = params.means[k], params.covariances[k]
            for g, (dims, rows) in enumerate(groups):
                log_r[k, rows] = _log_density(data.x, rows, dims, params, k)
                missing = np.setdiff1d(np.arange(d), dims)
                part = data.x[np.ix_(rows, dims)]
                values = np.empty((len(rows), d))
                values[:, dims] = part
                if missing.size:
                    b = np.linalg.solve(cov[np.ix_(dims, dims)], cov[np.ix_(dims, missing)])
                    values[:, missing] = mean[missing] + (part - mean[dims]) @ b
                    rest = cov[np.ix_(missing, missing)] - cov[np.ix_(missing, dims)] @ b
                    extra[k, g][np.ix_(missing, missing)] = rest
                filled[k, rows] = values
        r, score = np.zeros((k_all, n)), 0.0
        for s, membership in enumerate(memberships):
            members = np.flatnonzero(params.subclass == s)
            top = log_r[members].max(axis=0)
            part = np.exp(log_r[members] - top)
            norm = part.sum(axis=0)
            r[members] = part * (membership * data.weight / norm)
            score += float((membership * data.weight * (top + np.log(norm))).sum()) / n
        params = _maximise(r, filled, extra, groups, params, available, pooled)
        if abs(score - previous) < 1e-5 and len(params.weights) == k_all:
            break
        previous = score
    return params


def _maximise(
    r: NDArray[np.float64],
    filled: NDArray[np.float64],
    extra: NDArray[np.float64],
    groups: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    params: _Params,
    available: NDArray[np.bool_],
    pooled: NDArray[np.float64],
) -> _Params:
    d = filled.shape[2]
    size = r.sum(axis=1)
    keep = np.zeros(len(size), dtype=bool)
    means, covariances = np.array(params.means), np.array(params.covariances)
    for s in range(len(available)):
        members = np.flatnonzero(params.subclass == s)
        keep[members] = size[members] >= max(3.0, 0.003 * size[members].sum())
        keep[members[np.argmax(size[members])]] = True
        dims = available[s]
        n_dims = int(dims.sum())
        prior = n_dims + 2.0
        # components that share a subclass are each narrower than it
        prior_cov = pooled / len(members) ** (2.0 / n_dims)
        for k in members[keep[members]]:
            mean = r[k] @ filled[k] / size[k]
            centred = filled[k] - mean
            scatter = (centred * r[k][:, None]).T @ centred
            for g, (_, rows) in enumerate(groups):
                scatter += r[k, rows].sum() * extra[k, g]
            cov = (scatter + prior * prior_cov) / (size[k] + prior)
            both = dims[:, None] & dims
            means[k] = np.where(dims, mean, 0.0)
            covariances[k] = np.where(both, cov, np.eye(d))
    weights = size[keep] / size[keep].sum()
    return _Params(weights, means[keep], covariances[keep], params.subclass[keep])


def _check_classes(classes: NDArray[np.str_]) -> tuple[str, ...]:
    """The different classes, in the order of the taxonomy's names; refuses unknown ones."""
    names = tuple(sorted(set(classes.tolist()) - {""}))
    for name in names:
        class_info(name)
    return names
