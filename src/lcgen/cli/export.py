"""``lcgen export``: an ensemble in the format of another program."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import InputError
from .options import Command, progress_of
from .tables import aligned

__all__ = ["COMMANDS", "FORMATS"]

_DESCRIPTION = """\
Write an ensemble in the format of another program:

{formats}

Formats of plugins have names, too: --list names all, and where they come from. The output appears when it is whole;
memory does not grow with the number of stars. docs/export.md says what each format holds, in which units, and which
options it has; --list-options prints those of a format.
"""
_EXAMPLE = """\
  lcgen export --list
  lcgen export train.h5 plasticc challenge
  lcgen export train.h5 snana LCGEN_SIM --option stars_per_file=10000
  lcgen export train.h5 nested train.parquet
  lcgen export train.h5 atat dataset.h5 --option features=period,e_bv --option difference=yes
"""
FORMATS = {
    "astromer": "Parquet shards for ASTROMER, one band (a folder)",
    "atat": "padded HDF5 arrays of ATAT (a file)",
    "fits": "FITS tables of stars and observations (a file)",
    "hats": "HATS catalogue, for LSDB (a folder)",
    "lclib": "SNANA LCLIB: folded model curves (a file)",
    "nested": "nested Parquet, for nested-pandas (a file)",
    "plasticc": "CSV tables of the PLAsTiCC challenge (a folder)",
    "snana": "SNANA HEAD/PHOT FITS tables (a folder)",
    "tables": "astropy tables, one a star (a folder)",
}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action=_List, help="print the formats, with those of plugins, and leave")
    parser.add_argument("file", metavar="FILE", help="an ensemble file")
    parser.add_argument("format", metavar="FORMAT", help=f"one of {', '.join(FORMATS)}, or a plugin's")
    parser.add_argument("output", metavar="OUTPUT", nargs="?", help="the file or folder to write")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the format; may be repeated",
    )
    parser.add_argument(
        "--list-options",
        action="store_true",
        help="print the options of the format with their values, and do nothing else",
    )
    parser.add_argument("--block-size", type=int, default=1000, metavar="N", help="stars at once; default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output once the new one is whole")


class _List(argparse.Action):
    """Prints the formats; no file need be named with it."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from ..plugins import installed_plugins

        rows = [("name", "description"), *FORMATS.items()]
        # not loaded: what a plugin needs may be large
        for plugin in installed_plugins("lcgen.exporters"):
            if plugin.error is None:
                rows.append((plugin.name, f"from the plugin {plugin.distribution} {plugin.version}"))
        print(aligned(rows))
        parser.exit()


def _run(args: argparse.Namespace) -> None:
    from ..export import export_ensemble, make_exporter

    exporter = make_exporter(args.format, _values(args.option))
    if args.list_options:
        _print_options(exporter)
        return
    if args.output is None:
        raise InputError("name the file or folder to write: lcgen export FILE FORMAT OUTPUT")
    report = export_ensemble(
        args.file,
        exporter,
        args.output,
        overwrite=args.overwrite,
        block_size=args.block_size,
        progress=progress_of(args),
    )
    print(
        f"{report.path}: {report.format}, {report.n_stars:,} stars, {report.n_observations:,} observations, "
        f"{report.size / 1e6:,.1f} MB"
    )


def _values(items: list[str]) -> dict[str, str]:
    out = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise InputError(f"--option wants NAME=VALUE, received {item!r}")
        out[name] = value
    return out


def _print_options(exporter: object) -> None:
    import dataclasses

    values = dataclasses.asdict(exporter)  # type: ignore[call-overload]
    for name, value in values.items():
        print(f"{name}={value}")
    if not values:
        print("no options")


COMMANDS = (
    Command(
        name="export",
        summary="an ensemble in the format of another program",
        description=_DESCRIPTION.format(formats="\n".join(f"  {k:<10}{v}" for k, v in FORMATS.items())),
        example=_EXAMPLE,
        options=_options,
        run=_run,
    ),
)
