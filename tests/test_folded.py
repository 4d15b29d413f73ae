"""The folded decoder against the plain one, and fast evaluation of curves against the straightforward one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lcgen import LightCurveGenerator  # noqa: E402
from lcgen.cadence import load_recipe  # noqa: E402
from lcgen.interpolate import evaluate_padded, evaluate_periodic, pad_periodic  # noqa: E402
from lcgen.lightcurve import phase_of  # noqa: E402
from lcgen.model.blocks import BLOCK, in_blocks  # noqa: E402
from lcgen.model.cvae import PeriodicConfig, PeriodicCVAE, spectral_prior  # noqa: E402
from lcgen.model.folded import FoldedDecoder  # noqa: E402
from lcgen.model.periodic import PeriodicDecoder  # noqa: E402
from lcgen.observe.noise import NoiseRequest, NoisyPhotometry  # noqa: E402

SIZES: list[dict[str, Any]] = [
    {"channels": (48, 32, 24, 16, 16), "hidden": 128},
    {"channels": (32, 24, 16, 16, 8), "hidden": 96},
    {"channels": (12, 5, 7), "hidden": 9, "kernel": 3},
    {"channels": (6, 4, 4, 3, 3), "hidden": 8, "kernel": 1},
    {"channels": (6, 4, 4, 3, 3), "hidden": 8, "kernel": 9},
]


def _numbers(n: int, *widths: int, seed: int = 0) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [torch.from_numpy(draw.normal(size=(n, w)).astype(np.float32)) for w in widths]


@pytest.fixture
def model() -> PeriodicCVAE:
    torch.manual_seed(3)
    config = PeriodicConfig(latent_dim=4, decoder_channels=(16, 12, 8, 6, 4), decoder_hidden=24)
    prior = spectral_prior([1, 2], [2.0, 1.0], 128)
    made = PeriodicCVAE(config, n_encoder_condition=5, n_decoder_condition=3, roughness=prior)
    with torch.no_grad():
        for weight in made.decoder.parameters():
            weight.mul_(2.0)
    return made.eval()


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


# ---------------------------------------------------------------------- the folded decoder
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_folding_changes_nothing(size: dict[str, Any]) -> None:
    torch.manual_seed(1)
    decoder = PeriodicDecoder(latent_dim=3, n_condition=4, **size)
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.mul_(3.0)
    for n in (1, 37):
        z, condition = _numbers(n, 3, 4)
        plain, folded = decoder(z, condition).detach(), FoldedDecoder(decoder)(z, condition)
        assert plain.std() > 0.01
        torch.testing.assert_close(folded, plain, rtol=0, atol=5e-6 * max(1.0, float(plain.abs().max())))
    z, condition = z[:2].double(), condition[:2].double()
    exact, folded = decoder.double()(z, condition).detach(), FoldedDecoder(decoder)(z, condition)
    torch.testing.assert_close(folded, exact, rtol=1e-12, atol=1e-12)


def test_folding_changes_nothing_of_trained_weights(tiny_generator: LightCurveGenerator) -> None:
    seen: list[tuple[Any, Any]] = []
    generator = copy.copy(tiny_generator)
    generator.model = copy.copy(tiny_generator.model)
    generator.model.decode = lambda z, c: (seen.append((z, c)), tiny_generator.model.decode(z, c))[1]
    generator.draw(np.array(generator.classes)[np.arange(150) % len(generator.classes)], seed=1)
    assert len(seen) >= -(-150 // BLOCK)  # and some more for the parameters that follow the shape
    decoder = tiny_generator.model.decoder
    for z, condition in seen:
        with torch.no_grad():
            torch.testing.assert_close(FoldedDecoder(decoder)(z, condition), decoder(z, condition), rtol=0, atol=5e-6)


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_a_row_is_the_same_wherever_it_stands(size: dict[str, Any], threads: int) -> None:
    torch.manual_seed(2)
    folded = FoldedDecoder(PeriodicDecoder(latent_dim=3, n_condition=4, **size))
    z, condition = (3.0 * t for t in _numbers(BLOCK, 3, 4))
    whole = folded(z, condition)
    draw = np.random.default_rng(1)
    for _ in range(5):
        order = torch.from_numpy(draw.permutation(BLOCK))
        assert torch.equal(folded(z[order], condition[order]), whole[order])
    for k in (0, 1, 50, BLOCK - 1):
        others = _numbers(BLOCK, 3, 4, seed=k + 2)
        for given, kept in zip(others, (z, condition), strict=True):
            given[k] = kept[k]
        assert torch.equal(folded(*others)[k], whole[k])


def test_new_weights_make_new_curves(model: PeriodicCVAE) -> None:
    def check() -> Any:
        z, condition = _numbers(BLOCK, model.latent_dim, 3)
        curve = model.decode(z, condition)
        torch.testing.assert_close(curve, model.decoder(z, condition), rtol=0, atol=5e-6)
        return curve

    with torch.no_grad():
        first = check()
        model.decoder.output.weight.mul_(2.0)
        second = check()
        assert (second - first).abs().max() > 1e-3
        model.load_state_dict({k: 0.5 * v for k, v in model.state_dict().items()})
        third = check()
        assert (third - second).abs().max() > 1e-3
        model.prune(torch.tensor([True, False, True, True]))
        check()
        other = copy.deepcopy(model)
        other.decoder.output.weight.mul_(3.0)
        fourth = check()
        z, condition = _numbers(BLOCK, 3, 3)
        torch.testing.assert_close(other.decode(z, condition), 3.0 * fourth, rtol=0, atol=2e-5)
        model.train()
        model.decoder.seed.weight.data.mul_(2.0)
        model.eval()
        check()


def test_training_takes_the_plain_decoder(model: PeriodicCVAE) -> None:
    z, condition = _numbers(5, 4, 3)
    keys = set(model.state_dict())
    assert torch.equal(model.decode(z, condition), model.decoder(z, condition))
    model.decode(z, condition).square().sum().backward()
    assert all(w.grad is not None for w in model.decoder.parameters())
    with torch.no_grad():
        model.decode(z, condition)
        assert torch.equal(model.train().decode(z, condition), model.decoder(z, condition))
    # what is stored does not know of it
    assert set(model.state_dict()) == keys


def test_blocks_of_a_folded_model(model: PeriodicCVAE, threads: int) -> None:
    z, condition = (t.numpy() for t in _numbers(2 * BLOCK + 9, 4, 3))
    (whole,) = in_blocks(model.decode, z, condition)
    for rows in (slice(0, 1), slice(100, 260), slice(2 * BLOCK + 8, None)):
        (part,) = in_blocks(model.decode, z[rows], condition[rows])
        assert part.tobytes() == whole[rows].tobytes()


# ---------------------------------------------------------------------- evaluation in time
@pytest.mark.parametrize("n_grid", [3, 100, 128])
def test_padded_curves_have_the_same_values(n_grid: int) -> None:
    draw = np.random.default_rng(4)
    grid = draw.normal(size=(2, 6, n_grid))
    phase = np.concatenate([draw.random(500), [0.0, np.nextafter(1.0, 0.0), 1.0 / n_grid, (n_grid - 1) / n_grid]])
    row = draw.integers(0, 12, phase.size)
    row[-4:] = 11
    padded = np.stack([pad_periodic(g) for g in grid])
    assert (
        evaluate_padded(padded, row, phase).tobytes() == evaluate_periodic(grid.reshape(12, -1), row, phase).tobytes()
    )


def test_observations_are_those_of_plain_loops(tiny_generator: LightCurveGenerator) -> None:
    gen = tiny_generator
    stars = gen.draw(np.array(gen.classes)[np.arange(30) % len(gen.classes)], seed=2)
    # over one piece of the evaluation, so that stars are cut
    recipe = load_recipe("lsst-wfd")
    seen = stars[np.arange(120) % 30].observe(recipe, band="nearest", seed=3)
    assert seen.mjd.size > 65_536
    for i in range(120):
        star = stars[i % 30]
        curve = seen[i]
        c = star.columns
        for band in gen.learned_bands(c["class"][0]):
            rows = curve.band == band
            shape = gen.decode(c["class"], c, star.latent, band) * star._scale[:, None]
            phase = phase_of(curve.mjd[rows], c["period"][0], c["t0"][0])
            expected = evaluate_periodic(shape, np.zeros(phase.size, dtype=int), phase) + star.mean_magnitude(band)
            np.testing.assert_allclose(curve.mag[rows], expected, rtol=0, atol=1e-12)
            # other visits around it, and another call, make no difference to the bytes
            some = curve.mjd[rows][::7]
            assert star.magnitude(some, band=band)[0].tobytes() == curve.mag[rows][::7].tobytes()


@pytest.mark.parametrize("needed", [True, False])
def test_noise_models_are_given_what_they_ask_for(tiny_generator: LightCurveGenerator, needed: bool) -> None:
    seen: list[NoiseRequest] = []

    def measure(request: NoiseRequest) -> NoisyPhotometry:
        seen.append(request)
        return NoisyPhotometry(mag=request.mag + request.normals, mag_err=np.ones(request.mag.shape))

    stars = tiny_generator.draw("CEP", 3, seed=1)
    times = np.linspace(60000.0, 60010.0, 20)
    silent = SimpleNamespace(name="all", measure=measure)
    asking = SimpleNamespace(name="some", measure=measure, needs_uniforms=needed, needs_class_name=needed)
    a, b = stars.observe(times, noise=silent), stars.observe(times, noise=asking)
    assert a.mag.tobytes() == b.mag.tobytes()
    assert seen[0].uniforms.size == seen[0].class_name.size == 60
    assert seen[1].uniforms.size == seen[1].class_name.size == (60 if needed else 0)
