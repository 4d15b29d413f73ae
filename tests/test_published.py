"""The published networks: agreement with the released weights, causality, training, and their data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.errors import CheckpointError, ConfigError, InputError
from lcgen.model.published import (
    PublishedConfig,
    PublishedVAE,
    load_released,
    published_inputs,
    published_template,
)
from lcgen.model.published_data import scale_phase, unscale_phase, wrap_cycles
from lcgen.model.published_layers import CausalConv
from lcgen.model.published_loss import published_loss

RUNS = {
    "yp4qdw1r": PublishedConfig(layers=9, kernel=5, n_physical=3),
    "7q2bduwv": PublishedConfig(layers=8, kernel=5, latent_dim=6, n_physical=3),
    "b68z1hwo": PublishedConfig(layers=9, kernel=5),
    "cfwyf4zg": PublishedConfig(architecture="gru", layers=2, kernel=5, latent_dim=6),
}


@pytest.fixture(scope="session")
def released(data_dir: Path) -> Path:
    folder = data_dir.parent / "reference" / "pelsvae"
    if not folder.is_dir():
        pytest.skip("needs the released PELS-VAE weights beside the survey data, in reference/pelsvae")
    return folder


@pytest.fixture(scope="session")
def outputs(released: Path) -> dict[str, np.ndarray]:
    with np.load(released / "reference_outputs.npz") as file:
        return {key: file[key] for key in file}


@pytest.mark.data
@pytest.mark.parametrize("run", RUNS)
def test_reproduces_the_released_networks(run: str, released: Path, outputs: dict[str, np.ndarray]) -> None:
    model = load_released(released / run)
    assert model.config == RUNS[run]
    assert not model.training
    given = {k.split("/")[1]: torch.from_numpy(v) for k, v in outputs.items() if k.startswith(run)}
    with torch.no_grad():
        decoded = model.decode(given["z"], given["label"], given["phase"])
        mu, logvar = model.encode(given["x"], given["label"], given.get("phys"))
    assert decoded.shape == (16, 600, 1)
    for name, value in (("decoded", decoded), ("mu", mu), ("logvar", logvar)):
        torch.testing.assert_close(value, given[name], rtol=0, atol=1e-5)


@pytest.mark.data
def test_template_of_a_released_network(released: Path, outputs: dict[str, np.ndarray]) -> None:
    model = load_released(released / "b68z1hwo")
    z, label = outputs["b68z1hwo/z"], outputs["b68z1hwo/label"]
    template = published_template(model, z, label, 300)
    assert template.shape == (16, 300)
    assert np.ptp(template, axis=1).min() > 0.05
    # the decoder itself does not come back to where it began; the template passes the wrap like any phase
    phase = torch.from_numpy(scale_phase(np.arange(600) / 300)).float().expand(16, -1)
    with torch.no_grad():
        raw = model.decode(torch.from_numpy(z), torch.from_numpy(label), phase)[:, :, 0].numpy()
    raw_jump = np.abs(raw[:, 0] - raw[:, -1])
    jump = np.abs(template[:, 0] - template[:, -1])
    largest_step = np.abs(np.diff(template, axis=1)).max(axis=1)
    assert np.median(raw_jump) > 0.02
    assert np.all(jump <= 2 * largest_step)
    assert np.median(jump) < 0.25 * np.median(raw_jump)


@pytest.mark.data
def test_real_cepheids_come_back_from_the_released_network(released: Path, data_dir: Path) -> None:
    """Only if phases, magnitudes and their directions are those of its training."""
    model = load_released(released / "b68z1hwo")
    inputs = []
    with h5py.File(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5") as file:
        offset, period = file["objects/offset"][:], file["objects/period"][:]
        for star in np.flatnonzero(np.isfinite(period))[:64]:
            mjd, mag, err = (
                file[f"observations/{name}"][offset[star] : offset[star + 1]].astype(float)
                for name in ("mjd", "mag", "mag_err")
            )
            keep = np.abs(mag - np.median(mag)) < 4 * mag.std()
            rng = np.random.default_rng(int(star))
            phase = (mjd / period[star]) % 1.0
            inputs.append(published_inputs(phase[keep], mag[keep], err[keep], rng=rng).x)
    x = torch.from_numpy(np.stack(inputs))
    label = torch.eye(8)[1].expand(len(x), -1)

    def misfit(curves: torch.Tensor) -> float:
        with torch.no_grad():
            decoded = model(curves, label).decoded[:, :, 0]
        rms = (decoded - curves[:, :, 1]).square().mean(dim=1).sqrt()
        return float((rms / curves[:, :, 1].std(dim=1)).median())

    assert misfit(x) < 0.4
    upside_down = x.clone()
    upside_down[:, :, 1] = 1.0 - upside_down[:, :, 1]
    assert misfit(upside_down) > 1.15 * misfit(x)


@pytest.mark.data
def test_released_decoder_depends_on_the_sampling(released: Path, outputs: dict[str, np.ndarray]) -> None:
    """The fault for which the template exists: the same star at the same phases is another curve."""
    model = load_released(released / "b68z1hwo")
    z, label = (torch.from_numpy(outputs[f"b68z1hwo/{k}"]) for k in ("z", "label"))
    phase = torch.linspace(0.0, 1.0, 600).expand(16, -1)
    with torch.no_grad():
        dense = model.decode(z, label, phase)[:, ::12, 0]
        sparse = model.decode(z, label, phase[:, ::12])[:, :, 0]
    assert float((dense - sparse).square().mean().sqrt()) > 0.1


def test_damaged_run_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_released(tmp_path)
    values = {
        "architecture": "tcn",
        "beta_vae": "'0.75'",
        "dropout": 0.2,
        "hidden_size": 16,
        "kernel_size": 3,
        "label_dim": 8,
        "latent_dim": 4,
        "num_layers": 2,
        "physics_dim": 0,
    }

    def write(changes: dict[str, object]) -> None:
        lines = [f"{k}:\n  desc: null\n  value: {v}" for k, v in {**values, **changes}.items() if v != ""]
        (tmp_path / "config.yaml").write_text("\n".join(lines))

    write({})
    with pytest.raises(CheckpointError, match="VAE_model_None"):
        load_released(tmp_path)
    (tmp_path / "VAE_model_None.pt").write_bytes(b"not a state dict")
    with pytest.raises(CheckpointError, match="state dict"):
        load_released(tmp_path)
    model = PublishedVAE(PublishedConfig(layers=2, kernel=3, channels=16))
    torch.save(model.state_dict(), tmp_path / "VAE_model_None.pt")
    assert load_released(tmp_path).config == model.config
    write({"num_layers": 3})
    with pytest.raises(CheckpointError, match="does not fit"):
        load_released(tmp_path)
    write({"latent_mode": "linear"})
    with pytest.raises(CheckpointError, match="latent_mode"):
        load_released(tmp_path)
    write({"latent_dim": ""})
    with pytest.raises(CheckpointError, match="latent_dim"):
        load_released(tmp_path)
    write({"architecture": "transformer"})
    with pytest.raises(CheckpointError, match="architecture"):
        load_released(tmp_path)


def test_a_state_file_that_would_run_code_is_refused(tmp_path: Path, released: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((released / "b68z1hwo" / "config.yaml").read_bytes())
    torch.save(Path("x"), tmp_path / "VAE_model_None.pt")
    with pytest.raises(CheckpointError):
        load_released(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", "cnn"),
        ("layers", 0),
        ("kernel", 2.5),
        ("channels", True),
        ("latent_dim", -1),
        ("n_physical", -1),
        ("dropout", 1.0),
        ("beta", float("nan")),
    ],
)
def test_a_bad_configuration_names_the_key(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        PublishedConfig(**{key: value})


def small(architecture: str = "tcn", **options: int) -> PublishedVAE:
    config = PublishedConfig(architecture=architecture, layers=3, kernel=3, channels=16, dropout=0.0, **options)
    return PublishedVAE(config, seed=3).eval()


def test_convolution_is_that_of_its_normalised_weight() -> None:
    conv = CausalConv(3, 5, 4, 2).double()
    x = torch.randn(2, 3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    v, g = conv.weight_v.detach().numpy(), conv.weight_g.detach().numpy()
    weight = g * v / np.sqrt((v**2).sum(axis=(1, 2), keepdims=True))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (6, 0)))
    expected = np.stack([np.einsum("oik,nik->no", weight, padded[:, :, t : t + 7 : 2]) for t in range(20)], axis=2)
    expected += conv.bias.detach().numpy()[:, None]
    np.testing.assert_allclose(conv(x).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("architecture", ["tcn", "gru", "lstm"])
def test_decoder_is_causal(architecture: str) -> None:
    model = small(architecture)
    z, label = torch.ones(1, 4), torch.eye(8)[:1]
    phase = torch.linspace(0, 1, 40).expand(1, -1)
    changed = phase.clone()
    changed[:, 25] += 0.3
    with torch.no_grad():
        difference = (model.decode(z, label, phase) - model.decode(z, label, changed)).abs()[0, :, 0]
    assert float(difference[:25].max()) == 0.0
    assert float(difference[25]) > 0.0


def test_reach_of_the_causal_blocks() -> None:
    """Two convolutions a block, dilations 1, 2, 4, kernel 3: a step sees 2 * 2 * (1 + 2 + 4) = 28 back."""
    model = small().double()
    z, label = torch.ones(1, 4).double(), torch.eye(8)[:1].double()
    phase = torch.linspace(0, 1, 60).double().expand(1, -1).clone().requires_grad_(True)
    model.decode(z, label, phase)[0, 50, 0].backward()
    assert phase.grad is not None
    seen = torch.nonzero(phase.grad[0]).squeeze(1)
    assert seen.max() == 50
    assert 50 - 28 <= int(seen.min()) < 30


@pytest.mark.parametrize("architecture", ["tcn", "gru", "lstm"])
def test_shapes_gradients_and_physical_parameters(architecture: str) -> None:
    model = small(architecture, n_physical=3)
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(5, 30, 3, generator=generator)
    label, physical = torch.eye(8)[:5], torch.rand(5, 3, generator=generator)
    noise = torch.randn(5, 4, generator=generator)
    out = model(x, label, physical, noise=noise)
    assert out.decoded.shape == (5, 30, 1)
    assert out.mu.shape == out.logvar.shape == out.z.shape == (5, 4)
    torch.testing.assert_close(out.z, out.mu + torch.exp(0.5 * out.logvar) * noise)
    torch.testing.assert_close(model(x, label, physical).z, out.mu)
    published_loss(x[:, :, 1], out.decoded, out.mu, out.logvar, err=x[:, :, 2]).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
    assert not torch.equal(model.encode(x, label, physical + 1.0)[0], out.mu)
    with pytest.raises(InputError, match="3 physical"):
        model.encode(x, label)
    with pytest.raises(InputError, match="no physical"):
        small(architecture).encode(x, label, physical)
    with pytest.raises(InputError, match="label"):
        model.encode(x, label[:2], physical)


def test_seed_fixes_the_weights_and_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (PublishedVAE(PublishedConfig(layers=2), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.dec_linear.weight, again.dec_linear.weight)
    assert not torch.equal(first.dec_linear.weight, other.dec_linear.weight)


def test_a_small_network_learns_four_curves() -> None:
    rng = np.random.default_rng(5)
    inputs = []
    for k in range(4):
        phase = rng.random(40)
        mag = 15.0 + 0.3 * np.cos(2 * np.pi * (phase + k / 4)) + 0.1 * np.cos(4 * np.pi * phase)
        inputs.append(published_inputs(phase, mag, np.full(40, 0.01), n_points=40, rng=rng).x)
    x = torch.from_numpy(np.stack(inputs))
    label = torch.eye(8)[:4]
    config = PublishedConfig(layers=4, kernel=5, channels=16, dropout=0.0)
    model = PublishedVAE(config, seed=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(1)
    first = last = float("nan")
    for step in range(300):
        optimiser.zero_grad()
        out = model(x, label, noise=torch.randn(4, 4, generator=generator))
        loss = published_loss(x[:, :, 1], out.decoded, out.mu, out.logvar, reconstruction="mse")
        loss.total.backward()
        optimiser.step()
        last = float(loss.reconstruction.detach())
        first = last if step == 0 else first
    assert first > 0.05
    assert last < 0.005


@pytest.mark.parametrize("architecture", ["tcn", "gru"])
def test_template_rows_do_not_depend_on_each_other(architecture: str) -> None:
    model = small(architecture)
    rng = np.random.default_rng(6)
    z, label = rng.normal(size=(70, 4)), np.eye(8)[rng.integers(8, size=70)]
    whole = published_template(model, z, label, 64)
    for size in (1, 7):
        parts = [published_template(model, z[i : i + size], label[i : i + size], 64) for i in range(0, 70, size)]
        assert np.array_equal(np.concatenate(parts), whole)
    assert published_template(model, z[:0], label[:0], 64).shape == (0, 64)
    model.train()
    assert np.array_equal(published_template(model, z, label, 64), whole)
    assert model.training
    with pytest.raises(InputError, match="n_phase"):
        published_template(model, z, label, 0)
    with pytest.raises(InputError, match="label"):
        published_template(model, z, label[:3], 64)


@pytest.mark.parametrize("n_phase", [50, 256, 300, 1000])
def test_two_cycles_of_a_periodic_curve_give_that_curve(n_phase: int) -> None:
    grid = np.arange(600) / 300
    curve = np.sin(2 * np.pi * grid) + 0.3 * np.cos(6 * np.pi * grid)
    wanted = np.arange(n_phase) / n_phase
    expected = np.sin(2 * np.pi * wanted) + 0.3 * np.cos(6 * np.pi * wanted)
    np.testing.assert_allclose(wrap_cycles(curve[None], n_phase)[0], expected, atol=1e-5)


def test_the_wrap_lies_where_the_cycles_meet() -> None:
    grid = np.arange(600) / 300
    drifting = np.cos(2 * np.pi * grid) + 0.5 * grid
    template = wrap_cycles(drifting[None], 300)[0]
    steps = np.abs(np.diff(np.append(template, template[0])))
    assert steps[-1] < 1.5 * np.abs(np.diff(drifting)).max()
    assert np.abs(drifting[299] - drifting[0]) > 0.4


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20))
def test_scaled_phases_invert(phase: list[float]) -> None:
    time = scale_phase(phase)
    assert time.min() >= 1e-4
    assert time.max() <= 0.9999 + 1e-12
    np.testing.assert_allclose(unscale_phase(time), phase, atol=1e-12)


@settings(deadline=None)
@given(st.integers(2, 90), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_inputs_are_sorted_two_cycles_and_invert(n: int, n_points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    phase, mag, err = rng.random(n), 14.0 + np.arange(n) * 0.01, rng.random(n) * 0.1
    if n_points == 1:
        with pytest.raises(InputError, match="constant"):
            published_inputs(phase, mag, err, n_points=1, rng=rng)
        return
    out = published_inputs(phase, mag, err, n_points=n_points, rng=rng)
    assert out.x.shape == (2 * n_points, 3)
    assert np.all(np.diff(out.x[:, 0]) >= 0)
    np.testing.assert_array_equal(out.x[:n_points, 1:], out.x[n_points:, 1:])
    assert out.x[:, 1].min() == 0.0
    assert out.x[:, 1].max() == 1.0
    times = unscale_phase(out.x[:, 0])
    np.testing.assert_allclose(times[n_points:], times[:n_points] + 1.0, atol=1e-6)
    # every row is one of the observations, unchanged
    back = np.stack([times[:n_points], out.zero + out.scale * out.x[:n_points, 1], out.scale * out.x[:n_points, 2]])
    source = np.stack([phase, mag, err])
    distance = np.abs(back[:, :, None] - source[:, None, :]).max(axis=0).min(axis=1)
    assert distance.max() < 1e-5
    if n_points >= n:
        assert np.isin(np.arange(n), np.rint((back[1] - 14.0) * 100)).all()


def test_real_and_synthetic_curves_take_one_path() -> None:
    """The order in which observations come must not matter: only phases do."""
    rng = np.random.default_rng(8)
    phase = rng.random(50)
    mag, err = np.cos(2 * np.pi * phase), np.full(50, 0.1)
    order = rng.permutation(50)
    a = published_inputs(phase, mag, err, n_points=50, rng=np.random.default_rng(1))
    b = published_inputs(phase[order], mag[order], err[order], n_points=50, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(a.x, b.x)


@pytest.mark.parametrize(
    ("phase", "mag", "err", "match"),
    [
        ([0.1, 0.2], [1.0], [0.1, 0.1], "shapes"),
        ([], [], [], "empty"),
        ([0.1, np.nan], [1.0, 2.0], [0.1, 0.1], "finite"),
        ([0.1, 1.0], [1.0, 2.0], [0.1, 0.1], r"\[0, 1\)"),
        ([0.1, 0.2], [1.0, 2.0], [0.1, -0.1], "negative"),
        ([0.1, 0.2], [1.0, 1.0], [0.1, 0.1], "constant"),
    ],
)
def test_bad_curves_are_refused(phase: list, mag: list, err: list, match: str) -> None:
    with pytest.raises(InputError, match=match):
        published_inputs(phase, mag, err, rng=np.random.default_rng(1))
