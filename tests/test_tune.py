"""Hyperparameter search: resumable, on validation stars, with every wrong key named."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import lcgen
from lcgen import ConfigError, MissingExtraError
from lcgen.catalog import write_pack
from lcgen.evaluate.calibration import RankHistogram
from lcgen.evaluate.card import Comparison, GroupCard, ReportCard
from lcgen.evaluate.memory import Memorisation
from lcgen.evaluate.pairing import Group
from lcgen.evaluate.twosample import Estimate
from lcgen.model.build import build_model
from lcgen.model.published_config import PublishedConfig
from lcgen.train import conditioner_of, network_config, read_config, tune
from lcgen.train import loop as training_loop
from lcgen.train.data import load_data
from lcgen.train.tune_score import Yardstick, check_groups, judged_split, score_card
from lcgen.train.tune_space import SPACES, apply_choice, read_space, to_toml

ROOT = Path(__file__).resolve().parent.parent
SPACE: dict[str, Any] = {
    "training": {"learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True}},
    "model.decoder_channels": {"type": "choice", "values": [[8, 8, 8, 8, 8], [16, 8, 8, 8, 8]]},
    "latent.options.transforms": {"type": "int", "low": 1, "high": 2},
}


@pytest.fixture(scope="module")
def settings(data_dir: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> dict[str, Any]:
    """A training of a second on real eclipsing binaries, of which enough are in the validation set."""
    folder = tmp_path_factory.mktemp("eclipsing")
    curves = lcgen.read_pack(data_dir / "lightcurves" / "css_south_v.h5", with_period=True)
    stars = curves.take(np.flatnonzero(np.asarray(curves.columns["class"]) == "ECL")[:170])
    stars = stars.where(np.concatenate([np.arange(n) < 80 for n in np.diff(stars.offsets)]))
    write_pack(stars, folder / "css_v.h5", survey="CSS", band="V", citation="", time_standard="MJD")
    return {
        "name": "small",
        "data": {
            "folder": str(folder),
            "packs": [{"path": "css_v.h5", "survey": "CSS"}],
            "physical_parameters": False,
            "classes": ["ECL"],
            "split": [0.2, 0.65, 0.15],
        },
        "clean": {"CSS": {"clip_rounds": 1, "snr_min": 1.0}},
        "model": {"latent_dim": 2, "encoder_channels": [8, 8, 8, 8], "decoder_hidden": 16, "encoder_hidden": 16},
        "training": {
            **{"epochs": 2, "steps_per_epoch": 2, "batch_size": 8, "points": 32, "warmup_steps": 1},
            **{"beta": 1e-3, "average": 0.5, "active_variance": 1e-9},
        },
        "latent": {"options": {"epochs": 1, "hidden": [8]}},
        "population": {"source": "curves", "max_components": 1},
    }


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    return {"max_stars": 105, "n_draws": 2, "progress": False}


class _PowerCutError(Exception):
    """Stands for whatever ends a process."""


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "trials.csv", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def one_trial(settings: dict[str, Any], options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "study"
    result = tune(settings, SPACE, trials=1, output=folder, **options)
    assert [t.state for t in result.trials] == ["complete"]
    return folder


@pytest.fixture(scope="module")
def two_trials(
    one_trial: Path, settings: dict[str, Any], options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The study of one trial, gone on with."""
    folder = tmp_path_factory.mktemp("two") / "study"
    shutil.copytree(one_trial, folder)
    first = (folder / "trials.csv").read_text().splitlines()
    result = tune(settings, SPACE, trials=2, output=folder, **options)
    assert [t.state for t in result.trials] == ["complete"] * 2
    assert (folder / "trials.csv").read_text().splitlines()[:2] == first
    return folder


def test_a_study_that_was_cut_off_goes_on_as_if_nothing_had_happened(
    one_trial: Path,
    two_trials: Path,
    settings: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(one_trial, folder)
    save, saved = training_loop._Checkpoint.save, []

    def torn(*arguments: Any) -> None:
        if saved:
            raise _PowerCutError
        save(*arguments)
        saved.append(0)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop._Checkpoint, "save", torn)
        with pytest.raises(_PowerCutError):
            tune(settings, SPACE, trials=2, output=folder, **options)
    assert len(_rows(folder)) == 1
    resumed = tune(settings, SPACE, trials=2, output=folder, **options)
    whole = tune(settings, SPACE, trials=2, output=two_trials, **options)
    for a, b in zip(whole.trials, resumed.trials, strict=True):
        assert dataclasses.replace(a, seconds=0.0) == dataclasses.replace(b, seconds=0.0)
    assert whole.trials[0].choice != whole.trials[1].choice


