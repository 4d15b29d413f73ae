"""The released networks as generators: the same curves, the same interface, on disk and back."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lcgen
from lcgen.errors import CheckpointError, InputError
from lcgen.generator import LightCurveGenerator
from lcgen.importer import import_card, import_pelsvae
from lcgen.latent.adapter import PointSampler, ReleasedLatents, regressor_from_any, regressor_to_state
from lcgen.model.build import build_model
from lcgen.model.cvae import PeriodicConfig
from lcgen.model.published import PublishedConfig, PublishedVAE, load_released, published_template
from lcgen.observe.noise import SurveyNoise
from lcgen.population import Population
from lcgen.prepare.align import alignment_shift
from lcgen.prepare.conditioning import Conditioner
from lcgen.rng import normals
from lcgen.taxonomy import CLASS_INFO, CLASSES, PHYSICAL

CEP, ECL = CLASSES.index("CEP"), CLASSES.index("ECL")


@pytest.fixture(scope="module")
def base() -> LightCurveGenerator:
    """A generator of all eight classes with untrained networks and a population made of random numbers."""
    rng = np.random.default_rng(1)
    n = 60 * len(CLASSES)
    cls = np.repeat(np.arange(len(CLASSES)), 60)
    params = np.full((n, len(PHYSICAL)), np.nan)
    params[:, 0] = 10.0 ** (0.3 * cls + 0.1 * rng.normal(size=n))
    scale = 0.5 * 10.0 ** (0.15 * rng.normal(size=n))
    conditioner = Conditioner.fit(classes=CLASSES, bands=("V", "I"), cls_index=cls, params=params, scale=scale)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = build_model("periodic", PeriodicConfig(latent_dim=3), conditioner).eval()
    features = conditioner.star_features(cls, np.full(n, ""), params)
    regressor = PointSampler.fit(
        "linear", features, conditioner.standard_scale(cls, scale), rng.normal(size=(n, 3)), seed=1
    )
    rows = {"class": np.array(CLASSES)[cls], "subclass": np.full(n, ""), "period": params[:, 0]}
    return LightCurveGenerator(
        name="parent",
        kind="periodic",
        model=model,
        conditioner=conditioner,
        regressor=regressor,
        population=Population.fit(rows, seed=1, max_components=2),
        noise_models={"flat": SurveyNoise(name="flat", tables={"V": np.array([[15.0, -2, -2, -2, -2, -2]])}, ratio={})},
        band_rules={c: {b: {"source": "learned"} for b in ("V", "I")} for c in CLASSES},
        info={"amplitude_domain": {c: [0.1, 1.5] for c in CLASSES}},
    )


def write_run(folder: Path, *, latents: bool) -> Path:
    """A run folder as the released ones, with a small untrained network."""
    folder.mkdir()
    config = PublishedConfig(layers=3, kernel=3, channels=16, latent_dim=2, n_physical=3)
    names = {
        "architecture": "architecture",
        "layers": "num_layers",
        "kernel": "kernel_size",
        "channels": "hidden_size",
        "latent_dim": "latent_dim",
        "dropout": "dropout",
        "n_classes": "label_dim",
        "n_physical": "physics_dim",
        "beta": "beta_vae",
    }
    lines = [f"{names[k]}:\n  desc: null\n  value: {v}\n" for k, v in asdict(config).items() if k in names]
    (folder / "config.yaml").write_text("".join(lines))
    state = PublishedVAE(config, seed=2).state_dict()
    state["dec_linear.weight"] *= 5.0  # an untrained network's curves are nearly flat
    torch.save(state, folder / "VAE_model_None.pt")
    if latents:
        labels = np.repeat(CLASSES[:-1], 5)  # none of the last class
        index = np.searchsorted(CLASSES, labels)
        np.savetxt(folder / "latent_space_mu.txt.gz", np.stack([index, -index], axis=1) / 4.0)
        np.savetxt(folder / "latent_space_std.txt.gz", np.full((labels.size, 2), 0.5))
        with gzip.open(folder / "labels.txt.gz", "wt") as stream:
            stream.write("\n".join(labels))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "abc", latents=True)


@pytest.fixture(scope="session")
def released(data_dir: Path) -> Path:
    folder = data_dir.parent / "reference" / "pelsvae"
    if not folder.is_dir():
        pytest.skip("needs the released PELS-VAE weights beside the survey data, in reference/pelsvae")
    return folder


def turned(curve: np.ndarray, base_harmonic: int, n_phase: int) -> np.ndarray:
    """An independent reading of a cycle of 300 phases, turned and scaled, by trigonometric interpolation."""
    spectrum = np.fft.rfft(curve) / curve.size
    half = 2 * spectrum[1:11]
    shift = alignment_shift(np.stack([half.real, -half.imag], axis=1), base_harmonic=base_harmonic)
    k = np.arange(1, spectrum.size - 1)
    phase = np.arange(n_phase) / n_phase + shift
    out = 2 * (np.exp(2j * np.pi * phase[:, None] * k) @ spectrum[1:-1]).real
    return (out - out.mean()) / np.ptp(out)


def test_curves_are_those_of_the_network_turned_to_phase_zero(base: LightCurveGenerator, run: Path) -> None:
    gen = import_pelsvae(run, base=base)
    network = load_released(run)
    for cls in ("CEP", "ECL"):
        stars = gen.draw(cls, 12, seed=4)
        label = np.tile(np.eye(8)[CLASSES.index(cls)], (12, 1))
        direct = published_template(network, stars.latent, label, 300)
        expected = np.stack([turned(c, CLASS_INFO[cls].base_harmonic, 128) for c in direct])
        template = stars.template(128)
        # the grid may miss the very extremes
        np.testing.assert_allclose(np.ptp(template, axis=1), stars.columns["amplitude"], rtol=5e-3)
        shape = template / np.ptp(template, axis=1, keepdims=True)
        assert np.abs(shape - expected).max() < 0.02
        assert np.sqrt(np.mean((shape - expected) ** 2)) < 0.003


def test_it_is_a_generator_on_disk_and_back(base: LightCurveGenerator, run: Path, tmp_path: Path) -> None:
    gen = import_pelsvae(run, base=base, name="rival")
    gen.save(tmp_path / "model", card=import_card(gen))
    again = lcgen.load_generator(tmp_path / "model")
    assert (again.name, again.kind, again.classes, again.trained_bands) == ("rival", "published", CLASSES, ("V", "I"))
    assert again.info == gen.info
    assert again.card == import_card(gen)
    classes = [c for c in CLASSES for _ in range(3)]
    first, second = gen.draw(classes, seed=5), again.draw(classes, seed=5)
    np.testing.assert_array_equal(first.template(), second.template())
    np.testing.assert_array_equal(first[7:9].template(), second.template()[7:9])
    curve = again.sample("RRLYR", {"mean_mag": 15.0}, np.arange(60000.0, 60010.0), seed=6, noise="flat")
    assert len(curve) == 10
    np.testing.assert_allclose(curve.mag_err, 0.01)
    noise_free = gen.draw(classes, seed=5).observe(np.linspace(60000.0, 60400.0, 30))
    assert np.isfinite(noise_free.mag).all()
    with pytest.raises(InputError, match="trained on"):
        again.split_of(["star"])


def test_amplitude_comes_from_the_base_and_shape_from_the_class_alone(base: LightCurveGenerator, run: Path) -> None:
    gen = import_pelsvae(run, base=base)
    one, other = (gen.draw("CEP", 20, params={"period": p}, seed=2) for p in (1.6, 2.5))
    np.testing.assert_array_equal(one.latent, other.latent)
    scale = [s.template(128) / s.columns["amplitude"][:, None] for s in (one, other)]
    np.testing.assert_allclose(scale[0], scale[1], atol=1e-6)
    # the base's networks are untrained, so that it is its amplitude scale, not its peak-to-peak, that is shared
    index = np.full(20, CEP)
    features = gen.conditioner.star_features(
        index, one.columns["subclass"], np.stack([one.columns[p] for p in PHYSICAL], axis=1)
    )
    drawn, _ = base.regressor.sample(features, normals(2, "latent", np.arange(20), 4))
    np.testing.assert_allclose(one.columns["amplitude"], base.conditioner.natural_scale(index, drawn), rtol=1e-5)
    given = gen.draw("CEP", 3, params={"amplitude": 0.7}, seed=2)
    np.testing.assert_allclose(np.ptp(given.template(128), axis=1), 0.7, rtol=5e-3)


def test_bands_have_one_shape_and_the_amplitudes_of_the_base(base: LightCurveGenerator, run: Path) -> None:
    gen = import_pelsvae(run, base=base)
    stars, parents = gen.draw("ECL", 8, seed=3), base.draw("ECL", 300, seed=9)
    in_v, in_i = stars.template(128, "V"), stars.template(128, "I")
    ratio = np.ptp(in_i, axis=1) / np.ptp(in_v, axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    np.testing.assert_allclose(in_i, ratio[0] * in_v, atol=1e-6)
    expected = np.median(np.ptp(parents.template(128, "I"), axis=1) / np.ptp(parents.template(128, "V"), axis=1))
    assert ratio[0] == pytest.approx(expected, rel=0.05)
    assert gen.band_source("ECL", "I") == "learned"
    assert gen.band_source("ECL", "V") == "transferred"


def test_latents_follow_the_released_posteriors(base: LightCurveGenerator) -> None:
    rng = np.random.default_rng(3)
    mean, std = rng.normal(size=(7, 2)) * 3, np.abs(rng.normal(size=(7, 2))) + 0.1
    cls = np.array([ECL, CEP, CEP, ECL, CEP, ECL, CEP])
    sampler = ReleasedLatents(base.regressor, latent_dim=2, n_classes=8, cls=cls, mean=mean, std=std)
    n = 40_000
    features = np.zeros((n, base.conditioner.n_star))
    features[:, CEP] = 1.0
    e = rng.normal(size=(n, 3))
    _, z = sampler.sample(features, e)
    mine = cls == CEP
    expected_mean = mean[mine].mean(axis=0)
    expected_variance = (std[mine] ** 2).mean(axis=0) + mean[mine].var(axis=0)
    np.testing.assert_allclose(z.mean(axis=0), expected_mean, atol=5 * np.sqrt(expected_variance / n).max())
    np.testing.assert_allclose(z.var(axis=0), expected_variance, rtol=0.05)
    fourth = ((mean[mine, 0] - expected_mean[0]) ** 4 + 6 * (mean[mine, 0] - expected_mean[0]) ** 2 * std[mine, 0] ** 2
              + 3 * std[mine, 0] ** 4).mean()  # fmt: skip
    assert np.mean((z[:, 0] - expected_mean[0]) ** 4) == pytest.approx(fourth, rel=0.1)
    # the amplitude's random number moves neither
    assert np.abs(np.corrcoef(e[:, 0], z.T)[0, 1:]).max() < 0.03
    # a class without posteriors has the prior
    features[:, :8] = np.eye(8)[0]
    np.testing.assert_array_equal(sampler.sample(features, e)[1], e[:, 1:].astype(np.float32))


@pytest.mark.parametrize("latents", [True, False])
def test_state_of_the_sampler_inverts(base: LightCurveGenerator, tmp_path: Path, latents: bool) -> None:
    gen = import_pelsvae(write_run(tmp_path / "abc", latents=latents), base=base)
    config, arrays = regressor_to_state(gen.regressor)
    again: Any = regressor_from_any(config, arrays)
    features = np.random.default_rng(4).normal(size=(30, base.conditioner.n_star))
    e = np.random.default_rng(5).normal(size=(30, 3))
    for a, b in zip(gen.regressor.sample(features, e), again.sample(features, e), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.cls.size == (35 if latents else 0)
    with pytest.raises(CheckpointError, match="do not fit"):
        ReleasedLatents.from_state({**config["state"], "latent_dim": 3}, {**arrays, "mean": np.zeros((2, 2))})


@pytest.mark.parametrize(
    ("cls", "mean", "std"),
    [
        ([0], np.zeros((1, 3)), np.ones((1, 3))),
        ([0], np.zeros((2, 2)), np.ones((2, 2))),
        ([8], np.zeros((1, 2)), np.ones((1, 2))),
        ([0], np.full((1, 2), np.nan), np.ones((1, 2))),
        ([0], np.zeros((1, 2)), -np.ones((1, 2))),
    ],
)
def test_posteriors_that_do_not_fit_are_refused(base: LightCurveGenerator, cls: Any, mean: Any, std: Any) -> None:
    with pytest.raises(InputError, match="posteriors"):
        ReleasedLatents(base.regressor, latent_dim=2, n_classes=8, cls=cls, mean=mean, std=std)


def test_damaged_runs_are_refused(base: LightCurveGenerator, run: Path, tmp_path: Path) -> None:
    def damaged(name: str) -> Path:
        return Path(shutil.copytree(run, tmp_path / name))

    folder = damaged("one-missing")
    (folder / "labels.txt.gz").unlink()
    with pytest.raises(CheckpointError, match=r"labels.txt.gz is missing"):
        import_pelsvae(folder, base=base)
    folder = damaged("unknown-class")
    with gzip.open(folder / "labels.txt.gz", "wt") as stream:
        stream.write("NOVA\n" * 35)
    with pytest.raises(CheckpointError, match="NOVA"):
        import_pelsvae(folder, base=base)
    folder = damaged("too-short")
    np.savetxt(folder / "latent_space_mu.txt.gz", np.zeros((3, 2)))
    with pytest.raises(CheckpointError, match="35 labels"):
        import_pelsvae(folder, base=base)
    folder = damaged("not-numbers")
    (folder / "latent_space_mu.txt.gz").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="cannot be read"):
        import_pelsvae(folder, base=base)
    with pytest.raises(CheckpointError, match="cannot be read"):
        import_pelsvae(tmp_path / "nowhere", base=base)


def test_what_does_not_fit_the_base_is_refused(base: LightCurveGenerator, run: Path) -> None:
    few = LightCurveGenerator(
        name="few",
        kind="periodic",
        model=base.model,
        conditioner=replace(base.conditioner, classes=CLASSES[:3]),
        regressor=base.regressor,
        population=base.population,
        noise_models={},
        band_rules={},
    )
    with pytest.raises(InputError, match="must know the classes"):
        import_pelsvae(run, base=few)
    with pytest.raises(InputError, match="not imported"):
        import_card(base)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n_latents"), [("yp4qdw1r", 27820), ("7q2bduwv", 0), ("b68z1hwo", 0), ("cfwyf4zg", 0)]
)
def test_released_runs(base: LightCurveGenerator, released: Path, name: str, n_latents: int) -> None:
    gen = import_pelsvae(released / name, base=base)
    assert gen.regressor.cls.size == n_latents
    network = load_released(released / name)
    stars = gen.draw("CEP", 6, seed=7)
    direct = published_template(network, stars.latent, np.tile(np.eye(8)[CEP], (6, 1)), 300)
    expected = np.stack([turned(c, 1, 128) for c in direct])
    shape = stars.template(128) / stars.columns["amplitude"][:, None]
    assert np.sqrt(np.mean((shape - expected) ** 2)) < 0.005
    assert str(n_latents) in import_card(gen) or "prior" in import_card(gen)


@pytest.mark.data
def test_magnitudes_and_time_run_the_right_way(base: LightCurveGenerator, released: Path) -> None:
    """Pulsators rise fast and fade slowly; upside down, or backwards, they would not."""
    gen = import_pelsvae(released / "yp4qdw1r", base=base)
    for cls in ("CEP", "RRLYR"):
        curves = gen.draw(cls, 64, seed=8).template(128)
        faint, bright = curves.argmax(axis=1), curves.argmin(axis=1)
        assert np.median((bright - faint) % 128) < 0.45 * 128
        away = np.minimum(bright, 128 - bright)
        assert np.median(away) < 0.15 * 128
    eclipses = gen.draw("ECL", 64, seed=8).template(128)
    at_zero = np.minimum(eclipses.argmax(axis=1), 128 - eclipses.argmax(axis=1)) <= 4
    assert at_zero.mean() > 0.8
