"""A table of stars: named columns and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from ..lightcurve import table_of

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["StarTable"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StarTable(Mapping[str, NDArray]):
    """A read-only mapping from column names to arrays of equal length.

    Attributes
    ----------
    columns : mapping of str to ndarray, shape (n_rows,)
    meta : mapping
        Where the table comes from, and what was skipped on reading it.
    """

    columns: Mapping[str, NDArray]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"columns of different length: {lengths}")

    def __getitem__(self, name: str) -> NDArray:
        try:
            return self.columns[name]
        except KeyError:
            raise UnknownNameError("column", name, self.columns) from None

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"<StarTable: {self.n_rows} rows, columns {', '.join(self.columns)}>"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def one_row_per_star(self, *, on: str = "id") -> StarTable:
        """Merge the rows of one star: the median of its numbers, the first of its other values.

        Parameters
        ----------
        on : str, optional
            Column that names the star. Rows without a name are left out.
        """
        named = np.flatnonzero(self[on] != "")
        _, first, index = np.unique(self[on][named], return_index=True, return_inverse=True)
        order = np.argsort(index, kind="stable")
        groups = np.split(named[order], np.cumsum(np.bincount(index))[:-1]) if named.size else []
        merged = {}
        for name, column in self.columns.items():
            if column.dtype.kind == "f":
                values = [column[g][np.isfinite(column[g])] for g in groups]
                merged[name] = np.array([np.median(v) if v.size else np.nan for v in values], dtype=float)
            else:
                merged[name] = column[named[first]]
        return StarTable(columns=merged, meta={**self.meta, "merged_rows": int(named.size - first.size)})

    def to_table(self) -> Table:
        """The same as an astropy Table, with units where lcgen knows them."""
        table = table_of(self.columns)
        table.meta = dict(self.meta)
        return table
