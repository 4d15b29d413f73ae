"""Reading text files line by line, so that a malformed line has a number and a reason."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataFormatError

__all__ = ["LineLog", "Skipped", "number", "read_lines", "read_numbers"]

_MISSING = frozenset({"", "-", "--", '""', "nan", "null", "none", "n/a"})


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Something that was left out on reading.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        Why.
    line : int or None
        Line number, counted from 1; None where it is the whole file.
    """

    path: str
    reason: str
    line: int | None = None


class LineLog:
    """What to do with a malformed line: raise, or note it and go on."""

    def __init__(self, path: str | Path, *, strict: bool) -> None:
        self.path, self.strict = path, strict
        self.skipped: list[Skipped] = []

    def bad(self, line: int, reason: str) -> None:
        """Raise DataFormatError where strict, else note the line."""
        if self.strict:
            raise DataFormatError(self.path, reason, line=line)
        self.skipped.append(Skipped(path=str(self.path), reason=reason, line=line))


def read_lines(path: str | Path) -> list[str]:
    """Lines of a text file, plain or gzip.

    Raises
    ------
    DataFormatError
        If it cannot be read, or holds nothing.
    """
    try:
        raw = Path(path).read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise DataFormatError(path, "there is no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataFormatError(path, f"cannot be read ({error})") from error
    if not raw.strip():
        raise DataFormatError(path, "the file is empty")
    # undecodable bytes become a mark that no number contains, so the line is reported as malformed
    return raw.decode("utf-8", errors="replace").split("\n")


def number(token: str) -> float:
    """A token as a float, NaN where it stands for "missing".

    Raises
    ------
    ValueError
        If it is neither.
    """
    token = token.strip()
    if token.lower() in _MISSING:
        return float("nan")
    if "_" in token:
        raise ValueError(f"{token!r} is not a number")
    try:
        return float(token)
    except ValueError:
        raise ValueError(f"{token!r} is not a number") from None


def read_numbers(path: str | Path, names: Sequence[str], log: LineLog) -> NDArray[np.float64]:
    """A whitespace-separated table of numbers, one column for each of `names`.

    Blank lines and lines that start with ``#`` are ignored.

    Returns
    -------
    ndarray, shape (n_rows, len(names))

    Raises
    ------
    DataFormatError
        If a line is malformed and `log` is strict, or no line can be used.
    """
    lines = read_lines(path)
    data = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not data:
        raise DataFormatError(path, "holds no data line")
    try:
        values = np.loadtxt(data, dtype=float, ndmin=2, comments=None)
        if values.shape[1] == len(names):
            return values
    except ValueError:
        pass  # some line is malformed: go through them one by one to say which
    rows = []
    for i, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        tokens = line.split()
        if len(tokens) != len(names):
            log.bad(i, f"{len(tokens)} columns where {len(names)} are expected ({', '.join(names)})")
            continue
        try:
            rows.append([number(token) for token in tokens])
        except ValueError as error:
            log.bad(i, str(error))
    if not rows:
        raise DataFormatError(path, f"none of its {len(data)} data lines can be used")
    return np.array(rows, dtype=float)
