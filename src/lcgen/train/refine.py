"""A learned prior: encoder, decoder and latent flow trained together, after each has been trained alone.

The first stage measures latent vectors against a standard normal distribution. Where a star is faint, its posterior is
then mostly that distribution, and a flow that is fitted to such posteriors has copied it: what is drawn is more spread
than the stars are. Here the flow itself takes the place of the standard normal distribution in the evidence lower bound
(a learned prior; Chen et al. 2017, arXiv:1611.02731), so that noise is deconvolved: faint stars are explained by what
is known of stars of their class, period and amplitude.
"""

from __future__ import annotations

import copy
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import CheckpointError
from ..latent.flow import FeatureColumns, FlowRegressor
from ..model.batches import CurveBatches
from ..model.cvae import PeriodicCVAE
from ..prepare.augment import AugmentConfig
from ..rng import stream
from .config import LoopConfig, RefineConfig
from .loop import (
    curve_weights,
    epoch_seed,
    read_state,
    restore_optimiser,
    schedule,
    training_batch,
    write_state,
)

__all__ = ["refine"]

_log = logging.getLogger(__name__)


class _Prior(nn.Module):
    """The flow of the latent vector, seen as a prior."""

    def __init__(self, flow: FlowRegressor) -> None:
        super().__init__()
        self.flow = flow.latent_flow
        self._density = flow.log_density

    def divergence(self, draw: Any, noise: Tensor, features: Tensor, scale: Tensor) -> Tensor:
        """One-draw estimate of the divergence of each posterior from the prior, shape (n,)."""
        entropy = 0.5 * (noise**2 + draw.log_variance + math.log(2.0 * math.pi)).sum(1)
        return -entropy - self._density(features, scale, draw.z)


def _star_tensors(batches: CurveBatches) -> tuple[Tensor, Tensor]:
    scale = batches.conditioner.standard_scale(batches.curves.cls, batches.curves.scale)
    return batches.star, torch.from_numpy(scale.astype(np.float32)).to(batches.device)


@torch.no_grad()
def _validate(model: PeriodicCVAE, prior: _Prior, batches: CurveBatches, weights: Tensor, seed: int) -> float:
    features, scale = _star_tensors(batches)
    generator = torch.Generator(device=batches.device).manual_seed(seed)
    total = 0.0
    for start in range(0, len(batches), 512):
        rows = torch.arange(start, min(start + 512, len(batches)), device=batches.device)
        noise = torch.randn(rows.numel(), model.latent_dim, generator=generator, device=batches.device)
        draw = model.describe(batches.get(rows), noise)
        loss = draw.misfit + draw.penalty + prior.divergence(draw, noise, features[rows], scale[rows])
        total += float((loss.double().cpu() * weights[rows.cpu()]).sum())
    return total


