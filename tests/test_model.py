"""Networks: equivariance on the circle, the loss, pruning, storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lcgen import CheckpointError, ConfigError, LightCurveGenerator
from lcgen.interpolate import evaluate_periodic
from lcgen.latent.adapter import regressor_from_any, regressor_to_state
from lcgen.latent.flow import FeatureColumns, FlowConfig, FlowRegressor
from lcgen.model.batches import CurveBatches
from lcgen.model.blocks import BLOCK, in_blocks
from lcgen.model.build import build_model, model_from_state, model_to_state
from lcgen.model.cvae import PeriodicConfig, PeriodicCVAE, gaussian_kl, profiled_misfit
from lcgen.model.periodic import PeriodicDecoder, PeriodicEncoder, circular_upsample, interpolate_periodic
from lcgen.model.published_config import PublishedConfig
from lcgen.prepare.augment import AugmentConfig
from lcgen.prepare.conditioning import Conditioner
from lcgen.prepare.dataset import PreparedCurves, bin_curves, prepare
from lcgen.taxonomy import CLASSES, PHYSICAL

SMALL = PeriodicConfig(
    latent_dim=4, encoder_channels=(4, 6, 8, 8), decoder_channels=(8, 6, 6, 4, 4), encoder_hidden=16, decoder_hidden=16
)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread: None) -> None:
    torch.manual_seed(1)


@pytest.fixture(scope="module")
def curves(ogle_sample: Any, css_sample: Any) -> PreparedCurves:
    return prepare([ogle_sample.take(np.arange(0, 60, 2)), css_sample.take(np.arange(0, 280, 20))], progress=False)[0]


@pytest.fixture(scope="module")
def conditioner(curves: PreparedCurves) -> Conditioner:
    return Conditioner.fit(
        classes=CLASSES, bands=curves.bands, cls_index=curves.cls, params=curves.params, scale=curves.scale
    )


@pytest.fixture(scope="module")
def batches(curves: PreparedCurves, conditioner: Conditioner) -> CurveBatches:
    return CurveBatches(curves, conditioner, n_points=96)


@pytest.fixture
def model(conditioner: Conditioner) -> PeriodicCVAE:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build_model("periodic", SMALL, conditioner).eval()


# ---------------------------------------------------------------------- the circle
def test_turning_the_bins_turns_the_encoder_features() -> None:
    encoder = PeriodicEncoder(n_condition=2, latent_dim=3, channels=(4, 6, 8, 8))
    bins = _random(5, 3, 128)

    def features(x: torch.Tensor) -> torch.Tensor:
        for convolution in encoder.convolutions:
            x = nn.functional.silu(convolution(x))
        return x

    for turn in (16, 48, 112):  # four halvings: one step of the coarsest level is 16 bins
        turned = features(torch.roll(bins, turn, dims=-1))
        torch.testing.assert_close(turned, torch.roll(features(bins), turn // 16, dims=-1), atol=1e-5, rtol=0)
    # no edge: features at phase zero see both sides of it
    bumped = bins.clone()
    bumped[:, :, -1] += 1.0
    assert (features(bumped)[:, :, 0] != features(bins)[:, :, 0]).any()


def test_turning_the_first_level_turns_the_decoded_curve() -> None:
    decoder = PeriodicDecoder(latent_dim=3, n_condition=2, channels=(8, 6, 6, 4, 4), hidden=16)
    z, condition = _random(4, 3), _random(4, 2, seed=1)
    curve = decoder(z, condition)
    assert curve.shape == (4, 128)
    with torch.no_grad():
        weight = decoder.seed.weight.view(8, 8, 16)
        bias = decoder.seed.bias.view(8, 8)
        decoder.seed.weight.copy_(torch.roll(weight, 3, dims=1).reshape(64, 16))
        decoder.seed.bias.copy_(torch.roll(bias, 3, dims=1).reshape(64))
    torch.testing.assert_close(decoder(z, condition), torch.roll(curve, 3 * 16, dims=-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(curve.mean(1), torch.zeros(4), atol=1e-6, rtol=0)


def test_upsampling_on_the_circle() -> None:
    x = _random(2, 3, 8)
    fine = circular_upsample(x)
    torch.testing.assert_close(fine[..., ::2], x)
    torch.testing.assert_close(fine[..., -1], 0.5 * (x[..., -1] + x[..., 0]))
    torch.testing.assert_close(circular_upsample(torch.roll(x, 1, -1)), torch.roll(fine, 2, -1))


def test_interpolation_is_the_same_with_and_without_torch() -> None:
    grid, phase = _random(6, 128).double(), torch.rand(6, 50, generator=torch.Generator().manual_seed(2)).double()
    phase[:, 0], phase[:, 1] = 0.0, 1.0 - 1e-12
    torch_values = interpolate_periodic(grid, phase).numpy()
    rows = np.repeat(np.arange(6), 50)
    values = evaluate_periodic(grid.numpy(), rows, phase.numpy().ravel()).reshape(6, 50)
    np.testing.assert_allclose(torch_values, values, atol=1e-10)
    # any real phase means the same as its fraction
    torch.testing.assert_close(
        interpolate_periodic(grid, phase - 3.0), interpolate_periodic(grid, phase), atol=1e-9, rtol=0
    )


def test_decoded_curves_do_not_depend_on_the_other_observations(model: PeriodicCVAE, batches: CurveBatches) -> None:
    rows = torch.arange(6)
    batch = batches.get(rows)
    z = _random(6, 4)
    values = model.predict(z, batch)
    fewer = type(batch)(**{**vars(batch), "phase": batch.phase[:, ::7]})
    torch.testing.assert_close(model.predict(z, fewer), values[:, ::7])


# ---------------------------------------------------------------------- the loss
def test_the_divergence_is_that_of_torch() -> None:
    mean, log_variance = _random(50, 4), _random(50, 4, seed=1)
    reference = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(gaussian_kl(mean, log_variance), reference, atol=1e-5, rtol=1e-5)
    assert (gaussian_kl(torch.zeros(3), torch.zeros(3)) == 0).all()


def test_the_misfit_does_not_see_the_mean_magnitude() -> None:
    prediction, value = _random(7, 40), _random(7, 40, seed=1)
    sigma, weight = torch.rand(7, 40) + 0.1, torch.rand(7, 40)
    plain = profiled_misfit(prediction, value, sigma, weight, 1e9)
    for offset in (0.5, -20.0):
        torch.testing.assert_close(
            profiled_misfit(prediction, value + offset, sigma, weight, 1e9), plain, rtol=1e-3, atol=1e-2
        )
    # at the best offset, which is the weighted mean of the residuals, and nowhere else
    precision = weight / sigma**2
    best = (precision * (value - prediction)).sum(1, keepdim=True) / precision.sum(1, keepdim=True)
    chi = 0.5 * (precision * (value - prediction - best) ** 2).sum(1)
    torch.testing.assert_close(plain, chi, rtol=1e-4, atol=1e-4)


def test_outliers_cost_linearly_and_padding_nothing() -> None:
    zero, one = torch.zeros(1, 50), torch.ones(1, 50)
    value = zero.clone()
    costs = []
    for size in (10.0, 20.0, 40.0):
        value[0, 0] = size
        costs.append(float(profiled_misfit(zero, value, one, one, 3.0)))
    assert costs[2] - costs[1] == pytest.approx(2 * (costs[1] - costs[0]), rel=0.1)
    weight = one.clone()
    weight[0, 0] = 0.0
    assert float(profiled_misfit(zero, value, one, weight, 3.0)) == pytest.approx(0.0, abs=1e-9)
    assert float(profiled_misfit(zero, one * 3, one, zero, 3.0)) == 0.0  # nothing observed


def test_the_loss_has_gradients_everywhere(conditioner: Conditioner, batches: CurveBatches) -> None:
    model = build_model("periodic", SMALL, conditioner)
    terms = model.loss(batches.get(torch.arange(8)), _random(8, 4), beta=0.5)
    terms.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not name.startswith("decoder.output.bias"):  # the mean of a curve is taken off
            assert parameter.grad.abs().max() > 0, name
    expected = (terms.misfit + 0.5 * terms.kl.sum()) / 100
    torch.testing.assert_close(terms.total, expected)


# ---------------------------------------------------------------------- batches
def test_batches_without_a_generator_are_plain(batches: CurveBatches, curves: PreparedCurves) -> None:
    rows = torch.tensor([0, 5, 9])
    batch = batches.get(rows)
    np.testing.assert_array_equal(batch.bins.numpy(), bin_curves(curves)[rows.numpy()])
    counts = np.diff(curves.offsets)[rows.numpy()]
    np.testing.assert_allclose(batch.weight.sum(1), counts, rtol=1e-5)
    for i, row in enumerate(rows.tolist()):
        own = slice(curves.offsets[row], curves.offsets[row + 1])
        pairs = set(zip(curves.phase[own].tolist(), curves.value[own].tolist(), strict=True))
        used = batch.weight[i] > 0
        got = list(zip(batch.phase[i][used].tolist(), batch.value[i][used].tolist(), strict=True))
        assert set(got) <= pairs
        assert len(set(got)) >= min(counts[i], 96) * 0.95
    again = batches.get(rows)
    assert torch.equal(again.value, batch.value)


def test_masking_hides_parameters_and_subclass(batches: CurveBatches, conditioner: Conditioner) -> None:
    rows = torch.arange(len(batches))
    generator = torch.Generator().manual_seed(1)
    batch = batches.get(rows, generator=generator, drop_parameters=1.0, drop_subclass=1.0)
    n_class, n_sub = len(conditioner.classes), len(conditioner.subclasses)
    assert (batch.encoder_condition[:, n_class : n_class + n_sub] == 0).all()
    assert (batch.decoder_condition[:, n_class : n_class + n_sub] == 0).all()
    first = n_class + n_sub + 1
    masks = batch.encoder_condition[:, first + len(PHYSICAL) : first + 2 * len(PHYSICAL)]
    assert (masks[:, 0] == 1).all()  # never the period
    assert (masks[:, 1:] == 0).all()


def test_swapping_asks_for_the_other_band(batches: CurveBatches, curves: PreparedCurves) -> None:
    rows = torch.arange(len(batches))
    batch = batches.get(rows, generator=torch.Generator().manual_seed(1), swap=1.0)
    both = curves.partner >= 0
    assert both.any()
    assert not both.all()
    n_class, n_sub = 8, len(batches.conditioner.subclasses)
    decoded = batch.decoder_condition[:, n_class + n_sub : n_class + n_sub + 2].argmax(1).numpy()
    np.testing.assert_array_equal(decoded[both], curves.band[curves.partner[both]])
    np.testing.assert_array_equal(decoded[~both], curves.band[~both])
    np.testing.assert_array_equal(batch.bins.numpy(), bin_curves(curves))  # the encoder sees the band it was given


def test_augmentation(batches: CurveBatches) -> None:
    rows = torch.arange(len(batches))

    def get(**options: Any) -> Any:
        return batches.get(rows, generator=torch.Generator().manual_seed(1), augment=AugmentConfig(**options))

    plain = get()
    turned = get(phase_shift=0.3)
    difference = (turned.phase - plain.phase + 0.5) % 1.0 - 0.5
    assert difference.abs().max() < 0.3 + 1e-5
    assert difference.std(1).max() < 1e-4  # one shift a curve
    assert difference.mean(1).std() > 0.05
    resampled = get(resample=True)
    # the stream moves on, so compare scatter, not values
    assert (resampled.value.std(1) > plain.value.std(1)).float().mean() > 0.7
    thin = get(undersample=0.5)
    assert ((thin.weight > 0).float().mean() / (plain.weight > 0).float().mean()) < 0.9
    torch.testing.assert_close(thin.weight.sum(1), plain.weight.sum(1), rtol=1e-4, atol=1e-3)


# ---------------------------------------------------------------------- blocks, pruning, storage
def test_rows_do_not_depend_on_their_block(model: PeriodicCVAE, conditioner: Conditioner) -> None:
    n = 2 * BLOCK + 9
    z, condition = _random(n, 4).numpy(), _random(n, conditioner.n_decoder, seed=1).numpy()
    (whole,) = in_blocks(model.decode, z, condition)
    assert whole.shape == (n, 128)
    for rows in (slice(0, 1), slice(5, 12), slice(60, 70), slice(n - 1, n)):
        (part,) = in_blocks(model.decode, z[rows], condition[rows])
        assert part.tobytes() == whole[rows].tobytes()
    (none,) = in_blocks(model.decode, z[:0], condition[:0])
    assert none.shape == (0, 128)
    two = in_blocks(lambda a: (a, a[:, :1]), z)
    assert [t.shape for t in two] == [(n, 4), (n, 1)]


def test_pruning_dead_dimensions_changes_nothing_else(model: PeriodicCVAE, batches: CurveBatches) -> None:
    batch = batches.get(torch.arange(10))
    keep = torch.tensor([True, False, True, False])
    mean, log_variance = model.encode(batch)
    z = _random(10, 4)
    z[:, ~keep] = 0.0
    before = model.decode(z, batch.decoder_condition)
    model.prune(keep)
    assert model.latent_dim == 2
    torch.testing.assert_close(model.decode(z[:, keep], batch.decoder_condition), before, atol=1e-6, rtol=0)
    for pruned, full in zip(model.encode(batch), (mean, log_variance), strict=True):
        torch.testing.assert_close(pruned, full[:, keep], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("periodic", SMALL),
        ("published", PublishedConfig(architecture="tcn", layers=2, channels=6, kernel=3, latent_dim=3, n_physical=3)),
        ("published", PublishedConfig(architecture="gru", layers=1, channels=5, latent_dim=2)),
        ("published", PublishedConfig(architecture="lstm", layers=2, channels=5, latent_dim=2)),
    ],
    ids=["periodic", "tcn", "gru", "lstm"],
)
def test_state_round_trip(kind: str, config: Any, curves: PreparedCurves, conditioner: Conditioner) -> None:
    import json

    model = build_model(kind, config, conditioner).eval()
    if kind == "periodic":
        model.prune(torch.tensor([True, True, False, True]))
    stored, arrays = model_to_state(kind, model)
    again = model_from_state(json.loads(json.dumps(stored, allow_nan=False)), arrays, conditioner)
    batch = CurveBatches(curves, conditioner, n_points=64, fill=True).get(torch.arange(6))
    with torch.no_grad():
        for a, b in zip(model.encode(batch), again.encode(batch), strict=True):
            assert torch.equal(a, b)
        z = _random(6, model.latent_dim)
        curve = model.decode(z, batch.decoder_condition)
        assert torch.equal(curve, again.decode(z, batch.decoder_condition))
        assert curve.shape == (6, 128)
        assert torch.isfinite(curve).all()
        assert model.predict(z, batch).shape == batch.phase.shape
    for broken in (
        dict(list(arrays.items())[1:]),
        arrays | {"extra": np.zeros(2)},
        {k: v[..., :1] for k, v in arrays.items()},
    ):
        with pytest.raises(CheckpointError, match="do not fit"):
            model_from_state(stored, broken, conditioner)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"kernel": 4}, "kernel"),
        ({"decoder_channels": (8, 8)}, "decoder_channels"),
    ],
)
def test_bad_sizes_are_named(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"model.{key}"):
        PeriodicConfig(**options)


def test_unknown_kinds_are_refused(conditioner: Conditioner) -> None:
    with pytest.raises(ConfigError, match=r"model\.kind"):
        build_model("transformer", SMALL, conditioner)
    with pytest.raises(ConfigError, match=r"model\.kind"):
        build_model("published", SMALL, conditioner)
    with pytest.raises(ConfigError, match="n_physical"):
        build_model("published", PublishedConfig(n_physical=7), conditioner)


# ---------------------------------------------------------------------- the latent flow
@pytest.fixture(scope="module")
def flow() -> FlowRegressor:
    """Fitted to a made-up relation: latent and amplitude follow the first feature, 3 and 1/2 times."""
    draw = np.random.default_rng(1)
    n = 1500
    features = np.concatenate([draw.normal(size=(n, 1)), np.ones((n, 2))], axis=1)
    scale = 0.5 * features[:, 0] + 0.1 * draw.normal(size=n)
    mean = np.stack([3 * features[:, 0], 2 * scale], axis=1) + 0.1 * draw.normal(size=(n, 2))
    config = FlowConfig(epochs=12, batch_size=64, hidden=(24, 24), transforms=1, learning_rate=5e-3)
    return FlowRegressor(3, 2, config).fit(
        features, scale, mean, np.full((n, 2), 0.05), weights=np.ones(n), validation=np.arange(n) % 5 == 0, seed=1,
        columns=FeatureColumns(values=slice(0, 1), masks=slice(1, 2), subclass=slice(2, 3), period=0, log_period=0),
        progress=False,
    )  # fmt: skip


def test_the_flow_learns_a_conditional_distribution(flow: FlowRegressor) -> None:
    n = 600
    x = np.repeat([[-1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], n // 2, axis=0)
    scale, z = flow.sample(x, _random(n, 3).numpy())
    low, high = slice(0, n // 2), slice(n // 2, n)
    assert scale[high].mean() - scale[low].mean() == pytest.approx(1.0, abs=0.15)
    assert z[high, 0].mean() - z[low, 0].mean() == pytest.approx(6.0, abs=0.6)
    assert z[low, 0].std() < 1.5  # of all stars together it is 3
    # the latent vector follows the amplitude that is given
    at = np.full(n, np.nan)
    at[:] = np.repeat([-0.6, 0.6], n // 2)
    given, z = flow.sample(np.tile([0.0, 1.0, 1.0], (n, 1)), _random(n, 3).numpy(), at)
    assert (given == at).all()
    assert z[high, 1].mean() - z[low, 1].mean() > 1.0


def test_the_flow_is_a_function_of_its_random_numbers(flow: FlowRegressor) -> None:
    x, e = _random(70, 3).numpy(), _random(70, 3, seed=2).numpy()
    scale, z = flow.sample(x, e)
    for rows in (slice(3, 4), slice(10, 69)):
        part_scale, part_z = flow.sample(x[rows], e[rows])
        assert part_scale.tobytes() == scale[rows].tobytes()
        assert part_z.tobytes() == z[rows].tobytes()
    assert np.isfinite(flow.sample(x * 50, e * 50)[1]).all()


def test_the_flow_survives_storage(flow: FlowRegressor) -> None:
    import json

    config, arrays = regressor_to_state(flow)
    again = regressor_from_any(json.loads(json.dumps(config, allow_nan=False)), arrays)
    x, e = _random(9, 3).numpy(), _random(9, 3, seed=2).numpy()
    for a, b in zip(flow.sample(x, e), again.sample(x, e), strict=True):
        assert a.tobytes() == b.tobytes()
    with pytest.raises(CheckpointError, match="oracle"):
        regressor_from_any({"kind": "oracle", "state": {}}, {})


def test_the_encoder_of_a_trained_model_tells_curves_apart(
    tiny_generator: LightCurveGenerator, curves: PreparedCurves, tmp_path: Path
) -> None:
    from lcgen.train.finish import encode_all

    posteriors = encode_all(tiny_generator.model, CurveBatches(curves, tiny_generator.conditioner))
    assert (posteriors.std > 0).all()
    assert (posteriors.mean.std(axis=0) > posteriors.std.mean(axis=0) * 0.3).any()
    # the residual of a decoded curve is larger than that of the star's own series, but of its order
    cepheids = curves.class_name == "CEP"
    ratio = np.median(posteriors.residual[cepheids]) / np.median(posteriors.fit_residual[cepheids])
    assert 1.0 < ratio < 15.0
