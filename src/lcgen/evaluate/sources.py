"""Where the curves come from that are laid beside real ones: the model, and its rivals."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..assets import find_model, list_models
from ..errors import InputError, UnknownNameError
from ..prepare.dataset import PreparedCurves, bin_curves
from ..rng import stream
from ..taxonomy import CLASSES, PHYSICAL

__all__ = [
    "N_PHASE",
    "RIVALS",
    "CurveSource",
    "LibrarySource",
    "ModelSource",
    "SineSource",
    "find_pelsvae",
    "make_sources",
]

N_PHASE = 256
"""Phases of a noise-free curve."""

_BLOCK = 20_000
_LIBRARIES = ("template-library", "template-library-denoised")
_PELSVAE, _PELSVAE_FOLDER = "pels-vae", "LCGEN_PELSVAE"
_RUN_FILES = ("config.yaml", "VAE_model_None.pt")
_LATENTS = "latent_space_mu.txt.gz"
RIVALS = ("sine", *_LIBRARIES, _PELSVAE)
"""Rivals known by name, besides the bundled models."""


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


def find_pelsvae(data: Path | None) -> Path:
    """The folder of a released PELS-VAE run.

    Looked for in the folder that the environment variable ``LCGEN_PELSVAE`` names, where it is set, and else in
    ``../reference`` of the data folder: the folder itself, those in it, and those in these. Of several runs one with
    released latent vectors is taken, the last by name.

    Parameters
    ----------
    data : Path or None
        Folder of the survey data.

    Raises
    ------
    InputError
        If none is found.
    """
    named = os.environ.get(_PELSVAE_FOLDER)
    place = Path(named) if named else None if data is None else data.resolve().parent / "reference"
    runs = [] if place is None else [p for p in _folders(place) if all((p / f).is_file() for f in _RUN_FILES)]
    if not runs:
        looked = "the data folder is not known either" if place is None else f"looked in {place}"
        raise InputError(
            f"no released PELS-VAE run is found ({looked}); set {_PELSVAE_FOLDER} to its folder, which holds "
            + " and ".join(_RUN_FILES)
        )
    return max(runs, key=lambda run: ((run / _LATENTS).is_file(), run.name))


def _folders(place: Path) -> Iterator[Path]:
    yield place
    for pattern in ("*/", "*/*/"):
        yield from sorted(place.glob(pattern))


def _released(generator: Any, data: Path | None) -> Any:
    """The published network; amplitudes and population are those of the model it is compared with, where it can."""
    from ..generator import LightCurveGenerator
    from ..importer import import_pelsvae

    able = isinstance(generator, LightCurveGenerator) and generator.kind == "periodic" and "V" in generator.bands
    able = able and generator.classes == generator.conditioner.classes == CLASSES
    return import_pelsvae(find_pelsvae(data), base=generator if able else None, name=_PELSVAE)


def make_sources(
    generator: Any,
    against: Sequence[Any] | Mapping[str, Any],
    train: PreparedCurves | None,
    *,
    data: Path | None = None,
) -> list[CurveSource]:
    """The model and its rivals as sources.

    Parameters
    ----------
    generator : LightCurveGenerator
    against : sequence or mapping
        Names from :data:`RIVALS`, names of bundled models, folders of models, generators, sources, or a mapping of
        column names to these.
    train : PreparedCurves or None
        Training stars, for the template libraries.
    data : Path, optional
        Folder of the survey data, beside which the released PELS-VAE run may lie.

    Raises
    ------
    UnknownNameError
        For a name that is none of these.
    InputError
        If a rival needs what is not there, or is of another type, or two have one name.
    """
    sources: list[CurveSource] = [ModelSource(generator=generator)]
    items = list(against.items()) if isinstance(against, Mapping) else [(None, a) for a in against]
    for name, item in items:
        sources.append(_rival(generator, name, item, train, data))
    names = [s.name for s in sources]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"two columns of the report would be called {twice!r}; give rivals names of their own")
    return sources


def _rival(generator: Any, name: str | None, item: Any, train: PreparedCurves | None, data: Path | None) -> CurveSource:
    if isinstance(item, str) and item == "sine":
        return SineSource()
    if isinstance(item, str) and item in _LIBRARIES:
        if train is None or not len(train):
            raise InputError(f"{item} needs training stars, and there are none")
        return LibrarySource(library=train, denoised=item.endswith("denoised"))
    if isinstance(item, str) and item == _PELSVAE:
        return ModelSource(generator=_released(generator, data), name=str(name or _PELSVAE))
    if isinstance(item, (str, os.PathLike)):
        return _stored(name, item)
    if hasattr(item, "curves"):
        return item
    if hasattr(item, "draw"):
        return ModelSource(generator=item, name=str(name or getattr(item, "name", "rival")))
    raise InputError(f"a rival is a name, a folder, a generator or a source, received {type(item).__name__}")


def _stored(name: str | None, item: str | os.PathLike[str]) -> ModelSource:
    """A bundled model by name, or one in a folder."""
    from ..generator import load_generator

    try:
        find_model(item)
    except UnknownNameError:
        known = (*RIVALS, *(entry.name for entry in list_models()))
        raise UnknownNameError("rival", os.fspath(item), known, hint="or give the folder of a model") from None
    return ModelSource(generator=load_generator(item), name=str(name or os.fspath(item)))
