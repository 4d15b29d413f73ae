"""Nodes of the graph of parameters: who a star is, and what is drawn for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightcurvelynx.base_models import FunctionNode, ParameterizedNode
from numpy.typing import NDArray

from lcgen import rng
from lcgen.errors import InputError
from lcgen.params import read_request
from lcgen.taxonomy import PHYSICAL, class_info

from .store import GIVEN, Inputs, StarStore

__all__ = ["DRAWN", "DrawnStars", "StarIdentity", "as_parameter", "check_class", "column_of"]

DRAWN: tuple[str, ...] = (*PHYSICAL, "amplitude", "mean_mag", "a_v", "t0", "extrapolated", "assumed")
"""What is known of a star once it is drawn, beside its subclass."""

# LightCurveLynx reads an empty text of a saved state as "0": states have words in their place.
_ANY, _NONE = "any", "none"


class StarIdentity(FunctionNode):
    """Seed and number of each star, from which everything follows that is random about it.

    The number is that of the sample in the whole simulation, so that batches have different stars.

    Parameters
    ----------
    seed : int, optional
        The same for all samples; where it is not given one is drawn a call, from the generator of random numbers of the
        simulation, or from the system's entropy where there is none.
    """

    def __init__(self, seed: int | None = None, node_label: str | None = None) -> None:
        self._seed = None if seed is None else rng.check_seed(seed)
        super().__init__(None, node_label=node_label, outputs=["seed", "star_id"])

    def compute(self, graph_state: Any, rng_info: np.random.Generator | None = None, **kwargs: Any) -> Any:
        """Seed and number of each star."""
        if self._seed is not None:
            seed = self._seed
        elif rng_info is not None:
            seed = int(rng_info.integers(2**63 - 1, dtype=np.int64))
        else:
            seed = rng.new_seed()
        first, n = int(graph_state.sample_offset or 0), graph_state.num_samples
        numbers: Any = first if n == 1 else np.arange(first, first + n, dtype=np.int64)
        self._save_results([seed, numbers], graph_state)
        return [seed, numbers]


class DrawnStars(FunctionNode):
    """Stars that lcgen draws, given some of their parameters.

    Parameters
    ----------
    store : StarStore
    identity : StarIdentity
    given : mapping of str to parameter
        ``cls``, and any of ``subclass`` and :data:`GIVEN`.
    """

    def __init__(
        self, store: StarStore, identity: StarIdentity, given: Mapping[str, Any], node_label: str | None = None
    ) -> None:
        self._store = store
        names = {"cls": "cls"} | {name: f"given_{name}" for name in given if name != "cls"}
        self._numbers = [(GIVEN.index(name), names[name]) for name in given if name in GIVEN]
        inputs = {names[name]: value for name, value in given.items()}
        super().__init__(
            None,
            node_label=node_label,
            outputs=["subclass", *DRAWN],
            seed=identity.get_parameter_indicator("seed"),
            star_id=identity.get_parameter_indicator("star_id"),
            **inputs,
        )

    def inputs(self, graph_state: Any) -> Inputs:
        """What a state says about the stars.

        Raises
        ------
        InputError
            If it is one of another model.
        """
        if self.node_string not in graph_state.states:
            raise InputError(
                f"the state has no stars of this model (no node {self.node_string!r}, but "
                f"{', '.join(map(repr, graph_state.states)) or 'none'}); was it sampled from a model made otherwise?"
            )
        found, n = graph_state[self.node_string], graph_state.num_samples
        subclass = column_of(found.get("given_subclass", ""), n, "subclass", str)
        values = np.full((n, len(GIVEN)), np.nan)
        for k, name in self._numbers:
            values[:, k] = column_of(found[name], n, name, float)
        return Inputs(
            seed=column_of(found["seed"], n, "seed", np.int64),
            star_id=column_of(found["star_id"], n, "star_id", np.int64),
            cls=column_of(found["cls"], n, "cls", str),
            subclass=np.where(subclass == _ANY, "", subclass),
            values=values,
        )

    def compute(self, graph_state: Any, rng_info: np.random.Generator | None = None, **kwargs: Any) -> Any:
        """Draw the stars of all samples at once.

        Raises
        ------
        InputError
            If an extinction is NaN, as dust maps say where they do not reach, or a star has neither distance nor
            mean magnitude.
        LcgenError
            See :meth:`lcgen.LightCurveGenerator.draw`.
        """
        inputs = self.inputs(graph_state)
        for k, name in self._numbers:
            lost = int(np.isnan(inputs.values[:, k]).sum())
            if lost and name in ("given_a_v", "given_e_bv"):
                raise InputError(
                    f"{name.removeprefix('given_')} is NaN for {lost} of {graph_state.num_samples} stars: does the "
                    "dust map reach them?"
                )
        self._tidy(graph_state, inputs)
        columns = self._store.draw(inputs)
        lost = int((columns["mag_zero"] == "absolute").sum())
        if lost:
            raise InputError(
                f"{lost} of {graph_state.num_samples} stars have neither distance nor mean_mag: both are NaN or None"
            )
        results = [_worded(columns[name], _NONE) for name in self.outputs]
        results = [column[0].item() if graph_state.num_samples == 1 else column for column in results]
        self._save_results(results, graph_state)
        return results

    def _tidy(self, graph_state: Any, inputs: Inputs) -> None:
        """Numbers and words in place of None and empty texts, which do not survive being saved."""
        tidy = {name: inputs.values[:, k] for k, name in self._numbers}
        if "given_subclass" in self.arg_names:
            tidy["given_subclass"] = _worded(inputs.subclass, _ANY)
        for name, column in tidy.items():
            graph_state.set(self.node_string, name, column[0].item() if graph_state.num_samples == 1 else column)


def _worded(column: NDArray, word: str) -> NDArray:
    return np.where(column == "", word, column) if column.dtype.kind == "U" else column


def column_of(value: Any, n: int, name: str, kind: Any) -> NDArray:
    """The values of a parameter of `n` samples, of which one sample has a scalar.

    Raises
    ------
    InputError
        If they are not of the right kind or number.
    """
    missing: Any = "" if kind is str else np.nan
    # files of states mask what is empty
    array = np.asarray(np.ma.filled(value, missing) if np.ma.isMaskedArray(value) else value)
    if array.dtype.kind == "O":
        array = np.array([missing if v is None else v for v in array.ravel()], dtype=object).reshape(array.shape)
    right = array.dtype.kind in "UO" if kind is str else array.dtype.kind in "iufO"
    if not right or array.ndim > 1 or array.size not in (1, n):
        what = "a name" if kind is str else "a number"
        raise InputError(f"{name} must be {what} for each of {n} samples, received {value!r:.80}")
    try:
        return np.broadcast_to(array.astype(kind), (n,))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} of {n} samples: {error}") from error


def check_class(cls: Any, subclass: Any = None) -> None:
    """Refuse names of classes and subclasses that lcgen does not know, where they are constants.

    Raises
    ------
    UnknownNameError, InputError
    """
    if isinstance(cls, str):
        class_info(cls)
        if isinstance(subclass, str) and subclass not in ("", _ANY):
            read_request(cls, subclass=subclass)
    elif not isinstance(cls, ParameterizedNode) and not callable(cls):
        raise InputError(f"cls must be the name of a class or a node that gives one, received {cls!r:.60}")


def as_parameter(name: str, value: Any) -> Any:
    """What a user gave for a parameter, as the library takes it, whatever the parameter of the node will be called.

    A node that is given as a whole stands for its output of that name, or for its only one. A quantity is brought to
    the unit of the parameter.

    Raises
    ------
    InputError
        If the node has no such output, or an array was given.
    UnitError, DomainError
        If a constant has another unit or cannot be meant.
    """
    if isinstance(value, FunctionNode):
        aliases = [n for n in (name, "ebv" if name == "e_bv" else name) if n in value.outputs]
        if not aliases and len(value.outputs) > 1:
            raise InputError(
                f"{name}: the node {value} has the outputs {', '.join(value.outputs)}; say which, as in "
                f"{name}=node.{value.outputs[0]}"
            )
        return value.get_parameter_indicator(aliases[0] if aliases else value.outputs[0])
    if isinstance(value, ParameterizedNode):
        raise InputError(f"{name}: say which parameter of the node {value}, as in {name}=node.{name}")
    if callable(value):
        linked = hasattr(value, "attr_name")  # what node.name gives
        return value if linked else FunctionNode(value).get_parameter_indicator("function_node_result")
    if name in GIVEN or name in ("ra", "dec"):
        if np.ndim(value) > 0:
            raise InputError(
                f"{name} must be a number, a node or a function, received {type(value).__name__} of shape "
                f"{np.shape(value)}; give a list of values through a node such as GivenValueList or TableSampler"
            )
        return float(read_request("CEP", {name: value}).known[name][0])
    return value
