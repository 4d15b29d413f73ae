"""The training loop: one readable function, with checkpoints from which it goes on as if nothing had happened."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..assets import atomic_file
from ..errors import CheckpointError, ConfigError
from ..model.batches import CurveBatches
from ..prepare.augment import AugmentConfig, class_weights
from ..prepare.dataset import PreparedCurves
from ..rng import stream
from .config import LoopConfig

__all__ = ["choose_device", "fit_network", "group_labels"]

_log = logging.getLogger(__name__)
_COLUMNS: list[str] = ["epoch", "beta", "learning_rate", "train_misfit", "train_kl", "validation_loss",
                       "validation_misfit",
                       "validation_kl", "active"]  # fmt: skip


def choose_device(name: str) -> torch.device:
    """The torch device of a configured name.

    Raises
    ------
    ConfigError
        If CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is 'cuda', but torch finds no CUDA device here")
    return torch.device(name)


def group_labels(curves: PreparedCurves) -> np.ndarray:
    """Class, survey and band of each curve: the groups that balancing evens out."""
    return np.array([f"{c}/{s}/{b}" for c, s, b in zip(curves.cls, curves.survey, curves.band, strict=True)])


def _epoch_seed(seed: int, epoch: int) -> int:
    digest = hashlib.blake2b(f"{seed}/epoch/{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@torch.no_grad()
def _validate(model: Any, batches: CurveBatches, weights: Tensor, beta: float) -> tuple[float, float, float, int]:
    """Weighted loss at full beta, misfit and divergence of the validation curves, and the active dimensions."""
    model.eval()
    misfit = kl = 0.0
    means = []
    for start in range(0, len(batches), 512):
        rows = torch.arange(start, min(start + 512, len(batches)), device=batches.device)
        batch = batches.get(rows)
        means.append(model.encode(batch)[0])
        # one curve at a time would be exact; groups of 512 are weighted by their share
        terms = model.loss(batch, torch.zeros(rows.numel(), model.latent_dim, device=batches.device), beta)
        share = float(weights[start : start + rows.numel()].sum())
        misfit += share * float(terms.misfit)
        kl += share * float(terms.kl.sum())
    active = int((torch.cat(means).var(0) > 0.05).sum())
    model.train()
    return misfit + beta * kl, misfit, kl, active


class _Checkpoint:
    """State of a run on disk: weights, optimiser, running average, and what is needed to go on."""

    def __init__(self, run: Path) -> None:
        self.path = run / "last.safetensors"

    def save(self, model: Any, average: Any, best: Any, optimiser: torch.optim.Optimizer, record: dict) -> None:
        from safetensors.torch import save_file

        tensors: dict[str, Tensor] = {}
        for prefix, module in (("model.", model), ("average.", average), ("best.", best)):
            tensors |= {prefix + k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}
        for i, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{k}": v.detach().cpu().contiguous() for k, v in values.items()}
        # one file, so that weights and record cannot be of different epochs
        with atomic_file(self.path) as temporary:
            save_file(tensors, temporary, metadata={"record": json.dumps(record)})

    def load(self, model: Any, average: Any, best: Any, optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
        from safetensors import SafetensorError, safe_open

        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as stored:
                record = json.loads((stored.metadata() or {})["record"])
                tensors = {k: stored.get_tensor(k) for k in stored.keys()}  # noqa: SIM118 - not a mapping
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CheckpointError(f"{self.path} cannot be read; restart the run: {error}") from error
        try:
            for prefix, module in (("model.", model), ("average.", average), ("best.", best)):
                module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        except RuntimeError as error:
            raise CheckpointError(f"{self.path} belongs to another configuration: {error}") from error
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, i, name = key.split(".", 2)
                state.setdefault(int(i), {})[name] = value
        full = optimiser.state_dict()
        optimiser.load_state_dict({"state": state, "param_groups": full["param_groups"]})
        return record


def fit_network(
    model: Any,
    train: CurveBatches,
    validation: CurveBatches,
    *,
    config: LoopConfig,
    augment: AugmentConfig,
    seed: int,
    run: Path,
    progress: bool | None = None,
) -> Any:
    """Train a network; continues from the run's last checkpoint where there is one.

    The order of the data, all masking and all noise follow from (seed, epoch), so that a run that was interrupted
    goes on bit for bit as it would have.

    Parameters
    ----------
    model : CurveModel
    train, validation : CurveBatches
    config : LoopConfig
    augment : AugmentConfig
    seed : int
    run : Path
        Folder for ``last.safetensors``, ``log.csv`` and ``loss.png``.
    progress : bool, optional

    Returns
    -------
    CurveModel
        The running average of the weights at the best validation loss, in evaluation mode.
    """
    device = train.device
    model.to(device).train()
    average, best = copy.deepcopy(model), copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    total = config.epochs * config.steps_per_epoch
    checkpoint = _Checkpoint(run)
    record = checkpoint.load(model, average, best, optimiser)
    if record is None:
        record = {"epoch": 0, "best": math.inf, "waited": 0, "log": []}
    rate = class_weights(group_labels(train.curves), power=config.balance)
    checked = class_weights(group_labels(validation.curves), power=config.balance)
    weights = torch.from_numpy(checked)
    bar = tqdm(
        range(record["epoch"], config.epochs),
        desc="training",
        initial=record["epoch"],
        total=config.epochs,
        disable=None if progress is None else not progress,
    )
    for epoch in bar:
        if record["waited"] >= config.patience:
            break
        order = stream(seed, "order", epoch).choice(
            len(train), (config.steps_per_epoch, config.batch_size), replace=True, p=rate
        )
        generator = torch.Generator(device=device).manual_seed(_epoch_seed(seed, epoch))
        # dropout of the published networks draws from torch's own state
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_epoch_seed(seed, epoch))
            misfit = kl = 0.0
            for step in range(config.steps_per_epoch):
                k = epoch * config.steps_per_epoch + step
                learning_rate = config.learning_rate * _schedule(k, total, config.warmup_steps)
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate
                beta = config.beta * min(1.0, (k + 1) / max(1.0, config.kl_warmup * total))
                batch = train.get(
                    torch.from_numpy(order[step]).to(device),
                    generator=generator,
                    swap=config.swap,
                    drop_parameters=config.drop_parameters,
                    drop_subclass=config.drop_subclass,
                    drop_class=config.drop_class,
                    period_jitter=config.period_jitter,
                    input_noise=config.input_noise,
                    augment=augment,
                )
                noise = torch.randn(config.batch_size, model.latent_dim, generator=generator, device=device)
                terms = model.loss(batch, noise, beta)
                optimiser.zero_grad()
                terms.total.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
                optimiser.step()
                _update_average(average, model, min(config.average, (k + 1) / (k + 10)))
                misfit += float(terms.misfit.detach())
                kl += float(terms.kl.detach().sum())
        loss, check_misfit, check_kl, active = _validate(average, validation, weights, config.beta)
        warm = (epoch + 1) >= config.kl_warmup * config.epochs
        if not math.isfinite(loss):
            raise CheckpointError(f"training diverged in epoch {epoch}: the validation loss is {loss}")
        if not warm or loss < record["best"]:
            best.load_state_dict(average.state_dict())
            record["best"], record["waited"] = (loss if warm else math.inf), 0
        else:
            record["waited"] += 1
        n = config.steps_per_epoch
        row = [epoch, beta, learning_rate, misfit / n, kl / n, loss, check_misfit, check_kl, active]
        record["log"].append(dict(zip(_COLUMNS, row, strict=True)))
        record["epoch"] = epoch + 1
        bar.set_postfix(loss=f"{loss:.1f}", kl=f"{check_kl:.1f}", active=active)
        _log.info("epoch %d: %s", epoch, record["log"][-1])
        _write_log(run, record["log"])
        checkpoint.save(model, average, best, optimiser, record)
    return best.eval()


def _schedule(k: int, total: int, warmup: int) -> float:
    return min(1.0, (k + 1) / max(1, warmup)) * 0.5 * (1.0 + math.cos(math.pi * min(k / total, 1.0)))


@torch.no_grad()
def _update_average(average: Any, model: Any, decay: float) -> None:
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)


def _write_log(run: Path, log: list[dict[str, Any]]) -> None:
    with atomic_file(run / "log.csv") as temporary, open(temporary, "w", newline="") as stream_:
        writer = csv.DictWriter(stream_, _COLUMNS)
        writer.writeheader()
        writer.writerows(log)
