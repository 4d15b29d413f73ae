"""The master file of a sharded ensemble: the shards as one, through HDF5 virtual datasets.

It has the layout of any ensemble file. ``/stars/offset`` and all attributes are its own, the other datasets are
virtual; the group ``/shards`` names the files, relative to the master. Where the file of a virtual dataset is missing
or cannot be opened, HDF5 returns fill values and says nothing, so lcgen itself reads the shards one by one.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import EnsembleError
from ._datasets import plain_dtype
from ._journal import disk_errors, sync_folder
from .header import EnsembleHeader

__all__ = ["ShardedRows", "merged_attributes", "missing_shards", "shard_folder", "shard_names", "write_master"]

_OPEN_SHARDS = 4
_CACHE = 8 * 2**20
_OFFSET_CHUNK = 16385


def shard_folder(path: Path) -> Path:
    """Where the shards of the master file `path` are."""
    return path.with_name(path.name + ".shards")


def shard_names(path: Path) -> tuple[str, ...]:
    """The shards that a master file names; none where `path` is no readable master file."""
    if not path.is_file():
        return ()
    with contextlib.suppress(OSError, KeyError, RuntimeError, ValueError), h5py.File(path, "r") as h5:
        return _names(h5)
    return ()


def missing_shards(path: Path) -> list[Path]:
    """The files that a master file names and that are not there."""
    return [path.parent / name for name in shard_names(path) if not (path.parent / name).is_file()]


def _names(h5: Any) -> tuple[str, ...]:
    return tuple(h5["shards"]["name"].asstr()[()].tolist()) if "shards" in h5 else ()


class ShardedRows:
    """Rows of the datasets of a master file, read from its shards; a few of them are open at a time.

    Parameters
    ----------
    path : pathlib.Path
        The master file.
    h5 : h5py.File
        It, open.

    Attributes
    ----------
    names : tuple of str
        Files of the shards, relative to the folder of the master.
    first_star, first_observation : ndarray of int64, shape (n_shards + 1,)
        Rows of the master at which the shards begin.

    Raises
    ------
    EnsembleError
        If a shard is missing.
    """

    def __init__(self, path: Path, h5: Any) -> None:
        self.folder = path.parent
        self.names = _names(h5)
        self.first_star, self.first_observation = (
            np.asarray(h5["shards"][name][()], dtype=np.int64) for name in ("first_star", "first_observation")
        )
        self._header = EnsembleHeader.read(h5)
        self._open: OrderedDict[int, h5py.File] = OrderedDict()
        wrong = [b for b in (self.first_star, self.first_observation) if b.size != len(self.names) + 1 or b[0] != 0]
        if wrong or any(np.any(np.diff(b) < 0) for b in (self.first_star, self.first_observation)):
            raise EnsembleError("the group /shards is inconsistent")
        missing = [name for name in self.names if not (self.folder / name).is_file()]
        if missing:
            more = f" and {len(missing) - 1} others are" if len(missing) > 1 else " is"
            raise EnsembleError(
                f"shard {self.folder / missing[0]}{more} missing; put back what is missing, or make it again: the "
                "command that made the ensemble, with --resume"
            )

    def shape(self, name: str) -> int:
        """Rows of a dataset of the ensemble."""
        return int((self.first_star if name.startswith("stars/") else self.first_observation)[-1])

    def rows(self, name: str, dtype: np.dtype, start: int, stop: int) -> NDArray:
        """Rows `start` to `stop` of the dataset `name`, such as ``"stars/period"``."""
        first = self.first_star if name.startswith("stars/") else self.first_observation
        out = np.empty(max(stop - start, 0), dtype=dtype)
        for shard in range(len(self.names)):
            low, high = max(start, int(first[shard])), min(stop, int(first[shard + 1]))
            if low < high:
                base = int(first[shard])
                with _blamed(self.folder / self.names[shard]):
                    part = self._file(shard)[name][low - base : high - base]
                    if part.size != high - low:
                        raise EnsembleError(f"column /{name} is shorter than the master file says")
                out[low - start : high - start] = part
        return out

    def _file(self, shard: int) -> Any:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        h5 = h5py.File(self.folder / self.names[shard], "r", rdcc_nbytes=_CACHE)
        try:
            self.check(shard, h5)
        except BaseException:
            h5.close()
            raise
        self._open[shard] = h5
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)[1].close()
        return h5

    def check(self, shard: int, h5: Any) -> None:
        """Refuse a file that is not the shard that the master means.

        Raises
        ------
        EnsembleError
        """
        found = EnsembleHeader.read(h5)
        differences = [d for d in self._header.differences(found) if not d.startswith("shard was None")]
        part = found.provenance.get("shard")
        if not isinstance(part, dict) or (part.get("number"), part.get("of")) != (shard, len(self.names)):
            differences.append(f"it says that it is shard {part}, not {shard} of {len(self.names)}")
        for key, first in (("committed_stars", self.first_star), ("committed_observations", self.first_observation)):
            rows, wanted = int(h5.attrs[key]), int(first[shard + 1] - first[shard])
            if rows != wanted:
                differences.append(f"{key} is {rows}, not {wanted}")
        if not bool(h5.attrs["complete"]):
            differences.append("it is not complete")
        if differences:
            raise EnsembleError(f"it does not belong to the master file: {'; '.join(differences)}")

    def close(self) -> None:
        """Close all shards."""
        while self._open:
            self._open.popitem()[1].close()


@contextlib.contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Errors that name the shard."""
    try:
        yield
    except EnsembleError as error:
        raise EnsembleError(f"shard {path}: {error}") from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise EnsembleError(f"shard {path} is damaged or cannot be read ({error})") from error


