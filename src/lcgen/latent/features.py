"""Class and physical parameters as the numbers that a regressor takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, InputError, UnknownNameError
from ..taxonomy import CLASSES, parameter_info

__all__ = ["FeatureSpec", "feature_matrix"]


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """How class and parameters become features; fixed on the training stars and stored with the model.

    Attributes
    ----------
    classes : tuple of str
        The classes of the one-hot columns.
    parameters : tuple of str
        Names of the parameters. Those that :data:`lcgen.taxonomy.PARAMETERS` marks are used as log10.
    centers, scales : tuple of float
        Median, and half the 16-84 percentile range, of each parameter (of its logarithm).
    """

    classes: tuple[str, ...]
    parameters: tuple[str, ...]
    centers: tuple[float, ...]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.parameters) == len(self.centers) == len(self.scales):
            raise InputError(
                f"{len(self.parameters)} parameters, {len(self.centers)} centers, {len(self.scales)} scales"
            )
        for name in self.parameters:
            parameter_info(name)
        if not all(np.isfinite(c) for c in self.centers) or not all(np.isfinite(s) and s > 0 for s in self.scales):
            raise InputError("centers must be finite, scales finite and positive")

    @classmethod
    def fit(
        cls,
        params: Mapping[str, ArrayLike],
        *,
        parameters: Sequence[str] | None = None,
        classes: Sequence[str] = CLASSES,
    ) -> Self:
        """Centres and scales of the parameters of a set of stars.

        Quantiles, so that a single period of 10,000 d does not squeeze the rest into a corner.

        Parameters
        ----------
        params : mapping of str to array_like, shape (n,)
            Parameters of the stars, NaN where missing.
        parameters : sequence of str, optional
            Those to use; all by default.
        classes : sequence of str
            The classes of the one-hot columns.

        Raises
        ------
        InputError
            If a parameter is missing, or has no finite value.
        """
        names = tuple(params) if parameters is None else tuple(parameters)
        centers, scales = [], []
        for name in names:
            values = _transformed(name, params)
            values = values[np.isfinite(values)]
            if values.size == 0:
                raise InputError(f"no star has a usable value of {name}")
            low, middle, high = np.percentile(values, [16, 50, 84])
            spread = 0.5 * (high - low)
            centers.append(float(middle))
            scales.append(float(spread) if spread > 1e-9 else 1.0)
        return cls(classes=tuple(classes), parameters=names, centers=tuple(centers), scales=tuple(scales))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features, without the extra uniform one."""
        return (
            *(f"class:{name}" for name in self.classes),
            *self.parameters,
            *(f"missing:{name}" for name in self.parameters),
        )

    @property
    def physical_columns(self) -> tuple[int, ...]:
        """Indices of the columns that come from the parameters."""
        return tuple(range(len(self.classes), len(self.columns)))

    def to_dict(self) -> dict[str, list]:
        """The attributes, as JSON can hold them."""
        return {name: list(getattr(self, name)) for name in ("classes", "parameters", "centers", "scales")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        CheckpointError
            If the values do not describe features.
        """
        try:
            return cls(**{str(name): tuple(value) for name, value in values.items()})
        except (TypeError, InputError) as error:
            raise CheckpointError(f"not a description of features: {error}") from error


def _transformed(name: str, params: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    info = parameter_info(name)
    if name not in params:
        raise InputError(f"the parameter {name} is missing; give NaN where it is not known")
    values = np.asarray(params[name], dtype=float)
    if not info.log:
        return np.where(np.isfinite(values), values, np.nan)
    usable = np.isfinite(values) & (values > 0)
    return np.log10(values, where=usable, out=np.full(values.shape, np.nan))


def feature_matrix(
    classes: ArrayLike,
    params: Mapping[str, ArrayLike],
    *,
    spec: FeatureSpec,
    uniform: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Features of stars: one-hot class, scaled parameters, which are missing, optionally a uniform number.

    Parameters
    ----------
    classes : array_like of str, shape (n,)
        Classes of the stars.
    params : mapping of str to array_like, shape (n,) or scalar
        Parameters in the units of :data:`lcgen.taxonomy.PARAMETERS`; NaN, or a parameter of `spec` left
        out, is missing: its column is 0 (the median) and its mask 1.
    spec : FeatureSpec
        Scaling, from :meth:`FeatureSpec.fit`.
    uniform : array_like, shape (n,), optional
        A last column, for regressors made with ``extra_uniform=False``.

    Returns
    -------
    ndarray, shape (n, n_classes + 2 n_parameters [+ 1])

    Raises
    ------
    UnknownNameError
        If a class is not among those of `spec`.
    InputError
        If a length does not fit, or a parameter that is not missing is not finite or, where its logarithm
        is used, not positive.

    Examples
    --------
    >>> spec = FeatureSpec(classes=("CEP", "RRLYR"), parameters=("period",), centers=(0.0,), scales=(1.0,))
    >>> feature_matrix(["CEP", "RRLYR"], {"period": [10.0, np.nan]}, spec=spec).tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """
    names = np.asarray(classes)
    if names.ndim != 1:
        raise InputError(f"classes must be one-dimensional, received shape {names.shape}")
    one_hot = names[:, None] == np.array(spec.classes)
    unknown = np.flatnonzero(~one_hot.any(axis=1))
    if unknown.size:
        raise UnknownNameError("class", str(names[unknown[0]]), spec.classes)
    n = len(names)
    scaled, missing = np.zeros((n, len(spec.parameters))), np.ones((n, len(spec.parameters)))
    for k, name in enumerate(spec.parameters):
        if name not in params:
            continue
        given = np.asarray(params[name], dtype=float)
        if given.shape not in ((), (n,)):
            raise InputError(f"{name} has shape {given.shape}, there are {n} stars")
        values = np.broadcast_to(given, (n,))
        transformed = _transformed(name, {name: values})
        wrong = np.flatnonzero(~np.isfinite(transformed) & ~np.isnan(values))
        if wrong.size:
            raise InputError(f"{name} = {values[wrong[0]]} of star {wrong[0]} is not allowed")
        known = np.isfinite(transformed)
        scaled[known, k] = (transformed[known] - spec.centers[k]) / spec.scales[k]
        missing[known, k] = 0.0
    parts = [one_hot.astype(float), scaled, missing]
    if uniform is not None:
        column = np.asarray(uniform, dtype=float)
        if column.shape != (n,):
            raise InputError(f"uniform has shape {column.shape}, there are {n} stars")
        parts.append(column[:, None])
    return np.concatenate(parts, axis=1)
