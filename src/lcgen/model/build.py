"""One door to all networks: what training and generation need of a model, and how to make one from a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..config import from_mapping
from ..errors import CheckpointError, ConfigError
from ..prepare.align import standard_templates
from ..prepare.conditioning import Conditioner
from ..prepare.dataset import N_BINS
from ..taxonomy import PHYSICAL, class_info
from .batches import CurveBatch, n_encoder_condition
from .cvae import LossTerms, PeriodicConfig, PeriodicCVAE, spectral_prior
from .published import PublishedConfig, PublishedVAE, published_template
from .published_data import CYCLES, POINTS_PER_CYCLE, scale_phase
from .published_loss import published_loss

__all__ = ["CurveModel", "PublishedCurves", "build_model", "model_from_state", "model_to_state"]


class CurveModel(Protocol):
    """A conditional VAE of folded light curves."""

    @property
    def latent_dim(self) -> int: ...

    def encode(self, batch: CurveBatch) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, shape (n, latent_dim)."""
        ...

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """One cycle on a uniform grid of phases, in units of the amplitude scale, shape (n, n_grid)."""
        ...

    def predict(self, z: Tensor, batch: CurveBatch) -> Tensor:
        """Decoded values at the phases of a batch, shape (n, n_obs)."""
        ...

    def loss(self, batch: CurveBatch, noise: Tensor, beta: float) -> LossTerms:
        """What training minimises."""
        ...


class PublishedCurves(nn.Module):
    """A published network behind the interface of the periodic one.

    It is trained on sequences of two cycles with magnitudes scaled to [0, 1], curve by curve; what it decodes is one
    cycle of :func:`~lcgen.model.published.published_template`, so that, once trained, it too is independent of the
    cadence. The amplitude comes from the latent regression, as for the periodic network.

    Parameters
    ----------
    config : PublishedConfig
    n_classes : int
        Classes at the head of the decoder's condition.
    parameter_columns : slice
        Where the standardised period, T_eff and M_G stand in the encoder's condition.
    base_harmonics : sequence of int
        The dominant harmonic of each class.
    """

    def __init__(
        self, config: PublishedConfig, *, n_classes: int, parameter_columns: slice, base_harmonics: Sequence[int]
    ) -> None:
        super().__init__()
        self.config, self.n_classes, self.columns = config, n_classes, parameter_columns
        self._base_harmonics = np.asarray(base_harmonics, dtype=np.int64)
        self.vae = PublishedVAE(config)

    @property
    def latent_dim(self) -> int:
        """Dimensions of the latent space."""
        return self.config.latent_dim

    def _sequences(self, batch: CurveBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Input of shape (n, 2 L, 3), and zero point and unit of its magnitudes, shape (n, 1)."""
        phase, order = torch.sort(batch.phase, dim=1)
        value, sigma = torch.gather(batch.value, 1, order), torch.gather(batch.sigma, 1, order)
        low = value.min(1, keepdim=True).values
        unit = (value.max(1, keepdim=True).values - low).clamp_min(1e-6)
        first, last = float(scale_phase(0.0)), float(scale_phase(float(CYCLES)))
        time = first + (last - first) * torch.cat([phase, phase + 1.0], dim=1) / CYCLES
        steps = torch.stack([time, ((value - low) / unit).repeat(1, 2), (sigma / unit).repeat(1, 2)], dim=2)
        return steps, low, unit

    def _label(self, condition: Tensor) -> Tensor:
        return condition[:, : self.n_classes]

    def _encode(self, steps: Tensor, batch: CurveBatch) -> tuple[Tensor, Tensor]:
        physical = batch.encoder_condition[:, self.columns] if self.config.n_physical else None
        return self.vae.encode(steps, self._label(batch.decoder_condition), physical)

    def encode(self, batch: CurveBatch) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, shape (n, latent_dim)."""
        return self._encode(self._sequences(batch)[0], batch)

    def loss(self, batch: CurveBatch, noise: Tensor, beta: float) -> LossTerms:
        """Equation 4 of AJ 164, 263, mended; `beta` multiplies the configured one."""
        steps, _, _ = self._sequences(batch)
        mean, log_variance = self._encode(steps, batch)
        z = mean + noise * torch.exp(0.5 * log_variance)
        decoded = self.vae.decode(z, self._label(batch.decoder_condition), steps[:, :, 0])
        terms = published_loss(
            steps[:, :, 1], decoded, mean, log_variance, err=steps[:, :, 2], beta=beta * self.config.beta
        )
        kl = 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).mean(0)
        return LossTerms(total=terms.total, misfit=terms.reconstruction, kl=kl)

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """One cycle on the phase grid, with zero mean and unit amplitude on average, shape (n, N_BINS)."""
        latent, label = z.cpu().numpy(), self._label(condition).cpu().numpy()
        n_phase = POINTS_PER_CYCLE if self.config.free_phase else N_BINS
        with torch.no_grad():
            curve = published_template(self.vae, latent, label, n_phase)
        if self.config.free_phase:
            curve = standard_templates(curve, self._base_harmonics[label.argmax(axis=1)], N_BINS)
        else:
            curve = curve - curve.mean(axis=1, keepdims=True)
        return torch.from_numpy(curve.astype(np.float32)).to(z.device)

    def predict(self, z: Tensor, batch: CurveBatch) -> Tensor:
        """Values at the phases of a batch, shape (n, n_obs), in the unit and zero point of that curve."""
        steps, low, unit = self._sequences(batch)
        length = batch.phase.shape[1]
        decoded = self.vae.decode(z, self._label(batch.decoder_condition), steps[:, :, 0])[:, length:, 0]
        back = torch.argsort(torch.argsort(batch.phase, dim=1), dim=1)
        return torch.gather(low + unit * decoded, 1, back)


