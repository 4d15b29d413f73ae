"""MAF's dust map for stars at distances of their own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rubin_sim.maf import maps

from lcgen import DataError, UnknownNameError
from lcgen.sky import DustMap, SmoothDust

__all__ = ["MafDust", "named_dust"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MafDust:
    """The map of E(B-V) that MAF's ``DustMap`` reads, as a dust map of lcgen.

    That map has all the dust of a line of sight. A star within the Galaxy's disc is behind a part of it only: the part
    that a smooth layer has in front of the star.

    Attributes
    ----------
    nside, interp, map_path
        As ``rubin_sim.maf.maps.DustMap`` takes them; with an empty `map_path` the map is that of ``rubin_sim_data``.
    layer : DustMap or None
        Says which part of the dust is in front of a star, by its own E(B-V) at the star's distance over that of the
        whole line of sight; None puts all dust in front of every star, as MAF's metrics do.

    Examples
    --------
    >>> MafDust(map_path="/nowhere").installed
    False
    """

    nside: int = 128
    interp: bool = False
    map_path: str = ""
    layer: DustMap | None = field(default_factory=SmoothDust)

    @property
    def installed(self) -> bool:
        """Whether the file of the map is there."""
        return self._file.is_file()

    @property
    def _file(self) -> Path:
        folder = self.map_path
        if not folder:
            from rubin_scheduler.data import get_data_dir

            folder = Path(get_data_dir()) / "maps" / "DustMaps"
        return Path(folder) / f"dust_nside_{self.nside}.npz"

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> NDArray[np.float64]:
        """E(B-V) [mag] to positions [deg, ICRS] and distances [pc], shape (n,).

        Raises
        ------
        DataError
            If the map's file is not there.
        """
        if not self.installed:
            raise DataError(
                f"MAF's dust map {self._file} is not there: rubin_sim's command rs_download_data fetches it (--dirs "
                "maps), and the variable RUBIN_SIM_DATA_DIR says where it is; or use dust=lcgen.sky.SmoothDust()"
            )
        lon, lat, d = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in (ra, dec, distance)))
        points = {"ra": np.radians(lon), "dec": np.radians(lat)}
        read = maps.DustMap(nside=self.nside, interp=self.interp, map_path=self.map_path or None)
        total = np.asarray(read.run(points)["ebv"], dtype=float)
        if self.layer is None:
            return total
        whole = self.layer.ebv(lon, lat, np.full(d.shape, np.inf))
        return total * np.divide(self.layer.ebv(lon, lat, d), whole, out=np.ones(d.shape), where=whole > 0)


def named_dust(name: str) -> DustMap:
    """The dust map that a name stands for: ``"auto"`` is MAF's where its file is there, else ``SmoothDust()``.

    Raises
    ------
    UnknownNameError
        If it is another name.
    """
    if name != "auto":
        raise UnknownNameError("dust", name, ("auto",), hint="or a dust map of lcgen.sky, MafDust(), or None")
    chosen = MafDust() if MafDust().installed else SmoothDust()
    _log.info("dust of the population: %r", chosen)
    return chosen
