"""The population: per class a Gaussian mixture over physical parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, InputError, UnknownNameError
from ..taxonomy import PHYSICAL
from .gaussian import (
    ClassMixture,
    Conditional,
    checked_column,
    component_log_posterior,
    from_model,
    to_model,
    truncated_normal,
)

__all__ = ["Population"]

_FORMAT = 1
_ARRAYS = ("subclass_index", "available", "weights", "means", "covariances", "low", "high")


class Population:
    """Physical parameters of the stars of each class, as Gaussian mixtures.

    Each component belongs to one subclass, so the subclass is drawn together with the parameters or given. A
    population does not change once made; make one with :meth:`fit` or :meth:`from_state`.

    Parameters
    ----------
    mixtures : mapping of str to ClassMixture
        One mixture a class.
    parameters : sequence of str
        Names and order of the columns drawn.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = {"class": np.full(200, "CEP"), "period": 10.0 ** rng.normal(0.6, 0.2, 200)}
    >>> population = Population.fit(table, parameters=("period",), max_components=2)
    >>> drawn = population.draw(np.array(["CEP"] * 3), {}, None, rng.random((3, population.n_uniforms)))
    >>> drawn["period"].shape
    (3,)
    """

    def __init__(self, mixtures: Mapping[str, ClassMixture], parameters: Sequence[str] = PHYSICAL) -> None:
        self._mixtures = dict(mixtures)
        self._parameters = tuple(parameters)

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, ArrayLike],
        *,
        parameters: Sequence[str] = PHYSICAL,
        seed: int = 0,
        max_components: int = 8,
        min_stars: int = 15,
    ) -> Population:
        """Fit one mixture a class, with missing values marginalised, not imputed.

        Parameters
        ----------
        columns : mapping of str to array, shape (n_stars,)
            ``class``; optionally ``subclass`` (an empty string where unknown), ``weight`` (relative weight
            of a star, default 1) and any of `parameters` in natural units (NaN where missing).
        parameters : sequence of str
            Which parameters to model.
        seed : int
            Seed of the initialisation.
        max_components : int
            Upper limit of components a subclass; superfluous ones are pruned.
        min_stars : int
            A parameter known for fewer stars of a class is left out of it.

        Raises
        ------
        InputError
            If the columns do not fit together or no class has enough stars.
        UnknownNameError
            If a class or parameter is not known.
        """
        from .fit import fit_classes

        names = _check_parameters(parameters)
        return cls(fit_classes(columns, names, seed=seed, max_components=max_components, min_stars=min_stars), names)

    def __repr__(self) -> str:
        parts = [f"{c}: {len(m.weights)} components in {', '.join(m.parameters)}" for c, m in self._mixtures.items()]
        return f"<Population {'; '.join(parts)}>"

    def _mixture(self, cls: str) -> ClassMixture:
        try:
            return self._mixtures[cls]
        except (KeyError, TypeError):
            raise UnknownNameError("class", cls, self._mixtures) from None

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that have a mixture."""
        return tuple(self._mixtures)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters drawn, in the order of their uniforms."""
        return self._parameters

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers that :meth:`draw` needs for a star."""
        return 1 + len(self._parameters)

    def parameters_of(self, cls: str, subclass: str | None = None) -> tuple[str, ...]:
        """Parameters modelled for a class (for at least one subclass), or for one of its subclasses."""
        mixture = self._mixture(cls)
        if subclass is None:
            return mixture.parameters
        row = mixture.available[self._subclass_row(cls, subclass)]
        return tuple(p for p, has in zip(mixture.parameters, row, strict=True) if has)

    def subclasses(self, cls: str) -> dict[str, float]:
        """Subclasses of a class with their fractions, which add up to one; ``""`` stands for no known
        subclass."""
        mixture = self._mixture(cls)
        return {s: float(f) for s, f in zip(mixture.subclasses, mixture.fractions, strict=True)}

    def domain(self, cls: str, parameter: str) -> tuple[float, float]:
        """Limits of a parameter for a class, in natural units.

        The 0.1 % and 99.9 % quantiles of the stars fitted (the extremes where there are fewer than 500
        values),
        widened by 2 % of their distance on each side, in model coordinates (log10 for period, temperature and
        radius).

        Raises
        ------
        UnknownNameError
            If the class has no mixture, or the parameter is not modelled for it.
        """
        mixture = self._mixture(cls)
        if parameter not in mixture.parameters:
            raise UnknownNameError("parameter", parameter, mixture.parameters, hint=f"for class {cls}")
        j = mixture.parameters.index(parameter)
        low, high = from_model(parameter, np.array([mixture.low[j], mixture.high[j]])).tolist()
        return low, high

    def _subclass_row(self, cls: str, subclass: str) -> int:
        mixture = self._mixture(cls)
        if subclass not in mixture.subclasses:
            raise UnknownNameError("subclass", subclass, mixture.subclasses, hint=f"for class {cls}")
        return mixture.subclasses.index(subclass)

    def draw(
        self,
        classes: ArrayLike,
        known: Mapping[str, ArrayLike],
        subclass: ArrayLike | None,
        uniforms: NDArray[np.float64],
    ) -> dict[str, NDArray[Any]]:
        """Draw what is not known of each star, given what is.

        Parameters
        ----------
        classes : array of str, shape (n,)
        known : mapping of str to array, shape (n,)
            Known parameters in natural units, NaN where unknown. They come back unchanged, and a known value
            of a parameter that the class does not model has no influence.
        subclass : array of str, shape (n,), optional
            Known subclasses, an empty string where unknown.
        uniforms : ndarray, shape (n, n_uniforms)
            Numbers in [0, 1): the first chooses the component and with it the subclass, number ``1 + j``
            draws parameter ``j``. Nothing else is random; a star's result depends on its own row only.

        Returns
        -------
        dict
            ``subclass`` and each of :attr:`parameters`, shape (n,), in natural units; NaN for a parameter
            that is not modelled for the star's class or subclass.

        Notes
        -----
        Component and conditional are exact for the mixture. Each unknown parameter is then drawn from its
        conditional normal truncated to :meth:`domain`, by inversion of the truncated distribution function,
        one after the other, given the known ones and those already drawn. Where some subclasses lack a
        known parameter, the subclass is chosen from the parameters that all of them have.
        """
        classes = np.atleast_1d(np.asarray(classes)).astype(str)
        n = classes.size
        uniforms = np.asarray(uniforms, dtype=float)
        if uniforms.shape != (n, self.n_uniforms):
            raise InputError(f"uniforms have shape {uniforms.shape}, needed is ({n}, {self.n_uniforms})")
        if n and not (np.all(uniforms >= 0.0) and np.all(uniforms < 1.0)):
            raise InputError("uniforms must lie in [0, 1)")
        out = {p: np.full(n, np.nan) for p in self._parameters}
        for name, values in known.items():
            if name not in self._parameters:
                raise UnknownNameError("parameter", name, self._parameters)
            out[name] = checked_column(name, values, n)
        if subclass is None:
            wanted = np.full(n, "", dtype="U16")
        else:
            wanted = np.atleast_1d(np.asarray(subclass)).astype("U16")
            if wanted.shape != (n,):
                raise InputError(f"subclass has shape {wanted.shape}, needed is ({n},)")
        result_subclass = np.array(wanted)
        # stars of one class with the same known parameters share all matrices
        bits = np.zeros(n, dtype=np.int64)
        for j, p in enumerate(self._parameters):
            bits += np.isfinite(out[p]).astype(np.int64) << j
        groups: dict[tuple[str, str, int], list[int]] = {}
        for i, key in enumerate(zip(classes.tolist(), wanted.tolist(), bits.tolist(), strict=True)):
            groups.setdefault(key, []).append(i)
        for (cls, sub, _), members in groups.items():
            rows = np.array(members)
            chosen = self._draw_group(cls, sub, rows, out, uniforms)
            result_subclass[rows] = np.array(self._mixtures[cls].subclasses, dtype="U16")[chosen]
        return {"subclass": result_subclass, **out}

    def _draw_group(
        self, cls: str, sub: str, rows: NDArray[np.int64], out: dict[str, NDArray], uniforms: NDArray
    ) -> NDArray[np.int64]:
        mixture = self._mixture(cls)
        s_all = range(len(mixture.subclasses))
        allowed = [self._subclass_row(cls, sub)] if sub else list(s_all)
        x = np.full((len(mixture.parameters), rows.size), np.nan)
        for j, p in enumerate(mixture.parameters):
            if p in out:
                x[j] = to_model(p, out[p][rows])
        given = [j for j in range(len(mixture.parameters)) if np.isfinite(x[j, 0])]
        log_p = component_log_posterior(mixture, allowed, given, x)
        top = log_p.max(axis=0)
        weight = np.exp(np.ascontiguousarray(log_p - top))
        total = np.zeros(rows.size)
        for row in weight:
            total = total + row
        target, running = uniforms[rows, 0] * total, np.zeros(rows.size)
        k = np.zeros(rows.size, dtype=np.int64)
        open_ = np.ones(rows.size, dtype=bool)
        for i, row in enumerate(weight):
            running = running + row
            # the last component with weight catches a target that rounding left beyond the sum
            k = np.where(open_ & (row > 0), i, k)
            open_ = open_ & ~(target < running)
        has = mixture.available[mixture.subclass_index]
        done = list(given)
        for j, p in enumerate(mixture.parameters):
            if j in given or p not in out:
                continue
            given_of = [tuple(g for g in done if has[c, g]) for c in range(len(mixture.weights))]
            mean, sigma = Conditional.of(mixture, j, given_of).moments(k, x)
            u = np.ascontiguousarray(uniforms[rows, 1 + self._parameters.index(p)])
            value = truncated_normal(u, mean, sigma, float(mixture.low[j]), float(mixture.high[j]))
            x[j] = np.where(has[k, j], value, np.nan)
            low, high = self.domain(cls, p)
            natural = from_model(p, np.where(has[k, j], value, 0.0))
            out[p][rows] = np.where(has[k, j], np.clip(natural, low, high), np.nan)
            done.append(j)
        return mixture.subclass_index[k]

    def log_prob(self, cls: str, columns: Mapping[str, ArrayLike], subclass: str | None = None) -> NDArray[np.float64]:
        """Log density of stars of a class, marginal over what is missing (NaN).

        The density is with respect to the model coordinates (log10 of period, temperature and radius; the
        other parameters as they are) and does not know of the truncation of the draws. Columns that are not
        modelled for the class are ignored; subclasses that lack a parameter which a star has are left out
        for that star,
        with the remaining fractions renormalised. Without any known parameter the result is 0.

        Parameters
        ----------
        cls : str
        columns : mapping of str to array, shape (n,)
        subclass : str, optional
            Density within this subclass only.

        Returns
        -------
        ndarray, shape (n,)
        """
        mixture = self._mixture(cls)
        allowed = [self._subclass_row(cls, subclass)] if subclass else list(range(len(mixture.subclasses)))
        used = {p: np.atleast_1d(np.asarray(columns[p])) for p in mixture.parameters if p in columns}
        if not used:
            raise InputError(f"none of the columns is modelled for {cls}: {', '.join(mixture.parameters)}")
        n = len(next(iter(used.values())))
        x = np.full((len(mixture.parameters), n), np.nan)
        for p, values in used.items():
            x[mixture.parameters.index(p)] = to_model(p, checked_column(p, values, n))
        out = np.empty(n)
        patterns, inverse = np.unique(np.isfinite(x).T, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            rows = np.flatnonzero(inverse.ravel() == i)
            dims = tuple(np.flatnonzero(pattern).tolist())
            usable = [s for s in allowed if mixture.available[s][list(dims)].all()]
            members = np.flatnonzero(np.isin(mixture.subclass_index, usable)).tolist()
            if not members:
                out[rows] = np.nan
                continue
            part = x[list(dims)][:, rows]
            log_p = np.stack(
                [np.log(mixture.weights[k]) + mixture.component_log_density(k, dims, part) for k in members]
            )
            top = log_p.max(axis=0)
            norm = np.log(mixture.weights[members].sum())
            out[rows] = top + np.log(np.exp(log_p - top).sum(axis=0)) - norm
        return out

    def tempered(self, b: float) -> Population:
        """The population with density proportional to the power `b` of this one: wider for b < 1.

        Subclass fractions become ``f^b``, normalised. Within a subclass of one component ``N(mu, S)`` the
        result is ``N(mu, S/b)``, exactly. The power of a sum of several is no mixture: there a mixture
        with as many components is fitted to 6,000 points weighted to ``p^b`` (the same points in every
        call), which is an approximation. The domain, to which draws are truncated, stays.

        Parameters
        ----------
        b : float
            Positive; 1 returns an equal population.

        Raises
        ------
        InputError
            If `b` is not positive and finite.
        """
        from .temper import tempered_mixture

        if not (np.isfinite(b) and b > 0):
            raise InputError(f"b must be positive and finite, received {b}")
        if b == 1.0:
            return Population(self._mixtures, self._parameters)
        return Population(
            {cls: tempered_mixture(cls, m, float(b)) for cls, m in self._mixtures.items()}, self._parameters
        )

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Configuration (fit for JSON) and arrays, for :meth:`from_state`."""
        config: dict[str, Any] = {"format": _FORMAT, "parameters": list(self._parameters), "classes": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for cls, m in self._mixtures.items():
            config["classes"][cls] = {"parameters": list(m.parameters), "subclasses": list(m.subclasses)}
            arrays |= {f"{cls}/{name}": np.array(getattr(m, name)) for name in _ARRAYS}
        return config, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Population:
        """The population saved by :meth:`to_state`.

        Raises
        ------
        CheckpointError
            If the state is incomplete or of another format.
        """
        try:
            if config["format"] != _FORMAT:
                raise CheckpointError(f"population format {config['format']} is not known, only {_FORMAT} is")
            mixtures: dict[str, ClassMixture] = {}
            for name, entry in config["classes"].items():
                state: dict[str, Any] = {key: np.array(arrays[f"{name}/{key}"]) for key in _ARRAYS}
                state["available"] = state["available"].astype(bool)
                state["subclass_index"] = state["subclass_index"].astype(np.int64)
                mixtures[name] = ClassMixture(
                    parameters=tuple(entry["parameters"]), subclasses=tuple(entry["subclasses"]), **state
                )
            return cls(mixtures, _check_parameters(config["parameters"]))
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the state of the population is incomplete: {error}") from None


def _check_parameters(parameters: Sequence[str]) -> tuple[str, ...]:
    for name in parameters:
        if name not in PHYSICAL:
            raise UnknownNameError("parameter", name, PHYSICAL)
    if not parameters or len(set(parameters)) != len(parameters):
        raise InputError(f"parameters must be one or more different names, received {tuple(parameters)}")
    return tuple(parameters)
