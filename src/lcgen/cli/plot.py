"""``lcgen plot``: contact sheets of an ensemble file or of a model."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EnsembleError, InputError
from .options import Command, add_seed, refuse_existing

if TYPE_CHECKING:  # pragma: no cover
    from ..generator import LightCurveGenerator

__all__ = ["COMMANDS", "model_contact_sheet"]

_DESCRIPTION = """\
A contact sheet, as PNG. Of an ensemble file: folded light curves, a row a class, a column a star. Of a model:
noise-free folded curves, a row a class, the period growing from left to right, several stars a panel.
Needs matplotlib (pip install 'lcgen[plot]'). An existing picture is replaced.
"""
_EXAMPLE = """\
  lcgen plot ensemble.h5 --output sheet.png
  lcgen plot periodic-vi --band I --output model.png
"""
_PHASES = 128
_STARS = 4
# stars drawn for the quantiles of the period
_POPULATION = 200


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="FILE|MODEL", help="an ensemble file; or a model, by name or folder")
    parser.add_argument("--output", required=True, metavar="FILE", help="the PNG to write")
    parser.add_argument("--columns", type=int, default=6, metavar="N", help="panels a class; default: %(default)s")
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="of a model; default: all")
    parser.add_argument("--band", metavar="BAND", help="of a model; default: its first")
    parser.add_argument("--title", default="", metavar="TEXT", help="written above; default: what is shown")
    add_seed(parser)
    parser.set_defaults(overwrite=True)


def _run(args: argparse.Namespace) -> None:
    if args.columns < 1:
        raise InputError(f"--columns must be at least 1, received {args.columns}")
    output = refuse_existing(args.output, args)
    if output.suffix.lower() != ".png":
        raise InputError(f"the picture is a PNG: --output must end in .png, received {args.output!r}")
    if _is_ensemble(args.what):
        _plot_ensemble(args, output)
    else:
        from .. import load_generator

        model_contact_sheet(
            load_generator(args.what),
            output,
            classes=args.classes,
            band=args.band,
            columns=args.columns,
            seed=args.seed,
            title=args.title,
        )
    print(output)


def _is_ensemble(what: str) -> bool:
    path = Path(what)
    return path.is_file() or (path.suffix.lower() in (".h5", ".hdf5") and not path.is_dir())


def _plot_ensemble(args: argparse.Namespace, output: Path) -> None:
    for option in ("classes", "band"):
        if getattr(args, option) is not None:
            raise InputError(f"--{option} is for models; {args.what} is an ensemble file")
    from .. import open_ensemble
    from ..plot import ensemble_contact_sheet

    with open_ensemble(args.what) as ensemble:
        if not len(ensemble):
            raise EnsembleError(f"{args.what} holds no star")
        ensemble_contact_sheet(ensemble, output, per_class=args.columns, seed=args.seed, title=args.title)


def model_contact_sheet(
    generator: LightCurveGenerator,
    path: Path,
    *,
    classes: list[str] | None = None,
    band: str | None = None,
    columns: int = 6,
    seed: int = 0,
    title: str = "",
) -> None:
    """Save noise-free folded curves of a generator: a row a class, a column a quantile of the period.

    Parameters
    ----------
    generator : LightCurveGenerator
    path : Path
        The PNG; replaced if there is one.
    classes : list of str, optional
        Rows; all classes of the generator where not given.
    band : str, optional
        The first band of the generator where not given.
    columns : int
        Periods of each class.
    seed : int
        Of the stars.
    title : str
        Written above.

    Raises
    ------
    UnknownNameError
        If a class or the band is not the generator's.
    MissingExtraError
        If matplotlib is not installed.
    """
    import numpy as np

    from ..plot import Panel, contact_sheet
    from ..taxonomy import CLASS_INFO

    band = generator.bands[0] if band is None else band
    palette = ("#16697a", "#db6400", "#8f2d56", "#6a994e")
    phase = np.arange(_PHASES + 1) / _PHASES
    panels: list[Any] = []
    n = columns * _STARS
    for row, cls in enumerate(generator.classes if classes is None else classes):
        drawn = generator.draw(cls, _POPULATION, seed=seed).columns["period"]
        periods = np.quantile(drawn, (np.arange(columns) + 0.5) / columns)
        limits = generator.domain(cls, "period")
        if limits is not None:
            periods = np.clip(periods, *limits)
        given = {"period": np.repeat(periods, _STARS)}
        # ids of their own, or the rows would share their random numbers
        stars = generator.draw(cls, n, params=given, seed=seed, first_id=row * n)
        template = stars.template(_PHASES, band)
        closed = np.concatenate([template, template[:, :1]], axis=1)
        names = stars.columns["subclass"]
        for k, period in enumerate(periods):
            rows = range(k * _STARS, (k + 1) * _STARS)
            kinds = ", ".join(sorted({str(names[i]) for i in rows} - {""}))
            panels.append(
                Panel(
                    title="   ".join(part for part in (f"P = {period:.4g} d", kinds) if part),
                    curves=[(phase, closed[i], {"color": palette[i % _STARS], "lw": 1.0}) for i in rows],
                    label="" if k else f"{cls}\n{textwrap.fill(CLASS_INFO[cls].description, 18)}",
                )
            )
    contact_sheet(
        panels,
        path,
        columns=columns,
        title=title or f"{generator.name}: noise-free curves in {band}",
        caption="magnitude minus the mean, against phase; four stars a panel",
    )


COMMANDS = (
    Command(
        name="plot",
        summary="contact sheet of an ensemble file or of a model",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
)
