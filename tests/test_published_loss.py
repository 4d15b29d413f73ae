"""The loss of the published networks."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lcgen.errors import InputError
from lcgen.model.published_loss import kl_standard_normal, published_loss

GENERATOR = torch.Generator().manual_seed(2)
MU, LOGVAR = (torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64) for _ in range(2))
MAG, DECODED = (torch.rand(6, 20, generator=GENERATOR, dtype=torch.float64) for _ in range(2))
ERR = 0.05 + torch.rand(6, 20, generator=GENERATOR, dtype=torch.float64)


def test_divergence_is_that_of_torch() -> None:
    standard = Normal(torch.zeros_like(MU), torch.ones_like(MU))
    expected = kl_divergence(Normal(MU, torch.exp(0.5 * LOGVAR)), standard).sum(dim=1)
    torch.testing.assert_close(kl_standard_normal(MU, LOGVAR), expected)
    assert float(kl_standard_normal(torch.zeros(1, 4), torch.zeros(1, 4))) == 0.0


def test_gaussian_reconstruction_is_the_log_likelihood_up_to_its_constant() -> None:
    """Two reconstructions differ in the loss as in the mean log-likelihood of a point."""
    other = DECODED.flip(0)
    likelihoods = [Normal(d, ERR).log_prob(MAG).mean() for d in (DECODED, other)]
    losses = [published_loss(MAG, d, MU, LOGVAR, err=ERR, beta=0.0).total for d in (DECODED, other)]
    torch.testing.assert_close(losses[0] - losses[1], likelihoods[1] - likelihoods[0])


def test_beta_adds_the_divergence() -> None:
    free, weighted = (published_loss(MAG, DECODED, MU, LOGVAR, err=ERR, beta=b) for b in (0.0, 0.75))
    torch.testing.assert_close(weighted.total - free.total, 0.75 * kl_standard_normal(MU, LOGVAR).mean())
    assert float(weighted.total) > float(free.total)


def test_mse_is_that_of_the_released_code() -> None:
    loss = published_loss(MAG, DECODED.unsqueeze(2), MU, LOGVAR, beta=0.5, reconstruction="mse")
    torch.testing.assert_close(loss.reconstruction, torch.nn.functional.mse_loss(DECODED, MAG))
    divergence = -0.5 * (1 + LOGVAR - MU**2 - LOGVAR.exp()).sum() / 6
    torch.testing.assert_close(loss.total, loss.reconstruction + 0.5 * divergence / 1e4)


@pytest.mark.parametrize("reconstruction", ["gaussian", "mse"])
def test_padding_has_no_influence(reconstruction: str) -> None:
    def padded(values: torch.Tensor, fill: float) -> torch.Tensor:
        return torch.cat([values, torch.full((6, 7), fill, dtype=values.dtype)], dim=1)

    mask = padded(torch.ones(6, 20), 0.0).bool()
    decoded = padded(DECODED, 0.3).requires_grad_(True)
    loss = published_loss(
        padded(MAG, float("nan")),
        decoded,
        MU,
        LOGVAR,
        err=padded(ERR, float("nan")),
        mask=mask,
        reconstruction=reconstruction,
    )
    plain = published_loss(MAG, DECODED, MU, LOGVAR, err=ERR, reconstruction=reconstruction)
    torch.testing.assert_close(loss.total, plain.total)
    loss.total.backward()
    assert decoded.grad is not None
    assert torch.isfinite(decoded.grad).all()
    assert float(decoded.grad[:, 20:].abs().max()) == 0.0


def test_curves_count_alike_whatever_their_length() -> None:
    mask = torch.ones(2, 20, dtype=torch.bool)
    mask[1, 5:] = False
    mag = torch.zeros(2, 20)
    decoded = torch.stack([torch.full((20,), 1.0), torch.full((20,), 2.0)])
    loss = published_loss(mag, decoded, MU[:2], LOGVAR[:2], mask=mask, reconstruction="mse")
    assert float(loss.reconstruction) == pytest.approx((1.0 + 4.0) / 2)


def test_errors_of_zero_stay_finite() -> None:
    loss = published_loss(MAG, DECODED, MU, LOGVAR, err=torch.zeros_like(MAG))
    assert torch.isfinite(loss.total)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="reconstruction"):
        published_loss(MAG, DECODED, MU, LOGVAR, reconstruction="l1")
    with pytest.raises(InputError, match="errors"):
        published_loss(MAG, DECODED, MU, LOGVAR)
    with pytest.raises(InputError, match="decoded"):
        published_loss(MAG, DECODED[:, :3], MU, LOGVAR, err=ERR)
