"""The model card: what a generator was made of, how it was judged, and where it must not be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..generator import LightCurveGenerator
from ..observe.irregular import SecondMode, Wander
from ..taxonomy import PHYSICAL

__all__ = ["write_card"]


def write_card(generator: LightCurveGenerator, report: dict[str, Any]) -> str:
    """The card in Markdown, from what the generator knows of itself; no number is typed in.

    Parameters
    ----------
    generator : LightCurveGenerator
    report : dict
        As returned by :func:`lcgen.train.finish.finish`.
    """
    info = generator.info
    config, split = info["config"], info["split"]
    parts = [
        f"# {generator.name}",
        "",
        f"Light-curve generator for {', '.join(generator.classes)} in {' and '.join(generator.trained_bands)}. "
        f"Network: {generator.kind}. Format: `config.json` and `weights.safetensors`.",
        "",
        "## Data",
        "",
        *(
            f"- `{path}`: {citation or 'no citation in the file'}"
            for path, citation in info["provenance"]["citations"].items()
        ),
        "",
        f"Split by star, stratified by class, from seed {split['seed']}: "
        f"{split['n'][0]} training, {split['n'][1]} validation and {split['n'][2]} test curves "
        f"(shares {', '.join(f'{f:g}' for f in split['fractions'])}). "
        "`gen.split_of(ids)` says on which side a star was.",
        "",
        "Curves kept and left out:",
        "",
        "```",
        info["provenance"]["preparation"],
        "```",
        "",
        "## Retraining",
        "",
        f"`lcgen train configs/{generator.name}.toml` (seed {config['seed']}; the data folder is `LCGEN_DATA`).",
        "",
        "## Report on test stars",
        "",
        f"Active latent dimensions: {report['active']} of {len(report['latent_variance'])} "
        f"(variance of the posterior mean over training stars: "
        f"{', '.join(f'{v:.3g}' for v in report['latent_variance'])}; dead ones are pruned).",
        "",
        "Median RMS residual [mag] of the posterior mean's curve and of the star's own regularised Fourier series, and "
        "the median over stars of their ratio:",
        "",
        "| survey | class | band | stars | decoded | own series | ratio |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {r['survey']} | {r['class']} | {r['band']} | {r['n']} | {r['rms']:.4f} | {r['rms_fit']:.4f} | "
            f"{r['ratio']:.3f} |"
            for r in report["reconstruction"]
        ),
    ]
    if "latent_table" in report:
        parts += [
            "",
            "## Regression onto the latent space",
            "",
            "After table 3 of AJ 164, 263. On unseen stars, next to the leaky figures of a random split by rows and "
            "of the rows of the fit itself:",
            "",
            report["latent_table"].rstrip(),
            "",
            f"The generator uses the {generator.regressor.name}"
            + (f" (validation log-likelihood {-report['flow_nll']:.3f} nats a star)." if "flow_nll" in report else "."),
        ]
    parts += ["", "## Limits", "", *_limits(generator), "", "## Population", "", _population(generator), ""]
    return "\n".join(parts)


def _limits(generator: LightCurveGenerator) -> list[str]:
    lines = ["| class | subclasses | period [d] | parameters that move the curve | bands |", "|---|---|---|---|---|"]
    for cls in generator.classes:
        domain = generator.domain(cls, "period")
        period = f"{domain[0]:.4g} to {domain[1]:.4g}" if domain else "not known"
        bands = ", ".join(f"{b}: {generator.band_source(cls, b)}" for b in generator.trained_bands)
        known = ", ".join(s for s in generator.subclasses[cls]) or "none"
        lines.append(f"| {cls} | {known} | {period} | {', '.join(generator.influences(cls))} | {bands} |")
    lines += [
        "",
        "Bands that are not learned, and all others that the generator has (LSST, SDSS, ZTF, Gaia, B, R), are derived "
        "from these: docs/bands.md says how, for which class, and how well.",
    ]
    lines += [
        "",
        "Parameters that are given but do not move the curve of a class are carried into the table of stars all the "
        "same.",
        "",
        *_irregularity(generator),
    ]
    return lines


def _irregularity(generator: LightCurveGenerator) -> list[str]:
    known = generator.irregularity
    if known is None:
        return [
            "Cycle-to-cycle changes (long-period variables, Blazhko stars) and second periods (double-mode stars) are "
            "not generated: one curve repeats."
        ]
    drift = ", ".join(f"{name} {1000.0 * rms:.1f}" for name, rms in known.drift.items())
    lines = [
        "One curve repeats unless `irregular=True` (`--irregular`) is asked for. Then stars of these kinds depart from "
        "it, as extra scatter that is correlated in time. Median and central 68 % of the stars; amplitude is relative, "
        "phase in cycles, brightness and second mode are rms in units of the peak-to-peak amplitude; correlation times "
        "in brackets:",
        "",
        "| kind | amplitude | phase | brightness | second mode | share of residuals | from |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kind in sorted(known.kinds.items()):
        cells = [_wander(kind.amplitude), _wander(kind.phase), _wander(kind.added), _second_mode(kind.second_mode)]
        source = f"{kind.n_stars} stars of {kind.survey} {kind.band}"
        lines.append(f"| {name.replace('/', ' ', 1)} | {' | '.join(cells)} | {kind.explained:.2f} | {source} |")
    return [
        *lines,
        "",
        "Stars of other kinds repeat, or it could not be seen that they do not. Blazhko stars are the restless end of "
        "the RR Lyrae stars of their subclass; their modulation is generated without a period of its own. "
        f"The zero points of the surveys wander by (rms, mmag): {drift}; brightness that wanders less is not told "
        "from that.",
    ]


def _wander(wander: Wander | None) -> str:
    if wander is None:
        return "-"
    low, high = (wander.median * np.exp(sign * wander.spread) for sign in (-1.0, 1.0))
    unit = "d" if wander.unit == "d" else "periods"
    return f"{wander.median:.2g}, {low:.2g} to {high:.2g} ({wander.time:g} {unit})"


def _second_mode(mode: SecondMode | None) -> str:
    if mode is None:
        return "-"
    return f"{mode.median:.2g} at {mode.ratio:.4f} of the frequency, in {mode.share:.2f} of the stars"


def _population(generator: LightCurveGenerator) -> str:
    lines = ["| class | parameters drawn | fractions of subclasses |", "|---|---|---|"]
    for cls in generator.classes:
        names = [p for p in PHYSICAL if p in generator.population.parameters_of(cls)]
        shares = generator.population.subclasses(cls)
        text = ", ".join(f"{s or 'unknown'} {f:.2f}" for s, f in shares.items() if np.isfinite(f))
        lines.append(f"| {cls} | {', '.join(names)} | {text} |")
    return "\n".join([*lines, "", generator.info["provenance"]["population"]])
