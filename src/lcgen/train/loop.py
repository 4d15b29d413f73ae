"""The training loop: one readable function, with checkpoints from which it goes on as if nothing had happened.

Under ``torchrun`` the batch is split over several processes, each with a device of its own. All hold the same weights;
the first one alone validates and writes.
"""

from __future__ import annotations

import atexit
import copy
import csv
import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ..assets import atomic_file
from ..errors import CheckpointError, ConfigError
from ..model.batches import CurveBatch, CurveBatches
from ..prepare.augment import AugmentConfig, class_weights
from ..prepare.conditioning import Conditioner
from ..prepare.dataset import PreparedCurves
from ..rng import stream
from .config import LoopConfig

__all__ = [
    "World",
    "choose_device",
    "curve_weights",
    "epoch_seed",
    "fit_network",
    "group_labels",
    "join_world",
    "read_state",
    "restore_optimiser",
    "schedule",
    "training_batch",
    "write_state",
]

_log = logging.getLogger(__name__)
_COLUMNS: list[str] = ["epoch", "beta", "learning_rate", "train_misfit", "train_kl", "validation_loss",
                       "validation_misfit",
                       "validation_kl", "active"]  # fmt: skip


# Preparation and the fits after the training are done by one process while the others wait.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes that train together.

    Attributes
    ----------
    rank : int
        Of this process; 0 is the one that writes.
    size : int
        Number of processes.
    local_rank : int
        Of this process among those of its machine: the number of its device.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that validates and writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes have come here."""
        self.mean([0.0])

    def from_first(self, values: list[float]) -> list[float]:
        """The numbers that the first process has, in all processes."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        torch.distributed.broadcast(shared, src=0)
        return shared.tolist()

    def mean(self, values: list[float]) -> list[float]:
        """The mean over processes."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        torch.distributed.all_reduce(shared)
        return (shared / self.size).tolist()

    def share(self, batch_size: int) -> int:
        """Curves of a batch that fall to one process.

        Raises
        ------
        ConfigError
            If the processes cannot share equally.
        """
        if batch_size % self.size:
            raise ConfigError(
                f"training.batch_size must be a multiple of the {self.size} processes that share it, "
                f"received {batch_size}"
            )
        return batch_size // self.size


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """The processes that ``torchrun`` has started, connected; one process alone where it has not.

    Parameters
    ----------
    device : str
        As configured: on CUDA gradients are exchanged by NCCL, else by Gloo.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    given = [os.environ.get(name, "") for name in names]
    if not all(given) or int(given[1]) == 1:
        yield World()
        return
    world = World(rank=int(given[0]), size=int(given[1]), local_rank=int(given[2]))
    chosen = choose_device(device, world)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    group = torch.distributed
    # left standing until the process ends: a second group could meet what the first has left in the common store
    if not group.is_initialized():
        group.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
        atexit.register(group.destroy_process_group)
    try:
        yield world
    except BaseException:
        # to take leave of processes that wait elsewhere would take as long as they wait
        atexit.unregister(group.destroy_process_group)
        raise


def choose_device(name: str, world: World | None = None) -> torch.device:
    """The torch device of a configured name.

    Parameters
    ----------
    name : {"cpu", "cuda", "auto"}
    world : World, optional
        Of several processes each takes the CUDA device of its local rank.

    Raises
    ------
    ConfigError
        If CUDA is asked for and there is none, or fewer devices than processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is 'cuda', but torch finds no CUDA device here")
    if name == "cuda" and world is not None and world.size > 1:
        if world.local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"{world.local_rank + 1} or more processes on this machine, but {torch.cuda.device_count()} CUDA "
                "devices; start at most as many processes as there are devices"
            )
        return torch.device("cuda", world.local_rank)
    return torch.device(name)


def group_labels(curves: PreparedCurves) -> np.ndarray:
    """Class, survey and band of each curve: the groups that balancing evens out."""
    return np.array([f"{c}/{s}/{b}" for c, s, b in zip(curves.cls, curves.survey, curves.band, strict=True)])


def curve_weights(
    curves: PreparedCurves, conditioner: Conditioner, *, power: float, share: float
) -> NDArray[np.float64]:
    """Relative frequency with which each curve is used, with a sum of one.

    Parameters
    ----------
    curves : PreparedCurves
    conditioner : Conditioner
        Knows which surveys are secondary.
    power : float
        See :func:`lcgen.prepare.augment.class_weights`.
    share : float
        Factor for curves of secondary surveys.
    """
    weights = class_weights(group_labels(curves), power=power)
    weights = weights * np.where(np.isin(curves.survey, conditioner.secondary), share, 1.0)
    return weights / weights.sum()


def epoch_seed(seed: int, name: str) -> int:
    """Seed of torch's random numbers of one epoch, by name."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _epoch_seed(seed: int, epoch: int, world: World) -> int:
    return epoch_seed(seed, f"epoch/{epoch}" if world.size == 1 else f"epoch/{epoch}/rank/{world.rank}")


