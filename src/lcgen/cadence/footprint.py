"""Where on the sky a camera looks when it points somewhere: discs, the mosaics of LSST and ZTF, single detectors.

A footprint is asked with offsets from the pointing in the tangent plane and with the camera's rotation. In each,
distortion of the optics, dead columns, vignetting, guide and wavefront sensors are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from .sky import check_radius

__all__ = ["Circle", "Footprint", "LsstCamera", "ZtfCamera", "footprint_of", "tangent_plane"]

RUBIN_RADIUS = 1.75
"""Radius of Rubin's field of view of 9.6 deg2 [deg] (Ivezic et al. 2019, ApJ 873, 111)."""
OGLE4_RADIUS = math.sqrt(1.4 / math.pi)
"""Radius of a circle with the 1.4 deg2 of the OGLE-IV camera [deg] (Udalski et al. 2015, AcA 65, 1)."""
ZTF_QUADRANT = (3080.0, 3072.0, 1.01)
"""Size of a ZTF quadrant, east-west and north-south [pixels], and of a pixel [arcsec] (Bellm et al. 2019)."""


@runtime_checkable
class Footprint(Protocol):
    """What a reader of schedules asks of a footprint.

    Attributes
    ----------
    radius : float
        Distance from the pointing beyond which nothing is seen [deg].
    """

    @property
    def radius(self) -> float: ...

    def contains(
        self, dx: NDArray[np.float64], dy: NDArray[np.float64], rotation: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which points are seen.

        Parameters
        ----------
        dx, dy : ndarray, shape (n,)
            Offsets from the pointing to the east and to the north, in the tangent plane [deg].
        rotation : ndarray, shape (n,)
            Rotation of the camera (``rotSkyPos``) [deg]: the camera's axes have the position (dx, dy) turned by it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Circle:
    """All within `radius` [deg].

    Examples
    --------
    >>> Circle(radius=1.75).contains(np.array([1.0, 2.0]), np.zeros(2), np.zeros(2)).tolist()
    [True, False]
    """

    radius: float = RUBIN_RADIUS

    def contains(
        self, dx: NDArray[np.float64], dy: NDArray[np.float64], rotation: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which points are seen; see :class:`Footprint`."""
        # offsets in the tangent plane are tangents of the distance
        return np.degrees(np.arctan(np.radians(np.hypot(dx, dy)))) <= self.radius


def _turned(
    dx: NDArray[np.float64], dy: NDArray[np.float64], rotation: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle = np.radians(rotation)
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * dx - sine * dy, sine * dx + cosine * dy


@dataclass(frozen=True, kw_only=True)
class LsstCamera:
    """The science sensors of the LSST camera: 21 rafts of 3 x 3, with the gaps between them.

    Attributes
    ----------
    rafts : int
        5 for LSSTCam: five by five rafts without the corners; 1 for the single raft of LSSTComCam.

    Notes
    -----
    Rafts are 127 mm apart, sensors in a raft 42.25 mm, pixels are 10 micrometres and 0.2 arcsec. Eight rafts (three at
    the top, three at the bottom, two at the left) have ITL sensors of 4072 x 4000 pixels, the others e2v sensors of
    4096 x 4004 (``policy/lsstCamSim.yaml`` of https://github.com/lsst/obs_lsst); ComCam's are ITL. The sensors
    cover 9.54 deg2. The camera's two axes may be interchanged against the sky, which moves the edges of sensors by
    up to 8 arcsec. The sense of the rotation is that of ``rubin_scheduler.utils.LsstCameraFootprint``, and agrees
    with the positions of the detectors and ``skyRotation`` in Data Preview 1.

    Examples
    --------
    >>> LsstCamera().contains(np.array([0.0, 1.5]), np.array([0.0, 1.5]), np.zeros(2)).tolist()
    [True, False]
    """

    rafts: int = 5

    @property
    def radius(self) -> float:
        """Distance of the farthest corner [deg]."""
        half = 0.5 * (self.rafts - 1)
        outer = (127.0 * half + 63.5) / _MM_PER_DEG
        inner = outer if self.rafts < 5 else (127.0 * (half - 1) + 63.5) / _MM_PER_DEG
        return math.hypot(outer, inner)

    def contains(
        self, dx: NDArray[np.float64], dy: NDArray[np.float64], rotation: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which points fall on a sensor; see :class:`Footprint`."""
        x, y = (v * _MM_PER_DEG for v in _turned(dx, dy, rotation))
        half = (self.rafts - 1) // 2
        column, row = np.rint(x / 127.0), np.rint(y / 127.0)
        inside = (np.abs(column) <= half) & (np.abs(row) <= half)
        if self.rafts == 5:
            inside &= (np.abs(column) < 2) | (np.abs(row) < 2)
        x, y = x - 127.0 * column, y - 127.0 * row
        x, y = (np.abs(v - 42.25 * np.clip(np.rint(v / 42.25), -1, 1)) for v in (x, y))
        itl = (np.abs(row) == 2) | ((column == -2) & (row <= 0)) | (self.rafts == 1)
        return inside & (x <= np.where(itl, 20.36, 20.48)) & (y <= np.where(itl, 20.0, 20.02))


_MM_PER_DEG = 180.0  # 10 micrometres are 0.2 arcsec


@dataclass(frozen=True, kw_only=True)
class ZtfCamera:
    """The 4 x 4 CCDs of the Zwicky Transient Facility, with the gaps between them; north is up.

    Notes
    -----
    CCDs of 6160 (east-west) x 6144 (north-south) pixels of 1.01 arcsec, gaps of 0.140 and 0.205 deg: 47.7 deg2
    (Bellm et al. 2019, PASP 131, 018002, table 1).

    Examples
    --------
    >>> ZtfCamera().contains(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros(2)).tolist()
    [False, True]
    """

    @property
    def radius(self) -> float:
        """Distance of a corner [deg]."""
        return math.hypot(2.0 * (_ZTF_X + 0.140), 2.0 * (_ZTF_Y + 0.205))

    def contains(
        self, dx: NDArray[np.float64], dy: NDArray[np.float64], rotation: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which points fall on a CCD, whatever the rotation; see :class:`Footprint`."""
        inside = np.ones(np.shape(dx), dtype=bool)
        for offset, size, gap in ((dx, _ZTF_X, 0.140), (dy, _ZTF_Y, 0.205)):
            pitch = size + gap
            number = np.clip(np.floor(offset / pitch), -2, 1)
            inside &= np.abs(offset - (number + 0.5) * pitch) <= 0.5 * size
        return inside


_ZTF_X, _ZTF_Y = 6160.0 * 1.01 / 3600.0, 6144.0 * 1.01 / 3600.0

_NAMED = {"circle": Circle, "lsst": LsstCamera, "comcam": lambda: LsstCamera(rafts=1), "ztf": ZtfCamera}


def footprint_of(value: Any, radius: float | None) -> tuple[str, Footprint]:
    """A footprint, and what to call it.

    Parameters
    ----------
    value : str or Footprint
        ``"circle"``, ``"lsst"``, ``"comcam"``, ``"ztf"``, or an object with ``contains`` and ``radius``.
    radius : float or None
        Radius of the circle [deg], or of an object that has none of its own.

    Raises
    ------
    UnknownNameError
        If there is no footprint of that name.
    InputError
        If it is no footprint, or a radius is given for a camera that has its own.
    """
    if isinstance(value, str):
        if value not in _NAMED:
            raise UnknownNameError("footprint", value, _NAMED, hint="or an object with contains(dx, dy, rotation)")
        if value == "circle":
            return value, Circle(radius=RUBIN_RADIUS if radius is None else check_radius(radius))
        if radius is not None:
            raise InputError(f"radius={radius!r} belongs to footprint='circle'; {value!r} has its own size")
        return value, _NAMED[value]()
    if not callable(getattr(value, "contains", None)):
        raise InputError(
            f"footprint must be one of {', '.join(_NAMED)} or an object with contains(dx, dy, rotation), "
            f"received {value!r}"
        )
    if getattr(value, "radius", None) is None:
        if radius is None:
            raise InputError(
                "the footprint has no attribute 'radius'; give radius= [deg], beyond which it sees nothing"
            )
        return _called(value), _Bounded(contains=value.contains, radius=check_radius(radius))
    check_radius(value.radius)
    return _called(value), value


def _called(value: Any) -> str:
    # the default of Python tells the address in memory, another one in each process
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


@dataclass(frozen=True, kw_only=True)
class _Bounded:
    contains: Any
    radius: float


def tangent_plane(
    ra: NDArray[np.float64], dec: NDArray[np.float64], ra0: NDArray[np.float64], dec0: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets of positions from pointings in the tangent plane, to the east and to the north; all in degrees.

    Positions a quarter of the sky or more away get infinite offsets.

    Examples
    --------
    >>> x, y = tangent_plane(np.array([10.1]), np.array([0.0]), np.array([10.0]), np.array([0.0]))
    >>> round(float(x[0]), 4), round(float(y[0]), 4)
    (0.1, 0.0)
    """
    a, d, a0, d0 = (np.radians(v) for v in (ra, dec, ra0, dec0))
    cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a - a0)
    visible = cosine > 1e-6
    scale = np.degrees(1.0 / np.where(visible, cosine, 1.0))
    x = np.cos(d) * np.sin(a - a0) * scale
    y = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a - a0)) * scale
    return np.where(visible, x, np.inf), np.where(visible, y, np.inf)


def drawn_rotation(mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation in [0, 360) for each visit of a table that has none, from its time: always the same one.

    The bits of the time are scrambled by the finaliser of SplitMix64 (Steele, Lea & Flood 2014,
    doi:10.1145/2660193.2660195).
    """
    # tenths of seconds: the same for all rows of one visit
    bits = np.round(np.atleast_1d(mjd) * 864000.0).astype(np.int64).astype(np.uint64)
    bits = bits * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits = bits ^ (bits >> np.uint64(31))
    return (bits >> np.uint64(11)).astype(np.float64) * (360.0 / 2.0**53)
