"""Five-sigma depths of LSST visits from sky, seeing, airmass and exposure time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, UnknownNameError

__all__ = ["LSST_BANDS", "LSST_SYSTEMS", "SystemBand", "five_sigma_depth"]

LSST_BANDS = ("u", "g", "r", "i", "z", "y")
_SEEING_ZERO, _SKY_ZERO, _TIME_ZERO = 0.7, 21.0, 30.0


@dataclass(frozen=True, kw_only=True)
class SystemBand:
    """What the depth of a visit in one band follows from (Ivezic et al. 2019, table 2).

    Attributes
    ----------
    c_m : float
        Depth at a sky of 21 mag/arcsec2, a seeing of 0.7 arcsec, zenith and 30 s [mag].
    dc_m_inf : float
        What the depth would gain without instrumental noise [mag].
    k_m : float
        Atmospheric extinction [mag per airmass].
    sky : float
        Dark sky at the zenith [mag/arcsec2].
    seeing : float
        Median effective full width at half maximum at the zenith, theta_eff [arcsec].
    gamma : float
        Coefficient of the error model, :class:`DepthNoise`.
    """

    c_m: float
    dc_m_inf: float
    k_m: float
    sky: float
    seeing: float
    gamma: float


def _system(
    c_m: str, dc_m_inf: str, k_m: str, sky: str, seeing: str = "0.92 0.87 0.83 0.80 0.78 0.76"
) -> Mapping[str, SystemBand]:
    gamma = "0.038 0.039 0.039 0.039 0.039 0.039"
    rows = zip(*(map(float, text.split()) for text in (c_m, dc_m_inf, k_m, sky, seeing, gamma)), strict=True)
    keys = ("c_m", "dc_m_inf", "k_m", "sky", "seeing", "gamma")
    bands = {b: SystemBand(**dict(zip(keys, row, strict=True))) for b, row in zip(LSST_BANDS, rows, strict=True)}
    return MappingProxyType(bands)


LSST_SYSTEMS: Mapping[str, Mapping[str, SystemBand]] = MappingProxyType(
    {
        # Ivezic et al. 2019, ApJ 873, 111, table 2
        "ivezic2019": _system(
            c_m="23.09 24.42 24.44 24.32 24.16 23.73",
            dc_m_inf="0.62 0.18 0.10 0.07 0.05 0.04",
            k_m="0.491 0.213 0.126 0.096 0.069 0.170",
            sky="22.99 22.26 21.20 20.48 19.60 18.61",
        ),
        # SMTN-002, https://smtn-002.lsst.io, for version 1.9 of the throughputs (three silver mirrors, built camera)
        "smtn002": _system(
            c_m="22.968 24.582 24.602 24.541 24.371 23.840",
            dc_m_inf="0.543 0.088 0.043 0.028 0.019 0.016",
            k_m="0.470 0.213 0.126 0.096 0.068 0.171",
            sky="23.052 22.254 21.198 20.463 19.606 18.602",
        ),
    }
)
"""Constants by system and band: the published ones, and those of the telescope as built, which recent simulated
schedules use."""


def five_sigma_depth(
    band: str | ArrayLike,
    *,
    sky: ArrayLike | None = None,
    seeing: ArrayLike | None = None,
    airmass: ArrayLike = 1.0,
    exposure_time: ArrayLike = 30.0,
    system: str = "ivezic2019",
) -> NDArray[np.float64]:
    """Five-sigma depth of point sources in LSST visits (Ivezic et al. 2019, ApJ 873, 111, equations 6 and 7).

    ``m5 = C_m + dC_m + 0.50 (m_sky - 21) + 2.5 log10(0.7 / theta_eff) + 1.25 log10(t / 30) - k_m (X - 1)``, where
    ``dC_m = dC_inf - 1.25 log10(1 + (10^(0.8 dC_inf) - 1) / T)`` accounts for the noise of the instrument, with
    ``T = t / 30 * 10^(-0.4 (m_sky - m_dark))`` (SMTN-002); it is zero under a dark sky in 30 s.

    Parameters
    ----------
    band : str or array_like of str
        u, g, r, i, z or y.
    sky : array_like, optional
        Sky brightness [mag/arcsec2]; dark by default.
    seeing : array_like, optional
        Effective full width at half maximum, at the airmass of the visit [arcsec]; by default the median at the zenith.
    airmass : array_like
    exposure_time : array_like
        Open-shutter time of the visit [s].
    system : {"ivezic2019", "smtn002"}
        Which constants: the published ones, or those of the system as built.

    Returns
    -------
    ndarray
        Depths [mag, AB]; the arguments are broadcast.

    Raises
    ------
    UnknownNameError
        If a band or the system is not known.
    InputError
        If a value is not finite, or seeing or exposure time are not positive, or the airmass is below one.

    Examples
    --------
    >>> five_sigma_depth(["u", "g", "r", "i", "z", "y"]).round(2)
    array([23.79, 24.81, 24.36, 23.92, 23.34, 22.45])
    >>> float(five_sigma_depth("r", seeing=1.2, airmass=1.3).round(2))
    23.92
    """
    if system not in LSST_SYSTEMS:
        raise UnknownNameError("system", system, LSST_SYSTEMS)
    names = np.asarray(band, dtype=str)
    found, which = np.unique(names, return_inverse=True)
    for name in found.tolist():
        if name not in LSST_BANDS:
            raise UnknownNameError("LSST band", name, LSST_BANDS)
    table = [LSST_SYSTEMS[system][name] for name in found.tolist()]

    def constant(key: str) -> NDArray[np.float64]:
        return np.array([getattr(row, key) for row in table], dtype=float)[which].reshape(names.shape)

    dark = constant("sky")
    m_sky = _checked("sky", dark if sky is None else sky)
    theta = _checked("seeing", constant("seeing") if seeing is None else seeing, low=0.0)
    mass = _checked("airmass", airmass, low=1.0, inclusive=True)
    time = _checked("exposure_time", exposure_time, low=0.0) / _TIME_ZERO
    gain = constant("dc_m_inf")
    collected = time * 10.0 ** (-0.4 * (m_sky - dark))
    instrument = gain - 1.25 * np.log10(1.0 + (10.0 ** (0.8 * gain) - 1.0) / collected)
    return (
        constant("c_m")
        + instrument
        + 0.50 * (m_sky - _SKY_ZERO)
        + 2.5 * np.log10(_SEEING_ZERO / theta)
        + 1.25 * np.log10(time)
        - constant("k_m") * (mass - 1.0)
    )


def _checked(name: str, values: ArrayLike, low: float | None = None, inclusive: bool = False) -> NDArray[np.float64]:
    out = np.asarray(values, dtype=float)
    if not np.isfinite(out).all():
        raise InputError(f"{name} must be finite, {int((~np.isfinite(out)).sum())} of {out.size} values are not")
    if low is not None and out.size and (out.min() < low or (not inclusive and out.min() == low)):
        limit = f"at least {low:g}" if inclusive else "positive"
        raise InputError(f"{name} must be {limit}, received {out.min():g}")
    return out
