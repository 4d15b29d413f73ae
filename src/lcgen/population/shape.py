"""Physical parameters that follow the shape of a light curve.

The metallicity of an RRab star agrees with its phi31, the temperature of a Cepheid with its amplitude. For that a
normal distribution of the parameters given period, amplitude and Fourier parameters of the curve is fitted to the
training stars whose parameters are known, subclass by subclass. Fourier parameters rather than latent vectors, as stars
that are known by a table in one band may lie apart from others in latent space, but not in the shape of that band.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, InputError
from ..taxonomy import PHYSICAL
from .gaussian import from_model, to_model

__all__ = ["ShapeRelations", "fourier_shape"]

_PERIOD = PHYSICAL.index("period")
_MIN_KNOWN = 50
_MIN_QUADRATIC = 600
_RIDGE = 3.0
_TAIL = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Relation:
    """The distribution of one subclass, in model coordinates.

    Attributes
    ----------
    parameters : tuple of int
        Index of each parameter within :data:`lcgen.taxonomy.PHYSICAL`.
    quadratic : bool
    centre, width : ndarray, shape (n_inputs,)
    coefficients : ndarray, shape (n_terms, n_parameters)
    covariance : ndarray, shape (n_parameters, n_parameters)
        Of what the coefficients leave.
    low, high : ndarray, shape (n_parameters,)
    """

    parameters: tuple[int, ...]
    quadratic: bool
    centre: NDArray[np.float64]
    width: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def mean(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of the parameters, shape (n, n_parameters)."""
        terms = _terms((inputs - self.centre) / self.width, self.quadratic)
        return _product(terms, self.coefficients)


def _product(rows: NDArray, matrix: NDArray) -> NDArray[np.float64]:
    """A matrix product whose last bits do not depend on the number of rows, as those of BLAS do."""
    out = np.zeros((rows.shape[0], matrix.shape[1]))
    for column, factors in zip(rows.T, matrix, strict=True):
        out += column[:, None] * factors
    return out


def _terms(x: NDArray[np.float64], quadratic: bool) -> NDArray[np.float64]:
    x = np.clip(x, -_TAIL, _TAIL)
    columns = [np.ones((x.shape[0], 1)), x]
    if quadratic:
        i, j = np.triu_indices(x.shape[1])
        columns.append(x[:, i] * x[:, j])
    return np.concatenate(columns, axis=1)


def fourier_shape(curves: ArrayLike) -> NDArray[np.float64]:
    """What the first three harmonics say about a shape: cosine and sine parts of R21 and R31.

    Parameters
    ----------
    curves : array_like, shape (n, n_phase)
        One cycle each, at even phases.

    Returns
    -------
    ndarray, shape (n, 4)
        ``R21 cos(phi21), R21 sin(phi21), R31 cos(phi31), R31 sin(phi31)`` of the cosine series (Simon & Lee 1981, ApJ
        248, 291); at most 2 in size.
    """
    values = np.asarray(curves, dtype=float)
    angle = 2.0 * np.pi * np.arange(values.shape[1])[:, None] / values.shape[1] * np.arange(1, 4)
    term = _product(values, np.cos(angle)) - 1j * _product(values, np.sin(angle))
    first = np.maximum(np.abs(term[:, 0]), 1e-12)
    turn = term[:, 0] / first
    columns = []
    for k in (2, 3):
        ratio = term[:, k - 1] / first / turn**k
        ratio = ratio * np.minimum(1.0, 2.0 / np.maximum(np.abs(ratio), 1e-12))
        columns += [ratio.real, ratio.imag]
    return np.stack(columns, axis=1)


def _inputs(params: NDArray, scale: NDArray, shape: NDArray) -> NDArray[np.float64]:
    period = to_model("period", params[:, _PERIOD])
    parts = [period[:, None], np.asarray(scale, dtype=float)[:, None], np.asarray(shape, dtype=float)]
    return np.concatenate(parts, axis=1)


