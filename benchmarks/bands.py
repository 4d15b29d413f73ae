"""How well curves in other bands follow from one, on stars that did not measure the gains.

LCGEN_DATA=folder python benchmarks/bands.py

From each held-out star's curve in one band, its curves in the others are predicted and set against its own photometry
there. ``amplitude``: median of |predicted / observed - 1|, peak to peak. ``shape``: median over stars of the root mean
square difference of the folded curves, in per cent of the observed amplitude. ``fit``: the part of the shape error that
the noise of the star's own observed curve accounts for. The second table is of curves that follow from V and I through
model atmospheres, as for classes that were observed in no other band; V and I are sums of the star's SDSS magnitudes.
"""

import os
from dataclasses import replace

import numpy as np

from lcgen.observe import load_gains
from lcgen.observe.band_curves import BandStars, derive_curves
from lcgen.train.band_gains import GAIN_KINDS, LUPTON, StarInBands, gain_stars

GRID = np.arange(256) / 256


def errors(stars: list[StarInBands], kind: str, source: str, target: str) -> dict[str, float]:
    """Errors of the prediction from one band to another, in per cent."""
    both = [s for s in stars if source in s.samples and target in s.samples]
    given = np.stack([s.samples[source].fit(GRID) for s in both])
    seen = np.stack([s.samples[target].fit(GRID) for s in both])
    seen -= seen.mean(axis=1, keepdims=True)
    made = load_gains()[kind].transfer(given, np.log10([s.period for s in both]), source, (target,))[0]
    size = np.ptp(seen, axis=1)
    noise = [
        s.samples[target].fit.scatter * np.sqrt(2 * GAIN_KINDS[kind].n_harmonics / s.samples[target].mag.size)
        for s in both
    ]
    return {
        "stars": len(both),
        "amplitude": 100 * float(np.median(np.abs(np.ptp(made, axis=1) / size - 1))),
        "bias": 100 * float(np.median(np.ptp(made, axis=1) / size - 1)),
        "shape": 100 * float(np.median(np.sqrt(((made - seen) ** 2).mean(axis=1)) / size)),
        "fit": 100 * float(np.median(np.array(noise) / size)),
    }


def physical(stars: list[StarInBands], kind: str, target: str) -> tuple[float, float]:
    """Errors in amplitude and shape, in per cent, of a band that is made from V and I by temperature and radius."""
    both = [s for s in stars if len(s.samples) == 5]
    fits = {b: np.stack([s.samples[b].fit(GRID) for s in both]) for b in both[0].samples}
    in_v, in_i = (np.sum([w * fits[b] for b, w in LUPTON[name].items()], axis=0) for name in ("V", "I"))
    in_v, in_i = (curve - curve.mean(axis=1, keepdims=True) for curve in (in_v, in_i))
    columns = {"class": np.full(len(both), "RRLYR"), "subclass": np.full(len(both), kind[6:])}
    columns |= {"period": np.array([s.period for s in both]), "fe_h": np.full(len(both), -1.5)}
    columns["teff"] = columns["logg"] = np.full(len(both), np.nan)
    known = BandStars.from_columns(columns)
    unseen = replace(known, class_name=np.full(len(both), "ACEP"))  # a class without measured gains of its own
    made = derive_curves(unseen, [target], in_v, lambda rows: in_i[rows], np.ones(len(both), bool))
    seen = fits[target] - fits[target].mean(axis=1, keepdims=True)
    size = np.ptp(seen, axis=1)
    amplitude = np.median(np.abs(np.ptp(made[0], axis=1) / size - 1))
    return 100 * float(amplitude), 100 * float(np.median(np.sqrt(((made[0] - seen) ** 2).mean(axis=1)) / size))


def main() -> None:
    """Print the tables."""
    print("stars        from    to      n   amplitude  (bias)   shape   (fit)   per cent")
    for kind, what in GAIN_KINDS.items():
        held = gain_stars(kind, os.environ["LCGEN_DATA"])[1]
        for source in what.packs:
            for target in what.packs:
                if source != target and (source in ("sdss_g", "sdss_r", "I", "V")):
                    e = errors(held, kind, source, target)
                    print(
                        f"{kind:12s} {source:7s} {target:7s} {e['stars']:3.0f} {e['amplitude']:8.1f} {e['bias']:+9.1f} "
                        f"{e['shape']:8.1f} {e['fit']:8.1f}"
                    )
    print("\nfrom V and I through model atmospheres: amplitude, shape, per cent")
    for kind in ("RRLYR/RRab", "RRLYR/RRc"):
        held = gain_stars(kind, os.environ["LCGEN_DATA"])[1]
        for target in GAIN_KINDS[kind].packs:
            print(
                f"{kind:12s} {target:7s} {physical(held, kind, target)[0]:5.1f} {physical(held, kind, target)[1]:5.1f}"
            )


if __name__ == "__main__":
    main()
