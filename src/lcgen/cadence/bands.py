"""Names that surveys give to their passbands, as keys of :data:`lcgen.photometry.BANDS`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from ..photometry import BANDS

__all__ = ["ZTF_FILTERS", "band_codes", "band_name", "band_names"]

ZTF_FILTERS: dict[int, str] = {1: "ztf_g", 2: "ztf_r", 3: "ztf_i"}
"""The filter numbers (``fid``) of the Zwicky Transient Facility (Masci et al. 2019, PASP 131, 018003)."""

# Other names without separators and case -> a band. sncosmo's names are among them.
_SYNONYMS = {
    **{f"z{b}": f"ztf_{b}" for b in "gri"},
    **{f"lsst{b}": b for b in "ugrizy"},
    **{f"lsstcam{b}": b for b in "ugrizy"},
    **{"gaiag": "G", "gaiabp": "BP", "gaiagbp": "BP", "gbp": "BP", "gaiarp": "RP", "gaiagrp": "RP", "grp": "RP"},
    **{f"bessell{b.lower()}": b for b in "BVRI"},
}
_SEPARATORS = re.compile(r"[\s_:.\-]+")


def band_name(value: Any, source: str = "", *, survey: str = "") -> str:
    """One name as lcgen knows it.

    Parameters
    ----------
    value : str, bytes or int
        ``r``, ``r_57``, ``r_sim``, ``LSST_r`` and ``lsstr`` are ``r``; ``zg``, ``ztfg`` and ``ztf_g`` are ``ztf_g``;
        ``sdssg`` is ``sdss_g``, ``gaia::gbp`` is ``BP``.
    source : str
        For the message.
    survey : str
        ``"ztf"`` for a survey whose filters are called g, r, i or 1, 2, 3 but are not those of LSST.

    Raises
    ------
    UnknownNameError
        If the band is not known.

    Examples
    --------
    >>> band_name("r_57"), band_name("lsst_r"), band_name("y_10")
    ('r', 'r', 'y')
    """
    name = (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()
    found = _known(name, survey)
    if found is None:
        raise UnknownNameError("band", name, BANDS, hint=f"in {source}" if source else "")
    return found


@lru_cache(maxsize=1024)
def _known(name: str, survey: str) -> str | None:
    if survey == "ztf":
        number = re.fullmatch(r"([123])(?:\.0)?", name)
        name = ZTF_FILTERS[int(number[1])] if number else f"ztf_{name}" if name in ("g", "r", "i") else name
    if name in BANDS:
        return name
    compact = _SEPARATORS.sub("", name).lower()
    several = {_SEPARATORS.sub("", b).lower(): b for b in BANDS if "_" in b}
    candidate = several.get(compact) or _SYNONYMS.get(compact)
    if candidate in BANDS:
        return candidate
    # Rubin's physical filters are called r_57, simulated ones r_sim
    short = name.split("_")[0]
    if short in BANDS:
        return short
    return "y" if short == "Y" else None


def band_codes(
    values: Iterable[Any], names: list[str], known: dict[Any, int], source: str = "", *, survey: str = ""
) -> NDArray[np.uint8]:
    """Bands as positions in `names`, to which new ones are appended; `known` remembers the spellings met.

    Raises
    ------
    UnknownNameError
        If a band is not known.
    """
    listed = values if isinstance(values, (list, tuple)) else list(values)
    for value in set(listed) - known.keys():
        name = band_name(value, source, survey=survey)
        if name not in names:
            names.append(name)
        known[value] = names.index(name)
    return np.fromiter(map(known.__getitem__, listed), dtype=np.uint8, count=len(listed))


def band_names(values: Any, n: int | None = None, source: str = "", *, survey: str = "") -> NDArray[np.str_]:
    """Band names as lcgen knows them; see :func:`band_name`.

    Parameters
    ----------
    values : str or array_like of str or int, shape (n,)
        Names as the source gives them.
    n : int, optional
        Number of visits: one name is repeated so often.
    source : str
        For the messages.
    survey : str
        See :func:`band_name`.

    Raises
    ------
    UnknownNameError
        If a band is not known.
    InputError
        If the names are not one-dimensional.

    Examples
    --------
    >>> band_names(["r_57", "g"]).tolist()
    ['r', 'g']
    """
    names = np.ma.filled(values, "") if np.ma.isMaskedArray(values) else np.asarray(values)
    if names.ndim == 0 and n is not None:
        return np.full(n, band_name(names[()], source, survey=survey))
    names = np.atleast_1d(names)
    if names.ndim != 1:
        raise InputError(f"band names must have one dimension, received shape {names.shape}")
    if names.size == 0:
        return np.array([], dtype="<U1")
    if names.dtype.kind == "O":
        found: list[str] = []
        listed = [x if isinstance(x, (str, bytes)) else str(x) for x in names]
        codes = band_codes(listed, found, {}, source, survey=survey)
        return np.array(found)[codes]
    unique, inverse = np.unique(names, return_inverse=True)
    return np.array([band_name(x, source, survey=survey) for x in unique.tolist()])[inverse]
