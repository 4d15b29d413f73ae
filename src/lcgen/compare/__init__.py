"""Cadences compared on the same stars: what each would recover, and which differences are significant.

``lcgen.compare(cadences, ...)`` does it; ``lcgen.compare.load`` and ``lcgen.compare.thin`` stand beside it. What is
measured and how is said in ``docs/compare.md``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .bootstrap import Difference, Level
from .cadences import ThinnedCadence, thin
from .result import Comparison, load
from .settings import Settings

__all__ = ["Comparison", "Difference", "Level", "Settings", "ThinnedCadence", "compare", "load", "thin"]


class Compare:
    """The function :func:`lcgen.compare`; ``load``, ``thin`` and ``Settings`` are reached through it as well."""

    Comparison = Comparison
    Settings = Settings
    load = staticmethod(load)
    thin = staticmethod(thin)

    def __call__(
        self,
        cadences: Any,
        *,
        generator: Any = None,
        classes: str | Sequence[str] | None = None,
        n_per_class: int | Mapping[str, int] = 200,
        seed: int = 0,
        mean_mag: float | tuple[float, float] | None = None,
        params: Any = None,
        noise: Any = "depth",
        band: str | Mapping[str, str] | None = None,
        irregular: bool = False,
        draw_options: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        output: str | os.PathLike[str] | None = None,
        workers: int = 1,
        progress: bool | None = None,
        command: str = "",
    ) -> Comparison:
        """Observe the same stars under each cadence, and measure what can be recovered of them.

        Parameters
        ----------
        cadences : cadence, sequence of cadences, or mapping of str to cadence
            Anything :func:`lcgen.as_cadence` understands; text may end in ``:every=2`` for a thinned cadence. The
            first is what the others are compared with. One alone is allowed: then there are no differences.
        generator : LightCurveGenerator, str or path-like, optional
            What draws the stars; the bundled default.
        classes : str or sequence of str, optional
            All of the generator by default.
        n_per_class : int or mapping
            Stars of each class.
        seed : int
            Of stars, noise, random cadences, folds and bootstrap: same seed, same result.
        mean_mag : float or (float, float), optional
            Mean magnitude in V of all stars, or limits between which it is drawn uniformly; 20 to 26 where neither it
            nor ``mean_mag`` or ``distance`` in `params` is given.
        params : mapping or table, optional
            Parameters of the stars, scalars or one value a star, class after class; ``ra`` and ``dec`` for schedules
            that depend on the position.
        noise : str, noise model or None, or a sequence with one of these a cadence
            As in :meth:`lcgen.Stars.observe`.
        band : str, mapping or None
            As in :meth:`lcgen.Stars.observe`; None takes filters as they are, or the nearest band where a schedule
            has filters that the generator lacks.
        irregular : bool
            Let stars depart from repeating as real ones do.
        draw_options : mapping, optional
            Further arguments of ``generator.draw``.
        settings : Settings, optional
            How stars are measured.
        output : path-like, optional
            A folder that finished blocks and the result are written to; the same call goes on where an interrupted
            one stopped, and returns the result where it is finished.
        workers : int
            Processes; they have no influence on the result.
        progress : bool, optional
            Show a progress bar; by default where stderr is a terminal.
        command : str
            The command line, for the record.

        Returns
        -------
        Comparison

        Raises
        ------
        InputError, UnknownNameError, DomainError, CadenceError
            If an argument is wrong, a schedule cannot be read, or `output` holds another comparison.
        EnsembleError
            If a worker process dies.

        Examples
        --------
        >>> import lcgen
        >>> both = lcgen.compare(
        ...     ["lsst-wfd", "lsst-wfd:every=2"], classes="RRLYR", n_per_class=20, seed=1
        ... )  # doctest: +SKIP
        >>> both.difference("recovered", "RRLYR").n_sigma  # doctest: +SKIP
        """
        from .run import run_comparison

        return run_comparison(
            cadences,
            generator=generator,
            classes=classes,
            n_per_class=n_per_class,
            seed=seed,
            mean_mag=mean_mag,
            params=params,
            noise=noise,
            band=band,
            irregular=irregular,
            draw_options=draw_options,
            settings=settings,
            output=output,
            workers=workers,
            progress=progress,
            command=command,
        )


compare = Compare()
"""Observe the same stars under each cadence; see :meth:`Compare.__call__`."""
