"""``lcgen compare``: what each of several cadences would recover of the same stars."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from .options import (
    CADENCE_HELP,
    Command,
    add_band,
    add_irregular,
    add_mean_mag,
    add_model,
    add_params,
    add_position,
    add_seed,
    band_for,
    mean_mag_of,
    progress_of,
    star_params,
)
from .sky import add_sky, sky_options

__all__ = ["COMMANDS"]

_DESCRIPTION = """\
The same stars under each cadence: visits and phase coverage, blind period recovery with aliases counted apart, errors
of amplitude and mean magnitude, and how well a fixed classifier does. Differences are against the first cadence, with
bootstrap errors on the paired stars. One cadence alone is allowed. Writes a report (report.html), a table
(table.ecsv), and what was measured on each star (stars.ecsv) into a folder; an interrupted run goes on with the same
command. ':every=2' behind a cadence keeps every second visit in each band.
"""
_EXAMPLE = """\
  lcgen compare lsst-wfd lsst-ddf --output wfd-ddf
  lcgen compare lsst-wfd lsst-wfd:every=2 --per-class 50 --classes RRLYR CEP --mean-mag 22 25 --output thinned
  lcgen compare lsst-wfd --per-class 100 --classes RRLYR --sky circle:60,-40,5 --dust smooth --output field
  lcgen compare baseline.db rolling.db --ra 53.1 --dec -28.1 --workers 2 --output rolling
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cadences", nargs="+", metavar="CADENCE", help=CADENCE_HELP)
    parser.add_argument("--output", required=True, metavar="FOLDER", help="a new folder, or that of this very run")
    parser.add_argument(
        "--per-class", type=int, default=200, metavar="N", help="stars of each class; default: %(default)s"
    )
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="default: all classes of the model")
    add_seed(parser)
    add_mean_mag(parser, ". Default: 20 26")
    parser.add_argument(
        "--noise",
        nargs="+",
        default=["depth"],
        metavar="NOISE",
        help="'depth': errors from the depths of the schedule; a survey that the model was trained on, such as CSS; or "
        "'none'. One for all cadences, or one each. Default: depth",
    )
    add_irregular(parser)
    add_band(parser)
    add_params(parser)
    add_position(parser)
    add_sky(parser)
    add_model(parser)
    search = parser.add_argument_group("measurement")
    search.add_argument(
        "--periods",
        type=float,
        nargs=2,
        default=[0.05, 1000.0],
        metavar=("LOW", "HIGH"),
        help="periods of the blind search [d]; default: 0.05 1000",
    )
    search.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        metavar="X",
        help="relative error up to which a period is recovered; default: %(default)s",
    )
    search.add_argument(
        "--snr", type=float, default=5.0, metavar="X", help="signal-to-noise of a detection; default: %(default)s"
    )
    search.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="of the periodogram: astropy, nifty-ls, or auto: nifty-ls where installed; default: %(default)s",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes; default: %(default)s")


def _run(args: argparse.Namespace) -> None:
    params, mean_mag = star_params(args), mean_mag_of(args)
    from .. import compare, load_generator

    settings = compare.Settings(
        min_period=args.periods[0],
        max_period=args.periods[1],
        tolerance=args.tolerance,
        snr=args.snr,
        engine=args.engine,
    )
    generator = load_generator(args.model)
    try:
        comparison = compare(
            args.cadences,
            generator=generator,
            classes=args.classes,
            n_per_class=args.per_class,
            seed=args.seed,
            mean_mag=mean_mag,
            params=params or None,
            noise=args.noise,
            band=None if args.band is None else band_for(args.band, None, generator),
            irregular=args.irregular,
            draw_options=({"extrapolate": True} if args.extrapolate else {}) | sky_options(args, args.cadences[0]),
            settings=settings,
            output=args.output,
            workers=args.workers,
            progress=progress_of(args),
            command=shlex.join(["lcgen", *args.words]),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on") from None
    print(comparison.to_text())
    print(comparison.to_html(Path(args.output) / "report.html"))


COMMANDS = (
    Command(
        name="compare",
        summary="what several cadences recover of the same stars",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
)
