"""One interface for the flow and the published regressors, as the generator needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ..errors import ConfigError
from .base import make_regressor, regressor_from_state
from .flow import FlowRegressor

__all__ = ["PointSampler", "regressor_from_any", "regressor_to_state"]


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


def regressor_to_state(regressor: Any) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Configuration for JSON and arrays for safetensors, of either kind."""
    inner = regressor.regressor if isinstance(regressor, PointSampler) else regressor
    config, arrays = inner.to_state()
    return {"kind": inner.name, "state": config}, arrays


def regressor_from_any(config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Any:
    """The inverse of :func:`regressor_to_state`."""
    if config["kind"] == FlowRegressor.name:
        return FlowRegressor.from_state(config["state"], arrays)
    if config["kind"] not in ("linear", "forest", "mlp"):
        raise ConfigError(f"unknown latent regression {config['kind']!r}")
    return PointSampler(regressor_from_state(config["state"], arrays))