class ShapeRelations:
    """Physical parameters given period, amplitude and shape.

    Parameters
    ----------
    relations : mapping of (class, subclass) to relation
        Made by :meth:`fit` or :meth:`from_state`.
    """

    def __init__(self, relations: Mapping[tuple[str, str], _Relation]) -> None:
        self._relations = dict(relations)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Classes and subclasses that have a relation."""
        return tuple(self._relations)

    def concerned(self, class_name: ArrayLike, subclass: ArrayLike) -> NDArray[np.bool_]:
        """Which stars have a relation, shape (n,)."""
        names, subs = np.asarray(class_name), np.asarray(subclass)
        out = np.zeros(names.size, dtype=bool)
        for cls, sub in self._relations:
            out |= (names == cls) & (subs == sub)
        return out

    def parameters_of(self, cls: str, subclass: str) -> tuple[str, ...]:
        """Parameters that follow the shape."""
        found = self._relations.get((cls, subclass))
        return tuple(PHYSICAL[j] for j in found.parameters) if found is not None else ()

    @classmethod
    def fit(
        cls,
        *,
        class_name: ArrayLike,
        subclass: ArrayLike,
        params: ArrayLike,
        scale: ArrayLike,
        shape: ArrayLike,
    ) -> ShapeRelations:
        """Fit to stars, of which several rows may be draws from the posterior of one star.

        Parameters
        ----------
        class_name, subclass : array_like of str, shape (n,)
        params : array_like, shape (n, n_params)
            In natural units, NaN where unknown, in the order of :data:`lcgen.taxonomy.PHYSICAL`.
        scale : array_like, shape (n,)
            Standardised log amplitude.
        shape : array_like, shape (n, n_features)
            Of each curve, from :func:`fourier_shape`.
        """
        names, subs = np.asarray(class_name), np.asarray(subclass)
        raw = np.asarray(params, dtype=float)
        inputs = _inputs(raw, np.asarray(scale), np.asarray(shape))
        relations: dict[tuple[str, str], _Relation] = {}
        for key in sorted(set(zip(names.tolist(), subs.tolist(), strict=True))):
            own = (names == key[0]) & (subs == key[1])
            relation = _fit_one(raw[own], inputs[own])
            if key[1] and relation is not None:
                relations[key] = relation
        return cls(relations)

    def draw(
        self,
        *,
        class_name: ArrayLike,
        subclass: ArrayLike,
        params: ArrayLike,
        given: ArrayLike,
        scale: ArrayLike,
        shape: ArrayLike,
        normals: ArrayLike,
    ) -> NDArray[np.float64]:
        """Parameters with those replaced that were not given and follow the shape.

        Parameters
        ----------
        class_name, subclass : array_like of str, shape (n,)
        params : array_like, shape (n, n_params)
            Period and all else, drawn from the population where not given.
        given : array_like of bool, shape (n, n_params)
            What the caller gave, and what must not change.
        scale, shape
            As in :meth:`fit`.
        normals : array_like, shape (n, n_params)
            Standard normal numbers.

        Returns
        -------
        ndarray, shape (n, n_params)
        """
        out = np.array(params, dtype=float)
        e = np.clip(np.asarray(normals, dtype=float), -_TAIL, _TAIL)
        inputs = _inputs(out, np.asarray(scale), np.asarray(shape))
        for relation, own, known in self._alike(class_name, subclass, given):
            if not known.all():
                at = np.ix_(own, np.array(relation.parameters))
                out[at] = _conditional(relation, inputs[own], out[at], known, e[at])
        return out

    def log_density(
        self,
        *,
        class_name: ArrayLike,
        subclass: ArrayLike,
        params: ArrayLike,
        given: ArrayLike,
        scale: ArrayLike,
        shape: ArrayLike,
    ) -> NDArray[np.float64]:
        """Log density of what was given, up to a constant of each star; 0 where the shape says nothing of it.

        Parameters are those of :meth:`draw`. Tails are no longer than those of a logistic distribution, so that what is
        far from any shape still has a nearest one.

        Returns
        -------
        ndarray, shape (n,)
        """
        values = np.asarray(params, dtype=float)
        inputs = _inputs(values, np.asarray(scale), np.asarray(shape))
        out = np.zeros(values.shape[0])
        for relation, own, used in self._alike(class_name, subclass, given):
            if used.any():
                out[own] = _log_density(relation, inputs[own], values[np.ix_(own, np.array(relation.parameters))], used)
        return out

    def _alike(
        self, class_name: ArrayLike, subclass: ArrayLike, given: ArrayLike
    ) -> Iterator[tuple[_Relation, NDArray[np.int64], NDArray[np.bool_]]]:
        """Rows of one relation of which the same parameters are given, and which these are."""
        names, subs, fixed = np.asarray(class_name), np.asarray(subclass), np.asarray(given, dtype=bool)
        for (cls, sub), relation in self._relations.items():
            rows = np.flatnonzero((names == cls) & (subs == sub))
            pattern = fixed[np.ix_(rows, np.array(relation.parameters))]
            for known in np.unique(pattern, axis=0):
                yield relation, rows[(pattern == known).all(axis=1)], known

    # ------------------------------------------------------------------ storage
    def to_state(self) -> tuple[list[dict[str, Any]], dict[str, NDArray]]:
        """Configuration for JSON and arrays for safetensors."""
        config, arrays = [], {}
        for i, ((cls, sub), r) in enumerate(self._relations.items()):
            names = [PHYSICAL[j] for j in r.parameters]
            config.append({"class": cls, "subclass": sub, "parameters": names, "quadratic": r.quadratic})
            for name in _ARRAYS:
                arrays[f"{i}.{name}"] = np.ascontiguousarray(getattr(r, name))
        return config, arrays

    @classmethod
    def from_state(cls, config: list[dict[str, Any]], arrays: Mapping[str, NDArray]) -> ShapeRelations:
        """The inverse of :meth:`to_state`.

        Raises
        ------
        CheckpointError
            If an array is missing or a parameter is not known.
        """
        relations = {}
        try:
            for i, entry in enumerate(config):
                relations[(entry["class"], entry["subclass"])] = _Relation(
                    parameters=tuple(PHYSICAL.index(p) for p in entry["parameters"]),
                    quadratic=bool(entry["quadratic"]),
                    **{name: np.asarray(arrays[f"{i}.{name}"], dtype=float) for name in _ARRAYS},
                )
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"the relations of parameters and shapes do not fit: {error}") from error
        return cls(relations)


_ARRAYS = ("centre", "width", "coefficients", "covariance", "low", "high")


def _fit_one(raw: NDArray[np.float64], inputs: NDArray[np.float64]) -> _Relation | None:
    known = np.isfinite(raw)
    columns = [j for j in range(raw.shape[1]) if j != _PERIOD and known[:, j].sum() >= _MIN_KNOWN]
    if not columns:
        return None
    used = known[:, columns].any(axis=1)
    if not np.isfinite(inputs[used]).all():
        raise InputError("relations of parameters and shapes need finite periods, amplitudes and shapes")
    centre, width = inputs[used].mean(axis=0), np.maximum(inputs[used].std(axis=0), 1e-9)
    quadratic = bool(known[:, columns].sum(axis=0).min() >= _MIN_QUADRATIC)
    terms = _terms((inputs - centre) / width, quadratic)
    values = np.stack([to_model(PHYSICAL[j], np.where(known[:, j], raw[:, j], 1.0)) for j in columns], axis=1)
    residual = np.full(values.shape, np.nan)
    coefficients = np.zeros((terms.shape[1], len(columns)))
    for c, j in enumerate(columns):
        rows = known[:, j]
        penalty = np.full(terms.shape[1], _RIDGE)
        penalty[0] = 0.0
        gram = terms[rows].T @ terms[rows] + np.diag(penalty)
        coefficients[:, c] = np.linalg.solve(gram, terms[rows].T @ values[rows, c])
        residual[rows, c] = values[rows, c] - terms[rows] @ coefficients[:, c]
    return _Relation(
        parameters=tuple(columns),
        quadratic=quadratic,
        centre=centre,
        width=width,
        coefficients=coefficients,
        covariance=_pairwise_covariance(residual),
        low=np.array([values[known[:, j], c].min() for c, j in enumerate(columns)]),
        high=np.array([values[known[:, j], c].max() for c, j in enumerate(columns)]),
    )


def _pairwise_covariance(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of columns that are not all known for the same stars; positive definite."""
    # the middle 98 %, so that a few wrong temperatures do not widen those of all
    low, high = np.nanquantile(residual, [0.01, 0.99], axis=0)
    residual = np.where((residual >= low) & (residual <= high), residual, np.nan)
    deviation = np.nanstd(residual, axis=0)
    n = residual.shape[1]
    correlation = np.eye(n)
    for i in range(n):
        for j in range(i):
            both = np.isfinite(residual[:, i]) & np.isfinite(residual[:, j])
            if both.sum() >= _MIN_KNOWN:
                correlation[i, j] = correlation[j, i] = np.corrcoef(residual[both, i], residual[both, j])[0, 1]
    values, vectors = np.linalg.eigh(correlation)
    fixed = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    fixed /= np.sqrt(np.outer(np.diag(fixed), np.diag(fixed)))
    return fixed * np.outer(deviation, deviation)


