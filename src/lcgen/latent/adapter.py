"""One interface for the flow, the published regressors and released latents, as the generator needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ..errors import CheckpointError, ConfigError, InputError
from .base import make_regressor, regressor_from_state
from .flow import FlowRegressor

__all__ = ["PointSampler", "ReleasedLatents", "regressor_from_any", "regressor_to_state"]


class PointSampler:
    """A published regressor as a sampler of amplitude and latent vector.

    Parameters
    ----------
    regressor : LatentRegressor
        Fitted to the standardised log amplitude and the latent vector, in this order.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    @property
    def name(self) -> str:
        """Name of the regressor."""
        return str(self.regressor.name)

    @property
    def latent_dim(self) -> int:
        """Dimensions of the latent space."""
        return int(self.regressor.n_targets) - 1

    @classmethod
    def fit(cls, kind: str, features: ArrayLike, scale: ArrayLike, mean: ArrayLike, *, seed: int) -> PointSampler:
        """Fit a regressor of a kind: ``"linear"``, ``"forest"`` or ``"mlp"``."""
        targets = np.concatenate([np.asarray(scale, dtype=float)[:, None], np.asarray(mean, dtype=float)], axis=1)
        return cls(make_regressor(kind).fit(np.asarray(features, dtype=float), targets, seed=seed))

    def sample(
        self, features: ArrayLike, normals: ArrayLike, scale: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """As :meth:`lcgen.latent.flow.FlowRegressor.sample`."""
        normals = np.asarray(normals, dtype=float)
        # the regressor appends one uniform number to the features; the remaining ones are not used
        uniforms = ndtr(np.concatenate([normals, np.zeros((normals.shape[0], 1))], axis=1))
        out = self.regressor.sample(np.asarray(features, dtype=float), uniforms)
        given = np.full(out.shape[0], np.nan) if scale is None else np.asarray(scale, dtype=float)
        return np.where(np.isfinite(given), given, out[:, 0]), out[:, 1:].astype(np.float32)


class ReleasedLatents:
    """Latent vectors of a released network, by class; the amplitude comes from another generator's regressor.

    The density of a class is the sum of the encoder's posteriors of its training curves, each a normal distribution
    with the mean and the standard deviations that were released: a kernel density whose kernels are the posteriors, so
    that nothing is fitted. A class without released posteriors, and a network without any, gets the standard normal
    prior. Neither knows of the period or of any other parameter.

    Parameters
    ----------
    amplitude : FlowRegressor, PointSampler or ReleasedLatents
        Draws the amplitude.
    latent_dim, n_classes : int
        Dimensions of the latent space, and classes at the head of the features.
    cls : array_like of int, shape (n,), optional
        Class of each posterior.
    mean, std : array_like, shape (n, latent_dim), optional
        The posteriors.

    Raises
    ------
    InputError
        If shapes do not fit, a value is not finite, a standard deviation is negative, or a class is out of range.
    """

    name = "released"

    def __init__(
        self,
        amplitude: Any,
        *,
        latent_dim: int,
        n_classes: int,
        cls: ArrayLike = (),
        mean: ArrayLike | None = None,
        std: ArrayLike | None = None,
    ) -> None:
        self.amplitude, self.latent_dim, self.n_classes = amplitude, latent_dim, n_classes
        index = np.asarray(cls, dtype=np.int64)
        empty = np.empty((0, latent_dim), dtype=np.float32)
        mu, sd = (empty if v is None else np.asarray(v, dtype=np.float32) for v in (mean, std))
        if index.ndim != 1 or mu.shape != (index.size, latent_dim) or sd.shape != mu.shape:
            raise InputError(
                f"posteriors have shapes {index.shape}, {mu.shape} and {sd.shape}; allowed are (n,) and twice "
                f"(n, {latent_dim})"
            )
        if not (np.isfinite(mu).all() and np.isfinite(sd).all() and (sd >= 0).all()):
            raise InputError("posteriors need finite means and standard deviations that are not negative")
        if index.size and not (index.min() >= 0 and index.max() < n_classes):
            raise InputError(f"posteriors have classes {index.min()} to {index.max()}, there are {n_classes}")
        order = np.argsort(index, kind="stable")
        self.cls, self.mean, self.std = index[order], mu[order], sd[order]
        self._first = np.searchsorted(self.cls, np.arange(n_classes + 1))

    def sample(
        self, features: ArrayLike, normals: ArrayLike, scale: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """As :meth:`lcgen.latent.flow.FlowRegressor.sample`."""
        x, e = np.asarray(features, dtype=float), np.asarray(normals, dtype=float)
        padded = np.zeros((x.shape[0], self.amplitude.latent_dim + 1))
        padded[:, 0] = e[:, 0]
        amplitude, _ = self.amplitude.sample(x, padded, scale)
        noise = e[:, 1:].copy()
        cls = x[:, : self.n_classes].argmax(axis=1)
        first, count = self._first[cls], np.diff(self._first)[cls]
        known = count > 0
        # one number both chooses the posterior and, by what is left of it, gives the first dimension's noise
        position = ndtr(noise[known, 0]) * count[known]
        chosen = np.minimum(position.astype(np.int64), count[known] - 1)
        noise[known, 0] = ndtri(np.clip(position - chosen, 1e-9, 1.0 - 1e-9))
        rows = first[known] + chosen
        z = noise
        z[known] = self.mean[rows] + self.std[rows] * noise[known]
        return amplitude, z.astype(np.float32)

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """Configuration for JSON, and arrays for safetensors."""
        inner, arrays = regressor_to_state(self.amplitude)
        config = {"latent_dim": self.latent_dim, "n_classes": self.n_classes, "amplitude": inner}
        out = {f"amplitude.{k}": v for k, v in arrays.items()}
        if self.cls.size:
            out |= {"cls": self.cls.astype(np.uint8), "mean": self.mean, "std": self.std}
        return config, out

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> ReleasedLatents:
        """The inverse of :meth:`to_state`.

        Raises
        ------
        CheckpointError
            If the arrays do not fit.
        """
        prefix = "amplitude."
        inner = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        try:
            return cls(
                regressor_from_any(config["amplitude"], inner),
                latent_dim=int(config["latent_dim"]),
                n_classes=int(config["n_classes"]),
                cls=arrays.get("cls", ()),
                mean=arrays.get("mean"),
                std=arrays.get("std"),
            )
        except (InputError, KeyError) as error:
            raise CheckpointError(f"the released latents do not fit: {error}") from error


def regressor_to_state(regressor: Any) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Configuration for JSON and arrays for safetensors, of either kind."""
    inner = regressor.regressor if isinstance(regressor, PointSampler) else regressor
    config, arrays = inner.to_state()
    return {"kind": inner.name, "state": config}, arrays


def regressor_from_any(config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Any:
    """The inverse of :func:`regressor_to_state`."""
    if config["kind"] == FlowRegressor.name:
        return FlowRegressor.from_state(config["state"], arrays)
    if config["kind"] == ReleasedLatents.name:
        return ReleasedLatents.from_state(config["state"], arrays)
    if config["kind"] not in ("linear", "forest", "mlp"):
        raise ConfigError(f"unknown latent regression {config['kind']!r}")
    return PointSampler(regressor_from_state(config["state"], arrays))
