"""What the commands share: how a command is described, options that several have, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import InputError

if TYPE_CHECKING:  # pragma: no cover
    from ..observe import Detection

__all__ = [
    "CADENCE_HELP",
    "Command",
    "UsageError",
    "add_band",
    "add_command",
    "add_detection",
    "add_irregular",
    "add_mean_mag",
    "add_model",
    "add_noise",
    "add_params",
    "add_position",
    "add_seed",
    "band_for",
    "command_parser",
    "detection_of",
    "mean_mag_of",
    "named_values",
    "no_options",
    "progress_of",
    "refuse_existing",
    "star_params",
]


CADENCE_HELP = (
    "a name (see lcgen cadences) or a file: .db, .sqlite, .parquet, .csv, .ecsv, .dat, .h5 (schedules) or "
    ".toml (a recipe of your own)"
)


class UsageError(Exception):
    """The command line cannot be parsed."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command.

    Attributes
    ----------
    name : str
    summary : str
        In one line, for the list of commands.
    description : str
        For its ``--help``.
    example : str
        Command lines that run, one a line.
    options : callable
        Adds its options to a parser.
    run : callable
        Does it.
    """

    name: str
    summary: str
    description: str
    example: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def command_parser(prog: str, *, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help ends with an example."""
    return _Parser(
        prog=prog,
        description=description,
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_command(commands: Any, command: Command) -> None:
    """Add a command to the subparsers of the program."""
    parser = commands.add_parser(
        command.name,
        help=command.summary,
        description=command.description,
        epilog=f"example:\n{command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.options(parser)
    group = parser.add_argument_group("messages")
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice: everything")
    group.add_argument("--quiet", action="store_true", help="no progress bar, and only errors")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=command.run)


def no_options(parser: argparse.ArgumentParser) -> None:
    """A command without options of its own."""


# -- options that several commands have ----------------------------------------------------------------


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--model``."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="name of a bundled model (see lcgen models) or folder of one you trained; default: the bundled default",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """``--seed``."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same result; default: %(default)s")


def add_band(parser: argparse.ArgumentParser) -> None:
    """``--band``."""
    parser.add_argument(
        "--band",
        metavar="BAND",
        help="band that the filters of the schedule are observed in: one for all, such as V; 'nearest': that of the "
        "model's training photometry that is nearest in wavelength; or a mapping such as g=V,r=V,i=I. Default: the "
        "filters as they are",
    )


def add_noise(parser: argparse.ArgumentParser) -> None:
    """``--noise``."""
    parser.add_argument(
        "--noise",
        default="none",
        metavar="NOISE",
        help="'none'; 'depth': errors from the depths of the schedule; 'lsst': these, with stars that saturate an LSST "
        "visit left out; or a survey that the model was trained on, "
        "such as CSS: errors like that survey's. Default: %(default)s",
    )


def add_mean_mag(parser: argparse.ArgumentParser, default: str = "") -> None:
    """``--mean-mag``; `default` is what the help says of leaving it out."""
    parser.add_argument(
        "--mean-mag",
        type=float,
        nargs="+",
        metavar="MAG",
        help="mean magnitude in V: one for all stars, or two limits between which it is drawn star by star" + default,
    )


def add_irregular(parser: argparse.ArgumentParser) -> None:
    """``--irregular``."""
    parser.add_argument(
        "--irregular",
        action="store_true",
        help="let stars depart from repeating as real ones do: cycle-to-cycle changes of long-period variables, "
        "modulated RR Lyrae stars, second modes. Default: one curve repeats",
    )


def add_detection(parser: argparse.ArgumentParser) -> None:
    """``--snr`` and ``--detections-only``."""
    parser.add_argument(
        "--snr",
        type=float,
        metavar="RATIO",
        help="say in a column 'detected' which measurements reach this signal-to-noise ratio; needs --noise",
    )
    parser.add_argument(
        "--detections-only",
        action="store_true",
        help="leave out measurements below the ratio of --snr (5 where it is not given) instead of keeping all, as "
        "forced photometry does; a star may then have none",
    )


