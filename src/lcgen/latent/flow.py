"""Conditional normalising flow: class and any subset of parameters -> amplitude and latent vector.

Two neural spline flows (Durkan et al. 2019, arXiv:1906.04032) in a row: the amplitude given the star, and the latent
vector given the star and its amplitude. So an amplitude may be given, and the shape follows it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from tqdm import tqdm

from ..errors import ConfigError, InputError
from .flow_inference import FoldedFlow

__all__ = ["FeatureColumns", "FlowConfig", "FlowRegressor"]

_log = logging.getLogger(__name__)
_TAIL = 4.5


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Size and training of the flow.

    Attributes
    ----------
    transforms, bins : int
        Number of coupling transforms and of spline bins.
    hidden : tuple of int
        Widths of the conditioning networks.
    epochs, batch_size : int
        Length of training.
    learning_rate, weight_decay : float
        Of Adam with decoupled weight decay, on a cosine schedule.
    drop_parameters, drop_subclass : float
        Probability that a known parameter, or the subclass, is hidden in training.
    patience : int
        Epochs without a better validation likelihood before training stops.
    """

    transforms: int = 4
    bins: int = 8
    hidden: tuple[int, ...] = (96, 96)
    epochs: int = 60
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    drop_parameters: float = 0.3
    drop_subclass: float = 0.1
    patience: int = 12

    def __post_init__(self) -> None:
        for name, low in (("transforms", 1), ("bins", 2), ("epochs", 1), ("batch_size", 1), ("patience", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"latent.options.{name} must be at least {low}, received {getattr(self, name)}")
        for name in ("drop_parameters", "drop_subclass"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"latent.options.{name} must lie in [0, 1], received {getattr(self, name)}")
        if not self.learning_rate > 0.0:
            raise ConfigError(f"latent.options.learning_rate must be positive, received {self.learning_rate}")
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigError(f"latent.options.hidden must be positive widths, received {self.hidden}")


@dataclass(frozen=True, kw_only=True)
class FeatureColumns:
    """Columns of a star's features that may be hidden.

    Attributes
    ----------
    values, masks : slice
        Parameters, and whether they are known.
    subclass : slice
    period : int
        Index, within the parameters, of the one that is never hidden.
    log_period : int
        Column of the period on the scale that all classes share.
    """

    values: slice
    masks: slice
    subclass: slice
    period: int
    log_period: int

    def hide(self, features: Tensor, generator: torch.Generator, *, parameters: float, subclass: float) -> Tensor:
        """A copy in which parameters, one by one, and the subclass are hidden with the given probabilities."""
        out = features.clone()
        n, n_parameters = features.shape[0], self.values.stop - self.values.start
        dropped = torch.rand(n, n_parameters, generator=generator, device=out.device) < parameters
        dropped[:, self.period] = False
        out[:, self.values] *= ~dropped
        out[:, self.masks] *= ~dropped
        out[:, self.subclass] *= (torch.rand(n, 1, generator=generator, device=out.device) >= subclass).float()
        return out


class FlowRegressor:
    """Draws amplitude and latent vector of a star from its condition.

    Parameters
    ----------
    n_condition : int
        Length of the star's condition; see :meth:`lcgen.prepare.conditioning.Conditioner.star_features`.
    latent_dim : int
        Dimensions of the latent space.
    config : FlowConfig
    seed : int
        Seed of the initial weights.
    """

    name = "flow"

    def __init__(self, n_condition: int, latent_dim: int, config: FlowConfig | None = None, *, seed: int = 0) -> None:
        import zuko

        self.config = config or FlowConfig()
        self.n_condition, self.latent_dim = n_condition, latent_dim
        c = self.config
        options: dict[str, Any] = {"bins": c.bins, "hidden_features": list(c.hidden)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # one dimension needs one monotonic transform; more of them change nothing
            self.scale_flow = zuko.flows.NSF(1, n_condition, transforms=1, **options)
            self.latent_flow = zuko.flows.NSF(
                latent_dim, n_condition + 1, transforms=c.transforms, passes=min(2, latent_dim), **options
            )
        self.centre = np.zeros(latent_dim)
        self.width = np.ones(latent_dim)
        self.validation_nll = math.nan
        self._folded: tuple[tuple[tuple[int, int], ...], FoldedFlow, FoldedFlow] | None = None

    # ------------------------------------------------------------------ training
    def fit(
        self,
        features: ArrayLike,
        scale: ArrayLike,
        mean: ArrayLike,
        std: ArrayLike,
        *,
        weights: ArrayLike,
        validation: ArrayLike,
        seed: int,
        columns: FeatureColumns,
        progress: bool | None = None,
    ) -> FlowRegressor:
        """Fit by maximum likelihood on draws from the encoder's posteriors.

        Parameters
        ----------
        features : array_like, shape (n, n_condition)
        scale : array_like, shape (n,)
            Standardised log amplitude.
        mean, std : array_like, shape (n, latent_dim)
            Posterior of each curve; a new draw is used in every epoch.
        weights : array_like, shape (n,)
            Relative frequency with which a curve is used.
        validation : array_like of bool, shape (n,)
            Curves of stars that only decide when to stop.
        seed : int
        columns : FeatureColumns
            Where among the features the parameters and the subclass are.
        progress : bool, optional
        """
        arrays = [np.asarray(a, dtype=np.float32) for a in (features, scale, mean, std)]
        if any(not np.isfinite(a).all() for a in arrays):
            raise InputError("the flow needs finite features and targets")
        x, s, mu, sd = (torch.from_numpy(a) for a in arrays)
        held = torch.from_numpy(np.asarray(validation, dtype=bool))
        rate = torch.from_numpy(np.asarray(weights, dtype=np.float64))
        self.centre, self.width = mu[~held].mean(0).numpy().astype(float), mu[~held].std(0).numpy().astype(float)
        centre, width = torch.from_numpy(self.centre).float(), torch.from_numpy(self.width).float()
        train, check = torch.nonzero(~held).squeeze(1), torch.nonzero(held).squeeze(1)
        generator = torch.Generator().manual_seed(seed)
        parameters = [*self.scale_flow.parameters(), *self.latent_flow.parameters()]
        c = self.config
        optimiser = torch.optim.AdamW(parameters, lr=c.learning_rate, weight_decay=c.weight_decay)
        steps = max(1, math.ceil(train.numel() / c.batch_size))
        total = c.epochs * steps
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda k: min(1.0, (k + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(k / total, 1.0)))
        )

        def loss_of(rows: Tensor, context: Tensor, noise: Tensor) -> Tensor:
            z = (mu[rows] + sd[rows] * noise - centre) / width
            amplitude = s[rows, None]
            nll = -self.scale_flow(context).log_prob(amplitude)
            return nll - self.latent_flow(torch.cat([context, amplitude], dim=1)).log_prob(z)

        check_noise = torch.randn(check.numel(), self.latent_dim, generator=generator)
        best, best_state, waited = math.inf, self._tensors(), 0
        bar = tqdm(range(c.epochs), desc="latent flow", disable=None if progress is None else not progress)
        for epoch in bar:
            for _ in range(steps):
                rows = train[torch.multinomial(rate[train], c.batch_size, replacement=True, generator=generator)]
                noise = torch.randn(c.batch_size, self.latent_dim, generator=generator)
                context = columns.hide(x[rows], generator, parameters=c.drop_parameters, subclass=c.drop_subclass)
                loss = loss_of(rows, context, noise).mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                by_weight = rate[check] / rate[check].sum()
                score = float((loss_of(check, x[check], check_noise).double() * by_weight).sum())
            bar.set_postfix(nll=f"{score:.3f}")
            _log.info("flow epoch %d: validation nll %.4f", epoch, score)
            if score < best:
                best, best_state, waited = score, self._tensors(), 0
            else:
                waited += 1
                if waited >= c.patience:
                    break
        self._load(best_state)
        self.validation_nll = best
        return self

    # ------------------------------------------------------------------ as a prior
    def log_density(self, features: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """Log density of latent vectors given star and amplitude, with gradients.

        Parameters
        ----------
        features : Tensor, shape (n, n_condition)
        scale : Tensor, shape (n,)
            Standardised log amplitude.
        z : Tensor, shape (n, latent_dim)

        Returns
        -------
        Tensor, shape (n,)
        """
        centre, width = (z.new_tensor(v) for v in (self.centre, self.width))
        context = torch.cat([features, scale[:, None]], dim=1)
        return self.latent_flow(context).log_prob((z - centre) / width) - torch.log(width).sum()

    # ------------------------------------------------------------------ drawing
    def sample(
        self, features: ArrayLike, normals: ArrayLike, scale: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Draw amplitude and latent vector; a deterministic function of the random numbers passed in.

        Parameters
        ----------
        features : array_like, shape (n, n_condition)
        normals : array_like, shape (n, latent_dim + 1)
            Standard normal numbers: one for the amplitude, the rest for the latent vector.
        scale : array_like, shape (n,), optional
            Standardised log amplitude where it is given, NaN where it is to be drawn.

        Returns
        -------
        scale : ndarray, shape (n,)
            Standardised log amplitude.
        z : ndarray, shape (n, latent_dim)
        """
        x = np.asarray(features, dtype=np.float32)
        e = np.clip(np.asarray(normals, dtype=np.float32), -_TAIL, _TAIL)
        given = np.full(x.shape[0], np.nan) if scale is None else np.asarray(scale, dtype=float)
        scale_flow, latent_flow = self._for_drawing()
        drawn = scale_flow(x, e[:, :1])
        amplitude = np.where(np.isfinite(given), given, drawn[:, 0].astype(float))
        context = np.concatenate([x, np.clip(amplitude, -6, 6).astype(np.float32)[:, None]], axis=1)
        z = latent_flow(context, e[:, 1:])
        return amplitude, (z * self.width + self.centre).astype(np.float32)

    def _for_drawing(self) -> tuple[FoldedFlow, FoldedFlow]:
        # whatever changes the weights (an optimiser, load_state_dict, to) moves or marks one of the tensors
        weights = (*self.scale_flow.parameters(), *self.latent_flow.parameters())
        state = tuple((w.data_ptr(), w._version) for w in weights)
        if self._folded is None or self._folded[0] != state:
            bins = self.config.bins
            self._folded = state, FoldedFlow(self.scale_flow, bins=bins), FoldedFlow(self.latent_flow, bins=bins)
        return self._folded[1:]

    # ------------------------------------------------------------------ storage
    def _tensors(self) -> dict[str, Tensor]:
        out = {f"scale.{k}": v.detach().clone() for k, v in self.scale_flow.state_dict().items()}
        return out | {f"latent.{k}": v.detach().clone() for k, v in self.latent_flow.state_dict().items()}

    def _load(self, tensors: Mapping[str, Tensor]) -> None:
        for prefix, flow in (("scale.", self.scale_flow), ("latent.", self.latent_flow)):
            flow.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
            flow.eval()

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """Configuration for JSON, and arrays for safetensors."""
        config = {
            "n_condition": self.n_condition,
            "latent_dim": self.latent_dim,
            "centre": self.centre.tolist(),
            "width": self.width.tolist(),
            "config": asdict(self.config),
        }
        return config, {k: np.ascontiguousarray(v.numpy()) for k, v in self._tensors().items()}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> FlowRegressor:
        """The inverse of :meth:`to_state`."""
        stored = dict(config["config"])
        stored["hidden"] = tuple(stored["hidden"])
        flow = cls(int(config["n_condition"]), int(config["latent_dim"]), FlowConfig(**stored))
        flow.centre, flow.width = np.asarray(config["centre"]), np.asarray(config["width"])
        flow._load({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        return flow
