"""Which measurements are detections, and what becomes of the others."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from .protocol import NoisyPhotometry

if TYPE_CHECKING:  # pragma: no cover
    from ..lightcurve import LightCurves

__all__ = ["Detection", "Photometry", "check_detection", "select_measurements"]

Photometry = Literal["forced", "detections"]
"""Whether all measurements are kept, or those alone that are detections."""

_PER_MAG = 0.4 * np.log(10.0)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A detection limit.

    Attributes
    ----------
    snr : float
        Smallest measured flux over its error that is a detection. With 5 and noise from depths, about half of the
        visits detect a star whose brightness is their depth.
    photometry : {"forced", "detections"}
        ``"forced"``: flux is measured at the star's position in every visit, detected or not. ``"detections"``: only
        detections are kept, as in a survey's catalogue of sources; a star may be left without any.

    Examples
    --------
    >>> Detection(snr=5.0, photometry="detections")
    Detection(snr=5.0, photometry='detections')
    """

    snr: float = 5.0
    photometry: Photometry = "forced"

    def __post_init__(self) -> None:
        number = isinstance(self.snr, (int, float, np.number)) and not isinstance(self.snr, bool)
        if not (number and np.isfinite(self.snr) and self.snr > 0):
            raise InputError(f"detection: snr must be a positive number, received {self.snr!r}")
        if self.photometry not in get_args(Photometry):
            raise UnknownNameError("photometry", self.photometry, get_args(Photometry))

    @property
    def only(self) -> bool:
        """Whether measurements that are no detections are dropped."""
        return self.photometry == "detections"

    def detected(self, measured: NoisyPhotometry) -> NDArray[np.bool_]:
        """Which measurements are detections, shape (n_obs,).

        Of models that measure magnitudes the ratio of flux to error is ``1 / (0.4 ln(10) mag_err)``.
        """
        if measured.flux is not None and measured.flux_err is not None:
            return measured.flux >= self.snr * measured.flux_err
        return _PER_MAG * self.snr * measured.mag_err <= 1.0

    def to_config(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"snr": float(self.snr), "photometry": self.photometry}


def check_detection(detection: object, noise: object) -> Detection | None:
    """`detection`, if it is one and there is noise to measure it against.

    Raises
    ------
    InputError
        If it is something else, or measurements have no errors.
    """
    if detection is None:
        return None
    if not isinstance(detection, Detection):
        raise InputError(f"detection must be a lcgen.observe.Detection, such as Detection(snr=5), got {detection!r}")
    if noise is None:
        raise InputError("detection needs a noise model: without noise every visit would be a detection")
    return detection


def select_measurements(curves: LightCurves, measured: NoisyPhotometry, detection: Detection | None) -> LightCurves:
    """The light curves without saturated visits, and with or without what is no detection.

    Parameters
    ----------
    curves : LightCurves
        All visits.
    measured : NoisyPhotometry
        The same visits, as the noise model gave them.
    detection : Detection or None

    Returns
    -------
    LightCurves
        ``meta["n_saturated"]`` is there where the noise model knows saturation, ``meta["detection"]`` where a limit was
        asked for.
    """
    if measured.saturated is None and detection is None:
        return curves
    meta, keep = dict(curves.meta), np.ones(curves.mjd.size, dtype=bool)
    if measured.saturated is not None:
        meta["n_saturated"] = int(np.count_nonzero(measured.saturated))
        keep &= ~measured.saturated
    detected = None
    if detection is not None:
        meta["detection"] = detection.to_config()
        detected = detection.detected(measured)
        if detection.only:
            keep &= detected
    curves = dataclasses.replace(curves, meta=meta, detected=detected)
    return curves if keep.all() else curves.where(keep)
