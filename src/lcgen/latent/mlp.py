"""Multilayer perceptron regression to the latent space, as published, kept as plain arrays."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..rng import stream
from .base import ArrayRegressor, affine, standardise

__all__ = ["MLPRegressor"]

logger = logging.getLogger(__name__)

_ROWS = 4096  # evaluated at a time, to stay in the processor's cache


class MLPRegressor(ArrayRegressor):
    """Fully connected layers with ReLU, fitted by scikit-learn (Adam) to standardised features and targets.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers.
    max_epochs : int
        Largest number of passes over the rows.
    weight_decay : float
        L2 penalty.
    extra_uniform : bool
        See :class:`~lcgen.latent.base.ArrayRegressor`.
    """

    name: ClassVar[str] = "mlp"
    _options: ClassVar[tuple[str, ...]] = ("hidden", "max_epochs", "weight_decay", "extra_uniform")

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (64, 64),
        max_epochs: int = 200,
        weight_decay: float = 1e-4,
        extra_uniform: bool = True,
    ) -> None:
        super().__init__(extra_uniform=extra_uniform)
        self.hidden = [int(units) for units in hidden]
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden must be one or more positive numbers of units, received {hidden!r}")
        if isinstance(max_epochs, bool) or not isinstance(max_epochs, int) or max_epochs < 1:
            raise InputError(f"max_epochs must be a whole number of at least 1, received {max_epochs!r}")
        if not (np.isfinite(weight_decay) and weight_decay >= 0):
            raise InputError(f"weight_decay must be finite and not negative, received {weight_decay!r}")
        self.max_epochs = max_epochs
        self.weight_decay = float(weight_decay)

    def _fit(self, features: NDArray, targets: NDArray, seed: int) -> dict[str, NDArray]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor as Perceptron

        x, x_mean, x_std = standardise(features)
        y, y_mean, y_std = standardise(targets)
        perceptron = Perceptron(
            hidden_layer_sizes=tuple(self.hidden),
            activation="relu",
            alpha=self.weight_decay,
            max_iter=self.max_epochs,
            random_state=int(stream(seed, "latent/mlp").integers(2**32)),
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            perceptron.fit(x, y if y.shape[1] > 1 else y[:, 0])
        if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
            logger.info("the MLP was still improving after %d epochs", self.max_epochs)
        weights = [np.asarray(w, dtype=float) for w in perceptron.coefs_]
        biases = [np.asarray(b, dtype=float) for b in perceptron.intercepts_]
        # scaling is folded into the first and last layers
        biases[0] = biases[0] - (x_mean / x_std) @ weights[0]
        weights[0] = weights[0] / x_std[:, None]
        weights[-1] = weights[-1] * y_std
        biases[-1] = biases[-1] * y_std + y_mean
        out = {f"weight_{i}": w for i, w in enumerate(weights)}
        return {**out, **{f"bias_{i}": b for i, b in enumerate(biases)}}

    def _predict(self, features: NDArray, arrays: Mapping[str, NDArray]) -> NDArray[np.float64]:
        last = len(self.hidden)
        out = np.empty((len(features), arrays[f"bias_{last}"].size))
        for start in range(0, len(features), _ROWS):
            rows = features[start : start + _ROWS]
            for layer in range(last + 1):
                rows = affine(rows, arrays[f"weight_{layer}"], arrays[f"bias_{layer}"])
                if layer < last:
                    np.maximum(rows, 0.0, out=rows)
            out[start : start + _ROWS] = rows
        return out
