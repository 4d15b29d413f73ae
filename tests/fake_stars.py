"""A quick generator for tests of ensembles, importable by name in other processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lcgen import rng
from lcgen.ensemble import EnsembleSummary, generate_ensemble
from lcgen.errors import DomainError
from lcgen.lightcurve import LightCurves

TIMES = np.linspace(60000.0, 60100.0, 40)


@dataclass(frozen=True, kw_only=True)
class FakeStars:
    """Sine curves whose number of points, period and noise depend on the seed and the star_id alone."""

    columns: dict[str, Any]

    def observe(self, cadence, *, noise=None, seed=0, band=None) -> LightCurves:
        ids = self.columns["star_id"]
        counts = 20 + ids % 21
        mjd = np.concatenate([TIMES[:n] for n in counts])
        star = np.repeat(np.arange(ids.size), counts)
        scatter = np.concatenate([rng.normals(seed, "noise", i, n)[0] for i, n in zip(ids, counts, strict=True)])
        return LightCurves(
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            mjd=mjd,
            mag=18.0 + np.sin(2 * np.pi * mjd / self.columns["period"][star]) + (noise or 0.0) * scatter,
            mag_err=np.full(mjd.size, noise or 0.0),
            band_index=(np.searchsorted(TIMES, mjd) % 2).astype(np.uint8),
            band_names=("V", "I"),
            columns=self.columns,
        )


@dataclass(kw_only=True)
class FakeGenerator:
    """Draws :class:`FakeStars`; `before` is called with the first star_id of each batch."""

    name: str = "fake"
    sha256: str = "0" * 64
    classes: tuple[str, ...] = ("CEP", "RRLYR")
    wait: float = 0.0
    fail_from: int = 10**9
    before: Callable[[int], object] = id
    drawn: list[int] = field(default_factory=list)

    def draw(self, classes, n=None, *, params=None, subclass=None, seed=0, first_id=0) -> FakeStars:
        self.before(first_id)
        time.sleep(self.wait)
        if first_id + n > self.fail_from:
            raise DomainError("period", 1e9, 0.0, 1.0)
        self.drawn.append(n)
        ids = np.arange(first_id, first_id + n)
        return FakeStars(
            columns={
                "star_id": ids,
                "class": np.broadcast_to(np.asarray(classes), (n,)),
                "subclass": np.full(n, ""),
                "period": 0.3 + rng.uniforms(seed, "stars", ids, 1)[:, 0],
            }
        )


def make_generator() -> FakeGenerator:
    return FakeGenerator()


def make_slow_generator() -> FakeGenerator:
    return FakeGenerator(wait=0.02)


def _die_once(first_id: int) -> None:
    """Kill this process at the first star from the 30th on, unless that happened before."""
    marker = Path(os.environ["LCGEN_TEST_MARKER"])
    if first_id >= 30 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def make_dying_generator() -> FakeGenerator:
    return FakeGenerator(before=_die_once)


def _die(first_id: int) -> None:
    if first_id >= 30:
        os.kill(os.getpid(), signal.SIGKILL)


def make_hopeless_generator() -> FakeGenerator:
    return FakeGenerator(before=_die)


def generate(path: Path, generator: FakeGenerator | None = None, **options: Any) -> EnsembleSummary:
    settings: dict[str, Any] = {
        "n_per_class": 30, "cadence": TIMES, "seed": 5, "noise": 0.1, "batch_size": 4, "progress": False, **options,
    }  # fmt: skip
    return generate_ensemble(generator or FakeGenerator(), path, **settings)


def make_failing_generator() -> FakeGenerator:
    return FakeGenerator(fail_from=40)
