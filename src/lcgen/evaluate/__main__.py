"""``python -m lcgen.evaluate MODEL``: print the report card of a model."""

from __future__ import annotations

import argparse
import sys

from ..errors import LcgenError
from .inputs import load_curves
from .run import MAX_STARS, evaluate, quick_card
from .sources import RIVALS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lcgen.evaluate", description=__doc__)
    parser.add_argument("model", help="folder or name of a generator")
    parser.add_argument("--cache", help="prepared curves (.npz), or the folder of the training run")
    parser.add_argument("--data", help="folder of the survey data (else LCGEN_DATA)")
    parser.add_argument("--against", nargs="*", default=[], choices=RIVALS, help="rivals")
    parser.add_argument("--quick", action="store_true", help="fewer stars and numbers, for tuning")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-stars", type=int, help="of a class, survey and band")
    parser.add_argument("--json", help="write the numbers here")
    parser.add_argument("--html", help="write a report with plots here")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        from ..generator import load_generator

        generator = load_generator(options.model)
        curves = load_curves(generator, options.cache, options.data)
        common = {"against": options.against, "root": options.data, "seed": options.seed}
        if options.quick:
            card = quick_card(generator, curves, max_stars=options.max_stars or 700, **common)
        else:
            card = evaluate(generator, curves, max_stars=options.max_stars or MAX_STARS, **common)
        if options.json:
            card.to_json(options.json)
        if options.html:
            card.to_html(options.html)
    except LcgenError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(card.to_text() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
