"""``lcgen sample``: a few stars at a cadence, as a table."""

from __future__ import annotations

import argparse
import logging

from .options import (
    CADENCE_HELP,
    Command,
    add_band,
    add_detection,
    add_irregular,
    add_model,
    add_noise,
    add_params,
    add_position,
    add_seed,
    band_for,
    detection_of,
    refuse_existing,
    star_params,
)
from .sky import add_sky, sky_options

__all__ = ["COMMANDS"]

_log = logging.getLogger(__name__)

_DESCRIPTION = """\
Light curves of a few stars of one class, at the parameters you give, under a cadence or at given times:
one row an observation, as CSV to the standard output or to a file. What you do not give is drawn from the class
population given what you do; --stars writes it down, one row a star. Without mean_mag or distance magnitudes are
absolute.
"""
_EXAMPLE = """\
  lcgen sample RRLYR --param period=0.55 --param teff=6500 --cadence lsst-wfd --seed 7 --n 3 --output stars.ecsv
  lcgen sample CEP --subclass F --param mean_mag=16.5 --times 60000 60000.5 60001 --band I
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cls", metavar="CLASS", help="class of the stars, such as RRLYR or CEP (see lcgen models)")
    parser.add_argument("--n", type=int, default=1, metavar="N", help="how many stars; default: %(default)s")
    parser.add_argument("--subclass", metavar="NAME", help="such as RRab, RRc, F, 1O, EA, EW; drawn where not given")
    add_params(parser)
    add_position(parser)
    add_sky(parser)
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--cadence",
        metavar="NAME|FILE",
        help=CADENCE_HELP,
    )
    when.add_argument("--times", type=float, nargs="+", metavar="MJD", help="times of observation [d]")
    add_band(parser)
    add_noise(parser)
    add_detection(parser)
    add_irregular(parser)
    add_seed(parser)
    add_model(parser)
    parser.add_argument("--output", metavar="FILE", help=".csv, .ecsv (with units), .parquet; default: stdout, CSV")
    parser.add_argument("--stars", metavar="FILE", help="also write the parameters of the stars, in the same formats")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")


def _run(args: argparse.Namespace) -> None:
    from .tables import check_format, observations_table, write_table

    params, detection = star_params(args), detection_of(args)
    output, stars_output = (None if f is None else refuse_existing(f, args) for f in (args.output, args.stars))
    for path in (output, stars_output):
        if path is not None:
            check_format(path)
    from .. import as_cadence, load_generator

    cadence = as_cadence(args.times if args.cadence is None else args.cadence)
    generator = load_generator(args.model)
    stars = generator.draw(
        args.cls,
        args.n,
        params=params or None,
        subclass=args.subclass,
        seed=args.seed,
        extrapolate=args.extrapolate,
        **sky_options(args, cadence),
    )
    band = band_for(args.band, cadence, generator)
    _log.info("filters %s observed in %s", ", ".join(cadence.bands), band or "the bands of the same name")
    noise = None if args.noise == "none" else args.noise
    curves = stars.observe(cadence, noise=noise, band=band, irregular=args.irregular, detection=detection)
    if stars_output is not None:
        write_table(curves.stars, stars_output)
    write_table(observations_table(curves), output)


COMMANDS = (
    Command(
        name="sample",
        summary="light curves of a few stars at parameters you give, as a table",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
)
