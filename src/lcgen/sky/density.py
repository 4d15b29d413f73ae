"""Spatial densities of stars: discs, halo, bulge, and the Magellanic Clouds.

Each is a frozen dataclass with ``density(x, y, z)`` in Galactocentric kpc, in arbitrary units; only its shape matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .frames import icrs_offsets

__all__ = ["CloudDisc", "CloudEllipsoid", "Component", "ExponentialDisc", "PowerLawHalo", "TriaxialBulge"]

_Array = NDArray[np.float64]


@runtime_checkable
class Component(Protocol):
    """What lcgen asks of a component of the sky; it must be hashable."""

    @property
    def name(self) -> str:
        """What the table of positions calls it."""
        ...

    @property
    def reach(self) -> tuple[float, float]:
        """Least and largest heliocentric distance of its stars [kpc]."""
        ...

    @property
    def cap(self) -> tuple[float, float, float]:
        """Centre (ra, dec) and radius [deg] of a circle that holds it all."""
        ...

    @property
    def cell(self) -> tuple[float, float]:
        """Size of the cells that resolve it, and their height at the Galactic equator [deg]."""
        ...

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume, in any unit, at Galactocentric coordinates [kpc]."""
        ...


_SKY = (0.0, 0.0, 180.0)


@dataclass(frozen=True, kw_only=True)
class ExponentialDisc:
    """A disc, exponential in radius and in height, up to a largest radius.

    Attributes
    ----------
    scale_length, scale_height : float
        [kpc].
    max_radius : float
        Where it ends [kpc].
    """

    name: str
    scale_length: float
    scale_height: float
    max_radius: float = 20.0
    reach: tuple[float, float] = (0.01, 28.0)
    cap: tuple[float, float, float] = _SKY
    cell: tuple[float, float] = (2.0, 0.25)

    def __post_init__(self) -> None:
        _positive(self, "scale_length", "scale_height", "max_radius")

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume."""
        radius = np.sqrt(x * x + y * y)
        inside = np.exp(-radius / self.scale_length - np.abs(z) / self.scale_height)
        return np.where(radius < self.max_radius, inside, 0.0)


@dataclass(frozen=True, kw_only=True)
class PowerLawHalo:
    """A flattened halo with a broken power law: r^-inner within the break, r^-outer beyond.

    Attributes
    ----------
    flattening : float
        Axis ratio q; r^2 = R^2 + (z / q)^2.
    inner, outer : float
        Exponents.
    break_radius, core : float
        [kpc]; within the core the density levels off.
    """

    name: str
    flattening: float
    inner: float
    outer: float
    break_radius: float
    core: float = 1.0
    reach: tuple[float, float] = (0.05, 300.0)
    cap: tuple[float, float, float] = _SKY
    cell: tuple[float, float] = (2.0, 2.0)

    def __post_init__(self) -> None:
        _positive(self, "flattening", "inner", "outer", "break_radius", "core")

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume."""
        r = np.sqrt(x * x + y * y + (z / self.flattening) ** 2 + self.core**2) / self.break_radius
        return np.where(r < 1.0, r**-self.inner, r**-self.outer)