def _coordinates(relation: _Relation, values: NDArray, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    columns = [to_model(PHYSICAL[j], values[:, c]) for c, j in enumerate(relation.parameters) if chosen[c]]
    return np.stack(columns, axis=1)


def _log_density(relation: _Relation, inputs: NDArray, values: NDArray, used: NDArray[np.bool_]) -> NDArray[np.float64]:
    root = np.linalg.cholesky(np.linalg.inv(relation.covariance[np.ix_(used, used)]))
    offset = _coordinates(relation, values, used) - relation.mean(inputs)[:, used]
    square = np.sum(_product(offset, root) ** 2, axis=1)
    # quadratic near the middle, linear from about three standard deviations
    return -9.0 * (np.sqrt(1.0 + square / 9.0) - 1.0)


def _conditional(
    relation: _Relation, inputs: NDArray, values: NDArray, known: NDArray[np.bool_], e: NDArray
) -> NDArray[np.float64]:
    """Parameters of stars of which the same ones are known, in natural units."""
    free = ~known
    mean, covariance = relation.mean(inputs)[:, free], relation.covariance[np.ix_(free, free)]
    out = np.array(values)
    if known.any():
        coordinates = _coordinates(relation, values, known)
        cross = relation.covariance[np.ix_(free, known)] @ np.linalg.inv(relation.covariance[np.ix_(known, known)])
        offset = coordinates - relation.mean(inputs)[:, known]
        mean = mean + _product(offset, cross.T)
        covariance = covariance - cross @ relation.covariance[np.ix_(known, free)]
    root = np.linalg.cholesky(covariance)
    drawn = mean + _product(e[:, free], root.T)
    drawn = np.clip(drawn, relation.low[free], relation.high[free])
    for k, c in enumerate(np.flatnonzero(free)):
        out[:, c] = from_model(PHYSICAL[relation.parameters[c]], drawn[:, k])
    return out
