"""``lcgen verify``: whether ensemble files are what they say."""

from __future__ import annotations

import argparse

from ..errors import EnsembleError
from .options import Command, progress_of

__all__ = ["COMMANDS"]

_DESCRIPTION = """\
Read ensemble files whole and check them: checksums, offsets, finite values, identity of the stars, statistics,
provenance, and the shards of a master file. One line on the standard output for each thing that is wrong, and exit code
2; exit code 0 where all is well.
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="an ensemble file, or the master file of several")
    parser.add_argument("--digest", action="store_true", help="print the sha256 of the content of each good file")


def _run(args: argparse.Namespace) -> None:
    from ..ensemble import content_digest, verify

    n_problems = 0
    for file in args.files:
        problems = verify(file, progress=progress_of(args))
        n_problems += len(problems)
        for problem in problems:
            print(" ".join(str(problem).split()))
        if not problems:
            print(f"{content_digest(file)}  {file}" if args.digest else f"{file}: no problem found")
    if n_problems:
        raise EnsembleError(f"{n_problems} problem{'s' * (n_problems > 1)} found")


COMMANDS = (
    Command(
        name="verify",
        summary="check ensemble files: checksums, values, provenance, shards",
        description=_DESCRIPTION,
        example="  lcgen verify ensemble.h5\n",
        options=_options,
        run=_run,
    ),
)