def test_a_study_writes_what_it_says(two_trials: Path, settings: dict[str, Any], options: dict[str, Any]) -> None:
    result = tune(settings, SPACE, trials=2, output=two_trials, **options)  # nothing is left to do
    rows = _rows(two_trials)
    assert [float(r["objective"]) for r in rows] == pytest.approx([t.objective for t in result.trials], abs=1e-5)
    for row in rows:
        parts = [float(row[p]) for p in ("shape", "full", "calibration", "copies")]
        assert sum(parts) == pytest.approx(float(row["objective"]), abs=5e-5)
        assert float(row["seconds"]) > 0.0 and row["epochs"] == "2"
    assert len(list(two_trials.glob("prepared-*.npz"))) == 1
    assert not list(two_trials.glob("trials/*/prepared-*"))  # shared by all
    assert result.best is not None and result.best.objective == min(t.objective for t in result.trials)
    best = read_config(two_trials / "best.toml")
    assert best.training.learning_rate == result.best.choice["training.learning_rate"]
    assert best.model["decoder_channels"] == result.best.choice["model.decoder_channels"]
    options_ = {"epochs": 1, "hidden": [8], "transforms": result.best.choice["latent.options.transforms"]}
    assert best.latent.options == options_
    assert best.latent.table  # only the trials do without
    # an objective that anybody can measure again from the card of the trial
    card = json.loads((two_trials / "trials" / f"{result.best.index:04d}" / "card.json").read_text())
    judged = [g for g in card["groups"] if g["n"] > 100]
    assert np.mean([max(0.0, g["sources"]["model"]["shape"]["value"] - 0.5) for g in judged]) == pytest.approx(
        result.best.parts["shape"]
    )


