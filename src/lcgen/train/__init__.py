"""Training: from survey files to a generator.

``train`` reads a configuration, prepares the data, fits the network (resuming where it was interrupted), the latent
regression and the population, and writes a generator folder with its card. ``tune`` does so many times, with other
hyperparameters each time, and keeps the best.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import TrainConfig, read_config
from .tune_study import StudyResult, tune

if TYPE_CHECKING:
    from ..latent import LatentRegressor
    from ..prepare.conditioning import Conditioner
    from .data import TrainingData
    from .loop import World

__all__ = ["StudyResult", "TrainConfig", "read_config", "train", "tune"]

_log = logging.getLogger(__name__)


def train(
    config: str | os.PathLike[str] | Mapping[str, Any] | TrainConfig,
    *,
    output: str | os.PathLike[str] | None = None,
    restart: bool = False,
    regressor: LatentRegressor | type[LatentRegressor] | None = None,
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
    regressor : LatentRegressor or type, optional
        From parameters to latents, as an object (a copy is fitted) or a class, in place of ``latent.kind``. Unless an
        installed package names its class (:mod:`lcgen.plugins`), ``load_generator(model, regressors=[...])`` wants it.
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

    Notes
    -----
    Started by ``torchrun``, as in ``torchrun --nproc-per-node=2 -m lcgen train CONFIG``, the processes share each
    batch; the first one prepares the data, validates and writes. All must see the folder of the run.
    """
    settings = config if isinstance(config, TrainConfig) else read_config(config)
    run = Path(output or settings.output)
    from .loop import join_world

    if regressor is not None:
        regressor = checked_regressor(regressor, settings)

    with join_world(settings.training.device) as world:
        if world.first:
            claim(run, settings, restart)
        world.wait()
        return train_in(run, settings, world=world, regressor=regressor, progress=progress)


def checked_regressor(regressor: Any, settings: TrainConfig) -> LatentRegressor:
    """A regressor that was given to a training.

    Raises
    ------
    InputError
        If it is none.
    ConfigError
        If the training is to be refined, which wants the flow.
    """
    from ..errors import ConfigError
    from ..latent import as_regressor

    out = as_regressor(regressor)
    if settings.refine.epochs:
        raise ConfigError(f"refine.epochs needs latent.kind 'flow', and the {out.name} regressor was given besides")
    return out


def network_config(settings: TrainConfig) -> tuple[str, Any]:
    """Kind and configuration of the network; checks, before anything long begins, what TrainConfig itself does not.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    PluginError
        If the latent regressor is that of a plugin that cannot be used.
    """
    from ..config import from_mapping
    from ..errors import ConfigError, InputError
    from ..latent import make_regressor
    from ..latent.flow import FlowConfig
    from ..model.cvae import PeriodicConfig
    from ..model.published import PublishedConfig
    from ..plugins import warn_hidden

    options = dict(settings.model)
    kind = options.pop("kind", "periodic")
    network = from_mapping(PublishedConfig if kind == "published" else PeriodicConfig, options, where="model")
    latent = settings.latent
    if latent.kind == "flow":
        warn_hidden("lcgen.regressors", latent.kind)
        from_mapping(FlowConfig, latent.options, where="latent.options")
    else:
        try:
            make_regressor(latent.kind, **latent.options)
        except InputError as error:
            raise ConfigError(f"latent.options: {error}") from error
    return kind, network


def _as_text(settings: TrainConfig) -> str:
    return json.dumps(dataclasses.asdict(settings), indent=1, sort_keys=True)


def same_run(record: Path, settings: TrainConfig) -> bool:
    """Whether a stored configuration is this one; options that came later count with their defaults."""
    from ..errors import ConfigError

    try:
        return _as_text(read_config(json.loads(record.read_text()))) == _as_text(settings)
    except (ConfigError, ValueError):
        return False


