"""``lcgen figures``: pictures that show whether generated stars obey what is known of real ones."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

from .options import Command, add_model, add_seed, progress_of

__all__ = ["COMMANDS"]

_DESCRIPTION = """\
RR Lyrae curves from sawtooth to sinusoid with the temperature sequence, period-luminosity relations in each band beside
published ones, the colour-magnitude diagram, amplitude ratios and phase lags. Writes pictures (.png) and the numbers
behind them (.ecsv) into a folder, and prints the relations. Real stars are shown beside generated ones where LCGEN_DATA
names the folder of the survey data.
"""
_EXAMPLE = "  lcgen figures --per-class 50 --seed 1 --output figures\n"


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, metavar="FOLDER", help="made if need be; figures in it are replaced")
    parser.add_argument(
        "--per-class", type=int, default=1000, metavar="N", help="stars of each class or subclass; default: %(default)s"
    )
    add_seed(parser)
    add_model(parser)


_HEAD = ("kind", "band", "slope", "zero point", "at log P", "scatter", "published", "difference", "source")


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    slope = row["published_slope"]
    published = "" if math.isnan(slope) else f"{slope:.3f}"
    if not math.isnan(row["published_slope_error"]):
        published += f" ± {row['published_slope_error']:.3f}"
    return (
        row["kind"],
        row["band"],
        f"{row['slope']:.3f} ± {row['slope_error']:.3f}",
        f"{row['zero']:.3f} ± {row['zero_error']:.3f}",
        f"{row['log_p']:g}",
        f"{row['scatter']:.3f}",
        published,
        "" if math.isnan(row["difference"]) else f"{row['difference']:+.3f}",
        row["source"],
    )


def _run(args: argparse.Namespace) -> None:
    from ..figures import make_figures
    from .tables import aligned

    made = make_figures(args.model, args.output, n_per_kind=args.per_class, seed=args.seed, progress=progress_of(args))
    rows = made.rows.get("period-luminosity", [])
    if rows:
        print(aligned([_HEAD, *map(_words, rows)]))
    for path in (*made.pictures, *made.tables):
        print(path)


COMMANDS = (
    Command(
        name="figures",
        summary="pictures and tables that check generated stars against published relations",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
)
"""What this module adds to the command line."""