@dataclass(frozen=True, kw_only=True)
class TriaxialBulge:
    """A bar-like bulge.

    Attributes
    ----------
    axes : (float, float, float)
        Scale lengths along the major axis, across it in the plane, and vertically [kpc].
    angle : float
        Angle of the major axis from the line to the Sun; its near end is at positive longitude [deg].
    power : float or None
        Exponent of a power law in the ellipsoidal radius, level within one unit; None for the boxy Gaussian G2 of
        Dwek et al. (1995, ApJ 445, 716).
    cut : float
        Where it ends, in ellipsoidal radii.
    """

    name: str
    axes: tuple[float, float, float]
    angle: float
    power: float | None = None
    cut: float = 4.0
    reach: tuple[float, float] = (3.0, 14.0)
    cap: tuple[float, float, float] = (266.405, -28.936, 50.0)
    cell: tuple[float, float] = (1.0, 0.25)

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume."""
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        # the Sun is at negative x, so the near end of the bar is at negative x and positive y
        along, across = (-x * cos + y * sin) / self.axes[0], (x * sin + y * cos) / self.axes[1]
        plane, height = along * along + across * across, (z / self.axes[2]) ** 2
        if self.power is not None:
            square = plane + height
            inside = (square + 1.0) ** (-0.5 * self.power)
        else:
            square = np.sqrt(plane * plane + height * height)
            inside = np.exp(-0.5 * square)
        return np.where(square < self.cut**2, inside, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Cloud:
    """What both kinds of Magellanic Clouds share: a place, and axes towards east, north and away from the Sun."""

    name: str
    ra: float
    dec: float
    distance: float
    radius: float = 12.0
    depth: float = 12.0
    cell: tuple[float, float] = (0.25, 0.25)

    @property
    def reach(self) -> tuple[float, float]:
        """Least and largest distance [kpc]."""
        return self.distance - self.depth, self.distance + self.depth

    @property
    def cap(self) -> tuple[float, float, float]:
        """The circle that holds it."""
        return self.ra, self.dec, self.radius

    @cached_property
    def _axes(self) -> _Array:
        a, d = math.radians(self.ra), math.radians(self.dec)
        east = (-math.sin(a), math.cos(a), 0.0)
        north = (-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d))
        away = (math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d))
        return np.array([east, north, away])

    def _local(self, x: _Array, y: _Array, z: _Array) -> tuple[_Array, _Array, _Array]:
        """Coordinates towards east, north and away from the Sun, from the centre [kpc]."""
        u, v, w = icrs_offsets(x, y, z)
        east, north, away = (m[0] * u + m[1] * v + m[2] * w for m in self._axes)
        return east, north, away - self.distance


@dataclass(frozen=True, kw_only=True)
class CloudDisc(_Cloud):
    """An inclined exponential disc.

    Attributes
    ----------
    ra, dec, distance : float
        Centre [deg, kpc].
    inclination, node : float
        Inclination and position angle of the line of nodes, north through east [deg]; the side at the position angle
        ``node - 90`` is the nearer (van der Marel & Cioni 2001, AJ 122, 1807).
    scale_length, scale_height : float
        Exponential in the radius; Gaussian (one standard deviation) across the disc [kpc].
    elongation, major : float
        Axis ratio within the disc, and the position angle on the sky of the longer axis [deg]: a bar.
    """

    inclination: float = 0.0
    node: float = 0.0
    scale_length: float = 1.5
    scale_height: float = 0.5
    elongation: float = 1.0
    major: float = 0.0

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume."""
        east, north, away = self._local(x, y, z)
        i, t = math.radians(self.inclination), math.radians(self.node)
        along = east * math.sin(t) + north * math.cos(t)
        # the direction at right angles to the nodes that points to the near side
        across = -east * math.cos(t) + north * math.sin(t)
        in_plane = across * math.cos(i) - away * math.sin(i)
        height = across * math.sin(i) + away * math.cos(i)
        # the longer axis, turned from the sky into the disc
        turn = math.radians(self.major) - t
        psi = math.atan2(-math.sin(turn) / math.cos(i), math.cos(turn))
        first = along * math.cos(psi) + in_plane * math.sin(psi)
        second = (in_plane * math.cos(psi) - along * math.sin(psi)) / self.elongation
        radius = np.sqrt(first * first + second * second)
        return np.exp(-radius / self.scale_length - 0.5 * (height / self.scale_height) ** 2)


@dataclass(frozen=True, kw_only=True)
class CloudEllipsoid(_Cloud):
    """An ellipsoid, exponential in the ellipsoidal radius.

    Attributes
    ----------
    ra, dec, distance : float
        Centre [deg, kpc].
    axes : (float, float, float)
        Scale lengths: the longer in the plane of the sky, the shorter, and along the line of sight [kpc].
    angle : float
        Position angle of the longer axis in the plane of the sky, north through east [deg].
    """

    axes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    angle: float = 0.0

    def density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Stars per volume."""
        east, north, away = self._local(x, y, z)
        t = math.radians(self.angle)
        first = (east * math.sin(t) + north * math.cos(t)) / self.axes[0]
        second = (east * math.cos(t) - north * math.sin(t)) / self.axes[1]
        return np.exp(-np.sqrt(first * first + second * second + (away / self.axes[2]) ** 2))


def _positive(component: object, *names: str) -> None:
    for name in names:
        value = getattr(component, name)
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{type(component).__name__}: {name} must be positive, received {value!r}")
