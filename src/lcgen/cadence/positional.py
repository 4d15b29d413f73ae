"""What schedules with pointings on the sky have in common: the visits near a star."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence

from ..errors import InputError
from ..photometry import band_info
from .sky import check_position, check_radius
from .visits import FixedCadence, Visits

__all__ = ["PositionalCadence"]

_CACHE = 64


class PositionalCadence(ABC):
    """A schedule whose visits depend on the position; a subclass says how the visits near one are found.

    Parameters
    ----------
    name : str
        What to call it.
    radius : float
        Distance from the star within which a pointing counts [deg].
    ra, dec : float, optional
        Position of all stars [deg, ICRS]; both or neither.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].
    """

    def __init__(
        self,
        name: str,
        *,
        radius: float,
        ra: float | None,
        dec: float | None,
        bands: Sequence[str] | None,
        mjd_range: tuple[float, float] | None,
    ) -> None:
        self.name = name
        self.radius = check_radius(radius)
        if (ra is None) != (dec is None):
            raise InputError(f"give both ra and dec or neither, received ra={ra!r}, dec={dec!r}")
        self.position = None if ra is None else check_position(ra, dec)
        chosen = (bands,) if isinstance(bands, str) else bands
        self.bands_wanted = None if chosen is None else tuple(band_info(b).name for b in chosen)
        if mjd_range is not None and not (len(mjd_range) == 2 and mjd_range[0] < mjd_range[1]):
            raise InputError(f"mjd_range must be (first, last) with first < last, received {mjd_range!r}")
        self.mjd_range = mjd_range
        self._cache: OrderedDict[tuple[float, float], Visits] = OrderedDict()

    @property
    def per_star(self) -> bool:
        """Whether each star needs its own position."""
        return self.position is None

    @property
    @abstractmethod
    def bands(self) -> tuple[str, ...]:
        """The bands that visits may have."""

    @abstractmethod
    def _select(self, ra: float, dec: float, radius: float) -> Visits:
        """The visits within `radius` of a position; CadenceError where there is none."""

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits of a star at (`ra`, `dec`) [deg], or at the position fixed at construction.

        `seed` and `index` make no difference. The last positions asked for are kept.

        Raises
        ------
        InputError
            If no position is known.
        CadenceError
            If no visit is within the radius.
        """
        if self.position is not None:
            key = self.position
        elif ra is None or dec is None:
            raise InputError(
                f"{self.name}: the visits depend on the position: give ra and dec of each star, or of all at "
                f"construction, {type(self).__name__}(..., ra=, dec=)"
            )
        else:
            key = check_position(ra, dec)
        if key in self._cache:
            self._cache.move_to_end(key)
        else:
            self._cache[key] = self._select(*key, self.radius)
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
        return self._cache[key]

    def at(self, ra: float, dec: float, radius: float | None = None) -> FixedCadence:
        """The visits at one position, as a cadence of its own.

        Parameters
        ----------
        ra, dec : float
            Position [deg, ICRS].
        radius : float, optional
            Distance within which a pointing counts [deg], instead of this schedule's.
        """
        ra, dec = check_position(ra, dec)
        found = self._select(ra, dec, self.radius if radius is None else check_radius(radius))
        return FixedCadence(name=f"{self.name}@{ra:.3f}{dec:+.3f}", table=found)
