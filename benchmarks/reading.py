"""Stars per second that a training gets from an ensemble file, beside plain h5py reading the same four datasets.

    python benchmarks/reading.py ensemble.h5 --output reading.json

One process, all ways in turn, several times; rates are per second of processor time. See ``docs/datasets.md``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader

from lcgen.datasets import EnsembleDataset, EnsembleStream, pad_collate

COLUMNS = ("mjd", "band", "flux", "flux_err")
BLOCK = 160
BATCH = 256


def by_hand_in_order(path: Path) -> int:
    """Blocks of stars one after the other, with h5py alone."""
    with h5py.File(path, "r") as f:
        offset = f["stars/offset"][()]
        n = offset.size - 1
        for start in range(0, n, BLOCK):
            a, b = offset[start], offset[min(start + BLOCK, n)]
            _ = [f["observations"][name][a:b] for name in COLUMNS]
        return n


def by_hand_at_random(path: Path, stars: np.ndarray) -> int:
    """Single stars at random places, with h5py alone."""
    with h5py.File(path, "r") as f:
        offset = f["stars/offset"][()]
        for i in stars:
            _ = [f["observations"][name][offset[i] : offset[i + 1]] for name in COLUMNS]
    return stars.size


def count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)


def batches(loader: Iterable[Any]) -> int:
    return sum(int(batch["label"].shape[0]) for batch in loader)


def ways(path: Path, few: int) -> dict[str, Callable[[], int]]:
    """Each way of reading; what it returns is the number of stars that it read."""
    stream = partial(EnsembleStream, path, block_stars=BLOCK)
    stored, loaded = EnsembleDataset(path), EnsembleDataset(path, preload=True)
    n = len(stored)
    stars = np.random.default_rng(1).permutation(n)
    loaded.ragged([0])
    parts = np.array_split(stars[: BATCH * max(1, few // BATCH)], max(1, few // BATCH))

    def loader(data: Any, **options: Any) -> DataLoader:
        return DataLoader(data, batch_size=BATCH, collate_fn=pad_collate, **options)

    return {
        "h5py by hand, in order": lambda: by_hand_in_order(path),
        "EnsembleStream, in order": lambda: count(stream(shuffle=False)),
        "EnsembleStream, shuffled": lambda: count(stream()),
        "EnsembleStream, shuffled, padded batches": lambda: batches(loader(stream())),
        "h5py by hand, single stars at random": lambda: by_hand_at_random(path, stars[:few]),
        "EnsembleDataset, single stars at random": lambda: count(stored[int(i)] for i in stars[:few]),
        "EnsembleDataset, batches at random": lambda: sum(len(stored.__getitems__(p.tolist())) for p in parts),
        "EnsembleDataset, preloaded, padded batches": lambda: batches(loader(loaded, shuffle=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--few", type=int, default=512, help="stars of the ways that are slow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("reading.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = ways(options.path, options.few)
    rates: dict[str, list[float]] = {name: [] for name in cases}
    cases["h5py by hand, in order"]()
    for _ in range(options.repeats):
        for name, call in cases.items():
            begin = time.process_time()
            n = call()
            rates[name].append(n / (time.process_time() - begin))
    with h5py.File(options.path, "r") as f:
        per_star = float(f.attrs["committed_observations"]) / float(f.attrs["committed_stars"])
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "h5py": h5py.__version__,
        "torch": torch.__version__,
        "observations_per_star": per_star,
    }
    print("\n".join(f"{k}: {v}" for k, v in machine.items()), end="\n\n")
    print("stars per second of processor time: median (lowest to highest), ratio to h5py by hand")
    base = 1.0
    for name, values in rates.items():
        middle = statistics.median(values)
        base = middle if name.startswith("h5py") else base
        print(f"  {name:44s} {middle:9.0f}  ({min(values):.0f} to {max(values):.0f})  {middle / base:.2f}")
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    temporary.write_text(json.dumps({"machine": machine, "rates": rates}, indent=1) + "\n")
    os.replace(temporary, options.output)


if __name__ == "__main__":
    main()
