"""From physical parameters to the latent space: the published regressors, and what compares them.

The regressors share one contract, :class:`LatentRegressor`; their state is a dictionary and plain arrays. Those of
plugins are known by name, too (:mod:`lcgen.plugins`).
Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pragma: no cover
    from .base import ArrayRegressor, LatentRegressor
    from .features import FeatureSpec, feature_matrix
    from .forest import ForestRegressor
    from .linear import LinearRegressor
    from .lookup import as_regressor, list_regressors, make_regressor, regressor_from_state
    from .mlp import MLPRegressor
    from .table import RegressionRow, RegressionTable, regression_table

__all__ = [
    "ArrayRegressor",
    "FeatureSpec",
    "ForestRegressor",
    "LatentRegressor",
    "LinearRegressor",
    "MLPRegressor",
    "RegressionRow",
    "RegressionTable",
    "as_regressor",
    "feature_matrix",
    "list_regressors",
    "make_regressor",
    "regression_table",
    "regressor_from_state",
]

_HOME = {
    "ArrayRegressor": "base",
    "FeatureSpec": "features",
    "ForestRegressor": "forest",
    "LatentRegressor": "base",
    "LinearRegressor": "linear",
    "MLPRegressor": "mlp",
    "RegressionRow": "table",
    "RegressionTable": "table",
    "as_regressor": "lookup",
    "feature_matrix": "features",
    "list_regressors": "lookup",
    "make_regressor": "lookup",
    "regression_table": "table",
    "regressor_from_state": "lookup",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
