"""Training: from survey files to a generator.

``train`` reads a configuration, prepares the data, fits the network (resuming where it was interrupted), the latent
regression and the population, and writes a generator folder with its card.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import TrainConfig, read_config

__all__ = ["TrainConfig", "read_config", "train"]

_log = logging.getLogger(__name__)


def train(
    config: str | os.PathLike[str] | Mapping[str, Any] | TrainConfig,
    *,
    output: str | os.PathLike[str] | None = None,
    restart: bool = False,
    progress: bool | None = None,
) -> Path:
    """Train a generator.

    Parameters
    ----------
    config : path, mapping or TrainConfig
        See :class:`lcgen.train.config.TrainConfig`; ``configs/`` has examples.
    output : path-like, optional
        Folder of the run, in place of the configured one.
    restart : bool
        Begin anew where the folder holds an interrupted run of the same configuration; by default it goes on.
    progress : bool, optional
        Show progress bars; by default where stderr is a terminal.

    Returns
    -------
    Path
        Folder of the generator, ``<run>/model``; :func:`lcgen.load_generator` reads it.

    Raises
    ------
    ConfigError
        Naming the key that is wrong, or if the folder holds a run of another configuration.
    """
    settings = config if isinstance(config, TrainConfig) else read_config(config)
    run = Path(output or settings.output)
    _claim(run, settings, restart)
    return _train(settings, run, progress)


def _claim(run: Path, settings: TrainConfig, restart: bool) -> None:
    from ..assets import atomic_file
    from ..errors import ConfigError

    record = run / "run.json"
    stored = json.dumps(dataclasses.asdict(settings), indent=1, sort_keys=True)
    if restart and record.is_file():
        for name in ("last.safetensors", "log.csv", "loss.png"):
            (run / name).unlink(missing_ok=True)
        shutil.rmtree(run / "model", ignore_errors=True)
    elif record.is_file() and record.read_text() != stored:
        raise ConfigError(f"output: {run} holds a run of another configuration; name another folder, or restart it")
    run.mkdir(parents=True, exist_ok=True)
    with atomic_file(record) as temporary:
        temporary.write_text(stored)


def _train(settings: TrainConfig, run: Path, progress: bool | None) -> Path:
    import torch

    from ..config import from_mapping
    from ..latent.flow import FlowConfig
    from ..model.batches import CurveBatches
    from ..model.build import build_model
    from ..model.cvae import PeriodicConfig
    from ..model.published import PublishedConfig
    from ..prepare.conditioning import Conditioner
    from .card import write_card
    from .data import load_data, split_record
    from .finish import finish
    from .loop import choose_device, fit_network

    options = dict(settings.model)
    kind = options.pop("kind", "periodic")
    network = from_mapping(PublishedConfig if kind == "published" else PeriodicConfig, options, where="model")
    if settings.latent.kind == "flow":  # used after the network's training: a wrong key is told before it
        from_mapping(FlowConfig, settings.latent.options, where="latent.options")
    device = choose_device(settings.training.device)
    data = load_data(settings, run, progress=progress)
    train_curves, validation = data.curves.take(data.split == 0), data.curves.take(data.split == 1)
    conditioner = Conditioner.fit(
        classes=data.curves.classes,
        bands=data.curves.bands,
        cls_index=train_curves.cls,
        params=train_curves.params,
        scale=train_curves.scale,
    )

    def batches_of(curves: Any) -> CurveBatches:
        return CurveBatches(
            curves, conditioner, n_points=settings.training.points, fill=kind == "published", device=device
        )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = build_model(kind, network, conditioner)
    model = fit_network(
        model,
        batches_of(train_curves),
        batches_of(validation),
        config=settings.training,
        augment=settings.augment,
        seed=settings.seed,
        run=run,
        progress=progress,
    )
    info = {
        "config": dataclasses.asdict(settings),
        "provenance": data.provenance,
        "split": {
            "seed": settings.data.split_seed,
            "fractions": list(settings.data.split),
            "n": [int((data.split == k).sum()) for k in range(3)],
        },
    }
    generator, report = finish(
        model,
        kind=kind,
        name=settings.name,
        seed=settings.seed,
        data=data,
        conditioner=conditioner,
        latent=settings.latent,
        population=settings.population,
        threshold=settings.training.active_variance,
        batches_of=batches_of,
        info=info,
        split=split_record(data),
        progress=progress,
    )
    folder = generator.save(run / "model", card=write_card(generator, report))
    _plot_loss(run)
    _log.info("wrote %s", folder)
    return folder


def _plot_loss(run: Path) -> None:
    from ..errors import MissingExtraError

    try:
        from ..plot import plot_loss

        plot_loss(run / "log.csv", run / "loss.png")
    except MissingExtraError as error:
        _log.warning("no plot of the loss: %s", error)
