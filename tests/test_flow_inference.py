"""Drawing from a flow without zuko gives what zuko gives, whatever else is drawn at the same time."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import zuko

from lcgen.latent.flow import FlowConfig, FlowRegressor
from lcgen.latent.flow_inference import FoldedFlow

N_STAR = 9
SHAPES = [
    # dimensions, transforms, bins, hidden layers
    (1, 1, 8, (16, 16)),
    (2, 3, 8, (16,)),
    (3, 2, 5, (12, 10, 8)),
    (7, 5, 8, (32, 32)),
]


def _flow(dims: int, transforms: int, bins: int, hidden: tuple[int, ...]) -> zuko.flows.NSF:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(dims)
        flow = zuko.flows.NSF(
            dims, N_STAR, transforms=transforms, bins=bins, hidden_features=list(hidden), passes=min(2, dims)
        )
        for weights in flow.parameters():  # wide enough that the splines are far from straight
            torch.nn.init.normal_(weights, std=1.0 if weights.ndim == 1 else 2.0 / weights.shape[1] ** 0.5)
    return flow


def _inputs(n: int, dims: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(5)
    star = draw.normal(size=(n, N_STAR)).astype(np.float32)
    return star, np.clip(draw.normal(size=(n, dims)), -4.5, 4.5).astype(np.float32)


@pytest.mark.parametrize(("dims", "transforms", "bins", "hidden"), SHAPES)
def test_the_draws_are_those_of_zuko(dims: int, transforms: int, bins: int, hidden: tuple[int, ...]) -> None:
    flow = _flow(dims, transforms, bins, hidden)
    star, normals = _inputs(700, dims)
    made = FoldedFlow(flow, bins=bins)(star, normals)
    with torch.no_grad():
        single = flow(torch.from_numpy(star)).transform.inv(torch.from_numpy(normals)).numpy()
        exact = copy.deepcopy(flow).double()
        x, e = torch.from_numpy(star).double(), torch.from_numpy(normals).double()
        # zuko solves the quadratic of each bin, which may have a root of a number just below zero
        wanted = exact(x).transform.inv(e).numpy()
    assert made.shape == (700, dims)
    assert made.dtype == np.float32
    good = np.isfinite(wanted)
    assert good.mean() > 0.99
    assert np.isfinite(made).all()
    error = np.abs(made - wanted)[good]
    # single precision: not worse than zuko's own, and that is little
    assert np.median(error) < 1e-6
    assert np.quantile(error, 0.99) <= 2.0 * np.nanquantile(np.abs(single - wanted)[good], 0.99) + 1e-6
    assert np.ptp(wanted[good]) > 2.0


def test_the_draw_of_a_star_does_not_depend_on_the_others() -> None:
    flow = FoldedFlow(_flow(7, 5, 8, (32, 32)), bins=8)
    star, normals = _inputs(1500, 7)
    whole = flow(star, normals)
    for rows in (slice(0, 1), slice(3, 131), slice(500, 1400), slice(1499, 1500)):
        assert flow(star[rows], normals[rows]).tobytes() == whole[rows].tobytes()
    assert flow(star[:0], normals[:0]).shape == (0, 7)


def test_numbers_outside_the_splines_stay_what_they_are() -> None:
    flow = FoldedFlow(_flow(3, 2, 5, (8,)), bins=5)
    star, _ = _inputs(4, 3)
    far = np.full((4, 3), 7.0, dtype=np.float32)
    np.testing.assert_array_equal(flow(star, far), far)


def test_drawing_follows_the_weights() -> None:
    regressor = FlowRegressor(4, 2, FlowConfig(hidden=(8,), transforms=2))
    star, normals = np.ones((3, 4), dtype=np.float32), np.full((3, 3), 0.4)
    before = regressor.sample(star, normals)
    again = regressor.sample(star, normals)
    np.testing.assert_array_equal(before[1], again[1])
    with torch.no_grad():
        for weights in regressor.latent_flow.parameters():
            weights.add_(0.3)
    after = regressor.sample(star, normals)
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(after[1] - before[1]).min() > 1e-4
