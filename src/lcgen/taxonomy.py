"""Classes of periodic variable stars, their subclasses, and the parameters that describe a star."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnknownNameError

__all__ = [
    "CLASSES",
    "CLASS_INFO",
    "OBSERVATIONAL",
    "PARAMETERS",
    "PHYSICAL",
    "ClassInfo",
    "Parameter",
    "canonical_subclass",
    "class_info",
    "parameter_info",
]


@dataclass(frozen=True, kw_only=True)
class ClassInfo:
    """A class of variable stars.

    Attributes
    ----------
    name : str
        The name used throughout lcgen.
    description : str
        In words.
    subclasses : tuple of str
        Known subclasses, as lcgen spells them.
    base_harmonic : int
        The harmonic of the period that dominates: 2 where two eclipses or two humps make one period.
    """

    name: str
    description: str
    subclasses: tuple[str, ...]
    base_harmonic: int = 1


_CLASS_LIST = (
    ClassInfo(name="ACEP", description="anomalous Cepheid", subclasses=("F", "1O")),
    ClassInfo(name="CEP", description="classical Cepheid", subclasses=("F", "1O", "2O", "F/1O", "1O/2O")),
    ClassInfo(name="DSCT", description="delta Scuti star", subclasses=("HADS",)),
    ClassInfo(name="ECL", description="eclipsing binary", subclasses=("EA", "EB", "EW"), base_harmonic=2),
    ClassInfo(name="ELL", description="ellipsoidal or rotating variable", subclasses=(), base_harmonic=2),
    ClassInfo(name="LPV", description="long-period variable", subclasses=("Mira", "SR", "OSARG")),
    ClassInfo(name="RRLYR", description="RR Lyrae star", subclasses=("RRab", "RRc", "RRd")),
    ClassInfo(name="T2CEP", description="type II Cepheid", subclasses=("BLHer", "WVir", "RVTau", "pWVir")),
)
CLASS_INFO: dict[str, ClassInfo] = {c.name: c for c in _CLASS_LIST}
"""Every class lcgen knows, by name."""

CLASSES: tuple[str, ...] = tuple(CLASS_INFO)
"""Names of the classes, in alphabetical order."""

# How surveys spell what lcgen calls something else. A name absent here and from ClassInfo.subclasses is "unknown".
_SUBCLASS_ALIASES: dict[str, dict[str, str]] = {
    "CEP": {"1O/2O/3O": "1O/2O", "F/1O/2O": "F/1O", "1O/3O": "1O"},
    "ECL": {"EW/EB": "EW", "EC": "EW", "C": "EW", "ESD": "EB", "ED": "EA", "CLOSE": "EB"},
    "LPV": {"MIRA": "Mira", "SRV": "SR"},
    "RRLYR": {"RRAB-BLAZHKO": "RRab"},
    "T2CEP": {"BL HER": "BLHer", "W VIR": "WVir", "RV TAU": "RVTau", "PEC. W VIR": "pWVir"},
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a star.

    Attributes
    ----------
    name : str
        The name used throughout lcgen.
    unit : str
        In astropy's spelling; empty where dimensionless.
    description : str
        In words.
    log : bool
        Whether models work with its logarithm.
    low, high : float
        Values outside cannot be meant, whatever the model (limits of sense, not of training).
    """

    name: str
    unit: str
    description: str
    log: bool
    low: float
    high: float


_PHYSICAL_LIST = (
    Parameter(name="period", unit="d", description="period", log=True, low=1e-3, high=1e5),
    Parameter(name="teff", unit="K", description="effective temperature", log=True, low=1000.0, high=1e5),
    Parameter(name="abs_mag", unit="mag", description="absolute magnitude in Gaia G", log=False, low=-15, high=20),
    Parameter(name="fe_h", unit="", description="metallicity [Fe/H] [dex]", log=False, low=-6.0, high=2.0),
    Parameter(name="logg", unit="", description="surface gravity [dex cgs]", log=False, low=-3.0, high=8.0),
    Parameter(name="radius", unit="solRad", description="radius", log=True, low=1e-3, high=1e4),
)
_OBSERVATIONAL_LIST = (
    Parameter(name="amplitude", unit="mag", description="peak-to-peak amplitude", log=True, low=1e-4, high=15.0),
    Parameter(name="mean_mag", unit="mag", description="mean apparent magnitude", log=False, low=-30.0, high=40.0),
    Parameter(name="distance", unit="pc", description="distance", log=True, low=1e-3, high=1e11),
    Parameter(name="a_v", unit="mag", description="extinction in V", log=False, low=0.0, high=100.0),
    Parameter(name="e_bv", unit="mag", description="reddening E(B-V)", log=False, low=0.0, high=50.0),
    Parameter(name="t0", unit="d", description="MJD of phase zero", log=False, low=-1e7, high=1e7),
    Parameter(name="ra", unit="deg", description="right ascension, ICRS", log=False, low=-360.0, high=360.0),
    Parameter(name="dec", unit="deg", description="declination, ICRS", log=False, low=-90.0, high=90.0),
)
PHYSICAL: tuple[str, ...] = tuple(p.name for p in _PHYSICAL_LIST)
"""Physical parameters a model may be conditioned on."""
OBSERVATIONAL: tuple[str, ...] = tuple(p.name for p in _OBSERVATIONAL_LIST)
"""Further quantities that place a star on the sky and on the magnitude scale."""
PARAMETERS: dict[str, Parameter] = {p.name: p for p in _PHYSICAL_LIST + _OBSERVATIONAL_LIST}


def class_info(name: str) -> ClassInfo:
    """The class called `name`.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    try:
        return CLASS_INFO[name]
    except (KeyError, TypeError):
        raise UnknownNameError("class", name, CLASSES) from None


def parameter_info(name: str) -> Parameter:
    """The parameter called `name`.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    try:
        return PARAMETERS[name]
    except (KeyError, TypeError):
        raise UnknownNameError("parameter", name, PARAMETERS) from None


def canonical_subclass(cls: str, subclass: str) -> str:
    """The subclass in lcgen's spelling; an empty string where it is unknown or says no more than the class.

    Examples
    --------
    >>> canonical_subclass("ECL", "EW/EB"), canonical_subclass("RRLYR", "RRab"), canonical_subclass("ELL", "ROT")
    ('EW', 'RRab', '')
    """
    info = class_info(cls)
    for known in info.subclasses:
        if subclass == known:
            return known
    return _SUBCLASS_ALIASES.get(cls, {}).get(subclass.upper(), "")
