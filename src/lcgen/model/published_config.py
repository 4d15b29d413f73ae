"""Hyperparameters of the published networks; importable without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["ARCHITECTURES", "PublishedConfig"]

ARCHITECTURES = ("tcn", "gru", "lstm")


@dataclass(frozen=True, kw_only=True)
class PublishedConfig:
    """Hyperparameters of a published network; the defaults are the best of table 2 in AJ 164, 263.

    Attributes
    ----------
    architecture : {"tcn", "gru", "lstm"}
        The temporal layers.
    layers : int
        Number of residual blocks (tcn) or of recurrent layers; the released GRU has 2.
    kernel : int
        Width of the convolutions (tcn only).
    channels : int
        Channels of the widest blocks, or hidden units.
    latent_dim : int
        Dimensions of the latent space.
    dropout : float
        Share of activations dropped in training.
    n_classes : int
        Length of the one-hot class.
    n_physical : int
        Number of physical parameters that the encoder receives: 0, or 3 for period, T_eff and M_G.
    beta : float
        Weight of the Kullback-Leibler term in the loss.
    free_phase : bool
        Whether the network was trained on curves with an arbitrary phase zero, as the released ones were: decoded
        curves are then turned to lcgen's phase zero and brought to a peak-to-peak amplitude of one.
    """

    architecture: str = "tcn"
    layers: int = 7
    kernel: int = 7
    channels: int = 48
    latent_dim: int = 4
    dropout: float = 0.2
    n_classes: int = 8
    n_physical: int = 0
    beta: float = 0.75
    free_phase: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(f"architecture must be one of {', '.join(ARCHITECTURES)}, not {self.architecture!r}")
        for key, low in (
            ("layers", 1),
            ("kernel", 1),
            ("channels", 1),
            ("latent_dim", 1),
            ("n_classes", 1),
            ("n_physical", 0),
        ):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ConfigError(f"{key} must be a whole number of at least {low}, received {value!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), received {self.dropout!r}")
        if not (math.isfinite(self.beta) and self.beta >= 0.0):
            raise ConfigError(f"beta must be finite and not negative, received {self.beta!r}")

    @property
    def encoder_channels(self) -> tuple[int, ...]:
        """Channels of the encoder's blocks: 8, doubled block by block, at most `channels`.

        Examples
        --------
        >>> PublishedConfig(layers=5, channels=48).encoder_channels
        (8, 16, 32, 48, 48)
        """
        return tuple(min(8 * 2**i, self.channels) for i in range(self.layers))
