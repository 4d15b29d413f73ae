"""Training: from a configuration to a generator, resumed bit for bit, with every wrong key named."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import lcgen
from lcgen import ConfigError, LcgenError
from lcgen.catalog import write_pack, write_periods
from lcgen.prepare.split import split_by_star
from lcgen.taxonomy import PHYSICAL
from lcgen.train import loop as training_loop
from lcgen.train import read_config, train
from lcgen.train.data import TrainingData, load_data

ROOT = Path(__file__).resolve().parent.parent
TIMES = np.linspace(60000.0, 60030.0, 11)

Settings = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def undisturbed(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training that nothing interrupted."""
    run = tmp_path_factory.mktemp("undisturbed")
    train(small_settings(), output=run, progress=False)
    return run


def _log(run: Path) -> list[dict[str, str]]:
    with open(run / "log.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def _assert_same_model(one: Path, two: Path) -> None:
    a, b = (load_file(run / "model" / "weights.safetensors") for run in (one, two))
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name
    assert _log(one) == _log(two)


class _PowerCutError(Exception):
    """Stands for whatever ends a process."""


# ---------------------------------------------------------------------- what a run leaves behind
def test_a_run_writes_what_it_says(undisturbed: Path) -> None:
    assert {"run.json", "log.csv", "last.safetensors", "model"} <= {p.name for p in undisturbed.iterdir()}
    assert {p.name for p in (undisturbed / "model").iterdir()} == {"config.json", "weights.safetensors", "card.md"}
    rows = _log(undisturbed)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert all(np.isfinite(float(v)) for row in rows for v in row.values())
    assert float(rows[-1]["learning_rate"]) < float(rows[0]["learning_rate"])
    card = (undisturbed / "model" / "card.md").read_text()
    for word in ("RRLYR", "CEP", "small"):
        assert word in card
    config = json.loads((undisturbed / "model" / "config.json").read_text())
    assert config["info"]["config"]["training"]["epochs"] == 3
    assert sum(config["info"]["split"]["n"]) > 50
    assert not list(undisturbed.glob(".*"))  # no temporary file is left


def test_the_split_is_stored_with_the_model(undisturbed: Path, small_packs: Path) -> None:
    gen = lcgen.load_generator(undisturbed / "model")
    ids, classes = [], []
    for pack in ("css_v.h5", "ogle_i.h5", "ogle_v.h5"):
        curves = lcgen.read_pack(small_packs / pack)
        ids.append(curves.columns["id"])
        classes.append(curves.columns["class"])
    ids, classes = np.concatenate(ids), np.concatenate(classes)
    stored = gen.split_of(ids)
    used = stored != ""
    assert used.mean() > 0.7
    # the same stars through the public function; those that were dropped in preparation do not count
    expected = np.array(["train", "validation", "test"])[split_by_star(ids[used], classes[used], seed=1)]
    np.testing.assert_array_equal(stored[used], expected)
    assert gen.split_of(["nobody"]).tolist() == [""]


def test_training_is_reproducible(undisturbed: Path, small_settings: Settings, tmp_path: Path) -> None:
    train(small_settings(), output=tmp_path / "again", progress=False)
    _assert_same_model(undisturbed, tmp_path / "again")


def test_another_seed_is_another_model(undisturbed: Path, small_settings: Settings, tmp_path: Path) -> None:
    train(small_settings(seed=2), output=tmp_path / "other", progress=False)
    a, b = (load_file(run / "model" / "weights.safetensors") for run in (undisturbed, tmp_path / "other"))
    assert any(not np.array_equal(a[k], b[k]) for k in a if k.startswith("model.") and a[k].shape == b[k].shape)
    # but the split belongs to its own seed
    np.testing.assert_array_equal(a["split.set"], b["split.set"])


# ---------------------------------------------------------------------- resuming
@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupted_run_goes_on_bit_for_bit(
    undisturbed: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    validate, calls = training_loop._validate, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) > epoch:
            raise _PowerCutError
        return validate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "_validate", interrupted)
        with pytest.raises(_PowerCutError):
            train(small_settings(), output=tmp_path, progress=False)
    assert len(_log(tmp_path)) == epoch
    assert not (tmp_path / "model").exists()
    train(small_settings(), output=tmp_path, progress=False)
    _assert_same_model(undisturbed, tmp_path)


