"""From a trained network to a generator: pruning, latent regression, population, noise, and what the card reports."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..config import from_mapping
from ..errors import ConfigError
from ..generator import LightCurveGenerator, shape_band
from ..latent import LatentRegressor, as_regressor
from ..latent.adapter import PointSampler
from ..latent.flow import FeatureColumns, FlowConfig, FlowRegressor
from ..latent.table import regression_table
from ..model.batches import CurveBatches
from ..model.blocks import in_blocks
from ..model.cvae import PeriodicCVAE
from ..population import Population, ShapeRelations, fourier_shape
from ..prepare.conditioning import Conditioner
from ..prepare.dataset import PreparedCurves
from ..rng import stream
from ..taxonomy import CLASS_INFO, CLASSES, PHYSICAL
from .config import LatentConfig, PopulationConfig, TrainConfig
from .data import TrainingData
from .irregular import measure_irregularity, times_from_packs
from .loop import curve_weights
from .refine import refine

__all__ = ["Posteriors", "band_rules", "encode_all", "finish", "prune_dead", "reconstruction_table"]

_log = logging.getLogger(__name__)
_MIN_CURVES = 20
_TABLE_ROWS = 8000
_POSTERIOR_DRAWS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Posteriors:
    """Posterior of every curve, and how well its mean describes the curve.

    Attributes
    ----------
    mean, std : ndarray, shape (n, latent_dim)
    residual, fit_residual : ndarray, shape (n,)
        RMS residual about the decoded curve and about the star's own regularised Fourier series [mag].
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    residual: NDArray[np.float64]
    fit_residual: NDArray[np.float64]


@torch.no_grad()
def encode_all(model: Any, batches: CurveBatches, *, block: int = 512) -> Posteriors:
    """Encode every curve and measure its reconstruction."""
    from ..model.periodic import interpolate_periodic

    parts: list[list[NDArray]] = []
    for start in range(0, len(batches), block):
        rows = torch.arange(start, min(start + block, len(batches)), device=batches.device)
        batch = batches.get(rows)
        mean, log_variance = model.encode(batch)
        counted = (batch.weight > 0).float()
        weight = batch.weight / batch.sigma**2

        def rms(prediction: torch.Tensor, value=batch.value, counted=counted, weight=weight) -> torch.Tensor:
            offset = (weight * (value - prediction)).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
            return torch.sqrt((counted * (value - prediction - offset) ** 2).sum(1) / counted.sum(1))

        series = interpolate_periodic(batch.bins[:, 2], batch.phase)
        out = (mean, torch.exp(0.5 * log_variance), rms(model.predict(mean, batch)), rms(series))
        parts.append([t.cpu().numpy() for t in out])
    mean, std, residual, fit = (np.concatenate(p) for p in zip(*parts, strict=True))
    scale = batches.curves.scale
    return Posteriors(mean=mean, std=std, residual=residual * scale, fit_residual=fit * scale)


def prune_dead(model: Any, mean: NDArray[np.floating], *, threshold: float) -> NDArray[np.bool_]:
    """Take latent dimensions out whose posterior mean hardly varies over stars.

    Returns
    -------
    ndarray of bool, shape (latent_dim,)
        Dimensions that stay. A published network, whose latent dimensions cannot be taken out, keeps all.
    """
    if not isinstance(model, PeriodicCVAE):
        return np.ones(model.latent_dim, dtype=bool)
    keep = mean.var(axis=0) > threshold
    if not keep.any():
        raise ConfigError("the posterior collapsed: no latent dimension is active; lower training.beta")
    model.prune(torch.from_numpy(keep).to(next(model.parameters()).device))
    return keep


