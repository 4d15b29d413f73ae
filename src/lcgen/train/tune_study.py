"""Hyperparameter search: a study of many trainings, resumable, judged by the report card."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, LcgenError, MissingExtraError
from .config import TrainConfig, read_config
from .tune_space import Dimension, apply_choice, read_space, to_toml

if TYPE_CHECKING:
    from .data import TrainingData
    from .tune_score import Yardstick

__all__ = ["StudyResult", "TrialRecord", "tune"]

_log = logging.getLogger(__name__)
_PARTS = ("shape", "full", "calibration", "copies")


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial.

    Attributes
    ----------
    index : int
        From 0; the folder of the trial is called by it.
    state : {"complete", "pruned", "failed"}
        Trained and judged; given up early; or without a usable model, as when the posterior collapsed.
    objective : float
        See :func:`lcgen.train.tune_score.score_card`; NaN where it was not judged.
    parts : mapping of str to float
        The terms of the objective.
    epochs : int
        That were trained.
    seconds : float
        What it took, without what an interruption lost.
    choice : mapping
        Values by dotted key.
    error : str
        Why it failed.
    """

    index: int
    state: str
    objective: float
    parts: Mapping[str, float]
    epochs: int
    seconds: float
    choice: Mapping[str, Any]
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """A study.

    Attributes
    ----------
    folder : Path
        With ``study.db``, ``trials.csv``, ``best.toml`` and a folder a trial.
    trials : tuple of TrialRecord
        In order.
    best : TrialRecord or None
        Of the least objective; None where no trial could be judged.
    """

    folder: Path
    trials: tuple[TrialRecord, ...]
    best: TrialRecord | None


def tune(
    config: str | os.PathLike[str] | Mapping[str, Any] | TrainConfig,
    space: str | os.PathLike[str] | Mapping[str, Any],
    *,
    trials: int,
    output: str | os.PathLike[str],
    seed: int = 1,
    prune: bool = True,
    max_stars: int = 700,
    n_draws: int = 24,
    progress: bool | None = None,
) -> StudyResult:
    """Search for better hyperparameters, by training again and again.

    Each trial trains a generator with other values of the keys in `space` and judges it on the validation stars by
    :func:`lcgen.evaluate.quick_card`; test stars are left alone. The objective, to be minimised, is that of
    :func:`lcgen.train.tune_score.score_card`: over the groups with more than 100 stars the mean of

    ``max(0, shape AUC - 0.5) + max(0, full AUC - 0.5) + KS of the rank histograms + max(0, copy rate - 0.10)``.

    Values are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011, NIPS 24) with a seed a trial. A
    trial whose validation loss, after the KL warm-up, is worse than the median of the trials before it is given up;
    the loss is measured for all trials by the same :class:`~lcgen.train.tune_score.Yardstick`.

    Parameters
    ----------
    config : path, mapping or TrainConfig
        What is varied.
    space : path, mapping or {"published", "ours"}
        See :func:`lcgen.train.tune_space.read_space`.
    trials : int
        Number of all trials of the study, with those that the folder already holds.
    output : path-like
        Folder of the study. A study that was cut off goes on: the trial in work is proposed again, with the same
        values, and continues from its last epoch. One process at a time.
    seed : int
        Of the proposals, and of the stars that trials are judged on.
    prune : bool
        Give hopeless trials up.
    max_stars : int
        Most stars of a class, survey and band that a trial is judged on.
    n_draws : int
        Generated stars a real one is ranked among.
    progress : bool, optional
        Show progress bars; by default where stderr is a terminal.

    Returns
    -------
    StudyResult

    Raises
    ------
    MissingExtraError
        If optuna or tomli-w is not installed.
    ConfigError
        If a key is wrong, or the folder holds a study of another configuration or search space.

    Examples
    --------
    >>> from lcgen.train import tune
    >>> result = tune("configs/periodic-vi.toml", "ours", trials=50, output="runs/study")  # doctest: +SKIP
    >>> print(result.best.objective)  # doctest: +SKIP
    """
    from ..rng import check_seed

    base = config if isinstance(config, TrainConfig) else read_config(config)
    dimensions = read_space(space, base)
    if trials < 1:
        raise ConfigError(f"trials must be at least 1, received {trials}")
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        raise ConfigError("a search runs in one process; start it without torchrun")
    folder = Path(output)
    search = _Search(
        base=base,
        space=dimensions,
        folder=folder,
        seed=check_seed(seed),
        prune=prune,
        max_stars=max_stars,
        n_draws=n_draws,
        progress=progress,
    )
    with _quiet(_optuna()):
        return search.run(trials)