@pytest.mark.parametrize("write", range(2, 7))
def test_a_run_killed_between_two_files_goes_on_bit_for_bit(
    undisturbed: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """Some of the files of an epoch are on disk, the others are those of the epoch before."""
    from lcgen.assets import atomic_file

    written: list[Path] = []

    def torn(path: Path) -> Any:
        written.append(path)
        if len(written) == write:
            raise _PowerCutError
        return atomic_file(path)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "atomic_file", torn)
        with pytest.raises(_PowerCutError):
            train(small_settings(), output=tmp_path, progress=False)
    train(small_settings(), output=tmp_path, progress=False)
    _assert_same_model(undisturbed, tmp_path)


def test_a_finished_run_can_be_repeated(undisturbed: Path, small_settings: Settings, tmp_path: Path) -> None:
    """Trained already: only the rest is done again, with the same result."""
    train(small_settings(), output=tmp_path, progress=False)
    stamp = (tmp_path / "last.safetensors").stat().st_mtime_ns
    train(small_settings(), output=tmp_path, progress=False)
    assert (tmp_path / "last.safetensors").stat().st_mtime_ns == stamp
    _assert_same_model(undisturbed, tmp_path)


def test_a_folder_of_another_run_is_refused_or_restarted(
    undisturbed: Path, small_settings: Settings, tmp_path: Path
) -> None:
    short = small_settings()
    short["training"] = short["training"] | {"epochs": 1}
    train(short, output=tmp_path, progress=False)
    with pytest.raises(ConfigError, match="run of another configuration"):
        train(small_settings(), output=tmp_path, progress=False)
    assert len(_log(tmp_path)) == 1  # nothing was touched
    train(small_settings(), output=tmp_path, restart=True, progress=False)
    _assert_same_model(undisturbed, tmp_path)


def test_a_damaged_checkpoint_is_named(undisturbed: Path, small_settings: Settings, tmp_path: Path) -> None:
    names = [p.name for p in undisturbed.glob("last.*")]
    assert names
    for name in names:
        run = tmp_path / name
        shutil.copytree(undisturbed, run)
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(LcgenError, match=name.replace(".", r"\.")):
            train(small_settings(), output=run, progress=False)


def test_early_stopping_keeps_the_best(small_settings: Settings, tmp_path: Path) -> None:
    settings = small_settings()
    settings["training"] = settings["training"] | {
        **{"epochs": 30, "steps_per_epoch": 1, "patience": 2, "learning_rate": 0.05, "kl_warmup": 0.0},
        **{"warmup_steps": 0, "average": 0.0},
    }
    train(settings, output=tmp_path, progress=False)
    losses = [float(row["validation_loss"]) for row in _log(tmp_path)]
    assert 3 <= len(losses) < 30
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2


# ---------------------------------------------------------------------- every network and regression
NETWORKS: dict[str, dict[str, Any]] = {
    "tcn-1": {"architecture": "tcn", "layers": 1, "kernel": 3, "channels": 4, "latent_dim": 2},
    "tcn-2": {"architecture": "tcn", "layers": 2, "kernel": 3, "channels": 6, "latent_dim": 3, "n_physical": 3},
    "gru-1": {"architecture": "gru", "layers": 1, "channels": 6, "latent_dim": 2},
    "gru-2": {"architecture": "gru", "layers": 2, "channels": 5, "latent_dim": 2, "n_physical": 3},
    "lstm-1": {"architecture": "lstm", "layers": 1, "channels": 6, "latent_dim": 2},
    "lstm-2": {"architecture": "lstm", "layers": 2, "channels": 5, "latent_dim": 2},
}


