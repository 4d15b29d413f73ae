"""The released PELS-VAE networks as generators with the interface of lcgen's own."""

from __future__ import annotations

import gzip
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import sha256_of
from .errors import CheckpointError, InputError
from .generator import LightCurveGenerator, load_generator
from .latent.adapter import ReleasedLatents
from .model.build import build_model
from .model.published import load_released
from .taxonomy import CLASSES

__all__ = ["import_card", "import_pelsvae"]

_log = logging.getLogger(__name__)

CITATION = "Martinez-Palomera, Bloom & Abrahams 2022, AJ 164, 263"
_TRAINING_BAND = "I"  # all released runs were trained on OGLE-III I-band curves
_FILES = ("latent_space_mu.txt.gz", "latent_space_std.txt.gz", "labels.txt.gz")
_STARS_PER_RATIO = 256


def import_pelsvae(
    run_dir: str | os.PathLike[str],
    *,
    base: LightCurveGenerator | str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> LightCurveGenerator:
    """A released PELS-VAE network as a generator.

    The shape of a curve is the released network's, and depends on the class alone: the released decoder receives
    nothing else, and its latent vectors are drawn from the encoder's posteriors of its training curves where the run
    has them, otherwise from the standard normal prior. Two decoded cycles become one
    (:func:`~lcgen.model.published.published_template`). Its latent space holds the arbitrary phase zero of the
    training curves, so each decoded curve is turned to lcgen's phase zero, which takes nothing from its shape. Its
    curves are scaled to unit range, so the amplitude comes from `base`, as do the population, the noise models, and
    the ratios of amplitudes between bands; the shape is the same in all bands.

    Parameters
    ----------
    run_dir : path-like
        Folder with ``config.yaml`` and ``VAE_model_None.pt``, and ``latent_space_{mu,std}.txt.gz`` and
        ``labels.txt.gz`` where the latents were released.
    base : LightCurveGenerator, str or path-like, optional
        Generator, or what :func:`lcgen.load_generator` understands; the bundled default where not given.
    name : str, optional
        Name of the new generator; ``pelsvae-`` and the name of the folder where not given.

    Returns
    -------
    LightCurveGenerator
        Of kind ``"published"``. Which stars the network was trained on is not known: ``split_of`` raises.

    Raises
    ------
    CheckpointError
        If a file of the run is missing or damaged.
    InputError
        If `base` does not know the eight classes, or has no V band.

    Examples
    --------
    >>> gen = import_pelsvae("pelsvae/yp4qdw1r")  # doctest: +SKIP
    >>> gen.draw("CEP", 3, seed=1).template().shape  # doctest: +SKIP
    (3, 256)
    """
    folder = Path(run_dir)
    released = load_released(folder)
    parent = base if isinstance(base, LightCurveGenerator) else load_generator(base)
    if parent.conditioner.classes != CLASSES or parent.classes != CLASSES:
        raise InputError(
            f"the base generator must know the classes {', '.join(CLASSES)}, not {', '.join(parent.classes)}"
        )
    if released.config.n_classes != len(CLASSES):
        raise CheckpointError(f"{folder} has {released.config.n_classes} classes, expected {len(CLASSES)}")
    model = build_model("published", replace(released.config, free_phase=True), parent.conditioner)
    model.vae.load_state_dict(released.state_dict())
    posteriors = _released_posteriors(folder, released.config.latent_dim)
    latents = ReleasedLatents(
        parent.regressor, latent_dim=released.config.latent_dim, n_classes=len(CLASSES), **posteriors
    )
    _log.info("imported %s with %d released posteriors", folder, latents.cls.size)
    provenance = parent.info.get("provenance", {})
    info: dict[str, Any] = {
        "imported": {
            "from": "PELS-VAE",
            "run": folder.resolve().name,
            "weights_sha256": sha256_of(folder / "VAE_model_None.pt"),
            "latents": int(latents.cls.size),
            "base": parent.name,
            "base_sha256": parent.sha256,
        },
        "amplitude_domain": parent.info.get("amplitude_domain", {}),
        "provenance": {
            "citations": {folder.resolve().name: CITATION},
            "population": provenance.get("population", ""),
        },
    }
    return LightCurveGenerator(
        name=name or f"pelsvae-{folder.resolve().name}",
        kind="published",
        model=model.eval(),
        conditioner=parent.conditioner,
        regressor=latents,
        population=parent.population,
        noise_models=parent.noise_models,
        band_rules=_band_rules(parent),
        info=info,
    )


def import_card(generator: LightCurveGenerator) -> str:
    """The model card of an imported generator, in Markdown, for :meth:`lcgen.LightCurveGenerator.save`.

    Raises
    ------
    InputError
        If the generator was not made by :func:`import_pelsvae`.
    """
    if "imported" not in generator.info:
        raise InputError(f"{generator.name} was not imported")
    origin, config = generator.info["imported"], generator.model.config  # type: ignore[attr-defined]
    latents = (
        f"the {origin['latents']} posteriors of the encoder that were released with the run, class by class"
        if origin["latents"]
        else "the standard normal prior: no posteriors were released with the run"
    )
    ratios = ", ".join(
        f"{c} " + " ".join(f"{b} {float(rule.get('ratio', 1.0)):.2f}" for b, rule in rules.items())
        for c, rules in generator.band_rules.items()
    )
    return "\n".join(
        [
            f"# {generator.name}",
            "",
            f"Run `{origin['run']}` of PELS-VAE ({CITATION}), imported as released; sha256 of its weights "
            f"`{origin['weights_sha256']}`.",
            "",
            f"- Network: {config.architecture.upper()}, {config.layers} layers, {config.latent_dim} latent dimensions.",
            f"- Latent vectors: {latents}.",
            "- Shape: from the class alone. Period, temperature and the other parameters do not move it.",
            "- Phase: two decoded cycles are blended into one, which is turned to lcgen's phase zero.",
            f"- Amplitude, population and noise: from `{origin['base']}`"
            + (f" (sha256 of its weights `{origin['base_sha256']}`)." if origin["base_sha256"] else "."),
            f"- Bands: the released networks know one band ({_TRAINING_BAND}). All bands have its shape, with the "
            f"median amplitude relative to V of `{origin['base']}`: {ratios}.",
            "- Which stars it was trained on is not known: a comparison with real stars favours it.",
            "",
        ]
    )


def _released_posteriors(folder: Path, latent_dim: int) -> dict[str, NDArray]:
    """Class, mean and standard deviation of the released posteriors; nothing where the run has none."""
    paths = [folder / name for name in _FILES]
    found = [path.is_file() for path in paths]
    if not any(found):
        return {}
    if not all(found):
        missing = next(path for path, there in zip(paths, found, strict=True) if not there)
        raise CheckpointError(f"{missing} is missing; the latents of a run need {', '.join(_FILES)}")
    try:
        mean, std = (np.loadtxt(path, dtype=np.float64, ndmin=2) for path in paths[:2])
        with gzip.open(paths[2], "rt", encoding="utf-8") as stream:
            labels = np.array(stream.read().split())
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"the latents in {folder} cannot be read: {error}") from error
    unknown = sorted(set(labels.tolist()) - set(CLASSES))
    if unknown:
        raise CheckpointError(f"{paths[2]}: unknown class {unknown[0]!r}; allowed: {', '.join(CLASSES)}")
    if mean.shape != (labels.size, latent_dim) or std.shape != mean.shape:
        raise CheckpointError(
            f"{folder}: {labels.size} labels, means of shape {mean.shape} and standard deviations of shape "
            f"{std.shape}; the network has {latent_dim} latent dimensions"
        )
    return {"cls": np.searchsorted(np.array(CLASSES), labels), "mean": mean, "std": std}


def _band_rules(base: LightCurveGenerator) -> dict[str, dict[str, dict[str, Any]]]:
    """One shape for all bands, with the median amplitude relative to V that the stars of `base` have."""
    if "V" not in base.trained_bands:
        raise InputError(f"the base generator needs the band V, it has {', '.join(base.trained_bands)}")
    rules: dict[str, dict[str, dict[str, Any]]] = {}
    for cls in base.classes:
        stars = base.draw(cls, _STARS_PER_RATIO, seed=0)
        size = {band: np.ptp(stars.template(128, band), axis=1) for band in base.trained_bands}
        rules[cls] = {}
        for band in base.trained_bands:
            ratio = round(float(np.median(size[band] / size["V"])), 4)
            if band == _TRAINING_BAND:
                rules[cls][band] = {"source": "learned", "ratio": ratio}
            else:
                home = _TRAINING_BAND if _TRAINING_BAND in base.trained_bands else band
                rules[cls][band] = {"source": "transferred", "from": home, "ratio": ratio}
    return rules