def claim(run: Path, settings: TrainConfig, restart: bool) -> None:
    """Make a folder that of this run, or find that it is.

    Raises
    ------
    ConfigError
        If it holds a run of another configuration and is not to be restarted.
    """
    from ..assets import atomic_file
    from ..errors import ConfigError

    record = run / "run.json"
    if restart and record.is_file():
        for name in ("last.safetensors", "refine.safetensors", "log.csv", "loss.png"):
            (run / name).unlink(missing_ok=True)
        shutil.rmtree(run / "model", ignore_errors=True)
    elif record.is_file() and not same_run(record, settings):
        raise ConfigError(f"output: {run} holds a run of another configuration; name another folder, or restart it")
    run.mkdir(parents=True, exist_ok=True)
    with atomic_file(record) as temporary:
        temporary.write_text(_as_text(settings))


def train_in(
    run: Path,
    settings: TrainConfig,
    *,
    prepared: TrainingData | None = None,
    world: World | None = None,
    on_epoch: Callable[[dict[str, Any], Any], None] | None = None,
    regressor: LatentRegressor | None = None,
    progress: bool | None = None,
) -> Path:
    """Train a generator in a folder that exists.

    Parameters
    ----------
    run : Path
    settings : TrainConfig
    prepared : TrainingData, optional
        The data; where not given it is read and prepared.
    world : World, optional
        The processes that train together.
    on_epoch : callable, optional
        See :func:`lcgen.train.loop.fit_network`.
    regressor : LatentRegressor, optional
        As in :func:`train`.
    progress : bool, optional

    Returns
    -------
    Path
        Folder of the generator.
    """
    import torch

    from ..model.batches import CurveBatches
    from ..model.build import build_model
    from .card import write_card
    from .data import load_data, split_record
    from .finish import finish
    from .loop import World, choose_device, fit_network

    world = World() if world is None else world
    progress = progress if world.first else False
    kind, network = network_config(settings)
    device = choose_device(settings.training.device, world)
    if not world.first:  # the others read what the first process has prepared
        world.wait()
    data = load_data(settings, run, progress=progress) if prepared is None else prepared
    if world.first:
        world.wait()
    train_curves, validation = data.curves.take(data.split == 0), data.curves.take(data.split == 1)
    conditioner = conditioner_of(data, settings.data.secondary)

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
        world=world,
        on_epoch=on_epoch,
        progress=progress,
    )
    if not world.first:
        world.wait()
        return run / "model"
    config = dataclasses.asdict(settings)
    if regressor is not None:
        config["latent"] |= {"kind": regressor.name, "options": {}}
    info = {
        "config": config,
        "provenance": data.provenance,
        "split": {
            "seed": settings.data.split_seed,
            "fractions": list(settings.data.split),
            "n": [int((data.split == k).sum()) for k in range(3)],
        },
    }
    generator, report = finish(
        model,
        settings=settings,
        data=data,
        conditioner=conditioner,
        batches_of=batches_of,
        info=info,
        split=split_record(data),
        regressor=regressor,
        run=run,
        progress=progress,
    )
    folder = generator.save(run / "model", card=write_card(generator, report))
    _plot_loss(run)
    _log.info("wrote %s", folder)
    world.wait()
    return folder


def conditioner_of(data: TrainingData, secondary: tuple[str, ...] = ()) -> Conditioner:
    """What a network is told about a star, learnt from the training stars."""
    from ..prepare.conditioning import Conditioner

    curves = data.curves.take(data.split == 0)
    return Conditioner.fit(
        classes=data.curves.classes,
        bands=data.curves.bands,
        cls_index=curves.cls,
        params=curves.params,
        scale=curves.scale,
        survey=curves.survey,
        secondary=secondary,
    )


def _plot_loss(run: Path) -> None:
    from ..errors import MissingExtraError

    try:
        from ..plot import plot_loss

        plot_loss(run / "log.csv", run / "loss.png")
    except MissingExtraError as error:
        _log.warning("no plot of the loss: %s", error)