def _check_generator(gen: lcgen.LightCurveGenerator) -> None:
    classes = np.resize(gen.classes, 16)
    stars = gen.draw(classes, seed=1)
    curve = gen.sample("RRLYR", {"period": 0.5}, TIMES, seed=1)
    assert np.isfinite(curve.mag).all()
    period = stars.columns["period"][:, None]
    times = np.tile(TIMES, (16, 1))
    first = stars.observe(list(times)).mag
    np.testing.assert_allclose(stars.observe(list(times + 500 * period)).mag, first, rtol=0, atol=1e-6)
    few = stars.observe(TIMES[::3]).mag.reshape(16, -1)
    np.testing.assert_allclose(few, first.reshape(16, -1)[:, ::3], rtol=0, atol=1e-6)
    assert gen.draw(classes[5:9], seed=1, first_id=5).template().tobytes() == stars.template()[5:9].tobytes()
    assert (stars.columns["amplitude"] > 0).all()


@pytest.mark.parametrize("network", list(NETWORKS))
def test_the_published_networks_train_and_generate(network: str, small_settings: Settings, tmp_path: Path) -> None:
    settings = small_settings(model={"kind": "published"} | NETWORKS[network])
    settings["training"] = settings["training"] | {"epochs": 1, "steps_per_epoch": 3, "points": 24}
    settings["augment"] = {"phase_shift": 0.5, "undersample": 0.7, "resample": True}
    gen = lcgen.load_generator(train(settings, output=tmp_path, progress=False))
    assert gen.kind == "published"
    _check_generator(gen)


