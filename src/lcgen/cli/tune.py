"""``lcgen tune``: search for better hyperparameters."""

from __future__ import annotations

import argparse

from .options import Command, UsageError, progress_of

__all__ = ["COMMANDS"]

_TUNE = """\
Search for better hyperparameters: train again and again with other values of the keys in a search space, judge each
model on validation stars by its report card, and keep the best. An interrupted search goes on with the same command; a
larger --trials goes on with one that is finished. OUTPUT holds trials.csv, study.db, and best.toml, a configuration
for lcgen train. Needs pip install 'lcgen[tune]'.
"""


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the configuration that is varied, TOML")
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the search space, TOML")
    parser.add_argument("--space", choices=("published", "ours"), help="a search space that comes along")
    parser.add_argument("--trials", type=int, required=True, metavar="N", help="number of all trials of the search")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder of the search")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the proposals; default: %(default)s")
    parser.add_argument("--no-prune", action="store_true", help="train every trial to its end")
    parser.add_argument(
        "--max-stars",
        type=int,
        default=700,
        metavar="N",
        help="most stars of a class, survey and band to judge a trial on; default: %(default)s",
    )


def _tune(args: argparse.Namespace) -> None:
    if (args.study is None) == (args.space is None):
        raise UsageError("give a search space: either STUDY or --space (see lcgen tune --help)")
    from ..train import tune

    try:
        result = tune(
            args.config,
            args.study or args.space,
            trials=args.trials,
            output=args.output,
            seed=args.seed,
            prune=not args.no_prune,
            max_stars=args.max_stars,
            progress=progress_of(args),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from the last whole epoch") from None
    states = [t.state for t in result.trials]
    print(", ".join(f"{states.count(s)} {s}" for s in ("complete", "pruned", "failed")))
    if result.best is None:
        print("no trial could be judged; see", result.folder / "trials.csv")
        return
    print(f"best: trial {result.best.index}, objective {result.best.objective:.4f}")
    for key, value in result.best.choice.items():
        print(f"  {key} = {value}")
    print(result.folder / "best.toml")


COMMANDS = (
    Command(
        name="tune",
        summary="search for better hyperparameters",
        description=_TUNE,
        example="  lcgen tune configs/periodic-vi.toml --space ours --trials 40 --output runs/study\n",
        options=_options,
        run=_tune,
    ),
)
