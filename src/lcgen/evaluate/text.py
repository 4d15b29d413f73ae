"""The report card as a text table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .pairing import FLOOR

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard
    from .physics import PhysicsReport

__all__ = ["Table", "card_tables", "render_markdown", "render_text"]

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, column names, rows."""

_IN_SUMMARY = (
    *("Two-sample AUC", "Rank histograms", "Copy rate", "Macro-F1", "Spearman", "Median temperature"),
    *("Temperatures of", "Motion of", "Bump progression"),
)


def card_tables(card: ReportCard) -> list[Table]:
    """The numbers of a card as tables of text."""
    if not card.groups:
        return []
    model, rivals = card.sources[0], [s for s in card.sources[1:] if s != FLOOR]
    out: list[Table] = []
    for title, kind in (("shape only", "shape"), ("with period and amplitude", "full")):
        rows = [
            [
                str(g.group),
                str(g.n),
                str(getattr(g.sources[model], kind)),
                str(getattr(g.sources[FLOOR], kind)),
                str(getattr(g, f"halves_{kind}")),
                *(str(getattr(g.sources[r], kind)) for r in rivals),
            ]
            for g in card.groups
        ]
        out.append((f"Two-sample AUC, {title}", ["group", "n", model, FLOOR, "random halves", *rivals], rows))
    out.append(_calibration(card))
    out.append(_wasserstein(card, model))
    memory = [
        [
            str(g.group),
            *(
                f"{m.copy_rate:.2f} ({m.nearest_ratio:.2f})" if m else "-"
                for m in (g.real_memory, *(g.sources[s].memory for s in (model, *rivals)))
            ),
        ]
        for g in card.groups
        if g.real_memory is not None
    ]
    if memory:
        title = "Copy rate (nearest-neighbour distance over that of unseen stars)"
        out.append((title, ["group", "unseen stars", model, *rivals], memory))
    if card.classification:
        rows = [
            [
                f"{c.survey} {c.band}: {', '.join(c.classes)}",
                "yes" if c.with_period else "no",
                str(c.real),
                *(str(c.ratio[s]) if s in c.ratio else "-" for s in (model, FLOOR, *rivals)),
            ]
            for c in card.classification
        ]
        head = ["stars", "period", "train on real", model, FLOOR, *rivals]
        out.append(("Macro-F1, trained on synthetic over trained on real", head, rows))
    if card.relations:
        rows = [
            [
                f"{r.survey} {r.relation}",
                str(r.n),
                f"{r.real:+.2f}±{r.real_error:.2f}",
                *(f"{r.generated[s][0]:+.2f}±{r.generated[s][1]:.2f}" for s in (model, FLOOR, *rivals)),
                f"{r.generated[model][0] - r.real:+.2f}",
            ]
            for r in card.relations
        ]
        out.append(("Spearman coefficients", ["relation", "n", "real", model, FLOOR, *rivals, "difference"], rows))
    if card.physics is not None:
        out += _physics(card.physics, model)
    for survey, bins in card.bump.items():
        rows = [
            [
                f"{b.low:g}-{b.high:g} d",
                str(b.n),
                f"{b.real:.2f}±{b.real_scatter:.2f}",
                *(f"{b.generated[s]:.2f}±{b.generated_scatter[s]:.2f}" for s in (model, *rivals)),
                "yes" if b.follows(model) else "NO",
            ]
            for b in bins
        ]
        head = ["period", "n", "real", model, *rivals, "within scatter"]
        out.append((f"Bump progression: phi21 of {survey} Cepheids, median and scatter [rad]", head, rows))
    if card.reconstruction:
        rows = [
            [f"{r['class']} {r['survey']} {r['band']}", str(r["n"]), f"{r['rms']:.4f}", f"{r['rms_fit']:.4f}",
             f"{r['ratio']:.3f}"]
            for r in card.reconstruction
        ]  # fmt: skip
        head = ["group", "n", "model [mag]", "own series [mag]", "ratio"]
        out.append(("Reconstruction of unseen stars: median RMS residual", head, rows))
    return out


def _parameter_relations(physics: PhysicsReport, model: str) -> Table:
    rivals = list(dict.fromkeys(s for r in physics.relations for s in r.result.generated if s != model))
    rows = []
    for r in physics.relations:
        found, error = r.result.generated[model]
        rows.append(
            [
                f"{r.result.survey}, {r.result.relation}",
                f"{r.result.n}{'' if r.unseen else ' (some seen)'}",
                f"{r.result.real:+.2f}±{r.result.real_error:.2f}",
                f"{found:+.2f}±{error:.2f}",
                *("{:+.2f}±{:.2f}".format(*g) if (g := r.result.generated.get(s)) else "-" for s in rivals),
                f"{found - r.result.real:+.2f}±{math.hypot(error, r.result.real_error):.2f}",
                "yes" if r.influences else "no",
            ]
        )
    head = ["relation", "n", "real", model, *rivals, "difference", "moves the curve"]
    return "Spearman coefficients with physical parameters", head, rows


