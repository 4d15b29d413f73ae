"""What surveys call a column, and what lcgen calls it: every alias in one place."""

from __future__ import annotations

import re

from ..taxonomy import PARAMETERS

__all__ = ["ALIASES", "canonical_column"]

# Spellings are compared without case and punctuation: "T_eff", "T eff" and "teff" are one. Names that differ
# only in case and mean different things (the bands) are not here.
ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "star_id", "object_id", "ogle_id", "numerical_id"),
    "class": ("class", "cls", "var_class"),
    "subclass": ("subclass", "subtype", "mode"),
    "period": ("period", "p", "per", "period_d", "peroid"),
    "period_err": ("period_err", "period_error", "e_period", "dp"),
    "teff": ("teff", "t_eff", "teff_k", "teff_val", "effective_temperature"),
    "abs_mag": ("abs_mag", "abs_mag_g", "abs_gmag", "m_g", "absmag"),
    "fe_h": ("fe_h", "feh", "fe_h_j95", "metallicity"),
    "logg": ("logg", "log_g", "surface_gravity"),
    "radius": ("radius", "radius_val", "r_star"),
    "luminosity": ("luminosity", "lum", "lum_val"),
    "amplitude": ("amplitude", "amp", "totamp", "v_amp"),
    "mean_mag": ("mean_mag", "meanmag", "mag_mean", "v_css"),
    "distance": ("distance", "dist", "distance_pc"),
    "a_v": ("a_v", "av"),
    "e_bv": ("e_bv", "ebv", "e_b_v"),
    "t0": ("t0", "t_0", "epoch"),
    "ra": ("ra", "ra_deg", "raj2000", "ra_gaia", "right_ascension"),
    "dec": ("dec", "de", "decl", "dec_deg", "dej2000", "dec_gaia", "declination"),
    "mjd": ("mjd",),
    "mag": ("mag", "magnitude"),
    "mag_err": ("mag_err", "magerr", "e_mag", "mag_error"),
    "band": ("band", "filter", "passband"),
    "V_I": ("v_i", "v_minus_i", "vmi"),
    "parallax": ("parallax", "plx"),
    "parallax_error": ("parallax_error", "parallax_err", "e_parallax"),
    "phot_g_mean_mag": ("phot_g_mean_mag", "gmag"),
    "bp_rp": ("bp_rp", "bprp"),
    "r_est": ("r_est",),
    "gaia_dr2_source_id": ("gaia_dr2_source_id", "gaia_id", "source_id"),
}
"""The names lcgen uses, each with the spellings it understands (lower case, words joined by underscores)."""


def _normalise(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
_CANONICAL.update({name: name for name in PARAMETERS})


def canonical_column(name: str) -> str | None:
    """The name lcgen uses for a column called `name`, or None where it knows none.

    Units are not converted: ``T0`` is called ``t0`` whatever its time scale.

    Examples
    --------
    >>> canonical_column("Period"), canonical_column("T_eff"), canonical_column("[Fe/H]_J95")
    ('period', 'teff', 'fe_h')
    >>> canonical_column("colour of the dome") is None
    True
    """
    return _CANONICAL.get(_normalise(name)) if isinstance(name, str) else None
