"""Whether an ensemble file is what it says: checksums, offsets, finiteness, identity, provenance, shards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import EnsembleError
from .master import ShardedRows, merged_attributes, shard_names
from .reader import Ensemble, locate
from .shards import header_tag

__all__ = ["Problem", "verify"]

_STEP = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAY_BE_NAN = {"mag", "mag_err"}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong with an ensemble file.

    Attributes
    ----------
    file : pathlib.Path
        The file; of a sharded ensemble, the shard.
    where : str
        A column or an attribute; empty where it is the file as a whole.
    what : str
        What is wrong.
    """

    file: Path
    where: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.file), self.where, self.what) if part)


def verify(path: Any, *, progress: bool | None = None) -> list[Problem]:
    """Read a whole ensemble and say what is wrong with it.

    Checked are: the Fletcher-32 checksum of every chunk; that offsets begin at zero, do not decrease and end at the
    last observation; that times, fluxes and errors are finite, and magnitudes missing only where the flux is not
    positive; that no parameter is infinite; that star_id increases, also from shard to shard; that the statistics
    kept in attributes are those of the data; that the classes are those of the provenance; and of a master file, that
    its shards are there, belong to it and are what its virtual datasets show.

    Parameters
    ----------
    path : path-like
        The file; where it is not there, the partial file of an interrupted run is looked for.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.

    Returns
    -------
    list of Problem
        Empty where all is well.

    Raises
    ------
    EnsembleError
        If there is no such file.

    Examples
    --------
    >>> for problem in verify("ensemble.h5"):      # doctest: +SKIP
    ...     print(problem)
    """
    from .crew import progress_bar

    path = Path(path)
    # of a master file that cannot be opened because a shard is missing, the other shards are looked at all the same
    shards = [path.parent / name for name in shard_names(path)]
    files = shards or [locate(path)]
    checks = [_FileCheck(file) for file in files]
    with progress_bar(sum(c.n_observations for c in checks), 0, progress) as bar:
        for check in checks:
            check.run(bar.update)
    problems = [problem for check in checks for problem in check.problems]
    if shards:
        problems += _MasterCheck(path, checks).run()
    return problems


