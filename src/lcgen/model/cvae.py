"""The conditional variational autoencoder of folded light curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .batches import CurveBatch
from .folded import FoldedDecoder
from .periodic import ACTIVATIONS, PeriodicDecoder, PeriodicEncoder, interpolate_periodic, low_pass

__all__ = [
    "LossTerms",
    "PeriodicCVAE",
    "PeriodicConfig",
    "PosteriorDraw",
    "gaussian_kl",
    "profiled_misfit",
    "spectral_prior",
]


@dataclass(frozen=True, kw_only=True)
class PeriodicConfig:
    """Size of the periodic network.

    Attributes
    ----------
    latent_dim : int
        Dimensions of the latent space; those that stay unused are pruned after training.
    encoder_channels, decoder_channels : tuple of int
        Channels level by level.
    encoder_hidden, decoder_hidden : int
        Width of the perceptrons.
    kernel : int
        Kernel of all convolutions; odd.
    activation : {"silu", "hardswish"}
        Of the decoder; the second is faster.
    noise_floor : float
        Error added in quadrature to each observation, in units of the star's amplitude: how well a curve has to be
        described before the network turns to other stars.
    huber : float
        Residual, in standard deviations, from which the misfit grows linearly.
    smoothness : float
        Weight of the prior on the harmonics of the decoded curve, see :func:`spectral_prior`; without it the curves
        of classes with few or noisy stars come out jagged.
    """

    latent_dim: int = 10
    encoder_channels: tuple[int, ...] = (16, 32, 48, 64)
    encoder_hidden: int = 160
    decoder_channels: tuple[int, ...] = (48, 32, 24, 16, 16)
    decoder_hidden: int = 128
    kernel: int = 5
    activation: str = "silu"
    noise_floor: float = 0.01
    huber: float = 3.0
    smoothness: float = 1.0

    def __post_init__(self) -> None:
        if self.latent_dim < 1:
            raise ConfigError(f"model.latent_dim must be positive, received {self.latent_dim}")
        if self.kernel % 2 != 1:
            raise ConfigError(f"model.kernel must be odd, received {self.kernel}")
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"model.activation must be one of {', '.join(ACTIVATIONS)}, received {self.activation!r}")
        if not self.noise_floor >= 0.0:
            raise ConfigError(f"model.noise_floor must not be negative, received {self.noise_floor}")
        if not self.huber > 0.0:
            raise ConfigError(f"model.huber must be positive, received {self.huber}")
        if len(self.decoder_channels) != 5:
            raise ConfigError("model.decoder_channels needs five levels: 8, 16, 32, 64 and 128 phases")


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    """Terms of the negative evidence lower bound of a batch.

    Attributes
    ----------
    total : Tensor, scalar
        What is minimised: misfit plus beta times the divergence, averaged over curves.
    misfit : Tensor, scalar
        The misfit, averaged over curves.
    kl : Tensor, shape (latent_dim,)
        Kullback-Leibler divergence from the standard normal, by dimension, averaged over curves.
    """

    total: Tensor
    misfit: Tensor
    kl: Tensor


@dataclass(frozen=True, kw_only=True)
class PosteriorDraw:
    """A draw from the posterior of each curve of a batch.

    Attributes
    ----------
    mean, log_variance, z : Tensor, shape (n, latent_dim)
        The posterior and the draw from it.
    misfit, penalty : Tensor, shape (n,)
        Of the decoded curve: minus the logarithms of the likelihood and of the prior on its harmonics.
    """

    mean: Tensor
    log_variance: Tensor
    z: Tensor
    misfit: Tensor
    penalty: Tensor


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, 1), element by element (Kingma & Welling 2014)."""
    return 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance)


