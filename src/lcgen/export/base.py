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
from ..plugins import load_plugin, plugin_names, warn_hidden
from ._files import new_file, new_folder, size_of

__all__ = ["ExportReport", "Exporter", "Source", "export_ensemble", "list_formats", "make_exporter"]


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
    """A format: a frozen dataclass whose fields are its options, each with a default.

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


def list_formats() -> tuple[str, ...]:
    """Names of the formats: of lcgen's own (:data:`FORMATS`), then of plugins.

    Examples
    --------
    >>> "nested" in list_formats()
    True
    """
    from . import FORMATS

    return (*FORMATS, *plugin_names("lcgen.exporters"))


def make_exporter(name: str, options: Mapping[str, Any] | None = None) -> Exporter:
    """The format called `name`, lcgen's own or a plugin's, with options as text or in their own types.

    Raises
    ------
    UnknownNameError
        If there is no format or option of that name.
    InputError
        If an option has a value that cannot be understood.
    PluginError
        If it is the format of a plugin that cannot be used.

    Examples
    --------
    >>> make_exporter("plasticc", {"difference": "yes"}).difference
    True
    """
    kind = _format(name)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    values = {}
    for option, value in (options or {}).items():
        if option not in fields:
            raise UnknownNameError(f"option of the format {name}", option, fields)
        values[option] = _typed(option, value, fields[option].default)
    return kind(**values)


def _format(name: str) -> Any:
    """The class of a format."""
    from . import FORMATS

    if name in FORMATS:
        warn_hidden("lcgen.exporters", name)
        return FORMATS[name]
    try:
        return load_plugin("lcgen.exporters", name)
    except UnknownNameError:
        raise UnknownNameError("format", name, list_formats()) from None


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
        Name of a format (:func:`list_formats`), or any exporter with its options.
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
        exporter = _checked(format)
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


def _checked(exporter: Any) -> Exporter:
    """An exporter that was passed as an object."""
    missing = [word for word in ("name", "folder", "check", "write") if not hasattr(exporter, word)]
    if isinstance(exporter, type) or missing:
        received = f"the class {exporter.__name__}" if isinstance(exporter, type) else f"{exporter!r:.80}"
        raise InputError(f"format must be a name or an exporter with its options, such as Mine(); received {received}")
    return exporter


_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _typed(option: str, value: Any, default: Any) -> Any:
    """The value in the type of the option's default."""
    if not isinstance(value, str) or not isinstance(default, (bool, int, float)):
        return value  # an exporter reads options of other types itself
    if isinstance(default, bool):
        if value.lower() not in _WORDS:
            raise InputError(f"option {option} must be yes or no, received {value!r}")
        return _WORDS[value.lower()]
    try:
        return type(default)(value)
    except ValueError:
        words = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"option {option} must be {words}, received {value!r}") from None