class _Loss(nn.Module):
    """A model whose forward pass is its loss: torch exchanges gradients after calls through its wrapper alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Any, noise: Tensor, beta: float) -> Any:
        return self.model.loss(batch, noise, beta)


def _loss_function(model: Any, world: World) -> Callable[[Any, Tensor, float], Any]:
    if world.size == 1:
        return model.loss
    return nn.parallel.DistributedDataParallel(_Loss(model))


def _lower_precision(model: Any, device: torch.device) -> None:
    """Let the networks of a model, and nothing outside them, compute in bfloat16.

    What they return is float32 again, so that divergence, interpolation at the observed phases and misfit are as
    precise as ever. The weights stay float32.
    """

    def lowered(forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*inputs: Tensor) -> Any:
            with torch.autocast(device.type, torch.bfloat16):
                out = forward(*inputs)
            return tuple(o.float() for o in out) if isinstance(out, tuple) else out.float()

        return call

    for network in model.children():
        network.forward = lowered(network.forward)


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


def write_state(
    path: Path, states: Mapping[str, Mapping[str, Tensor]], optimiser: torch.optim.Optimizer, record: Any
) -> None:
    """Write named state dictionaries, an optimiser and a record that JSON can hold.

    All is one file, so that weights and record cannot be of different epochs.
    """
    from safetensors.torch import save_file

    inner = {f"optimiser.{i}": values for i, values in optimiser.state_dict()["state"].items()}
    tensors = {
        f"{name}.{k}": v.detach().cpu().contiguous().clone()  # safetensors takes no two names of one storage
        for name, state in {**states, **inner}.items()
        for k, v in state.items()
    }
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, metadata={"record": json.dumps(record)})


def read_state(path: Path) -> tuple[Any, dict[str, dict[str, Tensor]]]:
    """Record and state dictionaries that :func:`write_state` wrote.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    states: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as stored:
            record = json.loads((stored.metadata() or {})["record"])
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                name, _, inner = key.partition(".")
                states.setdefault(name, {})[inner] = stored.get_tensor(key)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read; restart the run: {error}") from error
    return record, states


