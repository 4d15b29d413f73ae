"""The published networks: causal TCN, GRU and LSTM encoders and decoders in a conditional VAE.

Written after the description in Martinez-Palomera, Bloom & Abrahams (2022, AJ 164, 263), as far as it
agrees with the released weights, and after those where it does not. They are here for comparison: the
decoded curve depends on the phases at which it is asked for, is not periodic, and has no amplitude.
:func:`published_template` removes the first fault, and the jump at the wrap, by decoding on one fixed grid.

Phases are those of :mod:`lcgen.model.published_data`: the decoder's time 0 to 1 spans two periods.
"""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ..errors import CheckpointError, InputError
from .blocks import in_blocks
from .published_config import PublishedConfig
from .published_data import (
    CYCLES,
    POINTS_PER_CYCLE,
    PublishedInputs,
    published_inputs,
    scale_phase,
    wrap_cycles,
)
from .published_layers import CausalTCN, check_shape

__all__ = [
    "PublishedConfig",
    "PublishedInputs",
    "PublishedOutput",
    "PublishedVAE",
    "load_released",
    "published_inputs",
    "published_template",
]

logger = logging.getLogger(__name__)

_HEAD = 16  # units between the last time step and (mu, logvar), in all released runs
_FEATURES = 3  # phase, magnitude, error
_BLOCK = 32  # curves decoded at a time by published_template


class PublishedOutput(NamedTuple):
    """What a pass through the network gives.

    Attributes
    ----------
    decoded : Tensor, shape (n, length, 1)
        Magnitudes in [0, 1] at the phases of the input.
    mu, logvar : Tensor, shape (n, latent_dim)
        Mean and log variance of the latent.
    z : Tensor, shape (n, latent_dim)
        The latent that was decoded.
    """

    decoded: Tensor
    mu: Tensor
    logvar: Tensor
    z: Tensor


