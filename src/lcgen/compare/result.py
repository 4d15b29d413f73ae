"""The result of a comparison, in memory and on disk."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assets import atomic_file
from ..errors import DataError, UnknownNameError
from .bootstrap import Difference, Level
from .table import ALL

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["INFO", "Comparison", "load"]

INFO, TABLE, STARS = "comparison.json", "table.ecsv", "stars.ecsv"


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The same stars under one cadence or more.

    Attributes
    ----------
    info : dict
        What was simulated: generator, seed, classes, magnitudes, noise, settings, cadences and their visits.
    table : Table
        One row a class, bin, quantity and cadence, with bootstrap errors; with differences against the first cadence.
    stars : Table
        One row a star and cadence: its parameters and all that was measured.
    """

    info: dict[str, Any]
    table: Table
    stars: Table

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.cadences)}: {self.info['n_stars']} stars>"

    @property
    def cadences(self) -> tuple[str, ...]:
        """Labels of the cadences; differences are against the first."""
        return tuple(c["label"] for c in self.info["cadences"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the stars."""
        return tuple(self.info["classes"])

    def rows(self, quantity: str, class_name: str = ALL, *, cadence: str | None = None, by: str = "all") -> Any:
        """Rows of the table.

        Parameters
        ----------
        quantity : str
            Such as ``"recovered"``, ``"f1"``, ``"coverage"``, ``"coverage_r"``.
        class_name : str
            Or ``"all"``.
        cadence : str, optional
            Label of one cadence; all by default.
        by : {"all", "period", "mean_mag"}
            Bins.

        Returns
        -------
        Table

        Raises
        ------
        UnknownNameError
            If the comparison has no such quantity, class or cadence.
        """
        for kind, name, column in (("quantity", quantity, "quantity"), ("class", class_name, "class")):
            allowed = list(dict.fromkeys(np.asarray(self.table[column]).tolist()))
            if name not in allowed:
                raise UnknownNameError(kind, name, allowed)
        if cadence is not None and cadence not in self.cadences:
            raise UnknownNameError("cadence", cadence, self.cadences)
        keep = np.asarray(self.table["quantity"]) == quantity
        keep &= np.asarray(self.table["class"]) == class_name
        keep &= np.asarray(self.table["bin"]) == by
        if cadence is not None:
            keep &= np.asarray(self.table["cadence"]) == cadence
        return self.table[keep]

    def level(self, quantity: str, class_name: str = ALL, cadence: str | None = None) -> Level:
        """A quantity of a class under a cadence, the first by default."""
        row: Any = self.rows(quantity, class_name, cadence=cadence or self.cadences[0])[0]
        return Level(value=float(row["value"]), error=float(row["error"]), n=int(row["n"]))

    def difference(self, quantity: str, class_name: str = ALL, cadence: str | None = None) -> Difference:
        """A quantity of a class under a cadence, the second by default, minus that under the first.

        Raises
        ------
        UnknownNameError
            If there is no such quantity, class or cadence, or only one cadence.
        """
        others = self.cadences[1:]
        cadence = cadence or (others[0] if others else None)
        if cadence not in others:
            raise UnknownNameError("cadence to compare with the first", cadence, others)
        row: Any = self.rows(quantity, class_name, cadence=cadence)[0]
        return Difference(
            value=float(row["difference"]),
            error=float(row["difference_error"]),
            unpaired_error=float(row["unpaired_error"]),
            n=int(row["n_pairs"]),
        )

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a self-contained HTML report with figures.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from .html import render

        with atomic_file(path) as temporary:
            temporary.write_text(render(self), encoding="utf-8")
        return Path(path)

    def to_text(self) -> str:
        """The headline, for people."""
        from .text import render_text

        return render_text(self)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``comparison.json``, ``table.ecsv`` and ``stars.ecsv`` into a folder, which is made if need be.

        The JSON file comes last: a folder that has it is whole.
        """
        target = Path(folder)
        target.mkdir(exist_ok=True)
        for name, table in ((TABLE, self.table), (STARS, self.stars)):
            with atomic_file(target / name) as temporary:
                table.write(temporary, format="ascii.ecsv")
        with atomic_file(target / INFO) as temporary:
            temporary.write_text(json.dumps(self.info, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return target


def load(folder: str | os.PathLike[str]) -> Comparison:
    """A comparison from the folder that it was saved in.

    Raises
    ------
    DataError
        If the folder holds no finished comparison.
    """
    from astropy.table import Table

    source = Path(folder)
    try:
        info = json.loads((source / INFO).read_text(encoding="utf-8"))
        table, stars = (Table.read(source / name, format="ascii.ecsv") for name in (TABLE, STARS))
    except (OSError, ValueError) as error:
        raise DataError(f"{source} holds no finished comparison: {error}") from error
    return Comparison(info=info, table=_plain(table), stars=_plain(stars))


def _plain(table: Any) -> Any:
    """Empty text is read as masked; here it is empty text."""
    return table.filled("") if table.has_masked_columns else table
