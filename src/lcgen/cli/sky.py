"""``--sky``, ``--dust`` and ``--law``: where stars are, and what is in front of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import InputError, UnknownNameError

if TYPE_CHECKING:  # pragma: no cover
    from ..sky import DustMap

__all__ = ["add_sky", "sky_options"]

_SKIES = ("all", "rubin", "schedule", "circle:RA,DEC,RADIUS")
_DUSTS = ("smooth", "sfd", "planck", "bayestar", "a number [mag]")


def add_sky(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--sky",
        metavar="WHERE",
        help="draw positions and distances by the densities of each class in the Galaxy and the Magellanic Clouds: "
        "'all' of the sky, 'rubin' (declination -70 to +12), 'schedule' (where the cadence points), or "
        "circle:RA,DEC,RADIUS [deg]",
    )
    parser.add_argument(
        "--dust",
        metavar="MAP",
        help="extinction at the place of each star: 'smooth' (a layer without clouds, needs no file), 'sfd', 'planck', "
        "'bayestar' (with the package dustmaps and its files), or E(B-V) of all stars [mag]. Default: none",
    )
    parser.add_argument("--law", metavar="NAME", help="extinction law: CCM89, O94, F99, F19 or G23; default: F99")
    parser.add_argument("--r-v", type=float, metavar="R_V", help="A_V / E(B-V); default: 3.1")


def sky_options(args: argparse.Namespace, cadence: Any) -> dict[str, Any]:
    """What the options ask for, as arguments of :meth:`lcgen.LightCurveGenerator.draw`.

    Raises
    ------
    InputError, UnknownNameError
        If one is not understood.
    """
    out: dict[str, Any] = {}
    if args.sky is not None:
        out["sky"] = _footprint(args.sky, cadence)
    if args.dust is not None:
        out["dust"] = _dust(args.dust)
    if args.law is not None:
        out["law"] = args.law
    if args.r_v is not None:
        out["r_v"] = args.r_v
    return out


def _footprint(text: str, cadence: Any) -> Any:
    from ..sky import Circle, DecBand, WholeSky, from_schedule

    if text == "all":
        return WholeSky()
    if text == "rubin":
        return DecBand()
    if text == "schedule":
        return from_schedule(cadence)
    if text.startswith("circle:"):
        try:
            ra, dec, radius = (float(v) for v in text.removeprefix("circle:").split(","))
        except ValueError:
            raise InputError(f"--sky circle must be circle:RA,DEC,RADIUS in degrees, received {text!r}") from None
        return Circle(ra=ra, dec=dec, radius=radius)
    raise UnknownNameError("--sky", text, _SKIES)


def _dust(text: str) -> DustMap:
    from ..sky import ConstantDust, DustMapsQuery, SmoothDust

    if text == "smooth":
        return SmoothDust()
    if text in _DUSTS:
        return DustMapsQuery(text)
    try:
        return ConstantDust(value=float(text))
    except ValueError:
        raise UnknownNameError("--dust", text, _DUSTS) from None