def _optuna() -> Any:
    try:
        import optuna
        import tomli_w  # noqa: F401 - missed at the end of the first trial otherwise
    except ImportError as error:
        raise MissingExtraError(str(error.name or "optuna"), "tune", "a hyperparameter search") from error
    return optuna


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna reports every trial on the standard error; lcgen does so through its own log."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@dataclass(frozen=True, kw_only=True)
class _Search:
    base: TrainConfig
    space: dict[str, Dimension]
    folder: Path
    seed: int
    prune: bool
    max_stars: int
    n_draws: int
    progress: bool | None

    def run(self, trials: int) -> StudyResult:
        from .data import load_data
        from .tune_score import Yardstick, check_groups

        self.base.data.root()  # before a folder is made
        self.folder.mkdir(parents=True, exist_ok=True)
        study = self._open()
        earlier = self._cut_off(study)
        if len(self._records(study)) < trials:
            data = load_data(self.base, self.folder, progress=self.progress)
            check_groups(data)
            yardstick = Yardstick(self.base, data, seed=self.seed)
            while (index := len(self._records(study))) < trials:
                self._trial(study, index, data, yardstick, earlier.get(index, {}))
                self._write(study)
        self._write(study)
        records = self._records(study)
        return StudyResult(folder=self.folder, trials=tuple(records), best=_best(records))

    # ------------------------------------------------------------------ the study on disk
    def _open(self) -> Any:
        optuna = _optuna()
        study = optuna.create_study(
            study_name="lcgen",
            storage=f"sqlite:///{self.folder / 'study.db'}",
            direction="minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=self._warm_up())
            if self.prune
            else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        identity = {
            "config": dataclasses.asdict(self.base),
            "space": {k: dataclasses.asdict(d) for k, d in self.space.items()},
            "judge": [self.seed, self.prune, self.max_stars, self.n_draws],
        }
        known = study.user_attrs.get("identity")
        if known is None:
            study.set_user_attr("identity", json.dumps(identity))
            return study
        stored = json.loads(known)
        with contextlib.suppress(ConfigError):  # options that came later count with their defaults
            stored["config"] = dataclasses.asdict(read_config(stored["config"]))
        # the order of the space counts: random numbers are used up in it
        texts = [{k: json.dumps(v, sort_keys=k != "space") for k, v in known.items()} for known in (identity, stored)]
        changed = [k for k, text in texts[0].items() if text != texts[1][k]]
        if changed:
            raise ConfigError(
                f"output: {self.folder} holds a study with another {' and '.join(changed)}; name another folder"
            )
        return study

    def _warm_up(self) -> int:
        """Epochs until the KL warm-up of every trial is over: before, their losses cannot be compared."""

        def largest(key: str, value: float) -> float:
            dimension = self.space.get(key)
            return float(max(dimension.samples)) if dimension is not None else value

        training = self.base.training
        return math.ceil(
            largest("training.kl_warmup", training.kl_warmup) * largest("training.epochs", training.epochs)
        )

    def _cut_off(self, study: Any) -> dict[int, dict[int, float]]:
        """Close the trials that a dead process left open; what they had reported, by index and epoch."""
        state = _optuna().trial.TrialState
        reported: dict[int, dict[int, float]] = {}
        for trial in study.get_trials(deepcopy=False):
            if trial.state == state.RUNNING:
                study.tell(trial.number, state=state.FAIL)
            if trial.state in (state.RUNNING, state.FAIL) and "error" not in trial.user_attrs:
                index = trial.user_attrs.get("index", -1)
                reported.setdefault(index, {}).update(trial.intermediate_values)
        return reported

    def _records(self, study: Any) -> list[TrialRecord]:
        """Trials that came to an end; those that were cut off do not count, for they are repeated."""
        records = []
        for trial in study.get_trials(deepcopy=False):
            notes, state = trial.user_attrs, trial.state.name
            if state not in ("COMPLETE", "PRUNED") and not (state == "FAIL" and "error" in notes):
                continue
            records.append(
                TrialRecord(
                    index=len(records),
                    state={"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[state],
                    objective=float(trial.value) if state == "COMPLETE" else math.nan,
                    parts={name: float(notes[name]) for name in _PARTS if name in notes},
                    epochs=len(trial.intermediate_values),
                    seconds=float(notes.get("seconds", math.nan)),
                    choice={k: self.space[k].decode(v) for k, v in trial.params.items()},
                    error=str(notes.get("error", "")),
                )
            )
        return records

    def _write(self, study: Any) -> None:
        from ..assets import atomic_file

        records = self._records(study)
        with atomic_file(self.folder / "trials.csv") as temporary, open(temporary, "w", newline="") as stream_:
            writer = csv.writer(stream_)
            writer.writerow(["trial", "state", "objective", *_PARTS, "epochs", "seconds", *self.space, "error"])
            for r in records:
                numbers = [r.objective, *(r.parts.get(name, math.nan) for name in _PARTS)]
                writer.writerow(
                    [
                        *(r.index, r.state),
                        *("" if math.isnan(v) else f"{v:.5f}" for v in numbers),
                        *(r.epochs, f"{r.seconds:.1f}"),
                        *(r.choice.get(key, "") for key in self.space),
                        r.error,
                    ]
                )
        best = _best(records)
        if best is not None:
            settings = dataclasses.replace(
                apply_choice(self.base, best.choice), name=f"{self.base.name}-best", output=str(self.folder / "best")
            )
            head = f"# Trial {best.index} of {len(records)}, objective {best.objective:.4f} on validation stars.\n"
            with atomic_file(self.folder / "best.toml") as temporary:
                temporary.write_text(head + to_toml(settings), encoding="utf-8")

    # ------------------------------------------------------------------ one trial
    def _trial(
        self, study: Any, index: int, data: TrainingData, yardstick: Yardstick, reported: Mapping[int, float]
    ) -> None:
        from ..rng import stream
        from . import claim, same_run

        optuna = _optuna()
        # a seed a trial: a study that goes on proposes what it would have proposed
        study.sampler = optuna.samplers.TPESampler(seed=int(stream(self.seed, "tune/propose", index).integers(2**31)))
        trial = study.ask()
        trial.set_user_attr("index", index)
        choice = {key: dimension.suggest(trial, key) for key, dimension in self.space.items()}
        for epoch, value in sorted(reported.items()):
            trial.report(value, epoch)
        _log.info("trial %d: %s", index, choice)
        run = self.folder / "trials" / f"{index:04d}"
        settings = dataclasses.replace(
            apply_choice(self.base, choice), name=f"{self.base.name}-{index}", output=str(run)
        )
        settings = dataclasses.replace(settings, latent=dataclasses.replace(settings.latent, table=False))
        fill, seen, started = settings.model.get("kind") == "published", set(reported), time.monotonic()

        def on_epoch(row: Mapping[str, Any], model: Any) -> None:
            if row["epoch"] not in seen:
                trial.report(yardstick.measure(model, fill=fill), row["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            record = run / "run.json"
            claim(run, settings, restart=record.is_file() and not same_run(record, settings))
            score = self._judge(run, settings, data, on_epoch)
        except optuna.TrialPruned:
            self._close(study, trial, "PRUNED", started)
        except LcgenError as error:
            _log.warning("trial %d failed: %s", index, error)
            trial.set_user_attr("error", str(error))
            self._close(study, trial, "FAIL", started)
        else:
            for name in _PARTS:
                trial.set_user_attr(name, getattr(score, name))
            self._close(study, trial, "COMPLETE", started, score.objective)
            _log.info("trial %d: objective %.4f", index, score.objective)

    def _close(self, study: Any, trial: Any, state: str, started: float, value: float | None = None) -> None:
        trial.set_user_attr("seconds", time.monotonic() - started)
        study.tell(trial, value, state=_optuna().trial.TrialState[state])

    def _judge(self, run: Path, settings: TrainConfig, data: TrainingData, on_epoch: Any) -> Any:
        from ..evaluate import quick_card
        from ..generator import load_generator
        from . import train_in
        from .tune_score import judged_split, score_card

        model = train_in(run, settings, prepared=data, on_epoch=on_epoch, progress=self.progress)
        card = quick_card(
            load_generator(model),
            data.curves,
            judged_split(data),
            root=settings.data.root(),
            seed=self.seed,
            max_stars=self.max_stars,
            n_draws=self.n_draws,
            progress=self.progress,
        )
        card.to_json(run / "card.json")
        return score_card(card)


def _best(records: list[TrialRecord]) -> TrialRecord | None:
    complete = [r for r in records if r.state == "complete"]
    return min(complete, key=lambda r: r.objective) if complete else None