def build_model(kind: str, config: PeriodicConfig | PublishedConfig, conditioner: Conditioner) -> Any:
    """A network with fresh weights.

    Parameters
    ----------
    kind : {"periodic", "published"}
    config : PeriodicConfig or PublishedConfig
    conditioner : Conditioner

    Raises
    ------
    ConfigError
        If the kind is not known, or the configuration is of the other kind.
    """
    if kind == "periodic" and isinstance(config, PeriodicConfig):
        return PeriodicCVAE(
            config,
            n_encoder_condition=n_encoder_condition(conditioner),
            n_decoder_condition=conditioner.n_decoder,
            roughness=spectral_prior(
                [class_info(c).base_harmonic for c in conditioner.classes],
                # the harmonics of a narrow eclipse fall off slowly
                [24.0 if c == "ECL" else 6.0 for c in conditioner.classes],
                N_BINS,
            ),
        )
    if kind == "published" and isinstance(config, PublishedConfig):
        if config.n_physical > len(PHYSICAL):
            raise ConfigError(f"model.n_physical must be at most {len(PHYSICAL)}, received {config.n_physical}")
        first = len(conditioner.classes) + len(conditioner.subclasses) + 1
        return PublishedCurves(
            replace(config, n_classes=len(conditioner.classes)),
            n_classes=len(conditioner.classes),
            parameter_columns=slice(first, first + config.n_physical),
            base_harmonics=[class_info(c).base_harmonic for c in conditioner.classes],
        )
    raise ConfigError(f"model.kind must be 'periodic' or 'published', received {kind!r}")


def model_to_state(kind: str, model: Any) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Configuration for JSON and arrays for safetensors."""
    arrays = {k: v.detach().cpu().numpy() for k, v in model.state_dict().items()}
    return {"kind": kind, "latent_dim": model.latent_dim, "config": asdict(model.config)}, arrays


def model_from_state(config: Mapping[str, Any], arrays: Mapping[str, NDArray], conditioner: Conditioner) -> Any:
    """The inverse of :func:`model_to_state`, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the weights do not fit the configuration.
    """
    kind, stored = config["kind"], dict(config["config"])
    if kind == "periodic":
        # pruning leaves fewer dimensions than the network was made with
        stored["latent_dim"] = config["latent_dim"]
        model = build_model(kind, from_mapping(PeriodicConfig, stored, where="model"), conditioner)
    else:
        model = build_model(kind, from_mapping(PublishedConfig, stored, where="model"), conditioner)
    try:
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"the weights do not fit the configuration: {error}") from error
    return model.eval()
