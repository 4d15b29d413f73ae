"""The measurable promises of a shipped model, measured: sampling independence, periodicity, seeds,
reconstruction.

Usage: python benchmarks/gates.py [MODEL] --prepared RUN_FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

import lcgen
from lcgen.model.batches import CurveBatches
from lcgen.prepare.dataset import PreparedCurves
from lcgen.train.finish import encode_all, reconstruction_table


def main() -> None:
    """Print one line a promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--prepared", help="folder of the training run, for the reconstruction of test stars")
    arguments = parser.parse_args()
    gen = lcgen.load_generator(arguments.model)
    classes = np.repeat(gen.classes, 100)
    stars = gen.draw(classes, seed=11)
    rng = np.random.default_rng(3)
    shared = rng.uniform(60000, 63650, 50)
    a = np.concatenate([shared, rng.uniform(60000, 63650, 200)])
    b = np.concatenate([rng.uniform(60000, 63650, 70), shared])
    worst = max(np.abs(stars.magnitude(a, band)[:, :50] - stars.magnitude(b, band)[:, 70:]).max() for band in gen.bands)
    print(
        f"two cadences sharing 50 times, 100 stars a class, {', '.join(gen.bands)}: largest difference {worst:.1e} mag"
    )

    period = np.asarray(stars.columns["period"])
    start = stars.magnitude(shared)
    worst = 0.0
    for k in (1, 10, 100, 1000, 5000):
        for i in range(0, len(stars), 40):
            moved = stars[i : i + 1].magnitude(shared + k * period[i])
            worst = max(worst, float(np.abs(moved - start[i]).max()))
    print(f"mag(t + k P) = mag(t), k up to 5,000: largest difference {worst:.1e} mag")

    digests = set()
    for size in (1, 7, 1000):
        whole = hashlib.sha256()
        for first in range(0, 240, size):
            n = min(size, 240 - first)
            part = gen.draw(np.resize(gen.classes, 240)[first : first + n], seed=5, first_id=first)
            whole.update(part.observe(shared, noise=None).mag.tobytes())
        digests.add(whole.hexdigest())
    print(f"batches of 1, 7 and 1,000: {'the same bytes' if len(digests) == 1 else 'DIFFERENT bytes'}")
    variance = gen.info["report"]["latent_variance"]
    print(f"active latent dimensions: {sum(v > 0.05 for v in variance)} of {len(variance)}")
    if arguments.prepared:
        cache = sorted(Path(arguments.prepared).glob("prepared-*.npz"))[-1]
        curves = PreparedCurves.load(cache)
        test = curves.take(gen.split_of(curves.star_id) == "test")
        for row in reconstruction_table(test, encode_all(gen.model, CurveBatches(test, gen.conditioner))):
            print(
                f"{row['survey']:9}{row['class']:6}{row['band']:3}{row['n']:6d} stars: decoded {row['rms']:.4f}, "
                f"own series {row['rms_fit']:.4f}, ratio {row['ratio']:.3f}"
            )


if __name__ == "__main__":
    main()