def test_another_search_does_not_get_into_the_folder(
    two_trials: Path, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    before = (two_trials / "trials.csv").read_bytes()
    for changed, space, more, named in (
        (settings | {"seed": 2}, SPACE, {}, "config"),
        (settings, {k: SPACE[k] for k in list(SPACE)[:1]}, {}, "space"),
        (settings, SPACE, {"n_draws": 3}, "judge"),
    ):
        with pytest.raises(ConfigError, match=f"another {named}"):
            tune(changed, space, trials=3, output=two_trials, **options | more)
    assert (two_trials / "trials.csv").read_bytes() == before


def test_trials_are_judged_on_validation_stars(settings: dict[str, Any], tmp_path: Path) -> None:
    data = load_data(read_config(settings), tmp_path, progress=False)
    judged = judged_split(data)
    np.testing.assert_array_equal(judged == 2, data.split == 1)
    np.testing.assert_array_equal(judged == 0, data.split == 0)
    # curves made of Fourier terms are no measurements
    curves = dataclasses.replace(data.curves, n_harmonics=np.full(len(data.curves), 4))
    assert not (judged_split(dataclasses.replace(data, curves=curves)) == 2).any()
    with pytest.raises(ConfigError, match="more than 100 validation stars"):
        check_groups(dataclasses.replace(data, split=np.zeros_like(data.split)))


def _group(n: int, *, shape: float, full: float, ks: list[float], copies: float | None) -> GroupCard:
    def auc(value: float) -> Estimate:
        return Estimate(value=value, error=0.01, n=n)

    memory = None if copies is None else Memorisation(copy_rate=copies, threshold=0.5, nearest_ratio=1.0, n=n)
    floor = Comparison(shape=auc(0.9), full=auc(0.9), wasserstein={}, memory=None)
    own = Comparison(shape=auc(shape), full=auc(full), wasserstein={}, memory=memory)
    ranks = [RankHistogram(counts=(n,), ks=k, bias=0.0, spread=1.0, n=n) for k in ks]
    return GroupCard(
        group=Group(cls="CEP", survey="S", band="I", subclass=""),
        n=n,
        sources={"model": own, "own denoised curve": floor},
        halves_shape=auc(0.5),
        halves_full=auc(0.5),
        real_memory=None,
        calibration=dict(zip(("log_amplitude", "R21", "phi21"), ranks, strict=True)),
    )


def _card(*groups: GroupCard) -> ReportCard:
    return ReportCard(info={}, groups=groups, classification=(), relations=(), bump={}, reconstruction=[], active={})


def test_the_objective_is_the_documented_one() -> None:
    one = _group(101, shape=0.56, full=0.45, ks=[0.1, 0.2, 0.3], copies=0.25)
    two = _group(500, shape=0.50, full=0.70, ks=[0.0, 0.0, 0.0], copies=0.05)
    small = _group(100, shape=1.0, full=1.0, ks=[1.0, 1.0, 1.0], copies=1.0)
    score = score_card(_card(one, two, small))
    assert score.n_groups == 2
    assert score.shape == pytest.approx(0.03)
    assert score.full == pytest.approx(0.10)
    assert score.calibration == pytest.approx(0.10)
    assert score.copies == pytest.approx(0.075)
    assert score.objective == pytest.approx(0.305)
    assert score_card(_card(_group(200, shape=0.4, full=0.4, ks=[0, 0, 0], copies=None))).objective == 0.0
    with pytest.raises(ConfigError, match="100 stars"):
        score_card(_card(small))


def test_the_yardstick_does_not_depend_on_what_is_varied(settings: dict[str, Any], tmp_path: Path) -> None:
    """One network, told that its loss has another weight and floor: the same length."""
    import torch

    base = read_config(settings)
    data = load_data(base, tmp_path, progress=False)
    yardstick = Yardstick(base, data, seed=1)
    conditioner = conditioner_of(data)
    lengths = []
    for floor in (0.01, 0.3):
        _, network = network_config(apply_choice(base, {"model.noise_floor": floor}))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            model = build_model("periodic", network, conditioner)
        lengths.append(yardstick.measure(model, fill=False))
        assert model.training
    assert lengths[0] == lengths[1] > 0.0


# ---------------------------------------------------------------------- trials that come to nothing
def test_hopeless_and_broken_trials_do_not_end_the_search(
    one_trial: Path,
    settings: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(one_trial, tmp_path / "study")
    validate = training_loop._validate

    def diverged(*arguments: Any) -> Any:
        return (math.nan, *validate(*arguments)[1:])

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "_validate", diverged)
        result = tune(settings, SPACE, trials=2, output=tmp_path / "study", **options)
    assert result.trials[1].state == "failed" and "diverged" in result.trials[1].error
    assert result.best is not None and result.best.index == 0
    with monkeypatch.context() as patch:  # worse than all before it
        patch.setattr(Yardstick, "measure", lambda *_, **__: 1e9)
        median = optuna.pruners.MedianPruner
        patch.setattr(optuna.pruners, "MedianPruner", lambda **_: median(n_startup_trials=1, n_warmup_steps=0))
        result = tune(settings, SPACE, trials=3, output=tmp_path / "study", **options)
    assert [t.state for t in result.trials] == ["complete", "failed", "pruned"]
    assert result.trials[2].epochs == 1
    states = [row["state"] for row in _rows(tmp_path / "study")]
    assert states == [t.state for t in result.trials]


# ---------------------------------------------------------------------- search spaces
FLOAT = {"type": "float", "low": 0.1, "high": 0.9}
BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "empty"),
    ({"training.learning_rat": FLOAT}, r"training\.learning_rat'.*did you mean 'learning_rate'"),
    ({"training": {"learning_rat": FLOAT}}, r"training\.learning_rat"),
    ({"model.latent_dims": {"type": "int", "low": 2, "high": 4}}, r"model\.latent_dims"),
    ({"latent.options.depth": {"type": "int", "low": 2, "high": 4}}, r"latent\.options\.depth"),
    ({"modell.latent_dim": {"type": "int", "low": 2, "high": 4}}, "may not be varied"),
    ({"data.max_stars": {"type": "int", "low": 2, "high": 4}}, "may not be varied"),
    ({"seed": {"type": "int", "low": 2, "high": 4}}, "may not be varied"),
    ({"training.balance": {"type": "float", "low": 0.1, "high": 1.5}}, r"training\.balance"),
    ({"training.balance": {"type": "normal", "low": 0.1, "high": 0.5}}, r"training\.balance.*'normal'"),
    ({"training.balance": {"type": "float", "low": 0.5}}, r"training\.balance: low and high"),
    ({"training.balance": {"type": "float", "low": 0.5, "high": 0.1}}, r"training\.balance: low must be less"),
    ({"training.balance": {"type": "float", "low": 0.0, "high": 0.1, "log": True}}, "above 0"),
    ({"training.balance": {"type": "float", "low": 0.0, "high": 0.1, "step": 0.1}}, r"training\.balance\.step"),
    ({"training.balance": {"type": "choice"}}, r"training\.balance: a choice needs values"),
    ({"training.balance": {"type": "choice", "values": [0.1, "x"]}}, r"training\.balance"),
    ({"training.balance": {"type": "choice", "values": [0.1], "low": 0.1}}, "takes values"),
    ({"training.balance": FLOAT | {"values": [0.1]}}, "not values"),
    ({"model.latent_dim": {"type": "int", "low": 2.5, "high": 4}}, "whole limits"),
    ({"model.kernel": {"type": "int", "low": 3, "high": 6}}, r"model\.kernel"),
    ({"training.balance": 0.5}, r"training\.balance must be a table"),
    ({"training": {}}, "training must be a table"),
]


