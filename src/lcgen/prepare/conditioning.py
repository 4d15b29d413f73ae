"""What a network is told about a star: class, subclass, band, and physical parameters with a mask.

Parameters are taken to logarithms where they span decades, then centred and scaled by the median and the interquartile
range of each class: one star with an extreme period cannot squeeze the scale of all others, as it would with min-max
scaling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..taxonomy import CLASS_INFO, PHYSICAL, parameter_info

__all__ = ["Conditioner"]

_LIMIT = 4.0
_MIN_KNOWN = 50
_PERIOD_UNIT = 0.5


def _transform(params: NDArray) -> NDArray[np.float64]:
    out = np.array(params, dtype=float, copy=True)
    for j, name in enumerate(PHYSICAL):
        if parameter_info(name).log:
            with np.errstate(invalid="ignore", divide="ignore"):
                out[:, j] = np.log10(out[:, j])
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditioner:
    """Turns stars into features of fixed length.

    Attributes
    ----------
    classes, bands : tuple of str
        What is known, in the order of the one-hot features.
    subclasses : tuple of str
        ``"CLASS:subclass"``, in the order of the one-hot features.
    centre, width : ndarray, shape (n_classes, n_params)
        Median and robust standard deviation of the transformed parameters by class.
    low, high : ndarray, shape (n_classes, n_params)
        Range of the training stars in natural units, NaN where the class has no such parameter.
    supported : ndarray of bool, shape (n_classes, n_params)
        Whether enough training stars had the parameter for a model to have learnt from it; the others are masked.
    scale_centre, scale_width : ndarray, shape (n_classes,)
        Of log10 of the amplitude scale [mag].
    secondary : tuple of str
        Surveys whose stars teach shapes but are no sample of what is to be imitated: a feature tells them apart.
    secondary_only : ndarray of bool, shape (n_classes, n_params)
        Parameters that are known from secondary surveys alone.
    """

    classes: tuple[str, ...]
    subclasses: tuple[str, ...]
    bands: tuple[str, ...]
    centre: NDArray[np.float64]
    width: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    supported: NDArray[np.bool_]
    scale_centre: NDArray[np.float64]
    scale_width: NDArray[np.float64]
    secondary: tuple[str, ...] = ()
    secondary_only: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, len(PHYSICAL)), dtype=bool))

    @classmethod
    def fit(
        cls,
        *,
        classes: tuple[str, ...],
        bands: tuple[str, ...],
        cls_index: ArrayLike,
        params: ArrayLike,
        scale: ArrayLike,
        survey: ArrayLike = (),
        secondary: tuple[str, ...] = (),
    ) -> Conditioner:
        """Learn centres and widths from training stars.

        Parameters
        ----------
        cls_index : array_like of int, shape (n,)
        params : array_like, shape (n, n_params)
            In natural units, NaN where unknown.
        scale : array_like, shape (n,)
            Amplitude scale [mag].
        survey : array_like of str, shape (n,), optional
            Needed where there are secondary surveys.
        secondary : tuple of str
            Names of secondary surveys.
        """
        index, raw = np.asarray(cls_index), np.asarray(params, dtype=float)
        if raw.ndim != 2 or raw.shape[1] != len(PHYSICAL) or raw.shape[0] != index.size:
            raise InputError(f"params must have shape (n, {len(PHYSICAL)}), received {raw.shape}")
        values, log_scale = _transform(raw), np.log10(np.asarray(scale, dtype=float))
        shape = (len(classes), len(PHYSICAL))
        centre, width = np.zeros(shape), np.ones(shape)
        low, high = np.full(shape, np.nan), np.full(shape, np.nan)
        supported = np.zeros(shape, dtype=bool)
        scale_centre, scale_width = np.zeros(len(classes)), np.ones(len(classes))
        for c in range(len(classes)):
            rows = index == c
            if not rows.any():
                continue
            scale_centre[c], scale_width[c] = _robust(log_scale[rows])
            for j in range(len(PHYSICAL)):
                known = values[rows, j][np.isfinite(values[rows, j])]
                if known.size:
                    centre[c, j], width[c, j] = _robust(known)
                    natural = raw[rows, j][np.isfinite(values[rows, j])]
                    low[c, j], high[c, j] = natural.min(), natural.max()
                supported[c, j] = known.size >= _MIN_KNOWN
        supported[:, PHYSICAL.index("period")] = True
        secondary_only = np.zeros(shape, dtype=bool)
        if secondary:
            primary = ~np.isin(np.asarray(survey), secondary)
            for c in range(len(classes)):
                known = np.isfinite(values[(index == c) & primary, :]).sum(axis=0)
                secondary_only[c] = supported[c] & (known < _MIN_KNOWN)
            secondary_only[:, PHYSICAL.index("period")] = False
        subclasses = tuple(f"{c}:{s}" for c in classes for s in CLASS_INFO[c].subclasses)
        return cls(
            classes=classes,
            subclasses=subclasses,
            bands=bands,
            centre=centre,
            width=width,
            low=low,
            high=high,
            supported=supported,
            scale_centre=scale_centre,
            scale_width=scale_width,
            secondary=tuple(secondary),
            secondary_only=secondary_only,
        )

    @property
    def n_decoder(self) -> int:
        """Length of the decoder's condition: class, subclass, band, period."""
        return len(self.classes) + len(self.subclasses) + len(self.bands) + 2

    @property
    def n_star(self) -> int:
        """Length of the star's condition: class, subclass, period, parameters and their mask, kind of survey."""
        return len(self.classes) + len(self.subclasses) + 1 + 2 * len(PHYSICAL) + bool(self.secondary)

    def identity(self, cls_index: ArrayLike, subclass: ArrayLike) -> NDArray[np.float32]:
        """One-hot class and subclass, shape (n, n_classes + n_subclasses); no subclass bit where it is unknown."""
        index = np.asarray(cls_index)
        out = np.zeros((index.size, len(self.classes) + len(self.subclasses)), dtype=np.float32)
        out[np.arange(index.size), index] = 1.0
        position = {name: k for k, name in enumerate(self.subclasses)}
        for i, (c, s) in enumerate(zip(index.tolist(), np.asarray(subclass).tolist(), strict=True)):
            k = position.get(f"{self.classes[c]}:{s}")
            if k is not None:
                out[i, len(self.classes) + k] = 1.0
        return out

    def parameters(self, cls_index: ArrayLike, params: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Standardised parameters and their mask, both of shape (n, n_params); unknown values are 0 with mask 0."""
        index = np.asarray(cls_index)
        values = (_transform(np.asarray(params, dtype=float)) - self.centre[index]) / self.width[index]
        mask = np.isfinite(values) & self.supported[index]
        values = np.where(mask, np.clip(values, -_LIMIT, _LIMIT), 0.0)
        return values.astype(np.float32), mask.astype(np.float32)

    def log_period(self, params: ArrayLike) -> NDArray[np.float32]:
        """log10 of the period, on one scale for all classes, shape (n, 1)."""
        period = np.asarray(params, dtype=float)[:, PHYSICAL.index("period")]
        return (_PERIOD_UNIT * np.log10(period)).astype(np.float32)[:, None]

    def log_period_width(self, cls_index: ArrayLike) -> NDArray[np.float32]:
        """What one class width of log period is on the scale of :meth:`log_period`, shape (n, 1)."""
        width = self.width[np.asarray(cls_index), PHYSICAL.index("period")]
        return (_PERIOD_UNIT * width).astype(np.float32)[:, None]

    def standard_scale(self, cls_index: ArrayLike, scale: ArrayLike) -> NDArray[np.float64]:
        """log10 of the amplitude scale, standardised by class, shape (n,)."""
        index = np.asarray(cls_index)
        return (np.log10(np.asarray(scale, dtype=float)) - self.scale_centre[index]) / self.scale_width[index]

    def natural_scale(self, cls_index: ArrayLike, standard: ArrayLike) -> NDArray[np.float64]:
        """The inverse of :meth:`standard_scale` [mag]."""
        index = np.asarray(cls_index)
        return 10.0 ** (np.asarray(standard, dtype=float) * self.scale_width[index] + self.scale_centre[index])

    def decoder_features(
        self, cls_index: ArrayLike, subclass: ArrayLike, params: ArrayLike, band: ArrayLike
    ) -> NDArray[np.float32]:
        """Condition of the decoder, shape (n, n_decoder)."""
        values, _ = self.parameters(cls_index, params)
        bands = np.eye(len(self.bands), dtype=np.float32)[np.asarray(band)]
        j = PHYSICAL.index("period")
        return np.concatenate(
            [self.identity(cls_index, subclass), bands, self.log_period(params), values[:, j : j + 1]], axis=1
        )

    def star_features(
        self, cls_index: ArrayLike, subclass: ArrayLike, params: ArrayLike, survey: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Condition of the encoder and of the latent regression, shape (n, n_star).

        Parameters
        ----------
        cls_index : array_like of int, shape (n,)
        subclass : array_like of str, shape (n,)
        params : array_like, shape (n, n_params)
        survey : array_like of str, shape (n,), optional
            Where not given, no star counts as one of a secondary survey.
        """
        values, mask = self.parameters(cls_index, params)
        parts = [self.identity(cls_index, subclass), self.log_period(params), values, mask]
        if self.secondary:
            other = np.zeros(mask.shape[0]) if survey is None else np.isin(np.asarray(survey), self.secondary)
            parts.append(other[:, None].astype(np.float32))
        return np.concatenate(parts, axis=1)

    def to_config(self) -> dict[str, Any]:
        """As plain lists, for JSON."""
        return {
            "classes": list(self.classes),
            "subclasses": list(self.subclasses),
            "bands": list(self.bands),
            "parameters": list(PHYSICAL),
            **{
                k: [[None if not np.isfinite(v) else float(v) for v in row] for row in getattr(self, k)]
                for k in ("centre", "width", "low", "high")
            },
            "supported": self.supported.tolist(),
            "scale_centre": self.scale_centre.tolist(),
            "scale_width": self.scale_width.tolist(),
            "secondary": list(self.secondary),
            "secondary_only": self.secondary_only.tolist(),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Conditioner:
        """The inverse of :meth:`to_config`."""
        if list(config["parameters"]) != list(PHYSICAL):
            raise InputError(f"the model knows parameters {config['parameters']}, this lcgen {list(PHYSICAL)}")
        table = {
            k: np.array([[np.nan if v is None else v for v in row] for row in config[k]], dtype=float)
            for k in ("centre", "width", "low", "high")
        }
        return cls(
            classes=tuple(config["classes"]),
            subclasses=tuple(config["subclasses"]),
            bands=tuple(config["bands"]),
            supported=np.asarray(config["supported"], dtype=bool),
            scale_centre=np.asarray(config["scale_centre"], dtype=float),
            scale_width=np.asarray(config["scale_width"], dtype=float),
            secondary=tuple(config.get("secondary", ())),
            secondary_only=np.asarray(config.get("secondary_only", []), dtype=bool).reshape(-1, len(PHYSICAL)),
            **table,
        )


def _robust(values: NDArray) -> tuple[float, float]:
    q25, q50, q75 = np.percentile(values, [25, 50, 75])
    return float(q50), max(float(q75 - q25) / 1.349, 1e-3)
