"""What a format is, and the one door through which ensembles are exported."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ..ensemble import Ensemble, open_ensemble
from ..errors import EnsembleError, IncompleteEnsembleError, InputError, UnknownNameError
from ..lightcurve import LightCurves
from ._files import new_file, new_folder, size_of

__all__ = ["ExportReport", "Exporter", "Source", "export_ensemble", "make_exporter"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """An ensemble on its way into another format.

    Attributes
    ----------
    ensemble : Ensemble
        The open file.
    block_size : int
        Stars that are in memory at once.
    progress : bool or None
        Show a bar; by default where stderr is a terminal.
    """

    ensemble: Ensemble
    block_size: int = 1000
    progress: bool | None = None

    def blocks(self) -> Iterator[LightCurves]:
        """All stars in order, block by block."""
        from tqdm import tqdm

        hidden = not sys.stderr.isatty() if self.progress is None else not self.progress
        with tqdm(total=len(self.ensemble), unit=" stars", disable=hidden) as bar:
            for block in self.ensemble.iter_blocks(self.block_size):
                yield block
                bar.update(len(block))

    def provenance(self) -> dict[str, Any]:
        """Where the stars come from; text and numbers, and a mapping ``provenance``."""
        import lcgen

        header = self.ensemble.header
        return {
            "exported_by": f"lcgen {lcgen.__version__}",
            "ensemble": self.ensemble.path.name,
            "lcgen_version": header.lcgen_version,
            "generator": header.generator,
            "checkpoint_sha256": header.checkpoint_sha256,
            "seed": header.seed,
            "cadence": header.cadence,
            "created": header.created,
            "n_stars": len(self.ensemble),
            "n_observations": self.ensemble.n_observations,
            "provenance": dict(header.provenance),
        }


class Exporter(Protocol):
    """A format: a frozen dataclass whose fields are its options.

    Attributes
    ----------
    name : str
        What users call it.
    folder : bool
        Whether it is a folder of files or one file.
    """

    name: ClassVar[str]
    folder: ClassVar[bool]

    def check(self, ensemble: Ensemble) -> None:
        """Refuse what the format cannot hold, before anything is written.

        Raises
        ------
        InputError
            If a band, a column or an option does not fit.
        MissingExtraError
            If a package is missing.
        """
        ...

    def write(self, source: Source, target: Path, name: str) -> None:
        """Write all stars to `target`, a new file or an empty folder, that will be called `name`."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was exported.

    Attributes
    ----------
    path : pathlib.Path
        The file or folder.
    format : str
        Name of the format.
    n_stars, n_observations : int
        What the ensemble has; a format may drop observations, as its page says.
    size : int
        Bytes on the disk.
    """

    path: Path
    format: str
    n_stars: int
    n_observations: int
    size: int


def make_exporter(name: str, options: Mapping[str, Any] | None = None) -> Exporter:
    """The format called `name`, with options as text or in their own types.

    Raises
    ------
    UnknownNameError
        If there is no format or option of that name.
    InputError
        If an option has a value that cannot be understood.

    Examples
    --------
    >>> make_exporter("plasticc", {"difference": "yes"}).difference
    True
    """
    from . import FORMATS

    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    kind = FORMATS[name]
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values = {}
    for option, value in (options or {}).items():
        if option not in fields:
            raise UnknownNameError(f"option of the format {name}", option, fields)
        values[option] = _typed(option, value, fields[option].default)
    return kind(**values)


def export_ensemble(
    ensemble: Ensemble | str | os.PathLike[str],
    format: str | Exporter,
    output: str | os.PathLike[str],
    *,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    block_size: int = 1000,
    progress: bool | None = None,
) -> ExportReport:
    """Write an ensemble in the format of another program.

    Parameters
    ----------
    ensemble : Ensemble or path-like
        The ensemble, open or as a file.
    format : str or Exporter
        Name of a format (:data:`FORMATS`), or an exporter with its options.
    output : path-like
        The file or folder to write. It appears when it is whole.
    options : mapping, optional
        Options of a format that is given by name.
    overwrite : bool
        Replace what is there; of folders, only those that were exported.
    block_size : int
        Stars in memory at once; it has no influence on the result.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.

    Returns
    -------
    ExportReport

    Raises
    ------
    UnknownNameError, InputError
        If the format cannot hold the ensemble, an option is wrong, or the output is there already.
    IncompleteEnsembleError, EnsembleError
        If the ensemble was not finished, cannot be read, or the output cannot be written; nothing is left behind.
    MissingExtraError
        If a package that the format needs is missing.

    Examples
    --------
    >>> from lcgen.export import export_ensemble
    >>> export_ensemble("train.h5", "plasticc", "plasticc")  # doctest: +SKIP
    """
    if block_size < 1:
        raise InputError(f"block_size must be a whole number from 1, received {block_size!r}")
    if isinstance(format, str):
        exporter = make_exporter(format, options)
    elif options:
        raise InputError("options go with the name of a format; an exporter has its own")
    else:
        exporter = format
    if not isinstance(ensemble, Ensemble):
        with open_ensemble(ensemble) as opened:
            return export_ensemble(
                opened, exporter, output, overwrite=overwrite, block_size=block_size, progress=progress
            )
    if not ensemble.complete:
        raise IncompleteEnsembleError(f"{ensemble.path}: it was not finished; finish it before it is exported")
    if not len(ensemble):
        raise EnsembleError(f"{ensemble.path}: it has no stars")
    path = Path(output)
    exporter.check(ensemble)
    source = Source(ensemble=ensemble, block_size=block_size, progress=progress)
    if exporter.folder:
        provenance = {"format": exporter.name, **source.provenance()}
        with new_folder(path, provenance, overwrite=overwrite) as target:
            exporter.write(source, target, path.name)
    else:
        with new_file(path, overwrite=overwrite) as target:
            exporter.write(source, target, path.name)
    return ExportReport(
        path=path,
        format=exporter.name,
        n_stars=len(ensemble),
        n_observations=ensemble.n_observations,
        size=size_of(path),
    )


_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _typed(option: str, value: Any, default: Any) -> Any:
    """The value in the type of the option's default."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in _WORDS:
            raise InputError(f"option {option} must be yes or no, received {value!r}")
        return _WORDS[value.lower()]
    try:
        return type(default)(value)
    except ValueError:
        words = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"option {option} must be {words}, received {value!r}") from None
