"""What a cut on signal-to-noise costs each class of a survey.

Usage: python benchmarks/snr_cut.py PACK.h5 [PACK.h5 ...]
"""

from __future__ import annotations

import sys

import numpy as np

from lcgen.catalog import read_pack
from lcgen.prepare.clean import CleanConfig
from lcgen.prepare.dataset import prepare

CUTS = (1, 2, 3, 5, 8)


def main() -> None:
    """Print, by class, the share of stars that each cut keeps."""
    for path in sys.argv[1:]:
        pack = read_pack(path)
        curves, _ = prepare([pack], bands=pack.band_names, clean=CleanConfig(snr_min=0.0))
        star = np.repeat(np.arange(len(curves)), np.diff(curves.offsets))
        quoted = np.bincount(star, curves.sigma) / np.diff(curves.offsets) * curves.scale / curves.scatter_ratio
        ratio = curves.amplitude / quoted
        print(f"{path}: share of stars kept by amplitude over mean quoted error of at least")
        print(f"{'class':8}{'stars':>8}{'median':>8}" + "".join(f"{c:>8}" for c in CUTS))
        for cls in np.unique(curves.class_name):
            own = ratio[curves.class_name == cls]
            shares = "".join(f"{np.mean(own >= c):8.0%}" for c in CUTS)
            print(f"{cls:8}{own.size:8d}{np.median(own):8.1f}{shares}")


if __name__ == "__main__":
    main()
