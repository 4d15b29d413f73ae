"""The components of the sky, and how the stars of a class are shared out among them.

Where a number is a choice and not a measurement, ``docs/sky.md`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .density import CloudDisc, CloudEllipsoid, Component, ExponentialDisc, PowerLawHalo, TriaxialBulge

__all__ = ["CLASS_COMPONENTS", "COMPONENTS"]

_LMC_KPC = 49.59  # Pietrzynski et al. 2019, Nature 567, 200
_SMC_KPC = 62.44  # Graczyk et al. 2020, ApJ 904, 13

COMPONENTS: Mapping[str, Component] = MappingProxyType(
    {
        component.name: component
        for component in (
            # Juric et al. 2008, ApJ 673, 864, table 10 (bias-corrected)
            ExponentialDisc(name="thin disc", scale_length=2.6, scale_height=0.3),
            ExponentialDisc(name="thick disc", scale_length=3.6, scale_height=0.9, cell=(2.0, 0.5)),
            # young stars: height of classical Cepheids, Skowron et al. 2019, Science 365, 478; length as the thin disc
            ExponentialDisc(name="young disc", scale_length=2.6, scale_height=0.0735, cell=(2.0, 0.1)),
            # RR Lyrae of DES: Stringer et al. 2021, ApJ 911, 109
            PowerLawHalo(name="halo", flattening=0.7, inner=2.54, outer=5.42, break_radius=32.1),
            # RR Lyrae of OGLE: Pietrukowicz et al. 2015, ApJ 811, 113; the core of 0.5 kpc: Pietrukowicz et al. 2012,
            # ApJ 750, 169
            TriaxialBulge(name="old bulge", axes=(0.5, 0.245, 0.195), angle=20.0, power=2.96, cut=6.0),
            # model G2 of Dwek et al. 1995 as normalised by Han & Gould 2003, ApJ 592, 172
            TriaxialBulge(name="bulge", axes=(1.58, 0.62, 0.43), angle=20.0),
            # inclination and line of nodes: Choi et al. 2018, ApJ 866, 90; centre and scale lengths in the plane of the
            # sky: OGLE stars, see benchmarks/sky.py; old stars, ratio on the sky and depth: RR Lyrae, triaxial
            # 1:1.23:1.45, Jacyszyn-Dobrzeniecka et al. 2017, AcA 67, 1; thickness of the Cepheids: half of the depth of
            # 1.7 kpc of Haschke, Grebel & Duffau 2012, AJ 144, 106
            CloudDisc(
                name="LMC young",
                ra=80.4,
                dec=-69.6,
                distance=_LMC_KPC,
                inclination=25.86,
                node=149.23,
                scale_length=1.5,
                scale_height=0.85,
                elongation=0.5,
                major=111.0,
            ),
            CloudDisc(
                name="LMC old",
                ra=80.4,
                dec=-69.6,
                distance=_LMC_KPC,
                inclination=25.86,
                node=149.23,
                scale_length=1.4,
                scale_height=1.3,
                elongation=0.81,
                major=118.0,
            ),
            # depth of the Cepheids: scatter about their period-Wesenheit relation; of old stars: Muraveva et al. 2018,
            # MNRAS 473, 3131 (4.3 kpc)
            CloudEllipsoid(
                name="SMC young", ra=13.2, dec=-72.9, distance=_SMC_KPC, axes=(0.35, 0.225, 1.85), angle=58.0
            ),
            CloudEllipsoid(name="SMC old", ra=13.2, dec=-72.9, distance=_SMC_KPC, axes=(0.6, 0.5, 2.15), angle=58.0),
        )
    }
)
"""All components by name."""

CLASS_COMPONENTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # OGLE-IV: 250 stars, Soszynski et al. 2015, AcA 65, 233. Those of the Galaxy: a guess of a hundred.
        "ACEP": {"LMC old": 141.0, "SMC old": 109.0, "halo": 80.0, "old bulge": 20.0},
        # OGLE-IV: Soszynski et al. 2015, AcA 65, 297; Galaxy: Pietrukowicz, Soszynski & Udalski 2021, AcA 71, 205
        "CEP": {"LMC young": 4620.0, "SMC young": 4915.0, "young disc": 3352.0},
        # shares of the discs: their numbers of stars by Juric et al. 2008, local thick disc 0.12 of the thin
        "DSCT": {"thin disc": 0.77, "thick disc": 0.23},
        "ECL": {"thin disc": 0.77, "thick disc": 0.23},
        "ELL": {"thin disc": 0.77, "thick disc": 0.23},
        # bulge, with all types: Soszynski et al. 2013, AcA 63, 21; LMC, SMC: 2009, AcA 59, 239; 2011, AcA 61, 217;
        # discs: the rest of Gaia's candidates, Lebzelter et al. 2023, A&A 674, A15
        "LPV": {
            "thin disc": 1_060_000.0, "thick disc": 316_000.0, "bulge": 232_406.0,
            "LMC old": 91_995.0, "SMC old": 19_384.0,
        },
        # LMC, SMC: Soszynski et al. 2016, AcA 66, 131; bulge: 2014, AcA 64, 177; halo: most of the rest of the 270,905
        # of Gaia DR3, Clementini et al. 2023, A&A 674, A18
        "RRLYR": {"halo": 150_000.0, "LMC old": 39_082.0, "old bulge": 38_257.0, "SMC old": 6_369.0},
        # LMC, SMC: Soszynski et al. 2018, AcA 68, 89; bulge: 2017, AcA 67, 297. Those of the halo: a guess.
        "T2CEP": {"old bulge": 924.0, "thick disc": 400.0, "halo": 400.0, "LMC old": 285.0, "SMC old": 53.0},
    }
)  # fmt: skip
"""Numbers of stars of each class in the components, over the whole sky: known stars where no count is corrected for
what surveys miss, so an approximation. Only their ratios are used."""
