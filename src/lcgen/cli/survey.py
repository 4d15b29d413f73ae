"""``lcgen pack`` and ``lcgen train``: from survey files to a generator."""

from __future__ import annotations

import argparse
import os

from .options import Command, progress_of, refuse_existing

__all__ = ["COMMANDS"]

_PACK = """\
Turn a folder of survey files into one HDF5 pack that lcgen train reads: OGLE photometry (a .dat file a star, with
ident.dat and tables of periods such as cepF.dat) or the Catalina surveys.
"""
_PACK_EXAMPLE = """\
  lcgen pack phot/I --ident ident.dat --tables cepF.dat --output ogle_i.h5
  lcgen pack css --kind css --output css_v.h5
"""
_TRAIN = """\
Train a generator on survey packs, as a configuration in TOML says; configs/ in the repository has examples. The
packs are looked for in the folder that the environment variable LCGEN_DATA names, or data.folder of
the configuration. An interrupted run goes on with the same command. Prints the folder of the generator, which --model
of the other commands takes.
"""
_TRAIN_EXAMPLE = """\
  lcgen train configs/tiny.toml --output runs/tiny
"""


def _pack_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="FOLDER", help="the survey files")
    parser.add_argument("--output", required=True, metavar="FILE", help="the HDF5 pack to write")
    parser.add_argument("--kind", default="ogle", metavar="KIND", help="ogle or css; default: %(default)s")
    parser.add_argument("--band", metavar="BAND", help="of OGLE photometry; default: the folder's name, if I or V")
    parser.add_argument("--ident", metavar="FILE", help="OGLE's table of stars; default: ident.dat, if it is there")
    parser.add_argument("--tables", nargs="+", metavar="FILE", help="OGLE's tables of periods, such as cepF.dat")
    parser.add_argument(
        "--catalog",
        default="SSS_Per_Tab.dat",
        metavar="FILE",
        help="the Catalina catalogue of variable stars; default: %(default)s",
    )
    parser.add_argument("--parameters", metavar="FILE", help="a table of physical parameters to join by star")
    parser.add_argument("--survey", metavar="NAME", help="name of the survey, stored in the pack; default: the kind's")
    parser.add_argument("--citation", metavar="TEXT", help="what to cite, stored in the pack; default: the kind's")
    parser.add_argument(
        "--skip-malformed", action="store_true", help="leave malformed lines and files out and list them"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def _pack(args: argparse.Namespace) -> None:
    output = refuse_existing(args.output, args)
    from .. import pack_directory

    summary = pack_directory(
        args.directory,
        output,
        kind=args.kind,
        band=args.band,
        ident=args.ident,
        tables=args.tables,
        catalog=args.catalog,
        parameters=args.parameters,
        survey=args.survey,
        citation=args.citation,
        strict=not args.skip_malformed,
        progress=progress_of(args),
    )
    parts = [
        f"{summary.path}: {summary.stars:,} stars ({summary.with_period:,} with a period",
        f"{summary.with_parameters:,} with physical parameters), {summary.observations:,} observations",
    ]
    print(", ".join(parts))
    if summary.dropped_rows:
        print(f"left out: {summary.dropped_rows:,} observations that cannot be meant, such as 99.999 mag")
    for skipped in (*summary.skipped_files, *summary.skipped_lines):
        where = skipped.path if skipped.line is None else f"{skipped.path}:{skipped.line}"
        print(f"left out: {where}: {skipped.reason}")


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the configuration, TOML")
    parser.add_argument("--output", metavar="FOLDER", help="folder of the run; default: what the configuration says")
    parser.add_argument("--restart", action="store_true", help="begin anew where the folder holds an interrupted run")


def _train(args: argparse.Namespace) -> None:
    from .. import train

    try:
        folder = train(args.config, output=args.output, restart=args.restart, progress=progress_of(args))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from the last whole epoch") from None
    if os.environ.get("RANK", "0") == "0":  # under torchrun one process speaks for all
        print(folder)


COMMANDS = (
    Command(
        name="pack",
        summary="a folder of survey files into one pack to train on",
        description=_PACK,
        example=_PACK_EXAMPLE,
        options=_pack_options,
        run=_pack,
    ),
    Command(
        name="train",
        summary="train a generator of your own",
        description=_TRAIN,
        example=_TRAIN_EXAMPLE,
        options=_train_options,
        run=_train,
    ),
)
