"""From the words of a command line to an exit code; what goes wrong becomes one line."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import LcgenError
from ..plugins import PluginWarning
from . import compare, ensemble, export, figures, judge, listing, periods, plot, plugins, sample, survey, tune, verify
from .options import UsageError, add_command, command_parser

__all__ = ["build_parser", "main"]

OK, UNEXPECTED, BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 130, 141

_DESCRIPTION = """\
Light curves of periodic variable stars that nobody has observed yet.

Results go to the standard output, progress and messages to the standard error. Exit codes: 0 fine, 2 bad input
(one line says what), 130 interrupted, 1 anything unforeseen.
"""
_EXAMPLE = """\
  lcgen ensemble --cadence lsst-wfd --per-class 10 --seed 1 --mean-mag 17 21 --noise depth --output ensemble.h5
  lcgen inspect ensemble.h5
  lcgen plot ensemble.h5 --output sheet.png
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = command_parser("lcgen", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("--version", action=_Version, help="print the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    modules = (sample, ensemble, verify, export, compare, figures, plot, listing, plugins, survey, periods, tune, judge)
    for module in modules:
        for command in module.COMMANDS:
            add_command(commands, command)
    return parser


class _Version(argparse.Action):
    """Looks the version up when it is asked for, not on every start."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .. import __version__

        print(f"lcgen {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Its words, without the name of the program; those of the process where not given.

    Returns
    -------
    int
        0 where all is well; 2 for bad input, with one line on the standard error; 130 where it was interrupted;
        141 where the reader of the output went away; 1 for what was not foreseen.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    lcgen ...
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _let_go_of_stdout()
        return CLOSED_PIPE
    except KeyboardInterrupt as stop:
        return _say(f"interrupted{f'; {stop}' if str(stop) else ''}", stop, debug=debug, code=INTERRUPTED)
    except (LcgenError, UsageError) as error:
        return _say(f"error: {error}", error, debug=debug, code=BAD_INPUT)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        return _say(f"error: {text}", error, debug=debug, code=BAD_INPUT)
    except Exception as error:
        text = f"error: {type(error).__name__}: {error}; unforeseen; run with --debug to see where"
        return _say(text, error, debug=debug, code=UNEXPECTED)


def _run(words: list[str]) -> int:
    try:
        args = build_parser().parse_args(words)
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else OK
    args.words = words
    with _messages(args):
        args.run(args)
    return OK


def _say(text: str, error: BaseException, *, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exception(error)
    print("lcgen:", " ".join(text.split()), file=sys.stderr)
    return code


def _let_go_of_stdout() -> None:
    """Keep the interpreter from flushing into the closed pipe when it ends."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: a stream without a file descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _messages(args: argparse.Namespace) -> Iterator[None]:
    """Send the library's log, and what it says of plugins, to the standard error while a command runs."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(args.verbose, logging.DEBUG)
    logger, handler = logging.getLogger("lcgen"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("lcgen: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR if args.quiet else level)
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, PluginWarning):  # for the user of the program, who has no use for lines of code
            logger.warning("warning: %s", message)
        else:
            others(message, category, *where, **more)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
