"""Magnitudes and fluxes.

Fluxes are in nanojansky on the AB scale. Johnson-Cousins magnitudes are Vega magnitudes in which Vega has 0.03 mag, and
are brought to AB with the spectrum of Vega in the filter curves (as in :mod:`lcgen.observe.atmosphere`), Gaia
magnitudes with the zero points of Riello et al. (2021, A&A 649, A3). SDSS, LSST and ZTF magnitudes are AB; ``u`` to
``y`` are LSST's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import UnknownNameError

__all__ = ["AB_ZERO_POINT_NJY", "BANDS", "Band", "band_info", "flux_to_mag", "mag_to_flux", "nearest_band"]

AB_ZERO_POINT_NJY = 31.4
"""Magnitude of a source of 1 nJy on the AB scale (Oke & Gunn 1983: m_AB = -2.5 log10(F / 3631 Jy))."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """A photometric passband.

    Attributes
    ----------
    name : str
        The name used throughout lcgen.
    wavelength : float
        Effective wavelength [nm].
    ab_minus_system : float
        m_AB minus the magnitude in the band's own system [mag].
    system : str
        ``"Vega"`` or ``"AB"``.
    """

    name: str
    wavelength: float
    ab_minus_system: float
    system: str


# Wavelengths: Bessell & Murphy 2012 (UBVRI), LSST Science Book.
BANDS: dict[str, Band] = {
    b.name: b
    for b in (
        Band(name="u", wavelength=368.0, ab_minus_system=0.0, system="AB"),
        Band(name="B", wavelength=436.0, ab_minus_system=-0.148, system="Vega"),
        Band(name="g", wavelength=480.0, ab_minus_system=0.0, system="AB"),
        Band(name="V", wavelength=545.0, ab_minus_system=-0.028, system="Vega"),
        Band(name="r", wavelength=622.0, ab_minus_system=0.0, system="AB"),
        Band(name="R", wavelength=641.0, ab_minus_system=0.162, system="Vega"),
        Band(name="i", wavelength=754.0, ab_minus_system=0.0, system="AB"),
        Band(name="I", wavelength=798.0, ab_minus_system=0.415, system="Vega"),
        Band(name="z", wavelength=869.0, ab_minus_system=0.0, system="AB"),
        Band(name="y", wavelength=971.0, ab_minus_system=0.0, system="AB"),
        Band(name="sdss_u", wavelength=356.0, ab_minus_system=0.0, system="AB"),
        Band(name="sdss_g", wavelength=470.0, ab_minus_system=0.0, system="AB"),
        Band(name="sdss_r", wavelength=618.0, ab_minus_system=0.0, system="AB"),
        Band(name="sdss_i", wavelength=749.0, ab_minus_system=0.0, system="AB"),
        Band(name="sdss_z", wavelength=896.0, ab_minus_system=0.0, system="AB"),
        Band(name="ztf_g", wavelength=475.0, ab_minus_system=0.0, system="AB"),
        Band(name="ztf_r", wavelength=639.0, ab_minus_system=0.0, system="AB"),
        Band(name="ztf_i", wavelength=789.0, ab_minus_system=0.0, system="AB"),
        Band(name="BP", wavelength=511.0, ab_minus_system=0.0155, system="Vega"),
        Band(name="G", wavelength=622.0, ab_minus_system=0.1136, system="Vega"),
        Band(name="RP", wavelength=777.0, ab_minus_system=0.3561, system="Vega"),
    )
}


def band_info(name: str) -> Band:
    """The passband called `name`.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    try:
        return BANDS[name]
    except (KeyError, TypeError):
        raise UnknownNameError("band", name, BANDS) from None


def nearest_band(name: str, candidates: tuple[str, ...]) -> str:
    """The one of `candidates` whose effective wavelength is nearest to that of `name`.

    Examples
    --------
    >>> nearest_band("g", ("V", "I"))
    'V'
    >>> nearest_band("z", ("V", "I"))
    'I'
    """
    if name in candidates:
        return name
    target = band_info(name).wavelength
    return min(candidates, key=lambda c: abs(band_info(c).wavelength - target))


def mag_to_flux(mag: ArrayLike, band: str) -> NDArray[np.float64]:
    """Flux in nJy (AB) of a magnitude in the band's own system.

    Examples
    --------
    >>> round(float(mag_to_flux(31.4, "r")), 6)
    1.0
    """
    zero_point = AB_ZERO_POINT_NJY - band_info(band).ab_minus_system
    return np.power(10.0, 0.4 * (zero_point - np.asarray(mag, dtype=float)))


def flux_to_mag(flux: ArrayLike, band: str) -> NDArray[np.float64]:
    """Magnitude, in the band's own system, of a flux in nJy (AB); NaN where the flux is not positive."""
    zero_point = AB_ZERO_POINT_NJY - band_info(band).ab_minus_system
    flux = np.asarray(flux, dtype=float)
    out = np.full(flux.shape, np.nan)
    good = flux > 0
    out[good] = zero_point - 2.5 * np.log10(flux[good])
    return out if out.ndim else out[()]
