"""Augmentation and balancing, as options of training (after AJ 164, 263, section 2.2).

They act on the training set alone and after the split by star, so that no copy of a star can reach another set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError, InputError

__all__ = ["AugmentConfig", "class_weights"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes to a training curve each time it is used; see :class:`lcgen.model.batches.CurveBatches`.

    Attributes
    ----------
    resample : bool
        Draw each magnitude anew from a normal distribution about the measured one, with its error.
    phase_shift : float
        Largest shift of all phases of a curve, drawn uniformly in both directions. The periodic model aligns its
        input, so only the published networks gain from it.
    undersample : float
        Smallest share of the observations used; 1 uses all.
    """

    resample: bool = False
    phase_shift: float = 0.0
    undersample: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.phase_shift <= 1.0:
            raise ConfigError(f"augment.phase_shift must lie in [0, 1], received {self.phase_shift}")
        if not 0.0 < self.undersample <= 1.0:
            raise ConfigError(f"augment.undersample must lie in (0, 1], received {self.undersample}")


def class_weights(labels: ArrayLike, *, power: float = 0.5) -> NDArray[np.float64]:
    """Weights with which curves are drawn for training, so that rare groups are seen more often.

    Parameters
    ----------
    labels : array_like, shape (n_curves,)
        Group of each curve.
    power : float
        0 leaves the mix of the surveys, 1 makes all groups equally frequent.

    Returns
    -------
    ndarray, shape (n_curves,)
        Weights with a sum of one.

    Examples
    --------
    >>> class_weights(["a", "a", "a", "b"], power=1.0).round(3).tolist()
    [0.167, 0.167, 0.167, 0.5]
    """
    if not 0.0 <= power <= 1.0:
        raise InputError(f"power must lie in [0, 1], received {power}")
    labels = np.asarray(labels)
    if labels.size == 0:
        raise InputError("no curve to weight")
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = counts[inverse].astype(float) ** -power
    return weights / weights.sum()
