"""Epochs of real light curves as cadences: OGLE and CSS files, and the HDF5 packs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rng
from ..errors import CadenceError, InputError, UnknownNameError
from ..photometry import BANDS, band_info
from .visits import FixedCadence, Visits

__all__ = ["EpochLibrary", "is_epochs", "read_epochs"]

_HDF5 = (".h5", ".hdf5")


def read_epochs(
    path: str | os.PathLike[str], band: str | None = None, *, star: int | str | None = None
) -> FixedCadence:
    """The epochs of one observed star.

    Parameters
    ----------
    path : path-like
        An OGLE ``.dat`` file (HJD - 2450000, magnitude, error), a CSS ``.dat`` file (MJD, magnitude, error),
        or an HDF5 pack. The time standard is told from the size of the numbers: below 30,000 HJD - 2450000,
        above 2,400,000 Julian dates, between MJD. Heliocentric times stay heliocentric.
    band : str, optional
        Passband. By default the pack's own; for ``.dat`` files the name of the folder where that is a band,
        as in OGLE's ``I/`` and ``V/``, or else V for MJD times (CSS).
    star : int or str, optional
        Number or identifier of the star in a pack; the first by default.

    Raises
    ------
    CadenceError
        If the file cannot be read; the message names the line.
    InputError
        If the band cannot be told.

    Notes
    -----
    File formats: Udalski et al. 2008, AcA 58, 69; Drake et al. 2017, MNRAS 469, 3688.
    """
    path = Path(path)
    if not path.is_file():
        raise CadenceError(f"{path}: no such file")
    if path.suffix in _HDF5:
        return _read_pack_star(path, band, star)
    times = _read_dat(path)
    low = float(times.min())
    if low > 2.4e6:
        mjd = times - 2400000.5
    elif times.max() < 3.0e4:
        mjd = times + 49999.5
    else:
        mjd = times
    if band is None:
        if path.parent.name in BANDS:
            band = path.parent.name
        elif 3.0e4 <= low <= 2.4e6:
            band = "V"
        else:
            raise InputError(f"{path}: the band is not told by the folder's name; give band=, for example band='I'")
    table = Visits(mjd=mjd, band=np.asarray(band_info(band).name))
    return FixedCadence(name=path.stem, table=table)


def is_epochs(path: str | os.PathLike[str]) -> bool:
    """Whether a text file holds the epochs of one star, numbers only, and not a log of fields.

    Raises
    ------
    CadenceError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise CadenceError(f"{path}: no such file")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split("#", 1)[0].replace(",", " ").split()
            if words:
                return len(words) < 3 or all(_number(w) for w in words[:3])
    return True


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read_dat(path: Path) -> NDArray[np.float64]:
    times: list[float] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            words = line.split("#", 1)[0].replace(",", " ").split()
            if not words:
                continue
            try:
                time = float(words[0])
            except ValueError:
                raise CadenceError(f"{path}:{number}: expected a time, received {words[0][:40]!r}") from None
            if not np.isfinite(time) or time <= 0:
                raise CadenceError(f"{path}:{number}: a time must be finite and positive, received {words[0]!r}")
            times.append(time)
    if not times:
        raise CadenceError(f"{path}: holds no epoch")
    out = np.array(times)
    if out.max() - out.min() > 1.0e5:
        raise CadenceError(f"{path}: times from {out.min():g} to {out.max():g} mix time standards or are damaged")
    return out


def _read_pack_star(path: Path, band: str | None, star: int | str | None) -> FixedCadence:
    library = EpochLibrary(path, band=band)
    if isinstance(star, str):
        if star not in library.ids:
            raise UnknownNameError("star", star, library.ids[:5], hint=f"the first of {len(library)} in {path}")
        star = library.ids.index(star)
    index = 0 if star is None else int(star)
    if not 0 <= index < len(library):
        raise InputError(f"star must lie in [0, {len(library)}) for {path}, received {index}")
    return FixedCadence(name=f"{path.stem}:{library.ids[index]}", table=library.of_star(index))


