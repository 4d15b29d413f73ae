"""A file whose content moves from one commit to the next, all or nothing.

HDF5 updates its metadata in place, in no order that a reader could rely on, so a process killed in the middle
of a flush can leave a file that no library opens. Here HDF5 writes through a file object instead: bytes
beyond the last commit go straight to the file, where nothing refers to them yet; bytes that would overwrite
committed ones are held back, page by page. ``commit`` puts the held pages into a journal beside the file,
then into the file. Whoever finds a complete journal afterwards applies it; an incomplete one is ignored.
Either way the file stands at a commit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import EnsembleError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where only the two-writers check is missing
    fcntl = None

__all__ = ["BusyError", "JournalledFile", "disk_errors", "journal_path", "locked", "sync_folder"]

_PAGE = 4096
_MAGIC = b"LCGENJ01"
_HEAD = struct.Struct("<8sQQ")  # magic, size of the file, number of pages
_NUMBER = struct.Struct("<Q")
_DIGEST = 32


class BusyError(EnsembleError):
    """Another process is writing the file, or has just finished it."""


def journal_path(path: Path) -> Path:
    """The journal of the file `path`."""
    return path.with_name(path.name + ".journal")


class JournalledFile:
    """A file object for h5py, atomic from one :meth:`commit` to the next.

    Parameters
    ----------
    path : pathlib.Path
        The file. A writer creates it where it does not exist, and locks it.
    writable : bool
        Without it the file and its journal are only read.

    Attributes
    ----------
    failure : BaseException or None
        What the first failing operation raised; from then on nothing can be committed. Errors of reading and
        writing are only noted here, because HDF5 cannot cope with them.

    Raises
    ------
    BusyError
        If another process is writing the file.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self.failure: BaseException | None = None
        self._writable = writable
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self._journal = -1
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY, 0o666)
        try:
            if writable:
                self._lock()
                self._journal = os.open(journal_path(path), os.O_RDWR | os.O_CREAT, 0o666)
            self._size = os.fstat(self._fd).st_size
            self._recover()
        except BaseException:
            self.close()
            raise
        # pages from here on hold nothing committed; a file that is new has everything held back until its
        # first commit
        self._fresh = -(-self._size // _PAGE) if self._size else None

    # -- what h5py calls ---------------------------------------------------------------------------

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            self._read_at(self._position, view)
        except BaseException as error:
            # HDF5 does not bear exceptions from here; zeros do not pass the checksums of what it reads
            self.failure = self.failure or error
            view[:] = bytes(len(view))
        self._position += len(view)
        return len(view)

    def read(self, size: int = -1) -> bytes:
        out = bytearray(max(self._size - self._position, 0) if size < 0 else size)
        self.readinto(out)
        return bytes(out)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        start, stop = self._position, self._position + len(view)
        try:
            border = stop if self._fresh is None else min(max(self._fresh * _PAGE, start), stop)
            self._hold(start, view[: border - start])
            if border < stop and self.failure is None:
                _write_all(self._fd, view[border - start :], border)
        except BaseException as error:
            # HDF5 crashes where its file refuses a write; so it may go on, but nothing will be committed
            self.failure = self.failure or error
        if self.failure is not None:
            self._hold(start, view)
        self._position = stop
        self._size = max(self._size, stop)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """Nothing: only :meth:`commit` makes anything last."""

    # -- what the writer calls ---------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Size in bytes, as HDF5 sees it."""
        return self._size

    def clear(self) -> None:
        """Make the file empty, at once."""
        os.ftruncate(self._journal, 0)
        os.ftruncate(self._fd, 0)
        self._pages.clear()
        self._size, self._position, self._fresh = 0, 0, None

    def commit(self) -> None:
        """Make everything written so far last, or nothing of it.

        Raises
        ------
        OSError
            If the disk refuses; the file then stays at the last commit.
        EnsembleError
            If an earlier operation failed.
        """
        if self.failure is not None:
            raise EnsembleError(f"{self.path}: nothing can be committed after a failure ({self.failure})")
        try:
            os.fsync(self._fd)  # the journal may refer to data beyond the last commit
            parts = [_HEAD.pack(_MAGIC, self._size, len(self._pages))]
            for number, page in self._pages.items():
                parts += [_NUMBER.pack(number), bytes(page)]
            body = b"".join(parts)
            os.ftruncate(self._journal, 0)
            _write_all(self._journal, memoryview(body + hashlib.sha256(body).digest()), 0)
            os.fsync(self._journal)
            self._apply()
        except BaseException as error:
            self.failure = self.failure or error
            raise

    def is_current(self) -> bool:
        """Whether the path still leads to this file, and not to one that has taken its place."""
        try:
            there, here = os.stat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def remove_journal(self) -> None:
        """Remove the journal, which a file that is finished or empty does not need."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(journal_path(self.path))

    def close(self) -> None:
        """Give up the file and its lock; what was not committed is lost."""
        for name in ("_journal", "_fd"):
            fd = getattr(self, name)
            if fd >= 0:
                setattr(self, name, -1)
                os.close(fd)

    # -- inner workings ----------------------------------------------------------------------------

    def _lock(self) -> None:
        _lock(self._fd, self.path)
        if not self.is_current():
            raise BusyError(f"{self.path} was finished or removed by another process just now; look and try again")

    def _recover(self) -> None:
        """Take over the journal of a writer that did not come to the end of its commit."""
        try:
            data = journal_path(self.path).read_bytes()
        except FileNotFoundError:
            return
        body, digest = data[:-_DIGEST], data[-_DIGEST:]
        if len(body) < _HEAD.size or hashlib.sha256(body).digest() != digest:
            return
        magic, size, n_pages = _HEAD.unpack_from(body)
        if magic != _MAGIC:
            raise EnsembleError(f"{journal_path(self.path)} was written by another version of lcgen")
        step = _NUMBER.size + _PAGE
        for k in range(n_pages):
            start = _HEAD.size + k * step
            (number,) = _NUMBER.unpack_from(body, start)
            self._pages[number] = bytearray(body[start + _NUMBER.size : start + step])
        self._size = size
        if self._writable:
            self._apply()

    def _apply(self) -> None:
        for number in sorted(self._pages):
            _write_all(self._fd, memoryview(self._pages[number]), number * _PAGE)
        os.ftruncate(self._fd, self._size)
        os.fsync(self._fd)
        os.ftruncate(self._journal, 0)
        self._pages.clear()
        self._fresh = -(-self._size // _PAGE)

    def _read_at(self, start: int, view: memoryview) -> None:
        done = 0
        while done < len(view):
            got = os.preadv(self._fd, [view[done:]], start + done)
            if got == 0:
                view[done:] = bytes(len(view) - done)
                break
            done += got
        if self._pages:
            stop = start + len(view)
            for number in range(start // _PAGE, -(-stop // _PAGE)):
                page = self._pages.get(number)
                if page is not None:
                    low, high = max(start, number * _PAGE), min(stop, (number + 1) * _PAGE)
                    view[low - start : high - start] = page[low - number * _PAGE : high - number * _PAGE]

    def _hold(self, start: int, view: memoryview) -> None:
        """Keep bytes in memory until the next commit."""
        stop = start + len(view)
        for number in range(start // _PAGE, -(-stop // _PAGE) if len(view) else 0):
            low, high = max(start, number * _PAGE), min(stop, (number + 1) * _PAGE)
            page = self._pages.get(number)
            if page is None:
                page = bytearray(_PAGE)
                self._read_at(number * _PAGE, memoryview(page))
                self._pages[number] = page
            page[low - number * _PAGE : high - number * _PAGE] = view[low - start : high - start]


def _lock(fd: int, path: Path) -> None:
    if fcntl is None:  # pragma: no cover
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(f"{path} is being written by another process") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, on a file made for it.

    Raises
    ------
    BusyError
        If another process holds it.
    EnsembleError
        If the disk refuses.
    """
    with disk_errors(path, "cannot be opened for writing"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with disk_errors(path, "cannot be locked"):
            _lock(fd, path)
        yield
    finally:
        os.close(fd)


def _write_all(fd: int, view: memoryview, start: int) -> None:
    done = 0
    while done < len(view):
        done += os.pwrite(fd, view[done:], start + done)


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` last; not every file system can."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextlib.contextmanager
def disk_errors(path: Path, what: str) -> Iterator[None]:
    """Errors of the system and of HDF5 as an :class:`EnsembleError` that names the file."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise EnsembleError(f"{path} {what}: {error}") from error