@pytest.mark.parametrize("kind", ["linear", "forest", "mlp"])
def test_the_published_regressions_can_be_chosen(
    kind: str, undisturbed: Path, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(latent={"kind": kind, "table": False})
    gen = lcgen.load_generator(train(settings, output=tmp_path, progress=False))
    assert gen.regressor.name == kind
    _check_generator(gen)
    # the network is the same, only what draws its latent vectors differs
    flow = lcgen.load_generator(undisturbed / "model")
    for a, b in zip(gen.model.parameters(), flow.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert gen.draw("CEP", 4, seed=1).template().tobytes() != flow.draw("CEP", 4, seed=1).template().tobytes()


def test_the_table_of_regressions_is_in_the_card(small_settings: Settings, tmp_path: Path) -> None:
    settings = small_settings(latent={"options": {"epochs": 1, "hidden": [8], "transforms": 1}, "table": True})
    settings["training"] = settings["training"] | {"epochs": 1}
    card = (train(settings, output=tmp_path, progress=False) / "card.md").read_text()
    for word in ("linear", "forest", "mlp"):
        assert word in card


# ---------------------------------------------------------------------- bad configurations
def _changed(settings: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    settings = copy.deepcopy(settings)
    *tables, key = path.split(".")
    at = settings
    for table in tables:
        at = at.setdefault(table, {})
    at[key] = value
    return settings


BAD: list[tuple[str, Any, str]] = [
    ("nam", "x", "nam"),
    ("name", 3, "name"),
    ("seed", "one", "seed"),
    ("seed", -1, "seed"),
    ("data", 3, "data"),
    ("data.packs", [], "data.packs"),
    ("data.packs", [{"path": "css_v.h5"}], r"data\.packs\[0\]\.survey"),
    ("data.packs", [{"path": "css_v.h5", "survey": "CSS", "x": 1}], r"data\.packs\[0\]\.x"),
    ("data.packs", [{"path": "no-such.h5", "survey": s} for s in ("CSS", "OGLE-III")], "no-such.h5"),
    ("data.folder", "/no/such/folder", r"data\.folder"),
    ("data.bands", ["V", "Q"], r"data\.bands"),
    ("data.bands", [], r"data\.bands"),
    ("data.classes", ["RRLYRAE"], r"data\.classes"),
    ("data.classes", "RRLYR", r"data\.classes"),
    ("data.max_stars", -1, r"data\.max_stars"),
    ("data.max_stars", 1.5, r"data\.max_stars"),
    ("data.split", [0.6, 0.6, 0.2], r"data\.split"),
    ("data.split", [0.5, 0.5], r"data\.split"),
    ("data.split_seed", "a", r"data\.split_seed"),
    ("clean.CSS.snr", 3, r"clean\.CSS\.snr"),
    ("clean.CSS.clip_about", "phase", "clip_about"),
    ("clean.CSSS", {"snr_min": 1.0}, r"clean\.CSSS"),
    ("model.kind", "transformer", r"model\.kind"),
    ("model.latent_dim", 0, r"model\.latent_dim"),
    ("model.latent_dims", 4, r"model\.latent_dims"),
    ("model.kernel", 4, r"model\.kernel"),
    ("model.decoder_channels", [8, 8], r"model\.decoder_channels"),
    ("model.noise_floor", -1.0, r"model\.noise_floor"),
    ("model.huber", 0.0, r"model\.huber"),
    ("training.epochs", 0, r"training\.epochs"),
    ("training.epoch", 3, r"training\.epoch"),
    ("training.batch_size", 0, r"training\.batch_size"),
    ("training.learning_rate", 0.0, "learning_rate"),
    ("training.learning_rate", float("nan"), "learning_rate"),
    ("training.beta", -0.1, "beta"),
    ("training.kl_warmup", 1.5, r"training\.kl_warmup"),
    ("training.balance", -0.5, r"training\.balance"),
    ("training.average", 1.0, "average"),
    ("training.patience", 0, r"training\.patience"),
    ("training.warmup_steps", -1, r"training\.warmup_steps"),
    ("training.clip", 0.0, r"training\.clip"),
    ("training.device", "gpu", r"training\.device"),
    ("augment.undersample", 0.0, r"augment\.undersample"),
    ("augment.phaseshift", 0.1, r"augment\.phaseshift"),
    ("latent.kind", "oracle", r"latent\.kind"),
    ("latent.options.epoch", 3, r"latent\.options\.epoch"),
    ("latent.options.transforms", 0, "transforms"),
    ("latent.options.epochs", 0, "epochs"),
    ("latent.options.drop_subclass", 2.0, "drop_subclass"),
    ("latent.balance", 1.5, r"latent\.balance"),
    ("population.source", "catalogue", r"population\.source"),
    ("population.max_components", 0, r"population\.max_components"),
]


@pytest.mark.parametrize(("path", "value", "named"), BAD, ids=[f"{p}={v!r:.20}" for p, v, _ in BAD])
def test_a_bad_configuration_names_the_key_before_any_training(
    path: str,
    value: Any,
    named: str,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_training(*_: Any, **__: Any) -> Any:
        pytest.fail("the training began")

    monkeypatch.setattr(training_loop, "fit_network", no_training)
    with pytest.raises(ConfigError, match=named):
        train(_changed(small_settings(), path, value), output=tmp_path / "run", progress=False)


def test_the_data_folder_may_come_from_the_environment(
    small_settings: Settings, small_packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_config(_changed(small_settings(), "data.folder", ""))
    monkeypatch.delenv("LCGEN_DATA", raising=False)
    with pytest.raises(ConfigError, match="LCGEN_DATA"):
        settings.data.root()
    monkeypatch.setenv("LCGEN_DATA", str(small_packs))
    assert settings.data.root() == small_packs


CONFIGS = [p for p in sorted((ROOT / "configs").glob("*.toml")) if not p.stem.startswith("tune-")]  # those are spaces


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_the_configurations_that_come_along_are_valid(path: Path) -> None:
    settings = read_config(path)
    assert dataclasses.is_dataclass(settings)
    assert settings.name


def test_devices_are_checked() -> None:
    import torch

    assert training_loop.choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert training_loop.choose_device("auto").type == "cpu"
        with pytest.raises(ConfigError, match=r"training\.device"):
            training_loop.choose_device("cuda")


# ---------------------------------------------------------------------- periods from tables, curves from Fourier terms
FOURIER = "rrab.dat"


def _with_data(settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    settings = copy.deepcopy(settings)
    settings["data"] |= changes
    return settings


def _load(settings: dict[str, Any], run: Path) -> TrainingData:
    run.mkdir(exist_ok=True)
    return load_data(read_config(settings), run, progress=False)


@pytest.fixture(scope="module")
def more_data(small_packs: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small packs, with two tables of periods and one of Fourier terms."""
    folder = tmp_path_factory.mktemp("more")
    for path in small_packs.iterdir():
        shutil.copy(path, folder)
    lines = (data_dir / "catalogs" / "rrab_bulge_v_fourier.dat").read_text().splitlines()
    (folder / FOURIER).write_text("\n".join(lines[:60]) + "\n")
    pack = lcgen.read_pack(folder / "ogle_i.h5")
    ids, periods = pack.columns["id"].tolist(), pack.columns["period"]
    rows = [
        f"{i} 15.0 16.0 {p * 1.5:.7f} 0.00001 2171.2 0.3 0.3 4.7 0.1 3.0" for i, p in zip(ids, periods, strict=True)
    ]
    (folder / "cepF.dat").write_text("\n".join(rows[:5]) + "\n")
    n = 8
    columns = {"id": ids[:n], "class": ["CEP"] * n, "subclass": ["F"] * n, "period": periods[:n] * 2.0}
    columns |= {"significance": np.ones(n), "scatter_ratio": np.ones(n), "flag": [""] * (n - 1) + ["poor"]}
    write_periods(columns, folder / "found.csv", settings={})
    return folder


def _period_of(data: TrainingData) -> dict[tuple[str, int], float]:
    curves, j = data.curves, PHYSICAL.index("period")
    return {(s, int(b)): float(p) for s, b, p in zip(curves.star_id, curves.band, curves.params[:, j], strict=True)}


def test_periods_of_a_table_take_the_place_of_the_packs(
    small_settings: Settings, more_data: Path, tmp_path: Path
) -> None:
    settings = _with_data(small_settings(), folder=str(more_data))
    settings["clean"]["OGLE-III"] |= {"snr_min": 0.0}
    plain = _period_of(_load(settings, tmp_path))
    ids = lcgen.read_pack(more_data / "ogle_i.h5").columns["id"].tolist()
    for name, n, factor in (("cepF.dat", 5, 1.5), ("found.csv", 7, 2.0)):
        # the table of one band counts for the other too
        settings["data"]["packs"][1]["periods"] = name
        data = _load(settings, tmp_path)
        found = _period_of(data)
        for star, band in plain:
            expected = plain[star, band] * (factor if star in ids[:n] else 1.0)
            if (star, band) in found:
                assert found[star, band] == pytest.approx(expected, rel=1e-6)
        assert sum(found[key] != plain.get(key) for key in found if key in plain) > n
        assert f"periods of OGLE-III: {2 * n} from {name}" in data.provenance["preparation"]
    # another content of the same name is not taken for the old one
    text = (more_data / "found.csv").read_text()
    try:
        (more_data / "found.csv").write_text(text.replace(",poor", ","))
        assert f"{2 * n + 2} from found.csv" in _load(settings, tmp_path).provenance["preparation"]
    finally:
        (more_data / "found.csv").write_text(text)


def test_a_star_without_period_takes_that_of_another_survey(
    small_settings: Settings, more_data: Path, tmp_path: Path
) -> None:
    pack = lcgen.read_pack(more_data / "ogle_i.h5")
    unknown = dict(pack.columns) | {"period": np.full(len(pack), np.nan)}
    write_pack(
        dataclasses.replace(pack, columns=unknown),
        more_data / "later_i.h5",
        survey="OGLE-IV",
        band="I",
        citation="",
        time_standard="MJD",
    )
    settings = _with_data(small_settings(), folder=str(more_data))
    settings["data"]["packs"].append({"path": "later_i.h5", "survey": "OGLE-IV"})
    data = _load(settings, tmp_path)
    assert (data.curves.survey == "OGLE-IV").sum() == (data.curves.survey == "OGLE-III")[data.curves.band == 1].sum()
    assert f"periods of OGLE-IV: {len(pack)} from another pack" in data.provenance["preparation"]


def test_reconstructed_curves_join_the_measured_ones(small_settings: Settings, more_data: Path, tmp_path: Path) -> None:
    settings = _with_data(small_settings(), folder=str(more_data))
    source = {"path": FOURIER, "band": "V", "cls": "RRLYR", "subclass": "RRab"}
    without = _load(settings, tmp_path)
    # two tables of the same stars under two names
    settings["data"]["fourier"] = [source | {"survey": s} for s in ("OGLE-BLG", "CSS")]
    data = _load(settings, tmp_path)
    new = data.curves.n_harmonics > 0
    assert not new[: len(without.curves)].any()
    assert new[len(without.curves) :].all()
    assert new.sum() > 60
    np.testing.assert_array_equal(data.split[~new], without.split)
    assert set(np.unique(data.split[new]).tolist()) == {0, 1}
    sets: dict[str, set[int]] = {}
    for star, chosen in zip(data.curves.star_id.tolist(), data.split.tolist(), strict=True):
        sets.setdefault(star, set()).add(chosen)
    assert all(len(s) == 1 for s in sets.values())
    assert {k: n.ratio for k, n in data.noise.items()} == {k: n.ratio for k, n in without.noise.items()}
    text = data.provenance["preparation"]
    assert "reconstructed from 3 Fourier terms, OGLE-BLG V RRab" in text
    assert data.provenance["citations"][FOURIER]
    # from the cache
    again = _load(settings, tmp_path)
    np.testing.assert_array_equal(again.curves.n_harmonics, data.curves.n_harmonics)
    settings["data"] |= {"max_stars": 7}
    few = _load(settings, tmp_path)
    assert 0 < np.unique(few.curves.star_id[few.curves.n_harmonics > 0]).size <= 14


def test_a_star_both_measured_and_tabulated_stays_in_its_set(
    small_settings: Settings, more_data: Path, tmp_path: Path
) -> None:
    pack = lcgen.read_pack(more_data / "css_v.h5")
    lyrae = pack.columns["id"][pack.columns["class"] == "RRLYR"]
    lines = (more_data / FOURIER).read_text().splitlines()
    renamed = [" ".join([str(lyrae[i % lyrae.size]), *line.split()[1:]]) for i, line in enumerate(lines[1:])]
    (more_data / "same.dat").write_text("\n".join([lines[0], *renamed[: lyrae.size]]) + "\n")
    settings = _with_data(small_settings(), folder=str(more_data))
    without = _load(settings, tmp_path)
    settings["data"]["fourier"] = [{"path": "same.dat", "survey": "X", "band": "V", "cls": "RRLYR"}]
    data = _load(settings, tmp_path)
    before = dict(zip(without.curves.star_id.tolist(), without.split.tolist(), strict=True))
    common = [i for i, star in enumerate(data.curves.star_id.tolist()) if star in before]
    assert (data.curves.n_harmonics[common] > 0).sum() > 10
    assert all(data.split[i] == before[str(data.curves.star_id[i])] for i in common)


BAD_DATA: list[tuple[dict[str, Any], str]] = [
    ({"fourier": [{"path": FOURIER}]}, r"data\.fourier\[0\]\.survey"),
    ({"fourier": [{"path": "no.dat", "survey": "X", "band": "V", "cls": "CEP"}]}, r"no\.dat"),
    ({"fourier": [{"path": FOURIER, "survey": "X", "band": "Q", "cls": "CEP"}]}, "band 'Q'"),
    ({"fourier": [{"path": FOURIER, "survey": "X", "band": "r", "cls": "CEP"}]}, r"data\.bands has no such band"),
    ({"fourier": [{"path": FOURIER, "survey": "X", "band": "V", "cls": "RR"}]}, "cls 'RR'"),
    ({"fourier": [{"path": FOURIER, "survey": "X", "band": "V", "cls": "CEP", "subclass": "RRab"}]}, "subclass 'RRab'"),
    ({"fourier": [{"path": FOURIER, "survey": "", "band": "V", "cls": "CEP"}]}, "survey is empty"),
    ({"packs": [{"path": "css_v.h5", "survey": s, "periods": "no.csv"} for s in ("CSS", "OGLE-III")]}, r"no\.csv"),
    ({"packs": [{"path": "css_v.h5", "survey": "CSS", "periods": 3}]}, r"data\.packs\[0\]\.periods"),
]


@pytest.mark.parametrize(("changes", "named"), BAD_DATA, ids=[n for _, n in BAD_DATA])
def test_bad_tables_are_named(
    changes: dict[str, Any], named: str, small_settings: Settings, more_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=named):
        _load(_with_data(small_settings(), folder=str(more_data), **changes), tmp_path)
