"""Random forest regression to the latent space, as published, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, InputError
from ..rng import stream
from .base import ArrayRegressor

__all__ = ["ForestRegressor"]


class ForestRegressor(ArrayRegressor):
    """A random forest (Breiman 2001, doi:10.1023/A:1010933404324), fitted by scikit-learn.

    The trees are stored as arrays, all trees one after the other: ``roots`` (n_trees,), and for each node
    ``left`` and ``right`` (index of the child; the node itself in a leaf), ``feature``, ``threshold`` and
    ``value``, shape (n_nodes, d). A row goes left where its feature, as float32, is at most the threshold.

    Parameters
    ----------
    n_trees : int
        Number of trees.
    min_samples_leaf : int
        Smallest number of rows in a leaf. 1, as scikit-learn has it by default, reproduces the rows of the
        fit almost exactly, which says nothing about other stars.
    extra_uniform : bool
        See :class:`~lcgen.latent.base.ArrayRegressor`.
    """

    name: ClassVar[str] = "forest"
    _options: ClassVar[tuple[str, ...]] = ("n_trees", "min_samples_leaf", "extra_uniform")

    def __init__(self, *, n_trees: int = 100, min_samples_leaf: int = 5, extra_uniform: bool = True) -> None:
        super().__init__(extra_uniform=extra_uniform)
        for option, value in (("n_trees", n_trees), ("min_samples_leaf", min_samples_leaf)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{option} must be a whole number of at least 1, received {value!r}")
        self.n_trees = n_trees
        self.min_samples_leaf = min_samples_leaf

    def _fit(self, features: NDArray, targets: NDArray, seed: int) -> dict[str, NDArray]:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(
            n_estimators=self.n_trees,
            min_samples_leaf=self.min_samples_leaf,
            random_state=int(stream(seed, "latent/forest").integers(2**32)),
        )
        # a single target must come as a vector
        forest.fit(features, targets if targets.shape[1] > 1 else targets[:, 0])
        trees = [tree.tree_ for tree in forest.estimators_]
        roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]]).astype(np.int32)
        columns: dict[str, list[NDArray]] = {
            "left": [],
            "right": [],
            "feature": [],
            "threshold": [],
            "value": [],
        }
        for root, tree in zip(roots, trees, strict=True):
            leaf = tree.children_left < 0
            itself = np.arange(tree.node_count)
            columns["left"].append(root + np.where(leaf, itself, tree.children_left))
            columns["right"].append(root + np.where(leaf, itself, tree.children_right))
            columns["feature"].append(np.where(leaf, 0, tree.feature))
            columns["threshold"].append(tree.threshold)
            columns["value"].append(tree.value[:, :, 0])
        types = {"left": np.int32, "right": np.int32, "feature": np.int32}
        out = {key: np.concatenate(parts).astype(types.get(key, np.float64)) for key, parts in columns.items()}
        return {"roots": roots, **out}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The forest that ``to_state`` described; a CheckpointError where it describes none."""
        # a child before its parent would make a loop out of a tree, and its evaluation endless
        index = np.arange(len(arrays["left"])) if "left" in arrays else np.arange(0)
        for child in ("left", "right"):
            nodes = np.asarray(arrays.get(child, ()))
            if nodes.shape != index.shape or np.any(nodes < index) or np.any(nodes >= max(index.size, 1)):
                raise CheckpointError(f"the array {child!r} of the forest does not describe trees")
        return super().from_state(config, arrays)

    def _predict(self, features: NDArray, arrays: Mapping[str, NDArray]) -> NDArray[np.float64]:
        rows = features.astype(np.float32)
        left, right, feature = arrays["left"], arrays["right"], arrays["feature"]
        threshold, value = arrays["threshold"], arrays["value"]
        out = np.zeros((len(rows), value.shape[1]))
        index = np.arange(len(rows))
        for root in arrays["roots"]:
            node = np.full(len(rows), root, dtype=np.int32)
            active = index
            while active.size:
                here = node[active]
                below = np.where(rows[active, feature[here]] <= threshold[here], left[here], right[here])
                node[active] = below
                active = active[below != here]
            out += value[node]
        return out / len(arrays["roots"])