def restore_optimiser(optimiser: torch.optim.Optimizer, states: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Give an optimiser the state among those of :func:`read_state`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in states.get("optimiser", {}).items():
        i, _, name = key.partition(".")
        state.setdefault(int(i), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


class _Checkpoint:
    """State of a run on disk: weights, optimiser, running average, and what is needed to go on."""

    def __init__(self, run: Path) -> None:
        self.path = run / "last.safetensors"

    def save(self, model: Any, average: Any, best: Any, optimiser: torch.optim.Optimizer, record: dict) -> None:
        modules = {"model": model, "average": average, "best": best}
        write_state(self.path, {k: m.state_dict() for k, m in modules.items()}, optimiser, record)

    def load(self, model: Any, average: Any, best: Any, optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        record, states = read_state(self.path)
        try:
            for name, module in (("model", model), ("average", average), ("best", best)):
                module.load_state_dict(states.get(name, {}))
        except RuntimeError as error:
            raise CheckpointError(f"{self.path} belongs to another configuration: {error}") from error
        restore_optimiser(optimiser, states)
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
    world: World | None = None,
    on_epoch: Callable[[dict[str, Any], Any], None] | None = None,
    progress: bool | None = None,
) -> Any:
    """Train a network; continues from the run's last checkpoint where there is one.

    The order of the data, all masking and all noise follow from (seed, epoch), so that a run that was interrupted
    goes on bit for bit as it would have. Several processes share the rows that one would have drawn; their masking
    and noise follow from (seed, epoch, rank).

    Parameters
    ----------
    model : CurveModel
    train, validation : CurveBatches
    config : LoopConfig
    augment : AugmentConfig
    seed : int
    run : Path
        Folder for ``last.safetensors``, ``log.csv`` and ``loss.png``; all processes must see it.
    world : World, optional
        The processes that train together; see :func:`join_world`.
    on_epoch : callable, optional
        Called after each epoch, in the first process and before its checkpoint is written, with the row of the log and
        the averaged model; what it raises ends the training.
    progress : bool, optional

    Returns
    -------
    CurveModel
        The running average of the weights at the best validation loss, in evaluation mode.
    """
    world = World() if world is None else world
    device, n_rows = train.device, world.share(config.batch_size)
    model.to(device).train()
    average, best = copy.deepcopy(model), copy.deepcopy(model)
    if config.precision == "bfloat16":
        _lower_precision(model, device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    total = config.epochs * config.steps_per_epoch
    checkpoint = _Checkpoint(run)
    record = checkpoint.load(model, average, best, optimiser)
    if record is None:
        record = {"epoch": 0, "best": math.inf, "waited": 0, "log": []}
    loss_of = _loss_function(model, world)
    rate, checked = (
        curve_weights(b.curves, b.conditioner, power=config.balance, share=config.secondary_share)
        for b in (train, validation)
    )
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
        )[:, world.rank :: world.size]
        generator = torch.Generator(device=device).manual_seed(_epoch_seed(seed, epoch, world))
        # dropout of the published networks draws from torch's own state
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_epoch_seed(seed, epoch, world))
            misfit = kl = 0.0
            for step in range(config.steps_per_epoch):
                k = epoch * config.steps_per_epoch + step
                learning_rate = config.learning_rate * schedule(k, total, config.warmup_steps)
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate
                beta = config.beta * min(1.0, (k + 1) / max(1.0, config.kl_warmup * total))
                rows = torch.from_numpy(np.ascontiguousarray(order[step])).to(device)
                batch = training_batch(train, rows, generator, config, augment)
                noise = torch.randn(n_rows, model.latent_dim, generator=generator, device=device)
                terms = loss_of(batch, noise, beta)
                optimiser.zero_grad()
                terms.total.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
                optimiser.step()
                _update_average(average, model, min(config.average, (k + 1) / (k + 10)))
                misfit += float(terms.misfit.detach())
                kl += float(terms.kl.detach().sum())
        checked_now = _validate(average, validation, weights, config.beta) if world.first else (0.0, 0.0, 0.0, 0)
        loss, check_misfit, check_kl, active = world.from_first([float(v) for v in checked_now])
        misfit, kl = world.mean([misfit, kl])
        warm = (epoch + 1) >= config.kl_warmup * config.epochs
        if not math.isfinite(loss):
            raise CheckpointError(f"training diverged in epoch {epoch}: the validation loss is {loss}")
        if not warm or loss < record["best"]:
            best.load_state_dict(average.state_dict())
            record["best"], record["waited"] = (loss if warm else math.inf), 0
        else:
            record["waited"] += 1
        n = config.steps_per_epoch
        row = [epoch, beta, learning_rate, misfit / n, kl / n, loss, check_misfit, check_kl, int(active)]
        record["log"].append(dict(zip(_COLUMNS, row, strict=True)))
        record["epoch"] = epoch + 1
        bar.set_postfix(loss=f"{loss:.1f}", kl=f"{check_kl:.1f}", active=int(active))
        if world.first:
            _log.info("epoch %d: %s", epoch, record["log"][-1])
            _write_log(run, record["log"])
            if on_epoch is not None:
                on_epoch(record["log"][-1], average)
            checkpoint.save(model, average, best, optimiser, record)
    return best.eval()


def training_batch(
    train: CurveBatches, rows: Tensor, generator: torch.Generator, config: LoopConfig, augment: AugmentConfig
) -> CurveBatch:
    """Curves with what is hidden from the network, and with its input disturbed, as configured."""
    return train.get(
        rows,
        generator=generator,
        swap=config.swap,
        drop_parameters=config.drop_parameters,
        drop_subclass=config.drop_subclass,
        drop_class=config.drop_class,
        period_jitter=config.period_jitter,
        input_noise=config.input_noise,
        truncate=config.truncate,
        augment=augment,
    )


def schedule(k: int, total: int, warmup: int) -> float:
    """Learning rate of step `k` of `total` over its highest value: a linear start, then half a cosine."""
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
