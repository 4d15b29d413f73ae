"""``lcgen ensemble`` and ``lcgen inspect``: write many light curves into a file, and say what a file holds."""

from __future__ import annotations

import argparse
import logging
import shlex

from .options import (
    CADENCE_HELP,
    Command,
    add_band,
    add_detection,
    add_irregular,
    add_mean_mag,
    add_model,
    add_noise,
    add_params,
    add_position,
    add_seed,
    band_for,
    detection_of,
    mean_mag_of,
    progress_of,
    refuse_existing,
    star_params,
)
from .sky import add_sky, sky_options

__all__ = ["COMMANDS"]

_log = logging.getLogger(__name__)

_DESCRIPTION = """\
Draw stars of every class, observe them under a cadence and write their light curves into one HDF5 file
(lcgen-ensemble, format 1). The same seed gives the same stars, whatever --batch-size, --workers and --shards. A run
that was interrupted goes on with the same command and --resume. Without --mean-mag, --sky or a distance magnitudes
are absolute, so --noise depth wants one of them.
"""
_EXAMPLE = """\
  lcgen ensemble --cadence lsst-wfd --per-class 10 --seed 1 --mean-mag 17 21 --noise depth --output ensemble.h5
  lcgen ensemble --cadence lsst-wfd --per-class 10 --sky rubin --dust smooth --noise lsst --output sky.h5
  lcgen ensemble --cadence lsst-wfd --per-class 10 --mean-mag 20 --shards 4 --workers 2 --output many.h5
  lcgen ensemble --cadence css --classes RRLYR ECL --per-class 20 --seed 2 --mean-mag 14 18 --noise CSS --output css.h5
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, metavar="FILE", help="the HDF5 file to write")
    parser.add_argument(
        "--cadence",
        required=True,
        metavar="NAME|FILE",
        help=CADENCE_HELP,
    )
    parser.add_argument("--per-class", type=int, required=True, metavar="N", help="stars of each class")
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="default: all classes of the model")
    add_seed(parser)
    add_mean_mag(parser)
    add_noise(parser)
    add_detection(parser)
    add_irregular(parser)
    add_band(parser)
    add_params(parser)
    parser.add_argument(
        "--temper",
        type=float,
        default=1.0,
        metavar="B",
        help="draw parameters from the population's density to this power; below 1 is wider. Default: %(default)s",
    )
    add_position(parser)
    add_sky(parser)
    add_model(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes; default: %(default)s")
    parser.add_argument(
        "--shards",
        type=int,
        metavar="K",
        help="write K files in the folder FILE.shards, each by one worker at a time, and FILE as a master file that "
        "shows them as one; the content is the same",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address or scheduler file (.json) of a Dask scheduler whose workers write the shards",
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=3,
        metavar="N",
        help="how often shards are taken up again after workers died; default: %(default)s",
    )
    parser.add_argument("--batch-size", type=int, default=500, metavar="N", help="stars at once; default: %(default)s")
    parser.add_argument(
        "--compression", choices=("gzip", "lzf", "none"), default="gzip", help="default: %(default)s; lzf is faster"
    )
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted run of this command stopped")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file once the new one is whole")


def _run(args: argparse.Namespace) -> None:
    params, detection = star_params(args), detection_of(args)
    mean_mag = mean_mag_of(args)
    if not args.resume:
        refuse_existing(args.output, args)
    from .. import as_cadence, generate_ensemble, load_generator

    cadence = as_cadence(args.cadence)
    generator = load_generator(args.model)
    band = band_for(args.band, cadence, generator)
    _log.info("filters %s observed in %s", ", ".join(cadence.bands), band or "the bands of the same name")
    draw_options = {"temper": args.temper} if args.temper != 1.0 else {}
    draw_options |= {"extrapolate": True} if args.extrapolate else {}
    draw_options |= sky_options(args, cadence)
    try:
        summary = generate_ensemble(
            generator,
            args.output,
            classes=args.classes,
            n_per_class=args.per_class,
            cadence=cadence,
            seed=args.seed,
            noise=None if args.noise == "none" else args.noise,
            band=band,
            irregular=args.irregular,
            detection=detection,
            mean_mag=mean_mag,
            params=params or None,
            draw_options=draw_options,
            batch_size=args.batch_size,
            workers=args.workers,
            shards=args.shards,
            scheduler=args.scheduler,
            retries=args.retries,
            resume=args.resume,
            overwrite=args.overwrite,
            progress=progress_of(args),
            compression=None if args.compression == "none" else args.compression,
            command=shlex.join(["lcgen", *args.words]),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command with --resume goes on") from None
    print(summary.to_text())


def _inspect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="an ensemble file, finished or not")


def _inspect(args: argparse.Namespace) -> None:
    from ..ensemble import summarise

    print(summarise(args.file).to_text())


COMMANDS = (
    Command(
        name="ensemble",
        summary="light curves of many stars of every class, into an HDF5 file",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
    Command(
        name="inspect",
        summary="what an ensemble file holds",
        description="What an ensemble file holds and where it comes from: classes, bands, times, columns, provenance.\n"
        "Of the file of an interrupted run it says how far the run came.\n",
        example="  lcgen inspect ensemble.h5\n",
        options=_inspect_options,
        run=_inspect,
    ),
)