@pytest.mark.parametrize(("space", "named"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_bad_search_space_names_the_key(
    space: dict[str, Any], named: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=named):
        tune(settings, space, trials=1, output=tmp_path / "study", progress=False)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("name", list(SPACES))
def test_the_spaces_that_come_along_fit_the_configurations(name: str) -> None:
    base = read_config(ROOT / "configs" / "periodic-vi.toml")
    space = read_space(name, base)
    assert len(space) > 10
    for pick in (0, -1):
        chosen = apply_choice(base, {key: d.samples[pick] for key, d in space.items()})
        kind, network = network_config(chosen)
        assert kind == ("published" if name == "published" else "periodic")
        assert network.latent_dim == space["model.latent_dim"].samples[pick]
    # a file of one's own is read in the same way
    assert read_space(ROOT / "configs" / SPACES[name], base) == space


def test_the_published_space_holds_the_published_best() -> None:
    space = read_space("published", read_config(ROOT / "configs" / "tiny.toml"))
    best = dataclasses.asdict(PublishedConfig())
    for key, dimension in space.items():
        table, _, name = key.partition(".")
        if table == "model" and name not in ("kind",):
            assert best[name] in dimension.samples, key


@pytest.mark.parametrize("path", ["periodic-vi.toml", "tiny.toml"])
def test_a_configuration_survives_toml(path: str, tmp_path: Path) -> None:
    settings = read_config(ROOT / "configs" / path)
    (tmp_path / "copy.toml").write_text(to_toml(settings))
    # lists of the model's free options are lists again, tuples elsewhere are tuples
    assert read_config(tmp_path / "copy.toml") == settings


def test_without_the_extra_it_says_what_to_install(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"lcgen\[tune\]"):
        tune(settings, SPACE, trials=1, output=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_search_is_one_process(settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        tune(settings, SPACE, trials=1, output=tmp_path / "study")
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(ConfigError, match="at least 1, received 0"):
        tune(settings, SPACE, trials=0, output=tmp_path / "study")
    assert not (tmp_path / "study").exists()


# ---------------------------------------------------------------------- the command
def test_the_command(
    two_trials: Path, settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lcgen.cli.main import build_parser, main

    config = tmp_path / "config.toml"
    config.write_text(to_toml(read_config(settings)))
    space = tmp_path / "space.toml"
    space.write_text('training.learning_rat = { type = "float", low = 1e-3, high = 1e-2 }\n')
    common = ["--trials", "1", "--output", str(tmp_path / "study")]
    assert main(["tune", str(config), str(space), *common]) == 2
    assert "learning_rat" in capsys.readouterr().err
    assert main(["tune", str(config), *common]) == 2
    assert main(["tune", str(config), str(space), "--space", "ours", *common]) == 2
    assert "search space" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
    # too long to run, but every word of the example is understood
    assert main(["tune", "--help"]) == 0
    words = capsys.readouterr().out.partition("example:")[2].split()
    assert words[0] == "lcgen" and (ROOT / words[2]).is_file()
    assert build_parser().parse_args(words[1:]).trials > 1
