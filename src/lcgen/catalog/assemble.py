"""From the photometry files of single stars to one set of light curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import DataFormatError
from ..lightcurve import LightCurves
from .packs import star_columns
from .quality import usable_periods, usable_rows
from .text import Skipped

__all__ = ["Photometry", "assemble", "lookup", "make_photometry", "read_files"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Photometry:
    """The observations of one star in one band, sorted by time.

    Attributes
    ----------
    mjd, mag, mag_err : ndarray, shape (n_obs,)
        Times [d], magnitudes and errors [mag].
    dropped : dict
        Rows left out because they cannot be meant, by reason; see :func:`lcgen.catalog.quality.usable_rows`.
    skipped : tuple of Skipped
        Malformed lines, where they were allowed.
    """

    mjd: NDArray[np.float64]
    mag: NDArray[np.float64]
    mag_err: NDArray[np.float64]
    dropped: Mapping[str, int]
    skipped: tuple[Skipped, ...]

    def __len__(self) -> int:
        return int(self.mjd.size)


def make_photometry(
    mjd: NDArray[np.float64],
    mag: NDArray[np.float64],
    mag_err: NDArray[np.float64],
    skipped: Sequence[Skipped],
) -> Photometry:
    """Drop what cannot be meant, and sort the rest by time."""
    good, dropped = usable_rows(mjd, mag, mag_err)
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(mjd[rows], kind="stable")]
    return Photometry(mjd=mjd[rows], mag=mag[rows], mag_err=mag_err[rows], dropped=dropped, skipped=tuple(skipped))


def read_files(
    paths: Iterable[Path],
    read: Callable[..., Photometry],
    *,
    strict: bool,
    progress: bool | None,
) -> tuple[dict[str, Photometry], list[Skipped]]:
    """Read one file a star.

    Returns
    -------
    curves : dict
        By the file's name without its suffix.
    skipped_files : list of Skipped
        Files that could not be used, where that is allowed.
    """
    curves: dict[str, Photometry] = {}
    skipped: list[Skipped] = []
    # None lets tqdm show itself only where standard error is a terminal
    for path in tqdm(sorted(paths), desc="reading", unit="file", disable=None if progress is None else not progress):
        try:
            curves[path.stem] = read(path, strict=strict)
        except DataFormatError as error:
            if strict:
                raise
            skipped.append(Skipped(path=str(path), reason=error.reason, line=error.line))
    return curves, skipped


def lookup(column: NDArray, key: NDArray[np.str_], wanted: NDArray[np.str_]) -> NDArray[Any]:
    """Values of `column`, whose stars are `key`, for the stars `wanted`; NaN or ``""`` for others."""
    fill: Any = "" if column.dtype.kind == "U" else np.nan
    if key.size == 0:
        return np.full(wanted.size, fill)
    order = np.argsort(key, kind="stable")
    place = np.minimum(np.searchsorted(key[order], wanted), key.size - 1)
    found = key[order][place] == wanted
    return np.where(found, column[order][place], fill)


def assemble(
    curves: Mapping[str, Photometry],
    *,
    band: str,
    cls: NDArray[np.str_],
    columns: dict[str, NDArray],
    meta: Mapping[str, Any],
    skipped_files: Sequence[Skipped],
    skipped_table_lines: Sequence[Skipped],
) -> LightCurves:
    """One set of light curves from those of single stars, with the same columns as a pack's."""
    parts = list(curves.values())
    dropped: dict[str, int] = {}
    for part in parts:
        for reason, count in part.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    period, bad_periods = usable_periods(columns["period"])
    stars = star_columns(
        cls=cls,
        survey=str(meta["survey"]),
        columns={"id": np.array(list(curves), dtype=np.str_), **columns, "period": period},
    )

    def joined(name: str, dtype: type) -> NDArray:
        return np.concatenate([getattr(part, name) for part in parts]).astype(dtype)

    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        mjd=joined("mjd", np.float64),
        mag=joined("mag", np.float32),
        mag_err=joined("mag_err", np.float32),
        band_index=np.zeros(sum(len(part) for part in parts), dtype=np.uint8),
        band_names=(band,),
        columns=stars,
        meta={
            **meta,
            "band": band,
            "dropped_rows": sum(dropped.values()),
            "dropped": dropped,
            "bad_periods": bad_periods,
            "skipped_files": tuple(skipped_files),
            "skipped_lines": (*skipped_table_lines, *(s for part in parts for s in part.skipped)),
        },
    )