def _medians(physics: PhysicsReport, model: str) -> Table:
    rivals = list(dict.fromkeys(s for m in physics.medians for s in m.drawn if s != model))
    rows = []
    for m in physics.medians:
        sides = [m.real, *(m.drawn.get(s) for s in (model, *rivals))]
        for k, subclass in enumerate(m.subclasses):
            cells = ["-" if side is None else f"{side[k][0]:.0f}±{side[k][1]:.0f}" for side in sides]
            rows.append([f"{m.cls} {subclass} {m.parameter}", str(m.n[k]), *cells])
        cells = [
            "-" if side is None else f"{side[0][0] - side[1][0]:+.0f}±{math.hypot(side[0][1], side[1][1]):.0f}"
            for side in sides
        ]
        rows.append([f"{m.cls} {m.subclasses[0]} - {m.subclasses[1]}", "", *cells])
    return "Median temperature of subclasses [K]", ["subclass", "n", "table", model, *rivals], rows


def _physics(physics: PhysicsReport, model: str) -> list[Table]:
    out: list[Table] = []
    if physics.relations:
        out.append(_parameter_relations(physics, model))
    if physics.medians:
        out.append(_medians(physics, model))
    if physics.bulge:
        rows = [
            [b.label, str(b.n), f"{b.median:.0f}" if b.n else "-", f"{b.in_gap:.2f}" if b.n else "-"]
            for b in physics.bulge
        ]
        out.append(("Temperatures of RR Lyrae stars", ["set", "n", "median [K]", "share at 6000-7600 K"], rows))
    if physics.responses:
        rows = [
            [
                f"{r.cls} {r.subclass}".strip(),
                f"{r.period:.4g}",
                r.parameter,
                f"{r.low:.4g} to {r.high:.4g}",
                "yes" if r.supported else "no",
                f"{r.moved:.3f}±{r.error:.3f}" if r.moved else "0",
                "INVENTED" if r.invented else "",
            ]
            for r in physics.responses
        ]
        head = ["class", "period [d]", "parameter", "change", "supported by data", "moved", ""]
        out.append(("Motion of the mean curve with a parameter, over the scatter among draws", head, rows))
    return out


def _calibration(card: ReportCard) -> Table:
    names = list(dict.fromkeys(f for g in card.groups for f in g.calibration))
    rows = [
        [
            str(g.group),
            str(g.n),
            *(f"{r.ks:.3f} ({r.bias:+.2f}, {r.spread:.2f})" for f in names if (r := g.calibration[f])),
        ]
        for g in card.groups
        if g.calibration
    ]
    return "Rank histograms: KS distance from uniform (bias, spread)", ["group", "n", *names], rows


def _wasserstein(card: ReportCard, model: str) -> Table:
    names = list(dict.fromkeys(f for g in card.groups for f in g.sources[model].wasserstein))
    rows = [
        [str(g.group), *(f"{g.sources[model].wasserstein[f]:.2f}" if f in g.sources[model].wasserstein else "-"
                         for f in names)]
        for g in card.groups
    ]  # fmt: skip
    return f"Wasserstein distance of {model}, robust standard deviations", ["group", *names], rows


def _format(table: Table) -> Iterable[str]:
    title, head, rows = table
    lines = [list(head), *(list(r) for r in rows)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(head))]
    yield title
    for k, line in enumerate(lines):
        cells = [line[0].ljust(widths[0]), *(v.rjust(w) for v, w in zip(line[1:], widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()
        if k == 0:
            yield "  " + "-" * (sum(widths) + 2 * (len(widths) - 1))
    yield ""


def render_text(card: ReportCard) -> str:
    """All tables of a card."""
    info = card.info
    lines = [
        f"Report card of {info['generator']}: {info['n_stars']} unseen stars, seed {info['seed']}, "
        f"{info['seconds']:.0f} s",
    ]
    if info["nights_found"] < 1.0:
        lines.append(
            f"Nights are known of {info['nights_found']:.0%} of the observations; the others have noise of their own "
            "sign each."
        )
    if card.active:
        variance = " ".join(f"{v:.2f}" for v in card.active["variance"])
        lines.append(f"Active latent dimensions: {card.active['active']} (variances {variance})")
    lines.append("")
    for table in card_tables(card):
        lines += _format(table)
    return "\n".join(lines)


def render_markdown(card: ReportCard) -> str:
    """The tables that belong into the card of a model, as Markdown."""
    info = card.info
    lines = [
        f"{info['n_stars']} stars that the model was not trained on, seed {info['seed']}. See docs/evaluation.md.",
        "",
    ]
    for title, head, rows in card_tables(card):
        if title.startswith(_IN_SUMMARY):
            lines += [f"### {title}", "", _markdown_row(head), "|" + "---|" * len(head), *map(_markdown_row, rows), ""]
    return "\n".join(lines)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
