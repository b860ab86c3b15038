"""The command line: a figure, a trace, the models and measurements, without a window."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from app import CHAPTER, MOST_SIDE, THEMES, shares
from app.figures import FIGURES, UsageError, add_text, text_of
from app.threads import leave_a_core

# Nothing heavy is imported here: help and a wrong argument are answered at once.
LEAST_SIDE = 64  # px of a side of a figure
LEAST_TEXT = 12  # px of text in a figure: what is smaller is said

EXAMPLES = """examples:
  unrolled                                       open the window
  unrolled figure rnn-transformer --text "the cat that slept ___" --tick 3 -o out.svg
  unrolled figure rnn-transformer --theme dark --size 1920x1080 --scale 2 -o out.png
  unrolled figure rnn-transformer --grey --theme contrast -o print.pdf
  unrolled figure rnn-transformer --every-tick -o "tick-{tick}.pdf"
  unrolled figure three-computing --preset gpt3-layer -o shares.svg
  unrolled figure cpu-gpu --op map --data copied --tick last -o race.svg
  unrolled figure analytical-empirical --task dates --case typo --tick last -o dates.svg
  unrolled figure claims --tick 0 -o claims.pdf
  unrolled claims
  unrolled trace --text "the cat that slept ___" --model transformer --json
  unrolled trace --model rnn -o trace.npz        numpy.load opens it
  unrolled trace --model transformer --training
  unrolled trace --training --task dates --model gru-bahdanau --step 50 --json
  unrolled models
  unrolled shares --model gpt2-124m --mode training --part h100 --style fused --precision fp16
  unrolled bench --json
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        said = " ".join(message.split())
        self.exit(2, f"{said[:1].upper()}{said[1:]}; {self.prog} --help shows what can be given.\n")


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for, and return the exit code.

    Raises
    ------
    SystemExit
        When nothing is left to do, or an argument is wrong, which has been said.
    """
    given = _parser().parse_args(arguments)
    return int(given.run(given))


def version() -> str:
    """Return the version of this checkout, or of what is installed."""
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if project.is_file():
        import tomllib

        with project.open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])
    from importlib.metadata import version as installed

    return installed("unrolled")


# ---- arguments ---------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="unrolled",
        description="Shows how an RNN and a Transformer compute, step by step.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    parser.set_defaults(run=_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    figure = commands.add_parser("figure", help="draw a chapter into a file", epilog=EXAMPLES)
    chapters = figure.add_subparsers(metavar="CHAPTER", required=True, parser_class=_Parser,
                                     help=", ".join(FIGURES))  # fmt: skip
    for id, entry in FIGURES.items():
        chapter = chapters.add_parser(id, epilog=EXAMPLES)
        chapter.set_defaults(run=_figure, chapter=id)
        entry.add_options(chapter)
        _add_file(chapter)

    shot = commands.add_parser("shot", help="draw the whole window into a PNG", epilog=EXAMPLES)
    shot.set_defaults(run=_shot)
    add_text(shot)
    shot.add_argument("--chapter", default=CHAPTER, metavar="ID", help="or its number in the rail; "
                      "what a chapter measures it measures first")  # fmt: skip
    shot.add_argument("--tick", type=_tick, default=math.inf, metavar="N", help="or last")
    shot.add_argument("--theme", choices=THEMES, default="light")
    shot.add_argument("--size", type=_size, default=(1600, 900), metavar="WxH", help="in px")
    shot.add_argument("-o", "--output", required=True, metavar="FILE", help=".png")

    trace = commands.add_parser("trace", help="run one model over a text", epilog=EXAMPLES)
    trace.set_defaults(run=_trace)
    add_text(trace)
    trace.add_argument("--model", required=True, metavar="ID", help="unrolled models lists them")
    trace.add_argument("--json", action="store_true", help="every step as JSON, without values; "
                       "notes on the text stand in it and not on the error stream")  # fmt: skip
    trace.add_argument("-o", "--output", metavar="FILE", help=".npz with every value")
    trace.add_argument("--training", action="store_true", help="one step of training: forward, "
                       "loss, every gradient (….grad), update.…; the last word of the text is the "
                       "right one")  # fmt: skip
    trace.add_argument("--right", default="", metavar="WORD", help="in place of ___, of --training")
    trace.add_argument("--task", default="", metavar="TASK", help="a step of this task's training, "
                       "on its batch, as train; of --training")  # fmt: skip
    trace.add_argument("--seed", type=_from_0, metavar="S", help="of --task")
    trace.add_argument("--step", type=_from_1, metavar="N",
                       help="of --task; those before it are taken first")  # fmt: skip

    models = commands.add_parser("models", help="list the trained models")
    models.set_defaults(run=_models)
    models.add_argument("--json", action="store_true")

    of_time = commands.add_parser(
        "shares", help="model what the time of a step goes to", epilog=shares.EXAMPLES
    )
    of_time.set_defaults(run=_shares)
    shares.add_arguments(of_time)

    train = commands.add_parser(
        "train", help="train a model of a task, on the CPU",
        description="Train a model of a task with NumPy on the CPU, also where there is a GPU.",
    )  # fmt: skip
    train.set_defaults(run=_train)
    train.add_argument("task", metavar="TASK", help="missing-word, dates, reverse, recall "
                       "or brackets")  # fmt: skip
    train.add_argument("--model", required=True, metavar="M", help="rnn, gru, lstm, gru-bahdanau, "
                       "gru-luong, transformer …: what the task has")  # fmt: skip
    train.add_argument("--seed", type=_from_0, default=0, metavar="S")
    train.add_argument("--seeds", type=_from_1, default=1, metavar="N",
                       help="train so many from S on; the card says what each reaches")  # fmt: skip
    train.add_argument("--steps", type=_from_1, default=0, metavar="N", help="as shipped")
    train.add_argument("-o", "--output", default="trained", metavar="FOLDER")

    evaluate = commands.add_parser("evaluate", help="ask a trained model, or a rule, anew")
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("task", metavar="TASK", help="missing-word, dates, reverse, recall "
                       "or brackets")  # fmt: skip
    evaluate.add_argument("--model", required=True, metavar="M", help="as train, or rule")
    evaluate.add_argument("--case", default="", metavar="CASE",
                          help="clean, out-of-range, typo, exceptions; a length; all")  # fmt: skip
    evaluate.add_argument("--count", type=_from_1, default=1000, metavar="N", help="sentences")
    evaluate.add_argument("--seed", type=_from_0, default=1, metavar="S", help="of the sentences")
    evaluate.add_argument("--json", action="store_true")

    said = commands.add_parser("claims", help="judge what the course text says, by this machine")
    said.set_defaults(run=_claims)
    said.add_argument("--json", action="store_true")
    said.add_argument("--measure", action="store_true", help="measure this machine anew, 10 s")

    doctor = commands.add_parser("doctor", help="say what this machine has, and why not more")
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--gpu-selfcheck", action="store_true",
                        help="check everything on the GPU against float64")  # fmt: skip
    doctor.add_argument("-o", "--output", metavar="FILE", help=".json, of --gpu-selfcheck")

    bench = commands.add_parser("bench", help="measure frames, runs and the start on this machine")
    bench.set_defaults(run=_bench)
    bench.add_argument("--json", action="store_true")
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    """Let be given what every chapter is drawn with, and into which file."""
    ticks = parser.add_mutually_exclusive_group()
    ticks.add_argument("--tick", type=_tick, default=math.inf, metavar="N", help="or last")
    ticks.add_argument(
        "--every-tick", action="store_true", help="a file for each; {tick} in its name"
    )
    parser.add_argument("--theme", choices=THEMES, default="light")
    parser.add_argument("--size", type=_size, default=(1600, 900), metavar="WxH", help="in px")
    parser.add_argument("--scale", type=_scale, default=1.0, metavar="K", help="pixels a px of PNG")
    parser.add_argument("--grey", action="store_true", help="for print; negative cells hatched")
    parser.add_argument("--svg-text", choices=("text", "paths"), default="text",
                        help="paths for programs without the fonts")  # fmt: skip
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help=".svg, .png or .pdf")


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"unrolled {version()}")
        parser.exit()


def _tick(text: str) -> float:
    if text == "last":
        return math.inf
    try:
        tick = float(text)
    except ValueError:
        tick = -1.0
    if not 0 <= tick < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no tick, which is 0, 1, 2 … or last")
    return tick


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})", text, re.ASCII)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in size):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no size, which is width x height from {LEAST_SIDE} to {MOST_SIDE} "
            "px, such as 1600x900"
        )
    return size


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 0.1 <= scale <= 16:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no scale, which is from 0.1 to 16")
    return scale


def _from_1(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 1 to 999999")
    return int(text)


def _from_0(text: str) -> int:
    if not re.fullmatch(r"0|[1-9]\d{0,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 0 to 999999")
    return int(text)


# ---- commands ----------------------------------------------------------------------------------


def _window(_: argparse.Namespace) -> int:
    from app.start import open_window

    return open_window()


def _figure(given: argparse.Namespace) -> int:
    # Checked in front of everything that takes time.
    if given.every_tick and "{tick}" not in given.output:
        raise UsageError(
            f"Every tick needs a file of its own and {given.output!r} names one; "
            "write {tick} into the name, such as tick-{tick}.svg."
        )
    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # a figure never needs a display

    from app import compute, export
    from widgets import captions, theme
    from widgets.grey import grey
    from widgets.view import View

    export.check(Path(given.output))
    made = FIGURES[given.chapter].make(given)
    first = compute.tick_in(made.last, given.tick)
    width, height = given.size
    view = View(width, height, theme.load(given.theme), captions.load("en"), **made.view)
    for note in made.notes:
        print(note, file=sys.stderr)
    ticks = range(made.last + 1) if given.every_tick else [first]
    digits = len(str(made.last))  # 00, 01 …: files sort as they follow
    smallest = math.inf
    for tick in ticks:
        name = given.output.replace("{tick}", f"{tick:0{digits}g}")
        picture = compute.still(made.subject, float(tick), view, size=given.size, scene=made.scene)
        if given.grey:
            picture = grey(picture, view.theme)
        smallest = min(smallest, given.scale * export.smallest_text(picture, width, height))
        export.write(picture, Path(name), width=width, height=height, scale=given.scale,
                     text=given.svg_text)  # fmt: skip
        print(name)
    if round(smallest, 2) < LEAST_TEXT:
        larger = LEAST_TEXT / smallest
        enough = "x".join(str(math.ceil(side * larger)) for side in given.size)
        print(
            f"The smallest text is {smallest:.3g} px high, which is hard to read on a screen; "
            f"--size {enough} makes it {LEAST_TEXT}.",
            file=sys.stderr,
        )
    return 0


def _shot(given: argparse.Namespace) -> int:
    if not given.output.lower().endswith(".png"):
        raise UsageError(f"The window is saved as .png and {given.output!r} ends otherwise.")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

    from app import export
    from app.start import shoot

    path = Path(given.output)
    export.check(path)
    shoot(path, text=text_of(given), tick=given.tick, theme_name=given.theme, size=given.size,
          chapter=given.chapter)  # fmt: skip
    print(given.output)
    return 0


def _trace(given: argparse.Namespace) -> int:
    if given.output is not None and not given.output.lower().endswith(".npz"):
        raise UsageError(f"A trace is saved as .npz and {given.output!r} ends otherwise.")
    if not given.training and (given.task or given.right):
        raise UsageError("A task and a right word belong to a step of training; add --training.")
    if not given.task and (given.seed is not None or given.step is not None):
        raise UsageError("--seed and --step belong to a task's training; name it with --task.")
    if given.task and (given.text is not None or given.right):
        raise UsageError("A task trains on its own batch; leave --text and --right out, or --task.")
    from app import compute
    from engine.trace import save

    leave_a_core()
    if given.training:
        from app import descent

        if given.task:
            trace = descent.of_task(
                given.task, given.model, seed=given.seed or 0, step=given.step or 1
            )
        else:
            trace = descent.of_sentence(given.text, given.model, given.right)
        data = descent.as_data(trace)
    else:
        trace = compute.make_trace(text_of(given), given.model)
        data = compute.trace_as_data(trace)
    if given.output is not None:
        save(trace, Path(given.output))
    if given.json:
        print(json.dumps(data, ensure_ascii=False, indent=1))
        return 0
    for note in trace.facts.notes:
        print(note, file=sys.stderr)
    if given.output is not None:
        print(given.output)
        return 0
    rows = [("tick", "depth", "step", "axes", "shape", "FLOPs", "µs")]
    for row in data["steps"]:
        rows.append(
            (str(row["tick"]), str(row["depth"]), row["name"], " ".join(row["axes"]),
             "×".join(map(str, row["shape"])) or "1", str(row["flops"]),
             f"{row['seconds'] * 1e6:.1f}")
        )  # fmt: skip
    print(shares.columns(rows))
    print()
    if given.training:
        print(descent.report(data))
    else:
        print(", ".join(f"{word} {probability:.2f}" for word, probability in trace.answer(3)))
    return 0


def _models(given: argparse.Namespace) -> int:
    from app import compute

    data = compute.models_as_data()
    if given.json:
        print(json.dumps(data, ensure_ascii=False, indent=1))
        return 0
    rows = [("id", "what", "parameters", "right word", "best possible", "right number",
             "right word, other trainings", "sees", "memory")]  # fmt: skip
    for row in data:
        if "error" in row:
            print(row["error"], file=sys.stderr)
            continue
        held_out = row["held_out"]
        accuracy = [
            f"{100 * held_out[key]:.2f} %" if isinstance(held_out.get(key), float) else "not known"
            for key in ("word", "best_word", "verb_number")
        ]
        again = sorted(100 * training["word"] for training in row["again"])
        spread = (
            f"{again[0]:.2f} to {again[-1]:.2f} %, {len(again)} seeds" if again else "not known"
        )
        rows.append((row["id"], row["title"], str(row["parameters"]), *accuracy, spread,
                     row["sees"], row["memory"]))  # fmt: skip
    print(shares.columns(rows))
    return 0


def _shares(given: argparse.Namespace) -> int:
    from engine.roofline import model

    data = shares.as_data(model(*shares.asked(given)), fold=given.fold)
    print(json.dumps(data, ensure_ascii=False, indent=1) if given.json else shares.report(data))
    return 0


def _train(given: argparse.Namespace) -> int:
    from app import learning

    path = learning.train(
        given.task, given.model, seed=given.seed, seeds=given.seeds, steps=given.steps,
        output=Path(given.output), said=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    print(path)
    return 0


def _evaluate(given: argparse.Namespace) -> int:
    from app import learning
    from engine import tasks

    cases = [given.case] if given.case else list(tasks.load(given.task).cases)
    found = [
        learning.evaluate(given.task, given.model, case, count=given.count, seed=given.seed)
        for case in cases
    ]
    if given.json:
        print(json.dumps(found if not given.case else found[0], ensure_ascii=False, indent=1))
        return 0
    rows = [("case", "right as a whole", "95 % between", "seeds")]
    for row in found:
        low, high = row["interval"]
        seeds = ", ".join(f"{100 * share:.1f} %" for share in row.get("seeds", ()))
        rows.append((row["case"], f"{100 * row['accuracy']:.1f} %",
                     f"{100 * low:.1f} and {100 * high:.1f} %", seeds))  # fmt: skip
    print(shares.columns(rows))
    return 0


def _claims(given: argparse.Namespace) -> int:
    from app import claims

    leave_a_core()
    *_, found = claims.gather(claims.place(), anew=given.measure)
    data = claims.as_data(found)
    print(json.dumps(data, ensure_ascii=False, indent=1) if given.json else claims.report(data))
    return 0


def _doctor(given: argparse.Namespace) -> int:
    from app import doctor

    program = f"unrolled {version()}"
    if given.gpu_selfcheck != (given.output is not None):
        raise UsageError(
            "A check needs a file for its report: doctor --gpu-selfcheck -o FILE.json."
        )
    if given.gpu_selfcheck:
        right = doctor.selfcheck(
            Path(given.output), program=program, tell=lambda line: print(line, file=sys.stderr)
        )
        print(given.output)
        return 0 if right else 1
    for name, what in doctor.rows(program):
        print(f"{name + ':':<24} {what}")
    return 0


def _bench(given: argparse.Namespace) -> int:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from app import bench

    data = bench.measure()
    print(json.dumps(data, ensure_ascii=False, indent=1) if given.json else bench.report(data))
    return 0