def spectral_prior(base_harmonic: Sequence[int], knee: Sequence[float], n_grid: int) -> Tensor:
    """Inverse variances of the amplitudes of the harmonics of a curve of unit amplitude.

    With x = max(1, k / base_harmonic), harmonic k has the standard deviation ``0.5 / x`` up to a knee and
    ``0.5 / x * (knee / x)^2`` beyond: hardly felt where the shapes of the class live, firm against ripple at the scale
    of the grid.

    Parameters
    ----------
    base_harmonic, knee : sequence, shape (n_classes,)
    n_grid : int
        Points of the curve.

    Returns
    -------
    Tensor, shape (n_classes, n_grid // 2 + 1)
        Zero for the constant.
    """
    k = torch.arange(n_grid // 2 + 1, dtype=torch.float32)
    rows = []
    for base, edge in zip(base_harmonic, knee, strict=True):
        x = (k / base).clamp_min(1.0)
        rows.append((0.5 / x * (edge / x).clamp_max(1.0) ** 2) ** -2)
    table = torch.stack(rows)
    table[:, 0] = 0.0
    return table


def profiled_misfit(prediction: Tensor, value: Tensor, sigma: Tensor, weight: Tensor, huber: float) -> Tensor:
    """Half the Huber chi-square, with the mean magnitude of each curve at its best value.

    Parameters
    ----------
    prediction, value, sigma : Tensor, shape (n, n_obs)
        Model, measurement and standard deviation.
    weight : Tensor, shape (n, n_obs)
        How often each observation counts; 0 for padding.
    huber : float
        Residual, in standard deviations, from which the misfit grows linearly.

    Returns
    -------
    Tensor, shape (n,)
    """
    precision = weight / sigma**2
    residual = value - prediction
    offset = (precision * residual).sum(1, keepdim=True) / precision.sum(1, keepdim=True).clamp_min(1e-12)
    pull = ((residual - offset) / sigma).abs()
    cost = torch.where(pull < huber, 0.5 * pull**2, huber * (pull - 0.5 * huber))
    return (weight * cost).sum(1)


class PeriodicCVAE(nn.Module):
    """Encoder over phase bins and decoder onto a phase grid, both periodic.

    Parameters
    ----------
    config : PeriodicConfig
    n_encoder_condition, n_decoder_condition : int
        Lengths of the conditions; see :class:`lcgen.prepare.conditioning.Conditioner`.
    roughness : Tensor, shape (n_classes, n_grid // 2 + 1)
        Inverse variances of the harmonics by class, from :func:`spectral_prior`.
    """

    def __init__(
        self, config: PeriodicConfig, *, n_encoder_condition: int, n_decoder_condition: int, roughness: Tensor
    ) -> None:
        super().__init__()
        self.config = config
        self.roughness: Tensor
        self.register_buffer("roughness", roughness, persistent=False)
        self.encoder = PeriodicEncoder(
            n_condition=n_encoder_condition,
            latent_dim=config.latent_dim,
            channels=config.encoder_channels,
            hidden=config.encoder_hidden,
            kernel=config.kernel,
        )
        self.decoder = PeriodicDecoder(
            latent_dim=config.latent_dim,
            n_condition=n_decoder_condition,
            channels=config.decoder_channels,
            hidden=config.decoder_hidden,
            kernel=config.kernel,
            activation=config.activation,
        )
        self._folded: tuple[tuple[tuple[int, int], ...], FoldedDecoder] | None = None

    @property
    def latent_dim(self) -> int:
        """Dimensions of the latent space."""
        return self.encoder.mean.out_features

    def encode(self, batch: CurveBatch) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, both of shape (n, latent_dim)."""
        return self.encoder(batch.bins, batch.encoder_condition)

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """One cycle on the phase grid, in units of the amplitude scale, shape (n, n_grid).

        In evaluation mode, without gradients and on a processor, by :class:`~lcgen.model.folded.FoldedDecoder`.
        """
        if self.training or torch.is_grad_enabled() or z.device.type != "cpu":
            return self.decoder(z, condition)
        return self._folded_decoder()(z, condition)

    def _folded_decoder(self) -> FoldedDecoder:
        # whatever changes the weights (an optimiser, load_state_dict, prune, to) moves or marks one of the tensors
        d = self.decoder
        layers = (*d.perceptron, d.seed, *d.convolutions, *d.modulations, d.output)  # parameters() takes far longer
        state = tuple((w.data_ptr(), w._version) for x in layers for w in x._parameters.values() if w is not None)
        if self._folded is None or self._folded[0] != state:
            self._folded = (state, FoldedDecoder(self.decoder))
        return self._folded[1]

    def train(self, mode: bool = True) -> Self:
        """Training mode, or evaluation mode for false; see :meth:`torch.nn.Module.train`."""
        self._folded = None
        return super().train(mode)

    def predict(self, z: Tensor, batch: CurveBatch) -> Tensor:
        """Decoded values at the phases of a batch, shape (n, n_obs)."""
        return interpolate_periodic(low_pass(self.decode(z, batch.decoder_condition), batch.n_harmonics), batch.phase)

    def loss(self, batch: CurveBatch, noise: Tensor, beta: float) -> LossTerms:
        """Negative evidence lower bound, with `beta` on the divergence.

        Parameters
        ----------
        batch : CurveBatch
        noise : Tensor, shape (n, latent_dim)
            Standard normal numbers of the reparametrisation.
        beta : float
        """
        draw = self.describe(batch, noise)
        kl = gaussian_kl(draw.mean, draw.log_variance).mean(0)
        misfit = draw.misfit.mean()
        total = misfit + beta * kl.sum() + draw.penalty.mean()
        # in units of a hundred nats, so that the gradients of precise curves stay within the clipping range
        return LossTerms(total=total / 100.0, misfit=misfit, kl=kl)

    def describe(self, batch: CurveBatch, noise: Tensor) -> PosteriorDraw:
        """One draw from the posterior of each curve, and how well it describes the curve.

        Parameters
        ----------
        batch : CurveBatch
        noise : Tensor, shape (n, latent_dim)
            Standard normal numbers of the reparametrisation.
        """
        mean, log_variance = self.encode(batch)
        z = mean + noise * torch.exp(0.5 * log_variance)
        curve = self.decode(z, batch.decoder_condition)
        prediction = interpolate_periodic(low_pass(curve, batch.n_harmonics), batch.phase)
        sigma = torch.sqrt(batch.sigma**2 + self.config.noise_floor**2)
        power = torch.fft.rfft(curve, norm="forward").abs().square() * 4.0
        n_classes = self.roughness.shape[0]
        roughness = (power * (batch.decoder_condition[:, :n_classes] @ self.roughness)).sum(1)
        return PosteriorDraw(
            mean=mean,
            log_variance=log_variance,
            z=z,
            misfit=profiled_misfit(prediction, batch.value, sigma, batch.weight, self.config.huber),
            penalty=0.5 * self.config.smoothness * roughness,
        )

    @torch.no_grad()
    def prune(self, keep: Tensor) -> None:
        """Take dead dimensions out of encoder and decoder.

        Parameters
        ----------
        keep : Tensor of bool, shape (latent_dim,)
            Dimensions that stay; the decoder loses the inputs of the others.
        """
        columns = torch.cat([keep, keep.new_ones(self.decoder.n_condition)])
        first = self.decoder.perceptron[0]
        if not isinstance(first, nn.Linear):
            raise TypeError("the decoder does not begin with a linear layer")
        self.decoder.perceptron[0] = _narrow(first, columns=columns)
        self.encoder.mean = _narrow(self.encoder.mean, rows=keep)
        self.encoder.log_variance = _narrow(self.encoder.log_variance, rows=keep)


def _narrow(layer: nn.Linear, *, rows: Tensor | None = None, columns: Tensor | None = None) -> nn.Linear:
    weight, bias = layer.weight, layer.bias
    if rows is not None:
        weight, bias = weight[rows], bias[rows]
    if columns is not None:
        weight = weight[:, columns]
    out = nn.Linear(weight.shape[1], weight.shape[0])
    out.weight.copy_(weight)
    out.bias.copy_(bias)
    return out.to(weight.device)
