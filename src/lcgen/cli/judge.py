"""``lcgen evaluate`` and ``lcgen import-pelsvae``: how real the curves are, and the published model as a rival."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import Command, progress_of, refuse_existing

__all__ = ["COMMANDS"]

# As lcgen.evaluate.RIVALS, which help should not wait for.
_RIVALS = ("sine", "template-library", "template-library-denoised", "pels-vae")

_EVALUATE = """\
The report card of a model, on stars it never saw: two-sample tests against real curves, calibration, copies of
training stars, physical relations. Needs the survey data that the model was trained on (--data or LCGEN_DATA).
"""
_IMPORT = """\
A released PELS-VAE network (AJ 164, 263) as a generator with the same interface. Its amplitudes, population and noise
come from a model of lcgen.
"""


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="name or folder of a model; default: the bundled one")
    parser.add_argument("--data", metavar="FOLDER", help="folder of the survey data; default: LCGEN_DATA")
    parser.add_argument("--prepared", metavar="FOLDER", help="folder of the training run, to use its curves again")
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="RIVAL",
        help=f"rivals: {', '.join(_RIVALS)}, or names or folders of models. pels-vae: a released run, in the folder "
        "LCGEN_PELSVAE or beside the data",
    )
    parser.add_argument("--quick", action="store_true", help="fewer stars and numbers")
    parser.add_argument("--max-stars", type=int, metavar="N", help="most stars of a class, survey and band")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same result; default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write all numbers")
    parser.add_argument("--html", metavar="FILE", help="write a report with plots")
    parser.add_argument("--into-card", action="store_true", help="write a summary into the card.md of the model")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")


def _evaluate(args: argparse.Namespace) -> None:
    for output in (args.json, args.html):
        if output is not None:
            refuse_existing(output, args)
    from .. import load_generator
    from ..evaluate import evaluate, load_curves, quick_card
    from ..evaluate.into_card import check_writable

    generator = load_generator(args.model)
    if args.into_card:
        check_writable(generator.source)
    judge = quick_card if args.quick else evaluate
    limit = {} if args.max_stars is None else {"max_stars": args.max_stars}
    curves = load_curves(generator, args.prepared, args.data)
    card = judge(
        generator, curves, against=args.against, root=args.data, seed=args.seed, progress=progress_of(args), **limit
    )
    if args.json:
        card.to_json(args.json)
    if args.html:
        card.to_html(args.html)
    if args.into_card:
        card.into_card(generator.source)
    print(card.to_text())


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR", help="folder with config.yaml and VAE_model_None.pt")
    parser.add_argument("--base", metavar="MODEL", help="lends amplitudes and population; default: the bundled one")
    parser.add_argument("--name", metavar="NAME", help="name of the new generator")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder of the new generator")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")


def _import(args: argparse.Namespace) -> None:
    output = refuse_existing(args.output, args)
    from ..importer import import_card, import_pelsvae

    generator = import_pelsvae(args.run_dir, base=args.base, name=args.name)
    print(generator.save(Path(output), card=import_card(generator)))


COMMANDS = (
    Command(
        name="evaluate",
        summary="how real the curves of a model are",
        description=_EVALUATE,
        example="  lcgen evaluate --quick --against sine --json card.json\n",
        options=_evaluate_options,
        run=_evaluate,
    ),
    Command(
        name="import-pelsvae",
        summary="a released PELS-VAE network as a generator",
        description=_IMPORT,
        example="  lcgen import-pelsvae pelsvae/yp4qdw1r --output released\n",
        options=_import_options,
        run=_import,
    ),
)
