"""``lcgen periods``: periods for the stars of a survey that gives none."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ..errors import InputError
from .options import Command, progress_of

__all__ = ["COMMANDS"]

_PERIODS = """\
Search the stars of a pack that have no period, each within the periods of its class, and write a table: id, class,
subclass, period [d], how far it can be trusted, and a flag that says why it was not kept (empty where it was). Stars
that the table has already are kept as they are, so that an interrupted run goes on with the same command.
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", metavar="PACK", help="the HDF5 pack")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the table to write or to go on with, CSV"
    )
    parser.add_argument("--class", dest="classes", nargs="+", metavar="CLASS", help="only these classes; default: all")
    parser.add_argument("--subclass", dest="subclasses", nargs="+", metavar="SUBCLASS", help="only these subclasses")
    parser.add_argument(
        "--known", action="store_true", help="search the stars as well whose period is known, to compare"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="number of processes; default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="begin anew where the table has other settings")


def _run(args: argparse.Namespace) -> None:
    output = Path(args.output)
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"cannot write {output}: it is a folder, or there is no folder {output.parent}")
    from ..catalog import read_pack, tabulate_periods

    try:
        table = tabulate_periods(
            read_pack(args.pack),
            output,
            classes=args.classes,
            subclasses=args.subclasses,
            known=args.known,
            workers=args.workers,
            overwrite=args.overwrite,
            progress=progress_of(args),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on with the stars that are left") from None
    flags = Counter(table["flag"].tolist())
    print(f"{output}: {table.n_rows:,} stars, {flags.pop('', 0):,} with a period")
    for flag, count in flags.most_common():
        print(f"not kept: {count:,} {flag}")


COMMANDS = (
    Command(
        name="periods",
        summary="periods for the stars of a pack that have none",
        description=_PERIODS,
        example="  lcgen periods asas_v.h5 --class RRLYR --output asas_periods.csv\n",
        options=_options,
        run=_run,
    ),
)