class PublishedVAE(nn.Module):
    """The published conditional VAE.

    Parameters
    ----------
    config : PublishedConfig
        Hyperparameters.
    seed : int
        Seed of the initial weights; torch's global random state is left as it was. Dropout in training does
        draw from that state: seed it before training.

    Examples
    --------
    >>> model = PublishedVAE(PublishedConfig(layers=2, channels=8))
    >>> label = torch.eye(8)[:5]
    >>> model.decode(torch.zeros(5, 4), label, torch.linspace(0, 1, 600).expand(5, 600)).shape
    torch.Size([5, 600, 1])
    """

    def __init__(self, config: PublishedConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        n_decoder = 1 + config.latent_dim + config.n_classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if config.architecture == "tcn":
                channels = config.encoder_channels
                self.enc_tcn = CausalTCN(_FEATURES, channels, config.kernel, config.dropout)
                self.dec_tcn = CausalTCN(n_decoder, channels[::-1], config.kernel, config.dropout)
                n_encoded, n_decoded = channels[-1], channels[0]
            else:
                recurrent = nn.GRU if config.architecture == "gru" else nn.LSTM
                # one layer has nothing between layers to drop, and torch warns about it
                between = config.dropout if config.layers > 1 else 0.0
                n_encoded = n_decoded = config.channels
                self.enc_lstm = recurrent(_FEATURES, config.channels, config.layers, batch_first=True, dropout=between)
                self.dec_lstm = recurrent(n_decoder, config.channels, config.layers, batch_first=True, dropout=between)
            n_head = n_encoded + config.n_classes + config.n_physical
            self.enc_linear = nn.Sequential(nn.Linear(n_head, _HEAD), nn.ReLU(), nn.Dropout(config.dropout))
            self.enc_linear_mu = nn.Linear(_HEAD, config.latent_dim)
            self.enc_linear_std = nn.Linear(_HEAD, config.latent_dim)
            self.dec_linear = nn.Linear(n_decoded, 1)

    def encode(self, x: Tensor, label: Tensor, physical: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The latent distribution of light curves.

        Parameters
        ----------
        x : Tensor, shape (n, length, 3)
            Phase, magnitude and error of each step, as from
            :func:`~lcgen.model.published_data.published_inputs`.
        label : Tensor, shape (n, n_classes)
            One-hot class, in alphabetical order.
        physical : Tensor, shape (n, n_physical), optional
            Scaled physical parameters; needed where the configuration has any.

        Returns
        -------
        mu, logvar : Tensor, shape (n, latent_dim)

        Raises
        ------
        InputError
            If a shape is wrong.
        """
        check_shape("x", x, (None, None, _FEATURES))
        check_shape("label", label, (x.shape[0], self.config.n_classes))
        steps = self.enc_tcn(x) if self.config.architecture == "tcn" else self.enc_lstm(x)[0]
        parts = [steps[:, -1], label.to(x.dtype)]
        if self.config.n_physical:
            if physical is None:
                raise InputError(f"the encoder of this model needs {self.config.n_physical} physical parameters")
            check_shape("physical", physical, (x.shape[0], self.config.n_physical))
            parts.append(physical.to(x.dtype))
        elif physical is not None:
            raise InputError("the encoder of this model takes no physical parameters")
        hidden = self.enc_linear(torch.cat(parts, dim=1))
        return self.enc_linear_mu(hidden), self.enc_linear_std(hidden)

    def decode(self, z: Tensor, label: Tensor, phase: Tensor) -> Tensor:
        """The magnitudes of latents at ascending phases.

        Parameters
        ----------
        z : Tensor, shape (n, latent_dim)
        label : Tensor, shape (n, n_classes)
            One-hot class.
        phase : Tensor, shape (n, length)
            Scaled phases (see :func:`~lcgen.model.published_data.scale_phase`), ascending: the value at a
            phase depends on all phases before it.

        Returns
        -------
        Tensor, shape (n, length, 1)
            Magnitudes in [0, 1]; fainter is larger.

        Raises
        ------
        InputError
            If a shape is wrong.
        """
        check_shape("z", z, (None, self.config.latent_dim))
        check_shape("label", label, (z.shape[0], self.config.n_classes))
        check_shape("phase", phase, (z.shape[0], None))
        fixed = torch.cat([z, label.to(z.dtype)], dim=1)
        fixed = fixed.unsqueeze(1).expand(-1, phase.shape[1], -1)
        steps = torch.cat([phase.to(z.dtype).unsqueeze(2), fixed], dim=2)
        steps = self.dec_tcn(steps) if self.config.architecture == "tcn" else self.dec_lstm(steps)[0]
        return torch.sigmoid(self.dec_linear(steps))

    def forward(
        self, x: Tensor, label: Tensor, physical: Tensor | None = None, *, noise: Tensor | None = None
    ) -> PublishedOutput:
        """Encode light curves and decode them at their own phases.

        Parameters
        ----------
        x, label, physical
            As in :meth:`encode`.
        noise : Tensor, shape (n, latent_dim), optional
            Standard normal numbers with which the latent is drawn; without, its mean is decoded.
        """
        mu, logvar = self.encode(x, label, physical)
        z = mu if noise is None else mu + torch.exp(0.5 * logvar) * noise
        return PublishedOutput(self.decode(z, label, x[:, :, 0]), mu, logvar, z)


def published_template(model: PublishedVAE, z: ArrayLike, label: ArrayLike, n_phase: int) -> NDArray[np.float64]:
    """One period of the decoder's curve, the same whatever the cadence.

    The decoder is causal: what it returns at a phase depends on the phases asked before it. So it is always
    asked for the same 600 phases, 300 evenly spaced ones a cycle as in its training, over its two cycles.
    The two differ: the first begins without any history, and the end of the second does not meet the
    beginning of the first. They do meet in the middle, and the cycles are blended so that the curve passes
    over that seam at the wrap: near phase 1 it is the first cycle, near phase 0 the second, with a weight
    ``w = 3 p^2 - 2 p^3`` of the first at phase p. The result is periodic, as smooth at phase 0 as the
    decoder is in the middle of its range, and rests least on the poorly determined first steps. It is
    brought to `n_phase` phases by local cubic (Catmull-Rom) interpolation.

    Rows are decoded in blocks of fixed size, so that a curve does not depend on those asked for together
    with it.

    Parameters
    ----------
    model : PublishedVAE
        Used in evaluation mode; its mode is restored.
    z : array_like, shape (n, latent_dim)
        Latents.
    label : array_like, shape (n, n_classes)
        One-hot classes.
    n_phase : int
        Number of phases.

    Returns
    -------
    ndarray, shape (n, n_phase)
        Decoded magnitudes, on the decoder's scale of 0 to 1, at phases ``arange(n_phase) / n_phase``.

    Raises
    ------
    InputError
        If a shape is wrong, or `n_phase` is not a positive whole number.
    """
    if isinstance(n_phase, bool) or not isinstance(n_phase, (int, np.integer)) or n_phase < 1:
        raise InputError(f"n_phase must be a positive whole number, received {n_phase!r}")
    device = next(model.parameters()).device
    latents, labels = np.asarray(z, dtype=np.float32), np.asarray(label, dtype=np.float32)
    check_shape("z", latents, (None, model.config.latent_dim))
    check_shape("label", labels, (latents.shape[0], model.config.n_classes))
    grid = scale_phase(np.arange(CYCLES * POINTS_PER_CYCLE) / POINTS_PER_CYCLE)
    phase = torch.as_tensor(grid, dtype=torch.float32, device=device)
    was_training = model.training
    model.eval()
    try:
        (out,) = in_blocks(
            lambda zs, ls: model.decode(zs, ls, phase.expand(len(zs), -1))[:, :, 0],
            latents,
            labels,
            block=_BLOCK,
            device=device,
        )
    finally:
        model.train(was_training)
    return wrap_cycles(out, int(n_phase))


def load_released(run_dir: str | Path) -> PublishedVAE:
    """A released network, from the folder of its run.

    Parameters
    ----------
    run_dir : str or Path
        Folder with ``config.yaml`` and ``VAE_model_None.pt``. The weights are read as plain tensors: a file
        that holds anything else is refused.

    Returns
    -------
    PublishedVAE
        In evaluation mode.

    Raises
    ------
    CheckpointError
        If a file is missing, or is not what the name says.
    """
    folder = Path(run_dir)
    config = _released_config(folder / "config.yaml")
    path = folder / "VAE_model_None.pt"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: cannot be read as a torch state dict ({error})") from error
    model = PublishedVAE(config)
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: does not fit its config.yaml ({error})") from error
    logger.info("loaded %s: %s", folder.name, config)
    return model.eval()


def _released_config(path: Path) -> PublishedConfig:
    # The file is a flat list "key:" / "  desc: null" / "  value: x", which asks for no YAML library.
    values: dict[str, str] = {}
    key = ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    for line in lines:
        if line and not line[0].isspace():
            key = line.split(":", 1)[0].strip()
        elif line.strip().startswith("value:"):
            values[key] = line.split(":", 1)[1].strip().strip("'\"")
    for key, supported in (("latent_mode", "repeat"), ("transpose", "false"), ("n_feats", str(_FEATURES))):
        if values.get(key, supported) != supported:
            raise CheckpointError(f"{path}: {key} = {values[key]} is not supported, only {supported}")
    try:
        return PublishedConfig(
            architecture=values["architecture"],
            layers=int(values["num_layers"]),
            kernel=int(values["kernel_size"]),
            channels=int(values["hidden_size"]),
            latent_dim=int(values["latent_dim"]),
            dropout=float(values["dropout"]),
            n_classes=int(values["label_dim"]),
            n_physical=int(values["physics_dim"]),
            beta=float(values["beta_vae"]),
        )
    except KeyError as error:
        raise CheckpointError(f"{path}: the key {error} is missing") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
