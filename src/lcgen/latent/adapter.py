"""One interface for the flow, the published regressors and released latents, as the generator needs it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ..errors import CheckpointError, InputError
from ..plugins import origin_of
from .flow import FlowRegressor
from .lookup import as_regressor, restored

__all__ = ["PointSampler", "ReleasedLatents", "regressor_from_any", "regressor_to_state"]


class PointSampler:
    """A published regressor, or that of a plugin, as a sampler of amplitude and latent vector.

    Parameters
    ----------
    regressor : LatentRegressor
        Fitted to the standardised log amplitude and the latent vector, in this order.
    latent_dim : int, optional
        Dimensions of the latent space; those that the regressor tells where not given.
    """

    def __init__(self, regressor: Any, *, latent_dim: int | None = None) -> None:
        self.regressor = regressor
        self.latent_dim = int(regressor.n_targets) - 1 if latent_dim is None else int(latent_dim)

    @property
    def name(self) -> str:
        """Name of the regressor."""
        return str(self.regressor.name)

    @classmethod
    def fit(cls, regressor: Any, features: ArrayLike, scale: ArrayLike, mean: ArrayLike, *, seed: int) -> PointSampler:
        """Fit a regressor given by name, as a class or as an object, of which a copy is fitted."""
        targets = np.concatenate([np.asarray(scale, dtype=float)[:, None], np.asarray(mean, dtype=float)], axis=1)
        fitted = copy.deepcopy(as_regressor(regressor))
        fitted.fit(np.asarray(features, dtype=float), targets, seed=seed)
        return cls(fitted, latent_dim=targets.shape[1] - 1)

    def sample(
        self, features: ArrayLike, normals: ArrayLike, scale: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """As :meth:`lcgen.latent.flow.FlowRegressor.sample`.

        Raises
        ------
        InputError
            If the regressor draws something of another shape, or numbers that are not finite.
        """
        normals = np.asarray(normals, dtype=float)
        # the published regressors append the first uniform number to the features, and use no other
        uniforms = ndtr(np.concatenate([normals, np.zeros((normals.shape[0], 1))], axis=1))
        uniforms = np.minimum(uniforms, np.nextafter(1.0, 0.0))
        out = np.asarray(self.regressor.sample(np.asarray(features, dtype=float), uniforms), dtype=float)
        if out.shape != normals.shape or not np.isfinite(out).all():
            raise InputError(
                f"the {self.name} regressor drew latents of shape {out.shape}, {int((~np.isfinite(out)).sum())} "
                f"numbers of them not finite; needed is the shape {normals.shape}, all finite"
            )
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
    def from_state(
        cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray], *, known: Sequence[type] = ()
    ) -> ReleasedLatents:
        """The inverse of :meth:`to_state`; `known` as in :func:`regressor_from_any`.

        Raises
        ------
        CheckpointError
            If the arrays do not fit.
        """
        prefix = "amplitude."
        inner = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        try:
            return cls(
                regressor_from_any(config["amplitude"], inner, known=known),
                latent_dim=int(config["latent_dim"]),
                n_classes=int(config["n_classes"]),
                cls=arrays.get("cls", ()),
                mean=arrays.get("mean"),
                std=arrays.get("std"),
            )
        except (InputError, KeyError) as error:
            raise CheckpointError(f"the released latents do not fit: {error}") from error


def regressor_to_state(regressor: Any) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Configuration for JSON and arrays for safetensors, of any of them.

    Raises
    ------
    InputError
        If a regressor of somebody else's gives what cannot be stored.
    """
    if not isinstance(regressor, PointSampler):
        config, arrays = regressor.to_state()
        return {"kind": regressor.name, "state": config}, arrays
    config, arrays = regressor.regressor.to_state()
    try:
        stored = json.loads(json.dumps(dict(config), allow_nan=False))
        plain = {str(k): np.asarray(v) for k, v in arrays.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the state of the {regressor.name} regressor cannot be stored as JSON: {error}") from error
    wrong = [k for k, v in plain.items() if v.dtype.kind not in "biuf"]
    if wrong:
        raise InputError(
            f"the state of the {regressor.name} regressor has the array {wrong[0]!r} of type {plain[wrong[0]].dtype}; "
            "allowed are booleans, whole numbers and floats"
        )
    out = {"kind": regressor.name, "state": stored, "latent_dim": regressor.latent_dim}
    origin = origin_of(regressor.regressor)
    if origin is not None:
        out["plugin"] = f"{origin.distribution} {origin.version}"
    return out, plain


def regressor_from_any(config: Mapping[str, Any], arrays: Mapping[str, NDArray], *, known: Sequence[type] = ()) -> Any:
    """The inverse of :func:`regressor_to_state`; `known` are classes of regressors that no installed package names.

    Raises
    ------
    CheckpointError
        If there is no such regressor, or its state does not fit.
    PluginError
        If it is that of a plugin that cannot be used.
    """
    kind, state = config["kind"], config["state"]
    if kind == FlowRegressor.name:
        return FlowRegressor.from_state(state, arrays)
    if kind == ReleasedLatents.name:
        return ReleasedLatents.from_state(state, arrays, known=known)
    regressor = restored(kind, state, arrays, known=known, origin=str(config.get("plugin", "")))
    return PointSampler(regressor, latent_dim=config.get("latent_dim"))