def write_master(path: Path, shards: Sequence[Path], header: EnsembleHeader) -> None:
    """Write the master file of complete shards, all or nothing.

    Parameters
    ----------
    path : pathlib.Path
        A file of this name is replaced.
    shards : sequence of pathlib.Path
        The shards in order, below the folder of `path`.
    header : EnsembleHeader
        Of the whole ensemble.

    Raises
    ------
    EnsembleError
        If the shards do not fit each other, or the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    stars, observations = _ends(shards)
    with disk_errors(path, "cannot be written"):
        try:
            # virtual datasets need the format of HDF5 1.10
            with h5py.File(temporary, "w", libver=("earliest", "v110")) as h5:
                _write_root(h5, header, int(stars[-1]), int(observations[-1]))
                _write_list(h5, [p.relative_to(path.parent).as_posix() for p in shards], stars, observations)
                _write_virtual(h5, path, shards, {"stars": stars, "observations": observations})
                _write_offsets(h5, shards, observations)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def _ends(shards: Sequence[Path]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = []
    for path in shards:
        with _blamed(path), h5py.File(path, "r") as opened:
            h5: Any = opened
            if not bool(h5.attrs["complete"]):
                raise EnsembleError("it is not complete")
            counts.append([int(h5.attrs[k]) for k in ("committed_stars", "committed_observations")])
    ends = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(counts, axis=0)]).astype(np.int64)
    return ends[:, 0], ends[:, 1]


def _write_root(h5: Any, header: EnsembleHeader, n_stars: int, n_observations: int) -> None:
    header.write(h5)
    h5.attrs["n_stars"] = h5.attrs["committed_stars"] = np.int64(n_stars)
    h5.attrs["committed_observations"] = np.int64(n_observations)
    h5.attrs["complete"] = np.bool_(True)


def _write_list(h5: Any, names: list[str], stars: NDArray[np.int64], observations: NDArray[np.int64]) -> None:
    group = h5.create_group("shards")
    group.create_dataset("name", data=names, dtype=h5py.string_dtype("utf-8"))
    group.create_dataset("first_star", data=stars)
    group.create_dataset("first_observation", data=observations)


def _write_virtual(h5: Any, path: Path, shards: Sequence[Path], ends: dict[str, NDArray[np.int64]]) -> None:
    """All datasets but the offsets, as views into the shards."""
    types: dict[str, list[np.dtype]] = {}
    attributes: dict[str, list[dict[str, Any]]] = {}
    for shard in shards:
        with _blamed(shard), h5py.File(shard, "r") as opened:
            source: Any = opened
            for group in ends:
                for name, dataset in source[group].items():
                    types.setdefault(f"{group}/{name}", []).append(plain_dtype(dataset.dtype))
                    attributes.setdefault(f"{group}/{name}", []).append(dict(dataset.attrs))
    for name, kinds in types.items():
        if name == "stars/offset":
            continue
        if len(kinds) != len(shards) or len({k.kind if k.kind == "S" else k for k in kinds}) != 1:
            raise EnsembleError(f"{path}: the shards differ in column {name}; they are of different runs")
        rows = ends[name.split("/")[0]]
        kind: Any = max(kinds, key=lambda k: k.itemsize)
        kind = h5py.string_dtype("utf-8", kind.itemsize) if kind.kind == "S" else kind
        layout = h5py.VirtualLayout((int(rows[-1]),), dtype=kind)
        for shard, low, high, own in zip(shards, rows[:-1], rows[1:], kinds, strict=True):
            if low < high:
                relative = shard.relative_to(path.parent).as_posix()
                layout[low:high] = h5py.VirtualSource(relative, name, shape=(int(high - low),), dtype=own)
        if rows[-1]:
            # a band that no file has: readers that go through HDF5 can tell a missing shard from a star
            dataset = h5.create_virtual_dataset(name, layout, fillvalue=_fill(name, own))
        else:
            dataset = h5.create_dataset(name, shape=(0,), dtype=kind)
        for key, value in merged_attributes(attributes[name]).items():
            dataset.attrs[key] = value


def _fill(name: str, dtype: np.dtype) -> Any:
    if name == "observations/band":
        return 255
    return np.nan if dtype.kind == "f" else None


def merged_attributes(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of a dataset over all shards."""
    out = dict(parts[0])
    if "counts" in out:
        out["counts"] = np.sum([p["counts"] for p in parts], axis=0).astype("<i8")
    if "minimum" in out:
        out["minimum"] = np.float64(np.fmin.reduce([p["minimum"] for p in parts]))
        out["maximum"] = np.float64(np.fmax.reduce([p["maximum"] for p in parts]))
    if "names" in out:
        out["names"] = [str(n) for n in out["names"]]
    return out


def _write_offsets(h5: Any, shards: Sequence[Path], ends: NDArray[np.int64]) -> None:
    n = int(h5.attrs["n_stars"])
    offset = h5["stars"].create_dataset(
        "offset", shape=(n + 1,), dtype="<i8", chunks=(min(_OFFSET_CHUNK, n + 1),), track_times=False,
        compression="gzip", compression_opts=1, shuffle=True, fletcher32=True,
    )  # fmt: skip
    offset[0] = row = 0
    for path, first in zip(shards, ends[:-1], strict=True):
        with _blamed(path), h5py.File(path, "r") as opened:
            source: Any = opened
            part = source["stars/offset"][1:] + first
            if offset.attrs.get("description") is None:
                for key, value in source["stars/offset"].attrs.items():
                    offset.attrs[key] = value
        offset[row + 1 : row + 1 + part.size] = part
        row += part.size