def reconstruction_table(curves: PreparedCurves, posteriors: Posteriors) -> list[dict[str, Any]]:
    """Median residuals by survey, class and band: of the decoded curve and of the star's own series [mag], and the
    median over stars of their ratio."""
    rows = []
    keys = sorted(set(zip(curves.survey.tolist(), curves.class_name.tolist(), curves.band.tolist(), strict=True)))
    for survey, cls, band in keys:
        own = (curves.survey == survey) & (curves.class_name == cls) & (curves.band == band)
        residual, fit = posteriors.residual[own], posteriors.fit_residual[own]
        rows.append(
            {
                "survey": survey,
                "class": cls,
                "band": curves.bands[band],
                "n": int(own.sum()),
                "rms": float(np.median(residual)),
                "rms_fit": float(np.median(fit)),
                "ratio": float(np.median(residual / fit)),
            }
        )
    return rows


def band_rules(curves: PreparedCurves) -> dict[str, dict[str, dict[str, Any]]]:
    """How each band of each class is obtained.

    A band in which a class was observed is learned. For another, the curve is decoded in the band in which the class
    was seen most, with its amplitude multiplied by a ratio: for pulsating stars the median ratio of the stars that
    have both bands, for eclipsing and ellipsoidal stars one.
    """
    n = {c: [int(((curves.class_name == c) & (curves.band == b)).sum()) for b in range(len(curves.bands))]
         for c in curves.classes}  # fmt: skip
    both = curves.partner >= 0
    rules: dict[str, dict[str, dict[str, Any]]] = {}
    for cls in curves.classes:
        best = int(np.argmax(n[cls]))
        rules[cls] = {}
        for k, band in enumerate(curves.bands):
            if n[cls][k] >= _MIN_CURVES:
                rules[cls][band] = {"source": "learned"}
                continue
            ratio = 1.0
            if CLASS_INFO[cls].base_harmonic == 1:
                rows = np.flatnonzero(both & (curves.band == k))
                rows = rows[curves.band[curves.partner[rows]] == best]
                if rows.size >= _MIN_CURVES:
                    ratio = float(np.median(curves.amplitude[rows] / curves.amplitude[curves.partner[rows]]))
            rules[cls][band] = {"source": "transferred", "from": curves.bands[best], "ratio": round(ratio, 4)}
    return rules


def feature_columns(conditioner: Conditioner) -> FeatureColumns:
    """Where the columns of :meth:`Conditioner.star_features` are."""
    n_identity = len(conditioner.classes) + len(conditioner.subclasses)
    first, n = n_identity + 1, len(PHYSICAL)
    return FeatureColumns(
        values=slice(first, first + n),
        masks=slice(first + n, first + 2 * n),
        subclass=slice(len(conditioner.classes), n_identity),
        period=PHYSICAL.index("period"),
        log_period=n_identity,
    )


def fit_regressor(
    config: LatentConfig,
    *,
    conditioner: Conditioner,
    curves: PreparedCurves,
    posteriors: Posteriors,
    validation: NDArray[np.bool_],
    share: float,
    seed: int,
    given: LatentRegressor | None = None,
    progress: bool | None,
) -> Any:
    """Fit the latent regression, that which was given or of the configured kind, to posteriors of training stars."""
    features = conditioner.star_features(curves.cls, curves.subclass, curves.params, curves.survey)
    scale = conditioner.standard_scale(curves.cls, curves.scale)
    if given is not None or config.kind != "flow":
        train = ~validation
        chosen = as_regressor(config.kind, **config.options) if given is None else given
        return PointSampler.fit(chosen, features[train], scale[train], posteriors.mean[train], seed=seed)
    options = from_mapping(FlowConfig, config.options, where="latent.options")
    flow = FlowRegressor(conditioner.n_star, posteriors.mean.shape[1], options, seed=seed)
    return flow.fit(
        features,
        scale,
        posteriors.mean,
        posteriors.std,
        weights=curve_weights(curves, conditioner, power=config.balance, share=share),
        validation=validation,
        seed=seed,
        columns=feature_columns(conditioner),
        progress=progress,
    )


