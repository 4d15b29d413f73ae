"""The loss of the published networks, with its sign and its log variance put right.

Equation 4 of Martinez-Palomera et al. (2022, AJ 164, 263) is a reconstruction term plus beta times the
Kullback-Leibler divergence of the encoder's normal distribution from the standard normal. For one dimension
with mean mu and variance s,

    KL = E_q[log q - log p] = E_q[-(log s)/2 - (z - mu)^2 / (2 s) + z^2 / 2] = (-log s - 1 + mu^2 + s) / 2,

which is never negative, and is added to the misfit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError

__all__ = ["PublishedLoss", "kl_standard_normal", "published_loss"]

RECONSTRUCTIONS = ("gaussian", "mse")
_MSE_KL_SCALE = 1e-4


class PublishedLoss(NamedTuple):
    """The loss and its parts, all scalars.

    Attributes
    ----------
    total : Tensor
        What is minimised.
    reconstruction : Tensor
        The misfit, averaged over curves.
    kl : Tensor
        The Kullback-Leibler divergence, summed over the latent dimensions and averaged over curves, without
        beta.
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mu, exp(logvar)) from N(0, 1), summed over the last axis.

    Parameters
    ----------
    mu, logvar : Tensor, shape (n, latent_dim)

    Returns
    -------
    Tensor, shape (n,)
        In nats; zero only where mu and logvar are zero (Kingma & Welling 2014, arXiv:1312.6114, appendix B).
    """
    return -0.5 * (1.0 + logvar - mu.square() - logvar.exp()).sum(dim=-1)


def published_loss(
    mag: Tensor,
    decoded: Tensor,
    mu: Tensor,
    logvar: Tensor,
    *,
    err: Tensor | None = None,
    mask: Tensor | None = None,
    beta: float = 0.75,
    reconstruction: str = "gaussian",
    error_floor: float = 1e-3,
) -> PublishedLoss:
    """Equation 4 of AJ 164, 263: reconstruction plus beta times the Kullback-Leibler divergence.

    Parameters
    ----------
    mag : Tensor, shape (n, length)
        Scaled magnitudes.
    decoded : Tensor, shape (n, length) or (n, length, 1)
        Their reconstruction.
    mu, logvar : Tensor, shape (n, latent_dim)
        Mean and log variance of the latent.
    err : Tensor, shape (n, length), optional
        Errors on the scale of `mag`; needed for ``"gaussian"``.
    mask : Tensor of bool, shape (n, length), optional
        True for real points, false for padding; what stands in the padding has no influence, NaN included.
    beta : float
        Weight of the divergence.
    reconstruction : {"gaussian", "mse"}
        ``"gaussian"``: negative log-likelihood with the measurement errors, without its constant, ``0.5 ((m
        - decoded) / err)^2``. ``"mse"``: ``(m - decoded)^2``, and the divergence times a further 1e-4: the
        loss with which the released networks were trained. Both are averaged over the points of a curve,
        then over curves.
    error_floor : float
        Errors below it count as this large, which keeps noise-free curves finite.

    Returns
    -------
    PublishedLoss

    Raises
    ------
    InputError
        If shapes do not fit, `reconstruction` is unknown or `err` is missing.
    """
    if reconstruction not in RECONSTRUCTIONS:
        raise InputError(f"reconstruction must be one of {', '.join(RECONSTRUCTIONS)}, not {reconstruction!r}")
    if decoded.ndim == 3 and decoded.shape[2] == 1:
        decoded = decoded[:, :, 0]
    for name, value in (("decoded", decoded), ("err", err), ("mask", mask)):
        if value is not None and value.shape != mag.shape:
            raise InputError(f"{name} has shape {tuple(value.shape)}, mag has {tuple(mag.shape)}")
    keep = torch.ones_like(mag, dtype=torch.bool) if mask is None else mask.bool()
    # the padding is replaced before any arithmetic: a NaN masked afterwards still spoils the gradient
    residual = torch.where(keep, mag, 0.0) - torch.where(keep, decoded, 0.0)
    if reconstruction == "gaussian":
        if err is None:
            raise InputError("the gaussian reconstruction needs the errors: give err, or choose 'mse'")
        misfit = 0.5 * (residual / torch.where(keep, err, 1.0).clamp(min=error_floor)).square()
    else:
        misfit = residual.square()
    fit = (misfit.sum(dim=1) / keep.sum(dim=1).clamp(min=1)).mean()
    kl = kl_standard_normal(mu, logvar).mean()
    weight = beta * (_MSE_KL_SCALE if reconstruction == "mse" else 1.0)
    return PublishedLoss(fit + weight * kl, fit, kl)
