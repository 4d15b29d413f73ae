"""The contract of a latent regressor, and what the published ones share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, InputError
from ..rng import stream

__all__ = ["ArrayRegressor", "LatentRegressor"]


@runtime_checkable
class LatentRegressor(Protocol):
    """From features (class and physical parameters) to latents.

    A row's result depends on that row alone, to the last bit, whatever it is evaluated together with. What
    :meth:`to_state` gives holds its ``name``, so that
    :func:`~lcgen.latent.regressor_from_state` finds the class.
    """

    name: ClassVar[str]

    def fit(self, features: ArrayLike, targets: ArrayLike, *, seed: int) -> Self:
        """Fit to features, shape (n, f), and targets, shape (n, d); returns itself."""
        ...

    def predict(self, features: ArrayLike) -> NDArray[np.float64]:
        """The expected latents, shape (n, d), of features, shape (n, f)."""
        ...

    def sample(self, features: ArrayLike, uniforms: ArrayLike) -> NDArray[np.float64]:
        """Latents, shape (n, d), of features, shape (n, f), drawn with uniform numbers, shape (n, d + 1)."""
        ...

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """A dictionary that JSON can hold, and arrays."""
        ...

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The inverse of :meth:`to_state`."""
        ...


class ArrayRegressor(ABC):
    """What the published regressors share; a subclass fits, and predicts one block of rows.

    Parameters
    ----------
    extra_uniform : bool
        Append one uniform random number to the features, as published (AJ 164, 263): it is drawn at random in
        the fit, and by the caller in :meth:`sample`, so that the same physical parameters may give different
        curves. :meth:`predict` takes it as 0.5. The number is independent of the targets, so a regressor
        reacts to it only as far as it fits noise: the spread of the samples is not that of the stars. The
        conditional flow is there for that.
    """

    name: ClassVar[str]
    _options: ClassVar[tuple[str, ...]] = ("extra_uniform",)

    def __init__(self, *, extra_uniform: bool = True) -> None:
        self.extra_uniform = bool(extra_uniform)
        self._arrays: dict[str, NDArray] | None = None

    @abstractmethod
    def _fit(self, features: NDArray, targets: NDArray, seed: int) -> dict[str, NDArray]:
        """Arrays that hold the fit, without ``shape``."""

    @abstractmethod
    def _predict(self, features: NDArray, arrays: Mapping[str, NDArray]) -> NDArray[np.float64]:
        """Predictions, shape (n, d); each row from that row alone."""

    def fit(self, features: ArrayLike, targets: ArrayLike, *, seed: int) -> Self:
        """Fit to features and targets.

        Parameters
        ----------
        features : array_like, shape (n, f)
        targets : array_like, shape (n, d)
        seed : int
            Seed of everything random in the fit.

        Returns
        -------
        The regressor itself.

        Raises
        ------
        InputError
            If shapes do not fit, a value is not finite, or there are fewer than two rows.
        """
        features, targets = _matrix("features", features), _matrix("targets", targets)
        if len(features) != len(targets):
            raise InputError(f"{len(features)} rows of features for {len(targets)} rows of targets")
        if len(features) < 2 or features.shape[1] < 1 or targets.shape[1] < 1:
            raise InputError(
                f"a fit needs at least two rows and one column each; the shapes are {features.shape} "
                f"and {targets.shape}"
            )
        shape = np.array([features.shape[1], targets.shape[1]], dtype=np.int64)
        if self.extra_uniform:
            extra = stream(seed, "latent/extra-uniform").random((len(features), 1))
            features = np.concatenate([features, extra], axis=1)
        self._arrays = {"shape": shape, **self._fit(features, targets, seed)}
        return self

    @property
    def n_features(self) -> int:
        """Columns of the features, without the extra uniform one."""
        return int(self._fitted()["shape"][0])

    @property
    def n_targets(self) -> int:
        """Dimensions of the latent."""
        return int(self._fitted()["shape"][1])

    def predict(self, features: ArrayLike) -> NDArray[np.float64]:
        """The latents of features, with the extra uniform number at 0.5.

        Parameters
        ----------
        features : array_like, shape (n, f)

        Returns
        -------
        ndarray, shape (n, d)

        Raises
        ------
        InputError
            If the regressor is not fitted, the shape does not fit, or a value is not finite.
        """
        features = np.asarray(features, dtype=float)
        return self._evaluate(features, np.full(len(np.atleast_1d(features)), 0.5))

    def sample(self, features: ArrayLike, uniforms: ArrayLike) -> NDArray[np.float64]:
        """The latents of features, with the extra uniform number given.

        Parameters
        ----------
        features : array_like, shape (n, f)
        uniforms : array_like, shape (n, d + 1)
            Uniform numbers in [0, 1). The published regressors are deterministic but for the first column;
            the others are those that a regressor which draws each dimension needs.

        Returns
        -------
        ndarray, shape (n, d)

        Raises
        ------
        InputError
            As for :meth:`predict`, and if the uniform numbers have another shape.
        """
        features, uniforms = np.asarray(features, dtype=float), _matrix("uniforms", uniforms)
        wanted = (len(np.atleast_1d(features)), self.n_targets + 1)
        if uniforms.shape != wanted:
            raise InputError(f"uniforms have shape {uniforms.shape}, allowed is {wanted}")
        return self._evaluate(features, uniforms[:, 0])

    def _evaluate(self, features: NDArray, uniform: NDArray) -> NDArray[np.float64]:
        arrays = self._fitted()
        features = _matrix("features", features)
        if features.shape[1] != self.n_features:
            raise InputError(f"features have {features.shape[1]} columns, the fit had {self.n_features}")
        if self.extra_uniform:
            features = np.concatenate([features, uniform[:, None]], axis=1)
        return self._predict(features, arrays)

    def _fitted(self) -> dict[str, NDArray]:
        if self._arrays is None:
            raise InputError(f"the {self.name} regressor is not fitted yet: call fit first")
        return self._arrays

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """A dictionary that JSON can hold, and arrays.

        Raises
        ------
        InputError
            If the regressor is not fitted.
        """
        config = {"name": self.name, **{option: getattr(self, option) for option in self._options}}
        return config, dict(self._fitted())

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The regressor that :meth:`to_state` described.

        Raises
        ------
        CheckpointError
            If keys are missing or unknown, or the state is that of another regressor.
        """
        options = dict(config)
        name = options.pop("name", None)
        if name != cls.name:
            raise CheckpointError(f"the state is that of the regressor {name!r}, not {cls.name!r}")
        if set(options) != set(cls._options):
            raise CheckpointError(
                f"the state of the {cls.name} regressor has the options {sorted(options)}, allowed are "
                f"{sorted(cls._options)}"
            )
        try:
            out = cls(**options)
            out._arrays = {key: np.asarray(value) for key, value in arrays.items()}
            # one evaluation shows whether the arrays are complete and fit each other
            out.predict(np.zeros((1, out.n_features)))
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise CheckpointError(f"the arrays of the {cls.name} regressor do not fit: {error!r}") from error
        return out


def _matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    out = np.asarray(values, dtype=float)
    if out.ndim != 2:
        raise InputError(f"{name} must be two-dimensional, received shape {out.shape}")
    if not np.isfinite(out).all():
        raise InputError(f"{name} must be finite")
    return out


def standardise(values: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns with mean 0 and standard deviation 1, their means and deviations; constant columns become 0."""
    mean, std = values.mean(axis=0), values.std(axis=0)
    std = np.where(std > 1e-12 * np.maximum(np.abs(mean), 1.0), std, 1.0)
    return (values - mean) / std, mean, std


def affine(rows: NDArray, weight: NDArray, bias: NDArray) -> NDArray[np.float64]:
    """``rows @ weight + bias`` with one order of summation for every row.

    A matrix product chooses its order by the shape of the whole: its rows change in the last bits with the
    number of rows. Sums over columns do not.
    """
    out = np.empty((len(rows), weight.shape[1]))
    out[:] = bias
    for column, coefficients in zip(rows.T, weight, strict=True):
        out += column[:, None] * coefficients
    return out
