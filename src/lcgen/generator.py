"""``LightCurveGenerator``: the one door between numpy and torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from . import assets, rng
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .errors import CheckpointError, DomainError, InputError, UnknownNameError
from .interpolate import peak_to_peak_periodic
from .lightcurve import LightCurve, LightCurves
from .model.blocks import in_blocks
from .model.build import CurveModel, model_from_state, model_to_state
from .observe.band_curves import DERIVED_BANDS, band_source
from .observe.detection import Detection
from .observe.extinction import DEFAULT_LAW, DEFAULT_R_V, Law
from .observe.irregular import Irregularity
from .observe.noise import NoiseModel, SurveyNoise
from .params import StarRequest, read_request
from .placing import Placing, complete_parameters
from .population import Population, ShapeRelations, fourier_shape
from .prepare.conditioning import Conditioner
from .prepare.split import SPLIT_NAMES, id_hash
from .sky import DustMap, Footprint
from .stars import DecodedBand, Stars
from .taxonomy import PARAMETERS, PHYSICAL

__all__ = ["LightCurveGenerator", "limit_threads", "load_generator", "shape_band"]

_REFERENCE_BAND = "V"
_N_CANDIDATES = 32
_T0_EPOCH = 60000.0
# Domains are compared in single precision steps, so that a limit printed with six digits is inside.
_SLACK = 1e-5


def shape_band(bands: Sequence[str]) -> str:
    """The band whose Fourier parameters go with the physical ones: I, in which most stars with such are observed."""
    return "I" if "I" in bands else bands[0]


class LightCurveGenerator:
    """Light curves of stars that nobody has observed yet.

    Made by :func:`load_generator` or by training; the parts are passed in so that each can be replaced.

    Parameters
    ----------
    name : str
        Name of the model.
    kind : {"periodic", "published"}
        Kind of the network.
    model : CurveModel
        The network.
    conditioner : Conditioner
        What the network is told of a star.
    regressor : object
        Draws amplitude and latent vector; see :class:`lcgen.latent.flow.FlowRegressor`.
    population : Population
        Draws physical parameters.
    relations : ShapeRelations, optional
        Draws those that were not given so that they agree with the curve; without it the curve follows the drawn ones.
    noise_models : mapping of str to SurveyNoise
        Error models of the training surveys.
    band_rules : mapping of class to mapping of band to rule
        How a band of a class is obtained: ``{"source": "learned"}``, or ``{"source": "transferred", "from": band,
        "ratio": amplitude ratio}`` where the class was never observed in the band.
    split : mapping with ``hash`` and ``set``, optional
        Which stars the model was trained on.
    info : mapping, optional
        Provenance.
    sha256, source : str
        Digest of the weights and where they were read from; empty for a generator that was not loaded.

    Examples
    --------
    >>> import lcgen
    >>> gen = lcgen.load_generator()  # doctest: +SKIP
    >>> gen.sample("RRLYR", {"period": 0.55}, [60000.0, 60000.1], seed=7)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        name: str,
        kind: str,
        model: CurveModel,
        conditioner: Conditioner,
        regressor: Any,
        population: Population,
        relations: ShapeRelations | None = None,
        noise_models: Mapping[str, SurveyNoise],
        band_rules: Mapping[str, Mapping[str, Mapping[str, Any]]],
        split: Mapping[str, NDArray] | None = None,
        info: Mapping[str, Any] | None = None,
        sha256: str = "",
        source: str = "",
    ) -> None:
        self.name, self.kind, self.model = name, kind, model
        self.conditioner, self.regressor, self.population = conditioner, regressor, population
        self.relations = relations
        self.noise_models = dict(noise_models)
        self.band_rules = {c: {b: dict(r) for b, r in rules.items()} for c, rules in band_rules.items()}
        self.info: dict[str, Any] = dict(info or {})
        self.sha256, self.source = sha256, source
        self._split = split

    def __repr__(self) -> str:
        return (
            f"<LightCurveGenerator {self.name}: {', '.join(self.classes)}, trained in {', '.join(self.trained_bands)}>"
        )

    # ------------------------------------------------------------------ what it knows
    @property
    def classes(self) -> tuple[str, ...]:
        """Classes it can generate."""
        return self.population.classes

    @property
    def parameters(self) -> tuple[str, ...]:
        """Physical parameters that may be given or are drawn."""
        return PHYSICAL

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands it can generate: those it was trained in, then those that are derived from V."""
        trained = self.trained_bands
        return (*trained, *(b for b in DERIVED_BANDS if b not in trained)) if "V" in trained else trained

    @property
    def trained_bands(self) -> tuple[str, ...]:
        """Bands of its training photometry."""
        return self.conditioner.bands

    def learned_bands(self, cls: str) -> tuple[str, ...]:
        """Bands in which a class was observed in training."""
        self._known("class", cls, self.classes)
        rules = self.band_rules[cls]
        return tuple(b for b in self.trained_bands if rules[b]["source"] == "learned")

    @property
    def subclasses(self) -> dict[str, tuple[str, ...]]:
        """Subclasses by class."""
        return {c: tuple(s for s in self.population.subclasses(c) if s) for c in self.classes}

    def band_source(self, cls: str, band: str, subclass: str = "") -> str:
        """How a band of a class is obtained.

        ``"learned"``: from photometry of such stars in that band. ``"transferred"``: from other bands, through colour
        curves measured on other stars or model atmospheres, within 15 % in wavelength of bands in which they were
        observed. ``"extrapolated"``: beyond these.
        """
        learned = self.learned_bands(cls)
        self._known("band", band, self.bands)
        if band in self.trained_bands and "V" not in learned:
            return str(self.band_rules[cls][band]["source"])  # nothing to derive it from: the network's
        return band_source(cls, subclass, band, learned)

    def domain(self, cls: str, parameter: str) -> tuple[float, float] | None:
        """Limits within which a parameter of a class may be given; None where the model does not use it.

        Raises
        ------
        UnknownNameError
            If the class or the parameter is not known.
        """
        self._known("class", cls, self.classes)
        self._known("parameter", parameter, (*PHYSICAL, "amplitude"))
        c = self.conditioner.classes.index(cls)
        if parameter == "amplitude":
            limits = self.info.get("amplitude_domain", {}).get(cls)
            return (float(limits[0]), float(limits[1])) if limits else None
        j = PHYSICAL.index(parameter)
        low, high = float(self.conditioner.low[c, j]), float(self.conditioner.high[c, j])
        if parameter != "period" and parameter in self.population.parameters_of(cls):
            drawn = self.population.domain(cls, parameter)
            low, high = np.fmin(low, drawn[0]), np.fmax(high, drawn[1])
        return (float(low), float(high)) if np.isfinite(low) else None

    def influences(self, cls: str) -> tuple[str, ...]:
        """Physical parameters that move the curves of a class: those that enough training stars had."""
        self._known("class", cls, self.classes)
        row = self.conditioner.supported[self.conditioner.classes.index(cls)]
        return tuple(p for p, has in zip(PHYSICAL, row, strict=True) if has)

    def split_of(self, ids: Sequence[str]) -> NDArray[np.str_]:
        """The set that real stars belonged to in training: ``train``, ``validation``, ``test`` or an empty string.

        Parameters
        ----------
        ids : sequence of str
            Names of the stars as the survey gives them.
        """
        if self._split is None:
            raise InputError("this generator does not say which stars it was trained on")
        order = np.argsort(self._split["hash"])
        hashes = self._split["hash"][order]
        wanted = id_hash(ids)
        at = np.minimum(np.searchsorted(hashes, wanted), hashes.size - 1)
        names = np.asarray(SPLIT_NAMES)[self._split["set"][order][at]]
        return np.where(hashes[at] == wanted, names, "")

    @property
    def irregularity(self) -> Irregularity | None:
        """How stars of its classes depart from repeating; None where that was not measured."""
        config = self.info.get("irregularity")
        return Irregularity.from_config(config) if config else None

    @property
    def card(self) -> str:
        """The model card, in Markdown; empty for a generator that was not loaded."""
        path = Path(self.source) / "card.md"
        return path.read_text() if self.source and path.is_file() else ""

    @staticmethod
    def _known(kind: str, name: object, allowed: Sequence[str]) -> None:
        if name not in allowed:
            raise UnknownNameError(kind, name, allowed)

    # ------------------------------------------------------------------ drawing
    def draw(
        self,
        classes: str | Sequence[str] | NDArray,
        n: int | None = None,
        *,
        params: Any = None,
        subclass: str | Sequence[str] | NDArray | None = None,
        seed: int | None = None,
        first_id: int = 0,
        extrapolate: bool = False,
        temper: float = 1.0,
        sky: Footprint | None = None,
        dust: DustMap | None = None,
        law: Law = DEFAULT_LAW,
        r_v: float = DEFAULT_R_V,
    ) -> Stars:
        """Draw stars.

        Parameters
        ----------
        classes : str or sequence of str
            One class for all stars, or one a star.
        n : int, optional
            Number of stars; may be left out where another argument says it.
        params : mapping, astropy Table, pandas DataFrame or structured array, optional
            Any subset of ``gen.parameters``, and ``amplitude`` (peak to peak in V) [mag], ``mean_mag`` (in V) [mag],
            ``distance`` [pc], ``a_v`` or ``e_bv`` [mag], ``t0`` [MJD of phase zero], ``ra``, ``dec`` [deg]; scalars or
            length n, quantities accepted. NaN and masked entries count as not given. What is not given is drawn from
            the class population given what is; a temperature or absolute magnitude that the population does not know
            is a typical one (:func:`lcgen.population.typical`), and the column ``assumed`` says so. Without
            ``mean_mag`` and ``distance`` magnitudes are absolute (column ``mag_zero``).
        subclass : str or sequence of str, optional
            As ``gen.subclasses[cls]``; drawn where empty.
        seed : int, optional
            Same seed, same stars; a new one from the system's entropy if None.
        first_id : int
            ``star_id`` of the first star. Star ``k`` of a call is the same star as star ``k - m`` of a call with
            ``first_id + m``, so that a long run may be cut anywhere.
        extrapolate : bool
            Allow parameters outside the domain of training; such stars are flagged in ``extrapolated``.
        temper : float
            Draw parameters from a density proportional to the population's to this power: below 1 is wider.
        sky : Footprint, optional
            Draw positions and distances within it, by the densities of the class in the Galaxy and the Magellanic
            Clouds (:func:`lcgen.sky.draw_positions`); ``ra``, ``dec`` and ``distance`` must not be given then.
        dust : DustMap, optional
            Extinction at the place of each star that was given none, such as :class:`lcgen.sky.SmoothDust`; none by
            default.
        law, r_v
            Extinction law, by name or as a mapping of bands to A_band / A_V, and R_V; see
            :func:`lcgen.observe.extinction_ratio`.

        Returns
        -------
        Stars

        Raises
        ------
        DomainError
            If a parameter is outside the domain and `extrapolate` is false.
        UnknownNameError, UnitError, InputError
            If a name is not known, a unit does not fit, or lengths disagree.
        """
        request = read_request(classes, params, subclass=subclass, n=n, allowed_classes=self.classes)
        placing = Placing(sky=sky, dust=dust, law=law, r_v=r_v)
        return self._draw(
            request, seed=seed, first_id=first_id, extrapolate=extrapolate, temper=temper, placing=placing
        )

    def sample(
        self,
        cls: str | Sequence[str] | NDArray,
        params: Any,
        times: Any,
        *,
        seed: int | None = None,
        band: str | Mapping[str, str] | None = None,
        noise: NoiseModel | str | None = None,
        subclass: str | Sequence[str] | NDArray | None = None,
        extrapolate: bool = False,
        irregular: bool = False,
        detection: Detection | None = None,
        dust: DustMap | None = None,
        law: Law = DEFAULT_LAW,
        r_v: float = DEFAULT_R_V,
    ) -> Any:
        """Light curves of stars of given classes and parameters at given times.

        ``gen.draw`` and ``stars.observe`` in one call; see there for the arguments.

        Parameters
        ----------
        cls, params, subclass, extrapolate, dust, law, r_v
            As in :meth:`draw`.
        times : array_like, list of arrays, cadence
            MJD for all stars, one array a star, or a cadence.
        seed, band, noise, irregular, detection
            As in :meth:`lcgen.Stars.observe`.

        Returns
        -------
        LightCurve or LightCurves
            One ``LightCurve`` where class and parameters are scalars, else ``LightCurves``.
        """
        request = read_request(cls, params, subclass=subclass, allowed_classes=self.classes)
        placing = Placing(dust=dust, law=law, r_v=r_v)
        stars = self._draw(request, seed=seed, first_id=0, extrapolate=extrapolate, temper=1.0, placing=placing)
        curves: LightCurves = stars.observe(times, noise=noise, band=band, irregular=irregular, detection=detection)
        one: LightCurve | LightCurves = curves[0] if request.scalar else curves
        return one

    def _draw(
        self,
        request: StarRequest,
        *,
        seed: int | None,
        first_id: int,
        extrapolate: bool,
        temper: float,
        placing: Placing,
    ) -> Stars:
        seed = rng.new_seed() if seed is None else rng.check_seed(seed)
        if isinstance(first_id, bool) or not isinstance(first_id, (int, np.integer)) or not 0 <= first_id < 2**62:
            raise InputError(f"first_id must be a whole number in [0, 2^62), received {first_id!r}")
        n = request.classes.size
        ids = np.arange(int(first_id), int(first_id) + n, dtype=np.int64)
        outside = self._check_domain(request, extrapolate)
        population = self.population if temper == 1.0 else self.population.tempered(temper)
        drawn = population.draw(
            request.classes,
            {p: request.known[p] for p in PHYSICAL if p in request.known},
            request.subclass,
            rng.uniforms(seed, "population", ids, population.n_uniforms),
        )
        cls_index = np.array([self.conditioner.classes.index(c) for c in request.classes], dtype=np.int64)
        params = np.stack([np.asarray(drawn[p], dtype=float) for p in PHYSICAL], axis=1).reshape(n, len(PHYSICAL))
        given = self._given(request, n)
        # the curve follows what was given; what was not is drawn below to agree with the curve
        fixed = np.ones(params.shape, dtype=bool)
        if self.relations is not None and temper == 1.0:
            fixed = np.stack([np.isfinite(request.known.get(p, np.full(n, np.nan))) for p in PHYSICAL], axis=1)
            fixed[:, PHYSICAL.index("period")] = True
        wanted = given["amplitude"]
        with np.errstate(invalid="ignore"):
            standard = self.conditioner.standard_scale(cls_index, wanted)
        standard, z = self._latents(request.classes, cls_index, drawn["subclass"], params, fixed, standard, seed, ids)
        decoded: dict[str, DecodedBand] = {}
        if self.relations is not None:
            rows = np.flatnonzero(self.relations.concerned(request.classes, drawn["subclass"]) & ~fixed.all(axis=1))
            subclass, own = drawn["subclass"][rows], params[rows]
            band = shape_band(self.trained_bands)
            curves = self._decode(cls_index[rows], subclass, own, z[rows], band)
            decoded[band] = DecodedBand(rows=rows, curves=curves)
            params[rows] = self.relations.draw(
                class_name=request.classes[rows],
                subclass=subclass,
                params=own,
                given=fixed[rows],
                scale=standard[rows],
                shape=fourier_shape(curves),
                normals=rng.normals(seed, "parameters", ids[rows], len(PHYSICAL)),
            )
        scale = self.conditioner.natural_scale(cls_index, standard)
        shape = self._decode(cls_index, drawn["subclass"], params, z, _REFERENCE_BAND)
        decoded[_REFERENCE_BAND] = DecodedBand(rows=np.arange(n), curves=shape)
        peak_to_peak = peak_to_peak_periodic(shape)
        scale = np.where(np.isfinite(wanted), wanted / np.maximum(peak_to_peak, 1e-6), scale)
        columns: dict[str, NDArray] = {
            "star_id": ids,
            "class": request.classes,
            "subclass": drawn["subclass"],
            **{p: params[:, j] for j, p in enumerate(PHYSICAL)},
            "amplitude": scale * peak_to_peak,
        }
        columns["t0"] = np.where(
            np.isfinite(given["t0"]),
            given["t0"],
            _T0_EPOCH + rng.uniforms(seed, "phase", ids, 1)[:, 0] * columns["period"],
        )
        columns |= complete_parameters(columns, seed)
        columns |= placing.place(columns, given, seed)
        columns["extrapolated"] = outside
        return Stars(
            self, columns=columns, z=z, scale=scale, seed=seed, law=placing.law, r_v=placing.r_v, decoded=decoded
        )

    def _latents(
        self,
        classes: NDArray,
        cls_index: NDArray,
        subclass: NDArray,
        params: NDArray,
        fixed: NDArray[np.bool_],
        standard: NDArray,
        seed: int,
        ids: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Standardised amplitude and latent vector of each star, given the parameters that are `fixed`."""
        size = self.model.latent_dim + 1
        by_shape = np.zeros_like(fixed)
        if self.relations is not None and self.conditioner.secondary:
            by_shape = fixed & self.conditioner.secondary_only[cls_index]
        told = np.where(fixed & ~by_shape, params, np.nan)
        features = self.conditioner.star_features(cls_index, subclass, told)
        amplitude, z = self.regressor.sample(features, rng.normals(seed, "latent", ids, size), standard)
        rows = np.flatnonzero(by_shape.any(axis=1))
        if not rows.size or self.relations is None:
            return amplitude, z
        # Of parameters that secondary surveys alone know the flow, which imitates the others, is not told. Stars are
        # drawn without them, several for each, and one is taken in proportion to the density of what was given.
        many = np.repeat(rows, _N_CANDIDATES)
        normals = rng.normals(seed, "latent", ids[rows], size * _N_CANDIDATES).reshape(many.size, size)
        scales, latents = self.regressor.sample(features[many], normals, standard[many])
        log_density = self.relations.log_density(
            class_name=classes[many],
            subclass=subclass[many],
            params=params[many],
            given=by_shape[many],
            scale=scales,
            shape=self._shape(cls_index[many], subclass[many], params[many], latents),
        ).reshape(rows.size, _N_CANDIDATES)
        uniforms = rng.uniforms(seed, "candidate", ids[rows], _N_CANDIDATES)
        chosen = np.argmax(log_density - np.log(-np.log(np.clip(uniforms, 1e-300, 1.0 - 1e-16))), axis=1)
        at = np.arange(rows.size) * _N_CANDIDATES + chosen
        amplitude, z = amplitude.copy(), z.copy()
        amplitude[rows], z[rows] = scales[at], latents[at]
        return amplitude, z

    def _shape(self, cls_index: NDArray, subclass: NDArray, params: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Fourier parameters that the physical ones go with."""
        return fourier_shape(self._decode(cls_index, subclass, params, z, shape_band(self.trained_bands)))

    @staticmethod
    def _given(request: StarRequest, n: int) -> dict[str, NDArray[np.float64]]:
        names = [p for p in PARAMETERS if p not in PHYSICAL]
        return {p: request.known.get(p, np.full(n, np.nan)) for p in names}

    def _check_domain(self, request: StarRequest, extrapolate: bool) -> NDArray[np.bool_]:
        outside = np.zeros(request.classes.size, dtype=bool)
        for name in (*PHYSICAL, "amplitude"):
            if name not in request.known:
                continue
            values = request.known[name]
            for cls in np.unique(request.classes):
                limits = self.domain(str(cls), name)
                if limits is None:
                    continue
                low, high = limits
                slack = _SLACK * (abs(low) + abs(high))
                with np.errstate(invalid="ignore"):
                    bad = (request.classes == cls) & ((values < low - slack) | (values > high + slack))
                if bad.any() and not extrapolate:
                    raise DomainError(
                        name,
                        float(values[bad][0]),
                        low,
                        high,
                        context=f"class {cls}",
                        hint="extrapolate=True allows it and flags the star",
                    )
                outside |= bad
        return outside

    # ------------------------------------------------------------------ decoding
    def decode(self, classes: NDArray, columns: Mapping[str, NDArray], z: NDArray, band: str) -> NDArray[np.float64]:
        """Curves in units of the amplitude scale, with zero mean.

        Parameters
        ----------
        classes : ndarray of str, shape (n,)
        columns : mapping
            ``subclass`` and the physical parameters.
        z : ndarray, shape (n, latent_dim)
        band : str

        Returns
        -------
        ndarray, shape (n, n_grid)
            At phases ``arange(n_grid) / n_grid``.
        """
        cls_index = np.array([self.conditioner.classes.index(c) for c in classes], dtype=np.int64)
        params = np.stack([np.asarray(columns[p], dtype=float) for p in PHYSICAL], axis=1)
        return self._decode(cls_index, columns["subclass"], params, z, band)

    def _decode(
        self, cls_index: NDArray, subclass: NDArray, params: NDArray, z: NDArray, band: str
    ) -> NDArray[np.float64]:
        rules = [self.band_rules[c][band] if c in self.band_rules else {} for c in self.conditioner.classes]
        source = np.array([self.trained_bands.index(str(r.get("from", band))) for r in rules])
        ratio = np.array([float(r.get("ratio", 1.0)) for r in rules])
        condition = self.conditioner.decoder_features(cls_index, subclass, params, source[cls_index])
        device = next(iter(self.model.parameters())).device  # type: ignore[attr-defined]
        (curve,) = in_blocks(self.model.decode, np.asarray(z, dtype=np.float32), condition, device=device)
        return curve.astype(np.float64) * ratio[cls_index][:, None]

    # ------------------------------------------------------------------ storage
    def to_checkpoint(self) -> Checkpoint:
        """Everything the generator is made of."""
        from .latent.adapter import regressor_to_state

        model_config, model_arrays = model_to_state(self.kind, self.model)
        latent_config, latent_arrays = regressor_to_state(self.regressor)
        population_config, population_arrays = self.population.to_state()
        parts = {"model.": model_arrays, "latent.": latent_arrays, "population.": population_arrays}
        relations_config = None
        if self.relations is not None:
            relations_config, parts["relations."] = self.relations.to_state()
        if self._split is not None:
            parts["split."] = dict(self._split)
        config = {
            "name": self.name,
            "model": model_config,
            "conditioner": self.conditioner.to_config(),
            "latent": latent_config,
            "population": population_config,
            "relations": relations_config,
            "noise": [m.to_config() for m in self.noise_models.values()],
            "band_rules": self.band_rules,
            "info": self.info,
        }
        arrays = {prefix + k: np.asarray(v) for prefix, part in parts.items() for k, v in part.items()}
        return Checkpoint(config=config, arrays=arrays)

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, *, source: str = "", regressors: Sequence[type] = ()
    ) -> LightCurveGenerator:
        """The inverse of :meth:`to_checkpoint`; `regressors` as in :func:`load_generator`.

        Raises
        ------
        CheckpointError
            If a part is missing or does not fit, or the regressor's plugin is not installed.
        PluginError
            If that plugin cannot be used.
        """
        from .latent.adapter import regressor_from_any

        config = checkpoint.config
        try:
            conditioner = Conditioner.from_config(config["conditioner"])
            split = checkpoint.part("split.")
            relations = config.get("relations")  # models of before they were known have none
            if relations is not None:
                relations = ShapeRelations.from_state(relations, checkpoint.part("relations."))
            population = Population.from_state(config["population"], checkpoint.part("population."))
            if set(population.parameters) != set(PHYSICAL):
                raise CheckpointError(
                    f"the population has the parameters {', '.join(population.parameters)}; needed are "
                    f"{', '.join(PHYSICAL)}"
                )
            return cls(
                name=config["name"],
                kind=config["model"]["kind"],
                model=model_from_state(config["model"], checkpoint.part("model."), conditioner),
                conditioner=conditioner,
                regressor=regressor_from_any(config["latent"], checkpoint.part("latent."), known=regressors),
                population=population,
                relations=relations,
                noise_models={m["name"]: SurveyNoise.from_config(m) for m in config["noise"]},
                band_rules=config["band_rules"],
                split=split or None,
                info=config["info"],
                sha256=checkpoint.sha256,
                source=source,
            )
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{source or 'the checkpoint'} is not a whole generator: {error!r}") from error

    def save(self, folder: str | os.PathLike[str], *, card: str | None = None) -> Path:
        """Write the generator to a folder that :func:`load_generator` reads."""
        return save_checkpoint(self.to_checkpoint(), folder, card=card)


def load_generator(
    model: str | os.PathLike[str] | None = None, *, regressors: Sequence[type] = ()
) -> LightCurveGenerator:
    """Load a trained generator.

    Parameters
    ----------
    model : str or path-like, optional
        Name of a bundled model (see :func:`lcgen.list_models`), or the folder of one you trained; the bundled default
        where not given. The sha256 of a bundled model is verified.
    regressors : sequence of type
        Classes of latent regressors that no installed package names (see :mod:`lcgen.plugins`), for a model that was
        trained with one of them.

    Raises
    ------
    UnknownNameError
        If no model has that name.
    IntegrityError, CheckpointError
        If the files are not what was recorded, or not a generator, or its latent regressor is that of a plugin that is
        not installed.
    PluginError
        If it is that of a plugin that cannot be used.
    """
    entry = assets.find_model(model)
    checkpoint = load_checkpoint(entry.folder, expected=entry.sha256)
    return LightCurveGenerator.from_checkpoint(checkpoint, source=str(entry.folder), regressors=regressors)


def limit_threads(n: int) -> None:
    """Let torch use at most `n` threads in this process, for workers that share a machine."""
    torch.set_num_threads(n)
