"""Linear regression to the latent space, as published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .base import ArrayRegressor, affine, standardise

__all__ = ["LinearRegressor"]


class LinearRegressor(ArrayRegressor):
    """Least squares with an intercept.

    One-hot columns add up to one and make the problem singular; the solution of smallest norm is taken.

    Parameters
    ----------
    extra_uniform : bool
        See :class:`~lcgen.latent.base.ArrayRegressor`.

    Examples
    --------
    >>> x = np.arange(6.0)[:, None]
    >>> fitted = LinearRegressor(extra_uniform=False).fit(x, 2 * x + 1, seed=1)
    >>> fitted.predict([[10.0]]).round(6).tolist()
    [[21.0]]
    """

    name: ClassVar[str] = "linear"

    def _fit(self, features: NDArray, targets: NDArray, seed: int) -> dict[str, NDArray]:
        scaled, mean, std = standardise(features)
        center = targets.mean(axis=0)
        slopes = np.linalg.lstsq(scaled, targets - center, rcond=1e-10)[0] / std[:, None]
        return {"slopes": slopes, "intercept": center - mean @ slopes}

    def _predict(self, features: NDArray, arrays: Mapping[str, NDArray]) -> NDArray[np.float64]:
        return affine(features, arrays["slopes"], arrays["intercept"])