@dataclass(frozen=True, eq=False)
class EpochLibrary:
    """The epochs of the real stars of a pack: each star gets those of one drawn at random.

    Which one depends on the seed and the star's index only. The pack's times are read once, at first use (8
    bytes an observation).

    Parameters
    ----------
    path : path-like
        An HDF5 pack with ``objects/offset`` and ``observations/mjd``.
    band : str, optional
        Passband; by default the pack's attribute ``band``.
    min_visits : int
        Stars with fewer epochs are not drawn.

    Raises
    ------
    CadenceError
        If the pack cannot be read or no star has enough epochs.
    """

    path: str | os.PathLike[str]
    band: str | None = None
    min_visits: int = 10

    def __post_init__(self) -> None:
        if not Path(self.path).is_file():
            raise CadenceError(f"{self.path}: no such file")
        if self.band is None:
            found = self._open()["band"]
            if not found:
                raise InputError(f"{self.path}: the pack has no attribute 'band'; give band=")
            object.__setattr__(self, "band", found)
        object.__setattr__(self, "band", band_info(str(self.band)).name)

    def _open(self) -> dict[str, Any]:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                offsets = np.asarray(file["objects/offset"], dtype=np.int64)
                ids = np.asarray(file["objects/id"]).astype(str).tolist() if "objects/id" in file else None
                attribute = file.attrs.get("band", "")
                n = int(file["observations/mjd"].shape[0])  # type: ignore[union-attr]
        except (OSError, KeyError, ValueError) as error:
            raise CadenceError(f"{self.path}: not a readable pack of light curves: {error}") from error
        if offsets.ndim != 1 or offsets.size < 2 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise CadenceError(f"{self.path}: 'objects/offset' must ascend from 0 and have a star at least")
        if offsets[-1] != n:
            raise CadenceError(f"{self.path}: 'objects/offset' ends at {offsets[-1]}, but there are {n} observations")
        band = attribute.decode() if isinstance(attribute, bytes) else str(attribute)
        if ids is None:
            ids = [str(i) for i in range(offsets.size - 1)]
        return {"offsets": offsets, "ids": ids, "band": band}

    @cached_property
    def _index(self) -> dict[str, Any]:
        return self._open()

    @cached_property
    def _mjd(self) -> NDArray[np.float64]:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                return np.asarray(file["observations/mjd"], dtype=np.float64)
        except (OSError, KeyError, ValueError) as error:
            raise CadenceError(f"{self.path}: the times cannot be read: {error}") from error

    @cached_property
    def _usable(self) -> NDArray[np.int64]:
        usable = np.nonzero(np.diff(self._index["offsets"]) >= max(1, self.min_visits))[0]
        if usable.size == 0:
            raise CadenceError(f"{self.path}: none of {len(self)} stars has {self.min_visits} epochs or more")
        return usable

    def __len__(self) -> int:
        return self._index["offsets"].size - 1

    @property
    def name(self) -> str:
        """Name of the pack."""
        return f"{Path(self.path).stem}-epochs"

    @property
    def ids(self) -> list[str]:
        """Identifiers of the pack's stars."""
        return self._index["ids"]

    @property
    def bands(self) -> tuple[str, ...]:
        """The pack's band."""
        return (str(self.band),)

    @property
    def per_star(self) -> bool:
        """True: each star has epochs of its own."""
        return True

    def of_star(self, star: int) -> Visits:
        """The epochs of the pack's star number `star`."""
        a, b = self._index["offsets"][star : star + 2]
        if a == b:
            raise CadenceError(f"{self.path}: star {self.ids[star]!r} has no epoch")
        return Visits(mjd=self._mjd[a:b], band=np.asarray(self.band))

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """Epochs of a real star drawn with ``rng.stream(seed, "cadence", index)``, wherever the star is."""
        return self.of_star(int(rng.stream(seed, "cadence", index).choice(self._usable)))