def add_params(parser: argparse.ArgumentParser) -> None:
    """``--param``."""
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of all stars: period [d], teff [K], abs_mag [mag], fe_h [dex], logg [dex], radius [R_sun], "
        "amplitude [mag], mean_mag [mag], distance [pc], a_v or e_bv [mag], t0 [MJD]; may be repeated. What is not "
        "given is drawn given what is",
    )
    parser.add_argument(
        "--extrapolate", action="store_true", help="allow parameters outside the domain the model was trained on"
    )


def add_position(parser: argparse.ArgumentParser) -> None:
    """``--ra`` and ``--dec``."""
    text = "position of all stars [deg, ICRS], for schedules that depend on it, such as OpSim databases"
    parser.add_argument("--ra", type=float, metavar="DEG", help=text)
    parser.add_argument("--dec", type=float, metavar="DEG", help="as --ra")


# -- what they mean -------------------------------------------------------------------------------------


def named_values(items: Sequence[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` items as a mapping.

    Raises
    ------
    InputError
        If one has another form, or a name comes twice.
    """
    out: dict[str, str] = {}
    for item in items:
        name, separator, value = (part.strip() for part in item.partition("="))
        if not (name and separator and value):
            raise InputError(f"{option} must be NAME=VALUE, received {item!r}")
        if name in out:
            raise InputError(f"{option} gives {name} twice")
        out[name] = value
    return out


def mean_mag_of(args: argparse.Namespace) -> Any:
    """What ``--mean-mag`` asks for: a magnitude, two limits, or nothing.

    Raises
    ------
    InputError
        If there are more than two.
    """
    given: list[float] | None = args.mean_mag
    if given is not None and len(given) > 2:
        raise InputError(f"--mean-mag takes one magnitude or two limits, received {len(given)} numbers")
    return given[0] if given and len(given) == 1 else given


def star_params(args: argparse.Namespace) -> dict[str, float]:
    """Parameters of all stars, from ``--param``, ``--ra`` and ``--dec``."""
    out: dict[str, float] = {}
    for name, text in named_values(args.param, "--param").items():
        try:
            out[name] = float(text)
        except ValueError:
            raise InputError(f"--param {name} must be a number, received {text!r}") from None
    if (args.ra is None) != (args.dec is None):
        raise InputError("give both --ra and --dec, or neither")
    if args.ra is not None:
        out |= {"ra": args.ra, "dec": args.dec}
    return out


def band_for(text: str | None, cadence: Any, generator: Any) -> str | dict[str, str] | None:
    """What ``--band`` asks for, in the words of :meth:`lcgen.Stars.observe`."""
    if text is not None:
        return named_values(text.split(","), "--band") if "=" in text else text
    return None if set(cadence.bands) <= set(generator.bands) else "nearest"


def detection_of(args: argparse.Namespace) -> Detection | None:
    """What ``--snr`` and ``--detections-only`` ask for.

    Raises
    ------
    InputError
        If the ratio is not positive, or there is no noise.
    """
    if args.snr is None and not args.detections_only:
        return None
    if args.noise == "none":
        raise InputError("--snr and --detections-only need --noise: without noise every visit would be a detection")
    from ..observe import Detection

    return Detection(
        snr=5.0 if args.snr is None else args.snr, photometry="detections" if args.detections_only else "forced"
    )


def progress_of(args: argparse.Namespace) -> bool | None:
    """Whether to show progress: where the standard error is a terminal, and never with ``--quiet``."""
    return False if args.quiet else None


def refuse_existing(path: str, args: argparse.Namespace) -> Path:
    """`path`, if it may be written: said before work that takes long.

    Raises
    ------
    InputError
        If it is a folder, has no folder, or exists and ``--overwrite`` was not given.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {target}: there is no folder {target.parent}")
    if target.exists() and not args.overwrite:
        raise InputError(f"{target} exists; choose another name, or replace it with --overwrite")
    return target
