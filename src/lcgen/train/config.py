"""Configuration of a training run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import from_mapping, read_toml
from ..errors import ConfigError
from ..photometry import BANDS
from ..plugins import plugin_names
from ..prepare.augment import AugmentConfig
from ..prepare.clean import CleanConfig
from ..taxonomy import CLASS_INFO, CLASSES

__all__ = [
    "DataConfig",
    "FourierConfig",
    "LatentConfig",
    "LoopConfig",
    "PackConfig",
    "PopulationConfig",
    "RefineConfig",
    "TrainConfig",
    "read_config",
]

_NETWORKS = ("periodic", "published")
_LATENT_KINDS = ("flow", "linear", "forest", "mlp")


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """One HDF5 pack of light curves.

    Attributes
    ----------
    path : str
        Relative to the data folder.
    survey : str
        Packs of one survey are bands of the same stars.
    periods : str
        A table of periods: a ``.csv`` that ``lcgen periods`` wrote, or else one of the OGLE collection (``cepF.dat``);
        looked for in the data folder, then in the current one. Its periods take the place of those of all packs of
        the survey, as bands of one star must be folded alike; stars that it does not have keep theirs.
    match : bool
        Stars that the packs before this one name otherwise are found again by their ephemerides (see
        :func:`lcgen.prepare.same_star.match_stars`) and get the names they have there.
    """

    path: str
    survey: str
    periods: str = ""
    match: bool = False


@dataclass(frozen=True, kw_only=True)
class FourierConfig:
    """A table of Fourier terms, from which light curves are reconstructed.

    Attributes
    ----------
    path : str
        Relative to the data folder; read by :func:`lcgen.catalog.read_fourier_table`.
    survey : str
        Name of the survey, as a label of the curves.
    band : str
        Band of the terms.
    cls, subclass : str
        Class and subclass of all its stars.
    """

    path: str
    survey: str
    band: str
    cls: str
    subclass: str = ""

    def __post_init__(self) -> None:
        allowed = {
            "band": tuple(BANDS),
            "cls": CLASSES,
            "subclass": ("", *CLASS_INFO[self.cls].subclasses) if self.cls in CLASSES else (self.subclass,),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                known = ", ".join(v for v in values if v)
                raise ConfigError(f"data.fourier: {name} {getattr(self, name)!r} is not known; allowed: {known}")
        for name in ("path", "survey"):
            if not getattr(self, name):
                raise ConfigError(f"data.fourier: {name} is empty")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    packs : tuple of PackConfig
    fourier : tuple of FourierConfig
        Tables of Fourier terms as further curves; they train, but are never tested on.
    secondary : tuple of str
        Surveys of packs or tables whose stars teach shapes, but are no sample of what is to be imitated: by default
        none of them is drawn.
    folder : str
        Data folder; the environment variable ``LCGEN_DATA`` where empty.
    bands : tuple of str
    classes : tuple of str
    max_stars : int
        Largest number of stars of a class and survey, 0 for all; for quick trials.
    split_seed : int
    split : tuple of three floats
        Shares of training, validation and test stars.
    physical_parameters : bool
        Join the physical parameters of the population table by star.
    """

    packs: tuple[PackConfig, ...]
    fourier: tuple[FourierConfig, ...] = ()
    secondary: tuple[str, ...] = ()
    folder: str = ""
    bands: tuple[str, ...] = ("V", "I")
    classes: tuple[str, ...] = CLASSES
    max_stars: int = 0
    split_seed: int = 1
    split: tuple[float, ...] = (0.6, 0.2, 0.2)
    physical_parameters: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (("packs", None), ("bands", BANDS), ("classes", CLASSES)):
            if not getattr(self, name):
                raise ConfigError(f"data.{name} is empty")
            unknown = [v for v in getattr(self, name) if allowed is not None and v not in allowed]
            if allowed is not None and unknown:
                raise ConfigError(f"data.{name}: {unknown[0]!r} is not known; allowed: {', '.join(allowed)}")
        for table in self.fourier:
            if table.band not in self.bands:
                raise ConfigError(f"data.fourier: {table.path} is in {table.band}, data.bands has no such band")
        surveys = sorted({source.survey for source in (*self.packs, *self.fourier)})
        for name in self.secondary:
            if name not in surveys:
                raise ConfigError(f"data.secondary: there is no survey {name!r}; known are {', '.join(surveys)}")
        if self.max_stars < 0:
            raise ConfigError(f"data.max_stars must not be negative, received {self.max_stars}")
        if len(self.split) != 3 or not (min(self.split) > 0 and abs(sum(self.split) - 1.0) < 1e-6):
            raise ConfigError(f"data.split must be three positive shares that add up to 1, received {self.split}")

    def root(self) -> Path:
        """The data folder.

        Raises
        ------
        ConfigError
            If it is not given or does not exist.
        """
        named = self.folder or os.environ.get("LCGEN_DATA", "")
        if not named:
            raise ConfigError("data.folder is empty and the environment variable LCGEN_DATA is not set")
        root = Path(named).expanduser()
        if not root.is_dir():
            raise ConfigError(f"data.folder: {root} is not a folder")
        return root


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how the network is trained.

    Attributes
    ----------
    epochs, steps_per_epoch, batch_size : int
        An epoch is a number of steps; curves are drawn with replacement.
    learning_rate : float
        Of Adam, on a cosine schedule after `warmup_steps`.
    warmup_steps : int
    beta : float
        Weight of the KL divergence.
    kl_warmup : float
        Share of the training over which beta grows from 0.
    balance : float
        0 leaves the mix of the surveys, 1 makes every class, survey and band equally frequent.
    secondary_share : float
        Factor by which curves of secondary surveys are seen less often.
    swap : float
        Probability that a star's other band has to be predicted.
    drop_parameters, drop_subclass : float
        Probability that a parameter, or the subclass, is hidden.
    drop_class : float
        Probability that the encoder does not see the class.
    period_jitter : float
        Standard deviation by which the decoder's log period is moved, in units of the class's width.
    input_noise : float
        Noise added to what the encoder sees, in units of the noise that is there.
    truncate : float
        Probability that the encoder sees the first three harmonics alone, as of stars that are known by their Fourier
        terms.
    weight_decay : float
        Of Adam, decoupled.
    points : int
        Observations of a curve used at a time.
    clip : float
        Largest norm of the gradient.
    average : float
        Decay of the running average of the weights, which is what is validated and kept.
    patience : int
        Epochs without a better validation loss, after the KL warm-up, before training stops.
    active_variance : float
        Variance of the posterior mean over stars below which a latent dimension is dead and pruned.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    precision : str
        ``"float32"``, or ``"bfloat16"`` for what the networks compute; all of the loss stays float32. Periodic network
        only: the published ones take phases as their input, which bfloat16 would round to 1/256 of a cycle.
    """

    epochs: int = 60
    steps_per_epoch: int = 500
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    beta: float = 1.0
    kl_warmup: float = 0.4
    balance: float = 0.5
    secondary_share: float = 0.5
    swap: float = 0.4
    drop_parameters: float = 0.3
    drop_subclass: float = 0.15
    drop_class: float = 0.0
    period_jitter: float = 0.1
    input_noise: float = 0.5
    truncate: float = 0.0
    weight_decay: float = 1e-4
    points: int = 256
    clip: float = 1.0
    average: float = 0.998
    patience: int = 15
    active_variance: float = 0.05
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "batch_size", "points", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name} must be at least 1, received {getattr(self, name)}")
        if self.warmup_steps < 0:
            raise ConfigError(f"training.warmup_steps must not be negative, received {self.warmup_steps}")
        shares = ("kl_warmup", "balance", "secondary_share", "swap", "drop_parameters", "drop_subclass", "drop_class")
        for name in (*shares, "truncate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"training.{name} must lie in [0, 1], received {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(f"training.{name} must be positive, received {getattr(self, name)}")
        for name in ("beta", "active_variance"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"training.{name} must not be negative, received {getattr(self, name)}")
        if not 0.0 <= self.average < 1.0:
            raise ConfigError(f"training.average must lie in [0, 1), received {self.average}")
        if self.device not in ("cpu", "cuda", "auto"):
            raise ConfigError(f"training.device must be 'cpu', 'cuda' or 'auto', received {self.device!r}")
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"training.precision must be 'float32' or 'bfloat16', received {self.precision!r}")


@dataclass(frozen=True, kw_only=True)
class LatentConfig:
    """The regression from parameters to the latent space.

    Attributes
    ----------
    kind : {"flow", "linear", "forest", "mlp"} or str
        One of these, or the name of a plugin's regressor (:mod:`lcgen.plugins`).
    options : mapping
        Of the chosen kind; for ``"flow"`` see :class:`lcgen.latent.flow.FlowConfig`, for a plugin's regressor they are
        the arguments of its class.
    balance : float
        As in :class:`LoopConfig`, for the draws that the regression is fitted to.
    table : bool
        Fit the published kinds, and that of a plugin, and put the comparison on unseen stars into the card.
    """

    kind: str = "flow"
    options: dict[str, Any] = field(default_factory=dict)
    balance: float = 0.5
    table: bool = True

    def __post_init__(self) -> None:
        if self.kind not in _LATENT_KINDS:
            allowed = (*_LATENT_KINDS, *plugin_names("lcgen.regressors"))
            if self.kind not in allowed:
                raise ConfigError(f"latent.kind must be one of {', '.join(allowed)}, received {self.kind!r}")
        elif self.options and self.kind != "flow":
            raise ConfigError(f"latent.options: the {self.kind} regression takes none here")
        if not 0.0 <= self.balance <= 1.0:
            raise ConfigError(f"latent.balance must lie in [0, 1], received {self.balance}")


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """Training of network and latent flow together, see :mod:`lcgen.train.refine`.

    Attributes
    ----------
    epochs : int
        Epochs of ``training.steps_per_epoch`` steps; 0 for none.
    learning_rate : float
        Of the encoder; half of it for the decoder, twice for the flow.
    jitter : float
        Standard deviation by which period and amplitude are moved for the flow, in units of the class's widths.
    """

    epochs: int = 0
    learning_rate: float = 7e-4
    jitter: float = 0.05

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ConfigError(f"refine.epochs must not be negative, received {self.epochs}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ConfigError(f"refine.learning_rate must be positive, received {self.learning_rate}")
        if not 0.0 <= self.jitter < math.inf:
            raise ConfigError(f"refine.jitter must not be negative, received {self.jitter}")


@dataclass(frozen=True, kw_only=True)
class PopulationConfig:
    """The population of physical parameters.

    Attributes
    ----------
    source : {"table", "curves"}
        ``"table"``: all stars of the survey catalogues in the data folder. ``"curves"``: the training stars alone.
    max_components : int
        Of the mixture of a subclass.
    """

    source: str = "table"
    max_components: int = 8

    def __post_init__(self) -> None:
        if self.source not in ("table", "curves"):
            raise ConfigError(f"population.source must be 'table' or 'curves', received {self.source!r}")
        if self.max_components < 1:
            raise ConfigError(f"population.max_components must be at least 1, received {self.max_components}")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run from survey files to a generator.

    Attributes
    ----------
    name : str
        Name of the model.
    output : str
        Folder of the run.
    seed : int
        Of everything random but the split.
    data, training, augment, latent, refine, population
        See the classes of these names.
    clean : mapping of survey to CleanConfig
        What is removed, by survey.
    model : mapping
        ``kind`` (``"periodic"`` or ``"published"``) and the options of that kind.
    irregularity : bool
        Measure how stars depart from repeating, see :mod:`lcgen.train.irregular`; takes minutes.
    """

    name: str
    data: DataConfig
    output: str = "runs/run"
    seed: int = 1
    clean: dict[str, CleanConfig] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: LoopConfig = field(default_factory=LoopConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    population: PopulationConfig = field(default_factory=PopulationConfig)
    irregularity: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must lie in [0, 2^63), received {self.seed}")
        surveys = sorted({pack.survey for pack in self.data.packs})
        for name in self.clean:
            if name not in surveys:
                raise ConfigError(f"clean.{name}: there is no such survey; data.packs has {', '.join(surveys)}")
        kind = self.model.get("kind", "periodic")
        if kind not in _NETWORKS:
            raise ConfigError(f"model.kind must be one of {', '.join(_NETWORKS)}, received {kind!r}")
        if self.refine.epochs and (kind != "periodic" or self.latent.kind != "flow"):
            raise ConfigError("refine.epochs needs model.kind 'periodic' and latent.kind 'flow'")
        if kind == "published" and self.training.precision != "float32":
            raise ConfigError("training.precision must be 'float32' for the published networks: they read phases")


def read_config(source: str | os.PathLike[str] | Mapping[str, Any]) -> TrainConfig:
    """Read a training configuration from a TOML file or a mapping.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    """
    values = source if isinstance(source, Mapping) else read_toml(source)
    return from_mapping(TrainConfig, values)
