"""Filters of LightCurveLynx as bands of lcgen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lcgen.cadence.bands import band_name
from lcgen.errors import InputError, UnknownNameError
from lcgen.photometry import BANDS

__all__ = ["FilterMap"]


class FilterMap:
    """Bands by filter.

    A filter of a passband group is known by its full name, survey and filter, because ``g`` of one survey is not that
    of another. A filter without a group is taken by its name alone: ``u`` to ``y`` are LSST's then.

    Parameters
    ----------
    given : mapping of str to str, optional
        Bands by filter or full name, where they are not to be known by their names.

    Raises
    ------
    UnknownNameError
        If a band of `given` is not known.

    Examples
    --------
    >>> FilterMap({"SkyMapper_g": "sdss_g"}).band("SkyMapper_g")
    'sdss_g'
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        if given is not None and not isinstance(given, Mapping):
            raise InputError(f"bands must be a mapping of filters to bands, received {given!r:.60}")
        self._given = {str(name): str(band) for name, band in (given or {}).items()}
        for band in self._given.values():
            if band not in BANDS:
                raise UnknownNameError("band", band, BANDS)
        self._known: dict[tuple[str, str], str] = {}

    def band(self, filter_name: str, group: Any = None) -> str:
        """The band of a filter.

        Parameters
        ----------
        filter_name : str
        group : PassbandGroup, optional
            The passbands of the survey.

        Raises
        ------
        UnknownNameError
            If the filter is not known.
        """
        full = str(filter_name)
        if group is not None and filter_name in group:
            full = group[filter_name].full_name
        key = (str(filter_name), full)
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, name: str, full: str) -> str:
        for candidate in (full, name):
            if candidate in self._given:
                return self._given[candidate]
        try:
            return band_name(full)
        except UnknownNameError:
            raise UnknownNameError(
                "filter", full, BANDS, hint=f"or say which band to take for it: bands={{{full!r}: 'g'}}"
            ) from None