def _shape_relations(
    model: Any,
    conditioner: Conditioner,
    curves: PreparedCurves,
    posteriors: Posteriors,
    rows: NDArray[np.bool_],
    seed: int,
) -> ShapeRelations:
    """Parameters given the shape, fitted to draws from the posteriors: the latent vectors of generated stars are such
    draws, and the means of the posteriors would promise a closer relation."""
    others = [j for j, name in enumerate(PHYSICAL) if name != "period"]
    used = np.tile(np.flatnonzero(rows & np.isfinite(curves.params[:, others]).any(axis=1)), _POSTERIOR_DRAWS)
    noise = stream(seed, "shape-relations").standard_normal((used.size, posteriors.mean.shape[1]))
    z = (posteriors.mean[used] + posteriors.std[used] * noise).astype(np.float32)
    band = np.full(used.size, curves.bands.index(shape_band(curves.bands)))
    condition = conditioner.decoder_features(curves.cls[used], curves.subclass[used], curves.params[used], band)
    (decoded,) = in_blocks(model.decode, z, condition)
    return ShapeRelations.fit(
        class_name=curves.class_name[used],
        subclass=curves.subclass[used],
        params=curves.params[used],
        scale=conditioner.standard_scale(curves.cls, curves.scale)[used],
        shape=fourier_shape(decoded),
    )


def latent_table(
    conditioner: Conditioner, curves: PreparedCurves, posteriors: Posteriors, *, regressor: Any, seed: int
) -> Any:
    """The published comparison of regressors, on unseen stars next to the leaky figures; with that of a plugin."""
    from ..latent import ForestRegressor, LinearRegressor, MLPRegressor
    from ..latent.lookup import BUILT_IN

    other = [] if regressor.name in BUILT_IN else [regressor.regressor]

    rows = np.sort(stream(seed, "latent-table").permutation(len(curves))[:_TABLE_ROWS])
    features = conditioner.star_features(curves.cls, curves.subclass, curves.params, curves.survey)[rows]
    first = len(conditioner.classes) + len(conditioner.subclasses)
    return regression_table(
        features,
        posteriors.mean[rows],
        curves.star_id[rows],
        regressors=[LinearRegressor(), ForestRegressor(n_trees=60), MLPRegressor(max_epochs=60), *other],
        seed=seed,
        n_splits=3,
        physical_columns=range(first, features.shape[1]),
    )


def fit_population(
    config: PopulationConfig, columns: Mapping[str, NDArray], conditioner: Conditioner, *, seed: int
) -> Population:
    """Fit the population to stars within the periods that the network was trained on."""
    classes, period = np.asarray(columns["class"]), np.asarray(columns["period"], dtype=float)
    keep = np.zeros(classes.size, dtype=bool)
    j = PHYSICAL.index("period")
    for c, cls in enumerate(conditioner.classes):
        low, high = conditioner.low[c, j], conditioner.high[c, j]
        keep |= (classes == cls) & (period >= low) & (period <= high)
    return Population.fit(
        {k: np.asarray(v)[keep] for k, v in columns.items() if k in _POPULATION_COLUMNS},
        seed=seed,
        max_components=config.max_components,
    )


_POPULATION_COLUMNS = ("class", "subclass", "weight", *PHYSICAL)


def _amplitude_domain(scale: NDArray[np.float64]) -> list[float]:
    """Limits of the amplitude [mag]: a little beyond the middle 99.8 %, as a curve or two with a gap in phase have fits
    that leave the sky."""
    low, high = np.quantile(scale, [0.001, 0.999])
    return [0.8 * float(low), min(1.25 * float(high), 10.0)]


