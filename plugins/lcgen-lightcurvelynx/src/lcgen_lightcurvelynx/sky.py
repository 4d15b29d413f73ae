"""Positions and distances of variable stars, as a node of LightCurveLynx."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightcurvelynx.base_models import FunctionNode

from lcgen.errors import InputError
from lcgen.sky import Footprint, draw_positions

from .nodes import StarIdentity, as_parameter, check_class, column_of

__all__ = ["SkyPositions"]


class SkyPositions(FunctionNode):
    """Draws positions and distances of stars of a class, by its densities in the Galaxy and the Magellanic Clouds.

    Its outputs are ``ra``, ``dec`` [deg, ICRS], ``distance`` [pc] and ``component`` of the sky. They can be parameters
    of any model, and of a dust map.

    Parameters
    ----------
    cls : parameter
        Class, or a node that gives one.
    footprint : Footprint, optional
        Where to draw, such as :class:`lcgen.sky.Circle`; the whole sky by default.
    min_distance, max_distance : float
        [pc].
    seed : int, optional
        As in :class:`lcgen_lightcurvelynx.PeriodicStarModel`: with the same seed there, star and place are those of
        ``gen.draw(..., sky=footprint, seed=seed)``.
    node_label : str, optional

    Raises
    ------
    InputError, UnknownNameError
        If an argument is wrong. When sampled: see :func:`lcgen.sky.draw_positions`.

    Examples
    --------
    >>> from lcgen.sky import Circle
    >>> sky = SkyPositions("RRLYR", footprint=Circle(ra=60.0, dec=-30.0, radius=5.0), seed=7)
    >>> state = sky.sample_parameters(num_samples=3)
    >>> state["SkyPositions_0.component"].tolist()
    ['halo', 'halo', 'halo']
    """

    def __init__(
        self,
        cls: Any,
        *,
        footprint: Footprint | None = None,
        min_distance: float = 0.0,
        max_distance: float = np.inf,
        seed: int | None = None,
        node_label: str | None = None,
    ) -> None:
        check_class(cls)
        if footprint is not None and not isinstance(footprint, Footprint):
            raise InputError(f"footprint must be one such as lcgen.sky.Circle, received {footprint!r:.60}")
        self._options: dict[str, Any] = {
            "footprint": footprint,
            "min_distance": min_distance,
            "max_distance": max_distance,
        }
        identity = StarIdentity(seed, node_label=node_label and f"{node_label}_identity")
        super().__init__(
            None,
            node_label=node_label,
            outputs=["ra", "dec", "distance", "component"],
            seed=identity.get_parameter_indicator("seed"),
            star_id=identity.get_parameter_indicator("star_id"),
            cls=as_parameter("cls", cls),
        )

    def compute(self, graph_state: Any, rng_info: np.random.Generator | None = None, **kwargs: Any) -> Any:
        """Draw the positions of all samples at once."""
        found, n = graph_state[self.node_string], graph_state.num_samples
        seeds, numbers = (column_of(found[name], n, name, np.int64) for name in ("seed", "star_id"))
        classes = column_of(found["cls"], n, "cls", str)
        columns: dict[str, Any] = {name: np.empty(n) for name in ("ra", "dec", "distance")}
        columns["component"] = np.empty(n, dtype=object)
        for seed in np.unique(seeds):
            rows = np.flatnonzero(seeds == seed)
            drawn = draw_positions(classes[rows], numbers[rows], int(seed), **self._options)
            for name, column in columns.items():
                column[rows] = getattr(drawn, name)
        columns["component"] = columns["component"].astype(str)
        results = [columns[name][0].item() if n == 1 else columns[name] for name in self.outputs]
        self._save_results(results, graph_state)
        return results
