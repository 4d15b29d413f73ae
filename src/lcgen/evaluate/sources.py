"""Where the curves come from that are laid beside real ones: the model, and its rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from ..prepare.dataset import PreparedCurves, bin_curves
from ..rng import stream
from ..taxonomy import PHYSICAL

__all__ = ["N_PHASE", "RIVALS", "CurveSource", "LibrarySource", "ModelSource", "SineSource", "make_sources"]

N_PHASE = 256
"""Phases of a noise-free curve."""

_BLOCK = 20_000
RIVALS = ("sine", "template-library", "template-library-denoised")
"""Rivals known by name."""


class CurveSource(Protocol):
    """Something that answers to the description of a star with a curve."""

    @property
    def name(self) -> str:
        """Name of the column."""
        ...

    def curves(
        self, real: PreparedCurves, n_draws: int, seed: int, *, given_amplitude: bool = False
    ) -> NDArray[np.float64]:
        """Noise-free curves for the described stars.

        Parameters
        ----------
        real : PreparedCurves
            Stars of one class, survey and band. A source uses their class, subclass, band and physical parameters; only
            ``sine`` looks at their amplitude too.
        n_draws : int
            Curves wanted of each star, independent of each other.
        seed : int
        given_amplitude : bool
            The amplitude of each star is part of its description.

        Returns
        -------
        ndarray, shape (n_stars, n_draws, N_PHASE)
            Magnitudes minus the mean at phases ``arange(N_PHASE) / N_PHASE``, aligned.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelSource:
    """Curves of a generator, given class, subclass, band, period and known parameters of each star."""

    generator: Any
    name: str = "model"

    def curves(
        self, real: PreparedCurves, n_draws: int, seed: int, *, given_amplitude: bool = False
    ) -> NDArray[np.float64]:
        n = len(real)
        cls, band = str(real.class_name[0]), real.bands[int(real.band[0])]
        known = np.asarray(self.generator.subclasses.get(cls, ()), dtype=str)
        subclass = np.where(np.isin(real.subclass, known), real.subclass, "")
        out = np.empty((n, n_draws, N_PHASE))
        step = max(1, _BLOCK // n_draws)
        for a in range(0, n, step):
            rows = np.repeat(np.arange(a, min(a + step, n)), n_draws)
            params = {
                p: real.params[rows, j] for j, p in enumerate(PHYSICAL) if np.isfinite(real.params[rows, j]).any()
            }
            if given_amplitude:
                params["amplitude"] = real.scale[rows]
            stars = self.generator.draw(
                np.full(rows.size, cls),
                params=params,
                subclass=subclass[rows],
                seed=seed,
                first_id=a * n_draws,
                extrapolate=True,
            )
            out[a : a + step] = stars.template(N_PHASE, band).reshape(-1, n_draws, N_PHASE)
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class SineSource:
    """A sine with each star's own amplitude: what is left when shape is ignored."""

    name: str = "sine"

    def curves(
        self, real: PreparedCurves, n_draws: int, seed: int, *, given_amplitude: bool = False
    ) -> NDArray[np.float64]:
        from ..taxonomy import class_info

        phase = np.arange(N_PHASE) / N_PHASE
        base = class_info(str(real.class_name[0])).base_harmonic
        wave = 0.5 * np.cos(2 * np.pi * base * phase) * (1.0 if base == 2 else -1.0)
        return np.broadcast_to(real.amplitude[:, None, None] * wave, (len(real), n_draws, N_PHASE)).copy()


@dataclass(frozen=True, kw_only=True, eq=False)
class LibrarySource:
    """A random one of the training stars nearest in period, of the same class, subclass, survey and band.

    Attributes
    ----------
    library : PreparedCurves
        Training stars.
    denoised : bool
        Serve the regularised Fourier series of the template rather than its means in 128 bins of phase.
    n_nearest : int
    """

    library: PreparedCurves
    denoised: bool = False
    n_nearest: int = 5

    @property
    def name(self) -> str:
        return "template-library-denoised" if self.denoised else "template-library"

    def curves(
        self, real: PreparedCurves, n_draws: int, seed: int, *, given_amplitude: bool = False
    ) -> NDArray[np.float64]:
        library, j = self.library, PHYSICAL.index("period")
        own = (library.cls == real.cls[0]) & (library.band == real.band[0]) & (library.survey == real.survey[0])
        if not own.any():
            raise InputError(f"the template library has no {real.class_name[0]} of {real.survey[0]}")
        rows = np.flatnonzero(own)
        random = stream(seed, f"evaluate/library/{real.class_name[0]}/{real.survey[0]}/{real.band[0]}")
        served: dict[int, NDArray] = {}
        out = np.empty((len(real), n_draws, N_PHASE))
        for i in range(len(real)):
            same = rows[library.subclass[rows] == real.subclass[i]]
            pool = same if same.size >= self.n_nearest else rows
            distance = np.abs(np.log(library.params[pool, j] / real.params[i, j]))
            nearest = pool[np.argsort(distance, kind="stable")[: self.n_nearest]]
            for d in range(n_draws):
                k = int(random.choice(nearest))
                if k not in served:
                    served[k] = self._template(k)
                out[i, d] = served[k]
        return out

    def _template(self, k: int) -> NDArray[np.float64]:
        library = self.library
        grid = np.arange(N_PHASE) / N_PHASE
        own = library.fit_grid[k] if self.denoised else bin_curves(library.take([k]))[0, 0]
        phase = np.arange(own.size) / own.size
        curve = np.interp(grid, phase, own.astype(float), period=1.0) * float(library.scale[k])
        return curve - curve.mean()


def make_sources(
    generator: Any, against: Sequence[Any] | Mapping[str, Any], train: PreparedCurves | None
) -> list[CurveSource]:
    """The model and its rivals as sources.

    Parameters
    ----------
    generator : LightCurveGenerator
    against : sequence or mapping
        Names from :data:`RIVALS`, generators, sources, or a mapping of names to generators.
    train : PreparedCurves or None
        Training stars, for the template libraries.
    """
    sources: list[CurveSource] = [ModelSource(generator=generator)]
    items = list(against.items()) if isinstance(against, Mapping) else [(None, a) for a in against]
    for name, item in items:
        if item == "sine":
            sources.append(SineSource())
        elif isinstance(item, str) and item in RIVALS:
            if train is None or not len(train):
                raise InputError(f"{item} needs training stars, and there are none")
            sources.append(LibrarySource(library=train, denoised=item.endswith("denoised")))
        elif isinstance(item, str):
            raise UnknownNameError("rival", item, RIVALS, hint="or pass a generator")
        elif hasattr(item, "curves"):
            sources.append(item)
        elif hasattr(item, "draw"):
            sources.append(ModelSource(generator=item, name=str(name or getattr(item, "name", "rival"))))
        else:
            raise InputError(f"a rival is a name, a generator or a source, received {type(item).__name__}")
    return sources
