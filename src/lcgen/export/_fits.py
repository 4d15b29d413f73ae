"""FITS files whose tables are written a block at a time (FITS standard 4.0, 2018, section 7.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["FitsTable", "fits_format", "records", "write_primary"]

_BLOCK = 2880
_CODES = {"f8": "D", "f4": "E", "i8": "K", "i4": "J", "i2": "I", "u1": "B"}
_MOST_ROWS = 2**31 - 1

Cards = Sequence[tuple[str, Any, str]]


def fits_format(dtype: np.dtype) -> str:
    """The TFORM of a column.

    Examples
    --------
    >>> fits_format(np.dtype("f8")), fits_format(np.dtype("S16"))
    ('1D', '16A')
    """
    if dtype.kind == "S":
        return f"{dtype.itemsize}A"
    return f"1{_CODES[dtype.str[1:]]}"


def write_primary(file: BinaryIO, cards: Cards) -> None:
    """The header of the file, which has no data of its own."""
    from astropy.io import fits

    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    _add(header, cards)
    file.write(header.tostring(padding=True).encode("ascii"))


class FitsTable:
    """A binary table at the end of a file; its number of rows is filled in by :meth:`close`.

    Parameters
    ----------
    file : binary file
        Open for reading and writing; the table begins at its end.
    name : str
        EXTNAME.
    columns : mapping of str to numpy type
        In their order.
    units : mapping of str to str
        Of the columns that have one.
    cards : sequence of (keyword, value, comment)
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        name: str,
        columns: Mapping[str, Any],
        units: Mapping[str, str] | None = None,
        cards: Cards = (),
    ) -> None:
        from astropy.io import fits

        self.dtype = np.dtype([(k, np.dtype(v).newbyteorder(">")) for k, v in columns.items()])
        self.n_rows = 0
        self._file = file
        self._start = file.seek(0, 2)
        header = fits.Header(
            [
                ("XTENSION", "BINTABLE"),
                ("BITPIX", 8),
                ("NAXIS", 2),
                ("NAXIS1", self.dtype.itemsize),
                ("NAXIS2", 0),
                ("PCOUNT", 0),
                ("GCOUNT", 1),
                ("TFIELDS", len(columns)),
            ]
        )
        for k, (column, kind) in enumerate(columns.items(), start=1):
            header[f"TTYPE{k}"] = column
            header[f"TFORM{k}"] = fits_format(np.dtype(kind))
            if units and units.get(column):
                header[f"TUNIT{k}"] = units[column]
        header["EXTNAME"] = name
        _add(header, cards)
        self._header = header
        file.write(header.tostring(padding=True).encode("ascii"))

    def append(self, rows: NDArray) -> None:
        """Add rows, a structured array of ``self.dtype``."""
        self._file.write(rows.tobytes())
        self.n_rows += rows.size

    def close(self) -> None:
        """Fill the last block of the file and tell the number of rows."""
        if self.n_rows > _MOST_ROWS:
            raise InputError(f"a table of {self.n_rows:,} rows is more than pointers of 32 bits can tell apart")
        self._file.write(bytes(-self.n_rows * self.dtype.itemsize % _BLOCK))
        self._header["NAXIS2"] = self.n_rows
        self._file.seek(self._start)
        self._file.write(self._header.tostring(padding=True).encode("ascii"))
        self._file.seek(0, 2)


def records(dtype: np.dtype, n: int, values: Mapping[str, Any]) -> NDArray:
    """A structured array from columns; text becomes bytes."""
    out = np.zeros(n, dtype)
    for name, column in values.items():
        array = np.asarray(column)
        out[name] = np.char.encode(array, "ascii", "replace") if array.dtype.kind == "U" else array
    return out


def _add(header: Any, cards: Cards) -> None:
    for key, value, comment in cards:
        name = key if len(key) <= 8 else f"HIERARCH {key}"
        text = value.encode("ascii", "replace").decode() if isinstance(value, str) else value
        # a comment that does not fit beside its value would be cut with a warning
        short = not isinstance(text, str) or len(name) + len(text) + len(comment) < 60
        header[name] = (text, comment) if short else text