class _FileCheck:
    """The checks of one file with stars of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.ids: tuple[int, int] | None = None
        self.n_observations = 0
        self.attributes: dict[str, dict[str, Any]] = {}
        try:
            with Ensemble(path, allow_incomplete=True) as ensemble:
                self.n_observations = ensemble.n_observations
        except EnsembleError:
            pass  # run() says so

    def add(self, where: str, what: str) -> None:
        self.problems.append(Problem(file=self.path, where=where, what=what))

    def run(self, advance: Callable[[int], Any]) -> None:
        """All checks; `advance` is told how many observations were read."""
        if not self.path.is_file():
            self.add("", "it is missing")
            return
        try:
            with Ensemble(self.path, allow_incomplete=True) as ensemble:
                self._header(ensemble)
                if len(ensemble):
                    self._checksums(ensemble)
                    self._stars(ensemble)
                    self._observations(ensemble, advance)
        except EnsembleError as error:
            self.add("", str(error).removeprefix(f"{self.path}: "))
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            self.add("", f"it is damaged ({type(error).__name__}: {error})")

    def _header(self, ensemble: Ensemble) -> None:
        header = ensemble.header
        if not ensemble.complete:
            self.add("complete", f"it was not finished: {len(ensemble)} of {ensemble.n_planned} stars are there")
        if header.checkpoint_sha256 and not _SHA256.fullmatch(header.checkpoint_sha256):
            self.add("checkpoint_sha256", f"it is not a sha256: {header.checkpoint_sha256!r}")
        planned, part = _classes(header.provenance), header.provenance.get("shard")
        if planned is None:
            return
        total = sum(n for _, n in planned)
        whole = part["stars"] if part else total
        if whole != ensemble.n_planned:
            self.add("provenance", f"it plans {whole} stars, the attribute n_stars says {ensemble.n_planned}")

    def _checksums(self, ensemble: Ensemble) -> None:
        for name in _column_names(ensemble):
            dataset = ensemble._h5[name]
            if not dataset.fletcher32:
                self.add(name, "it has no checksums: damage would not be noticed")
            self.attributes[name] = dict(dataset.attrs)

    def _stars(self, ensemble: Ensemble) -> None:
        last, right = None, True
        for name in ensemble.column_names:
            for start, values in self._parts(ensemble, f"stars/{name}", len(ensemble)):
                if values.dtype.kind == "f" and np.isinf(values).any():
                    row = start + int(np.isinf(values).argmax())
                    self.add(f"stars/{name}", f"{np.isinf(values).sum()} values are infinite, the first of star {row}")
                if name == "class":
                    right &= _classes_fit(ensemble.header.provenance, start, values)
                if name == "star_id":
                    joined = values if last is None else np.concatenate([[last], values])
                    wrong = np.flatnonzero(np.diff(joined) <= 0)
                    if wrong.size:
                        self.add(f"stars/{name}", f"{wrong.size} do not increase, the first at about star "
                                                  f"{start + int(wrong[0])}")  # fmt: skip
                    last = int(values[-1])
                    self.ids = (int(values[0]) if self.ids is None else self.ids[0], last)
        if not right:
            self.add("stars/class", "the classes are not those of the provenance")

    def _observations(self, ensemble: Ensemble, advance: Callable[[int], Any]) -> None:
        group = ensemble._h5["observations"]
        n = ensemble.n_observations
        names = [name for name in group if not (name == "offset" or group[name].ndim != 1)]
        n_bands = len(self.attributes["observations/band"]["names"])
        counts, low, high = np.zeros(256, np.int64), np.nan, np.nan
        whole = True
        for start in range(0, n, _STEP):
            stop = min(start + _STEP, n)
            rows = {name: self._read(ensemble, f"observations/{name}", start, stop) for name in names}
            advance(stop - start)
            self._finite(rows, start)
            whole &= rows["band"] is not None and rows["mjd"] is not None
            if rows["band"] is not None:
                counts += np.bincount(rows["band"], minlength=256)
            if rows["mjd"] is not None:
                low, high = np.fmin(low, rows["mjd"].min()), np.fmax(high, rows["mjd"].max())
        if counts[n_bands:].any():
            self.add("observations/band", f"{counts[n_bands:].sum()} observations are in bands without a name")
        if not whole:
            return
        noted = self.attributes["observations/mjd"]
        if not np.array_equal(self.attributes["observations/band"]["counts"], counts[:n_bands]):
            self.add("observations/band", "the attribute counts is not that of the data")
        if n and (noted["minimum"], noted["maximum"]) != (low, high):
            self.add("observations/mjd", "the attributes minimum and maximum are not those of the data")

    def _finite(self, rows: dict[str, NDArray | None], start: int) -> None:
        flux = rows.get("flux")
        for name, values in rows.items():
            if values is None or values.dtype.kind != "f":
                continue
            bad = ~np.isfinite(values)
            if name in _MAY_BE_NAN:
                bad &= ~np.isnan(values) | ((flux > 0) if flux is not None else False)
            if bad.any():
                row = start + int(bad.argmax())
                self.add(f"observations/{name}", f"{bad.sum()} values are not finite, the first in row {row}")
            elif name.endswith("_err") and (values < 0).any():
                self.add(f"observations/{name}", f"{(values < 0).sum()} values are negative")

    def _parts(self, ensemble: Ensemble, name: str, n: int) -> Iterator[tuple[int, NDArray]]:
        for start in range(0, n, _STEP):
            values = self._read(ensemble, name, start, min(start + _STEP, n))
            if values is not None:
                yield start, values

    def _read(self, ensemble: Ensemble, name: str, start: int, stop: int) -> NDArray | None:
        """Rows of a column; None, and a problem for each chunk, where they cannot be read."""
        dataset = ensemble._h5[name]
        try:
            return dataset[start:stop]
        except (OSError, RuntimeError, ValueError):
            step = dataset.chunks[0] if dataset.chunks else stop - start
        for low in range(start // step * step, stop, step):
            try:
                dataset[low : low + step]
            except (OSError, RuntimeError, ValueError) as error:
                damaged = "filter returned failure" in str(error)
                reason = "the checksum is wrong, or the chunk damaged" if damaged else str(error)
                self.add(name, f"rows {low} to {min(low + step, dataset.shape[0])} cannot be read ({reason})")
        return None


class _MasterCheck:
    """Whether a master file and its shards fit each other."""

    def __init__(self, path: Path, checks: list[_FileCheck]) -> None:
        self.path, self.checks = path, checks
        self.problems: list[Problem] = []

    def add(self, where: str, what: str, file: Path | None = None) -> None:
        self.problems.append(Problem(file=file or self.path, where=where, what=what))

    def run(self) -> list[Problem]:
        """All checks."""
        for before, after in zip(self.checks[:-1], self.checks[1:], strict=True):
            if before.ids and after.ids and after.ids[0] <= before.ids[1]:
                self.add("stars/star_id", f"it begins at {after.ids[0]}, the shard before ends at {before.ids[1]}",
                         after.path)  # fmt: skip
        if not all(check.path.is_file() for check in self.checks):
            return self.problems  # said for each of them already
        try:
            with Ensemble(self.path) as ensemble:
                self._compare(ensemble)
        except EnsembleError as error:
            self.add("", str(error).removeprefix(f"{self.path}: "))
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            self.add("", f"it is damaged ({type(error).__name__}: {error})")
        return self.problems

    def _compare(self, ensemble: Ensemble) -> None:
        rows = ShardedRows(self.path, ensemble._h5)
        tag = header_tag(ensemble.header, len(rows.names))
        if not all(f"-{tag}" in name for name in rows.names):
            self.add("", "its attributes are not those under which the shards were made")
        readable = [check for check in self.checks if check.attributes]
        for shard, check in enumerate(self.checks):
            if check not in readable:
                continue
            with h5py.File(check.path, "r") as h5:
                try:
                    rows.check(shard, h5)
                    self._offsets(ensemble, rows, shard, h5)
                except EnsembleError as error:
                    self.add("", str(error), check.path)
        self._virtual(ensemble, rows)
        if len(readable) == len(self.checks):
            for name in readable[0].attributes:
                wanted = merged_attributes([check.attributes[name] for check in readable])
                if not _same(dict(ensemble._h5[name].attrs), wanted):
                    self.add(name, "its attributes are not those of the shards")

    def _offsets(self, ensemble: Ensemble, rows: ShardedRows, shard: int, h5: Any) -> None:
        first, last = (int(b) for b in rows.first_star[shard : shard + 2])
        for start in range(first, last + 1, _STEP):
            stop = min(start + _STEP, last + 1)
            mine = ensemble._h5["stars/offset"][start:stop]
            theirs = h5["stars/offset"][start - first : stop - first] + rows.first_observation[shard]
            if not np.array_equal(mine, theirs):
                self.add("stars/offset", f"they are not those of shard {rows.names[shard]}")
                return

    def _virtual(self, ensemble: Ensemble, rows: ShardedRows) -> None:
        """What readers other than lcgen see."""
        for name in _column_names(ensemble):
            if name == "stars/offset" or (not ensemble.n_observations and name.startswith("observations/")):
                continue
            dataset = ensemble._h5[name]
            first = rows.first_star if name.startswith("stars/") else rows.first_observation
            wanted = {
                (file, name, int(low), int(high) - 1)
                for file, low, high in zip(rows.names, first[:-1], first[1:], strict=True)
                if low < high
            }
            found = set()
            for source in dataset.virtual_sources() if dataset.is_virtual else ():
                low, high = source.vspace.get_select_bounds()
                found.add((source.file_name, source.dset_name.lstrip("/"), int(low[0]), int(high[0])))
            if found != wanted:
                self.add(name, "the virtual dataset does not show the shards")


def _column_names(ensemble: Ensemble) -> list[str]:
    return [f"{group}/{name}" for group in ("stars", "observations") for name in ensemble._h5[group]]


def _classes(provenance: Any) -> list[tuple[str, int]] | None:
    """Classes and numbers of stars as `generate_ensemble` notes them; None where something else is noted."""
    found = provenance.get("classes")
    if not isinstance(found, list) or not all(isinstance(item, list) and len(item) == 2 for item in found):
        return None
    return [(str(name), int(n)) for name, n in found]


def _classes_fit(provenance: Any, start: int, found: NDArray) -> bool:
    """Whether the stars from number `start` of a file on are of the classes that the provenance plans."""
    planned, part = _classes(provenance), provenance.get("shard")
    if planned is None:
        return True
    ends = np.cumsum([n for _, n in planned])
    first = start + (part["first"] if part else 0)
    index = np.searchsorted(ends, np.arange(first, first + found.size), side="right")
    names = np.array([name.encode() for name, _ in planned] + [b""])
    return bool(np.all(names[index] == found))


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[k], other[k], equal_nan=np.asarray(one[k]).dtype.kind == "f") for k in one
    )