def refine(
    model: PeriodicCVAE,
    flow: FlowRegressor,
    train: CurveBatches,
    validation: CurveBatches,
    *,
    columns: FeatureColumns,
    config: RefineConfig,
    loop: LoopConfig,
    augment: AugmentConfig,
    balance: float,
    seed: int,
    run: Path | None = None,
    progress: bool | None = None,
) -> tuple[PeriodicCVAE, list[float]]:
    """Train network and latent flow on their common evidence lower bound; goes on from the run's last checkpoint.

    Parameters
    ----------
    model : PeriodicCVAE
        Without dead dimensions.
    flow : FlowRegressor
        Fitted to the posteriors of `model`; changed in place.
    train, validation : CurveBatches
    columns : FeatureColumns
    config : RefineConfig
    loop : LoopConfig
        What is hidden from the network, and how its input is disturbed.
    augment : AugmentConfig
    balance : float
        As in :class:`~lcgen.train.config.LoopConfig`.
    seed : int
    run : Path, optional
        Folder of ``refine.safetensors``.
    progress : bool, optional

    Returns
    -------
    model : PeriodicCVAE
        Running average of the weights at the best validation loss, in evaluation mode.
    losses : list of float
        Validation loss [nat a curve] before the first epoch and after each.

    Raises
    ------
    CheckpointError
        If the training diverges, or the checkpoint cannot be read.
    """
    device = train.device
    model = model.to(device)
    prior = _Prior(flow).to(device)
    pair = nn.ModuleDict({"model": model, "prior": prior}).train()
    for parameter in pair.parameters():
        parameter.requires_grad_(True)
    features, scale = _star_tensors(train)
    rate, checked = (
        curve_weights(b.curves, b.conditioner, power=balance, share=loop.secondary_share) for b in (train, validation)
    )
    weights = torch.from_numpy(checked)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(model.encoder.parameters()), "lr": config.learning_rate},
            {"params": list(model.decoder.parameters()), "lr": 0.5 * config.learning_rate},
            {"params": list(prior.parameters()), "lr": 2.0 * config.learning_rate},
        ],
        weight_decay=loop.weight_decay,
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    average = copy.deepcopy(pair.state_dict())
    best = copy.deepcopy(average)
    losses = [_validate_at(pair, average, validation, weights, seed)]
    lowest, first = losses[0], 0
    path = run / "refine.safetensors" if run is not None else None
    if path is not None and path.is_file():
        first, lowest, losses = _load(path, pair, average, best, optimiser)
    total = config.epochs * loop.steps_per_epoch
    options = flow.config
    bar = tqdm(
        range(first, config.epochs),
        desc="learned prior",
        initial=first,
        total=config.epochs,
        disable=None if progress is None else not progress,
    )
    for epoch in bar:
        order = stream(seed, "refine/order", epoch).choice(
            len(train), (loop.steps_per_epoch, loop.batch_size), replace=True, p=rate
        )
        generator = torch.Generator(device=device).manual_seed(epoch_seed(seed, f"refine/{epoch}"))
        for step in range(loop.steps_per_epoch):
            k = epoch * loop.steps_per_epoch + step
            share = schedule(k, total, loop.warmup_steps)
            for group, full in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = full * share
            rows = torch.from_numpy(np.ascontiguousarray(order[step])).to(device)
            batch = training_batch(train, rows, generator, loop, augment)
            known = columns.hide(
                features[rows], generator, parameters=options.drop_parameters, subclass=options.drop_subclass
            )
            # else the exact period and amplitude give a star of a rare class away, and the prior learns it by heart
            move = config.jitter * torch.randn(rows.numel(), 2, generator=generator, device=device)
            known[:, columns.values.start + columns.period] += move[:, 0]
            known[:, columns.log_period] += move[:, 0] * train.period_width[rows, 0]
            noise = torch.randn(rows.numel(), model.latent_dim, generator=generator, device=device)
            draw = model.describe(batch, noise)
            loss = draw.misfit + draw.penalty + prior.divergence(draw, noise, known, scale[rows] + move[:, 1])
            optimiser.zero_grad()
            (loss.mean() / 100.0).backward()
            torch.nn.utils.clip_grad_norm_(pair.parameters(), loop.clip)
            optimiser.step()
            decay = min(loop.average, (k + 1) / (k + 10))
            with torch.no_grad():
                for name, value in pair.state_dict().items():
                    if value.is_floating_point():
                        average[name].lerp_(value, 1.0 - decay)
        losses.append(_validate_at(pair, average, validation, weights, seed))
        if not math.isfinite(losses[-1]):
            raise CheckpointError(f"the refinement diverged in epoch {epoch}: the validation loss is {losses[-1]}")
        if losses[-1] < lowest:
            lowest, best = losses[-1], copy.deepcopy(average)
        _log.info("refinement, epoch %d: validation loss %.3f", epoch, losses[-1])
        bar.set_postfix(loss=f"{losses[-1]:.2f}")
        if path is not None:
            states = {"pair": pair.state_dict(), "average": average, "best": best}
            write_state(path, states, optimiser, (epoch + 1, lowest, losses))
    pair.load_state_dict(best)
    prior.to("cpu").eval()
    return model.eval(), losses


def _validate_at(
    pair: nn.ModuleDict, weights_at: dict[str, Tensor], batches: CurveBatches, weights: Tensor, seed: int
) -> float:
    """Validation loss at other weights than the present ones."""
    present = copy.deepcopy(pair.state_dict())
    pair.load_state_dict(weights_at)
    pair.eval()
    loss = _validate(pair["model"], pair["prior"], batches, weights, seed)  # type: ignore[arg-type]
    pair.load_state_dict(present)
    pair.train()
    return loss


def _load(
    path: Path, pair: nn.Module, average: dict[str, Tensor], best: dict[str, Tensor], optimiser: torch.optim.Optimizer
) -> tuple[int, float, list[float]]:
    record, states = read_state(path)
    try:
        epoch, lowest, losses = record
        for name in average:
            average[name].copy_(states["average"][name])
            best[name].copy_(states["best"][name])
        pair.load_state_dict(states["pair"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be gone on from; restart the run: {error}") from error
    restore_optimiser(optimiser, states)
    return int(epoch), float(lowest), list(losses)