def finish(
    model: Any,
    *,
    settings: TrainConfig,
    data: TrainingData,
    conditioner: Conditioner,
    batches_of: Callable[[PreparedCurves], CurveBatches],
    info: dict[str, Any],
    split: Mapping[str, NDArray],
    regressor: LatentRegressor | None = None,
    run: Path | None = None,
    progress: bool | None = None,
) -> tuple[LightCurveGenerator, dict[str, Any]]:
    """Make a generator of a trained network.

    Parameters
    ----------
    model : CurveModel
    settings : TrainConfig
    data : TrainingData
    conditioner : Conditioner
    batches_of : callable
        Makes batches of prepared curves.
    info, split : mapping
        Stored with the generator.
    regressor : LatentRegressor, optional
        In place of the configured kind.
    run : Path, optional
        Folder for checkpoints.
    progress : bool, optional

    Returns
    -------
    generator : LightCurveGenerator
    report : dict
        Active dimensions, reconstruction of test stars, table of the regressors.
    """
    kind, seed = settings.model.get("kind", "periodic"), settings.seed
    curves = data.curves
    used = np.flatnonzero(data.split < 2)
    seen = curves.take(used)
    posteriors = encode_all(model, batches_of(seen))
    train_rows = data.split[used] == 0
    variances = posteriors.mean[train_rows].var(axis=0)
    keep = prune_dead(model, posteriors.mean[train_rows], threshold=settings.training.active_variance)
    posteriors = Posteriors(
        mean=posteriors.mean[:, keep],
        std=posteriors.std[:, keep],
        residual=posteriors.residual,
        fit_residual=posteriors.fit_residual,
    )
    _log.info("active dimensions: %d of %d", keep.sum(), keep.size)
    sampler = fit_regressor(
        settings.latent,
        conditioner=conditioner,
        curves=seen,
        posteriors=posteriors,
        validation=~train_rows,
        share=settings.training.secondary_share,
        seed=seed,
        given=regressor,
        progress=progress,
    )
    refined = None
    if settings.refine.epochs:
        model, refined = refine(
            model,
            sampler,
            batches_of(curves.take(data.split == 0)),
            batches_of(curves.take(data.split == 1)),
            columns=feature_columns(conditioner),
            config=settings.refine,
            loop=settings.training,
            augment=settings.augment,
            balance=settings.latent.balance,
            seed=seed,
            run=run,
            progress=progress,
        )
        posteriors = encode_all(model, batches_of(seen))
    test = curves.take((data.split == 2) & (curves.n_harmonics == 0))
    report: dict[str, Any] = {
        "latent_variance": [round(float(v), 4) for v in variances],
        "active": int(keep.sum()),
        "reconstruction": reconstruction_table(test, encode_all(model, batches_of(test))),
        "refinement": refined,
    }
    if settings.latent.table:
        report["latent_table"] = latent_table(conditioner, seen, posteriors, regressor=sampler, seed=seed).to_markdown()
    if isinstance(sampler, FlowRegressor):
        report["flow_nll"] = sampler.validation_nll
    relations = _shape_relations(model, conditioner, seen, posteriors, train_rows, seed) if kind == "periodic" else None
    irregularity = {}
    if settings.irregularity:
        # quoted errors and zero points of secondary surveys need not be good enough for this
        primary = (curves.n_harmonics == 0) & ~np.isin(curves.survey, settings.data.secondary)
        train = curves.take((data.split == 0) & primary)
        packs = [{"path": p.path, "survey": p.survey} for p in settings.data.packs]
        times = times_from_packs(train, settings.data.root(), packs)
        irregularity["irregularity"] = measure_irregularity(train, times, progress=progress).to_config()
    amplitude = {
        c: _amplitude_domain(curves.scale[train_scale])
        for c in CLASSES
        if (train_scale := (curves.class_name == c) & (data.split == 0)).any()
    }
    generator = LightCurveGenerator(
        name=settings.name,
        kind=kind,
        model=model.cpu(),
        conditioner=conditioner,
        regressor=sampler,
        population=fit_population(settings.population, data.population, conditioner, seed=seed),
        relations=relations,
        noise_models=data.noise,
        band_rules=band_rules(curves.take(data.split == 0)),
        split=split,
        info={**info, "amplitude_domain": amplitude, "report": report, **irregularity},
    )
    return generator, report
