"""What the course text states, sentence by sentence, and what the numbers say to it.

A statement's verdict follows from numbers by a rule that stands beside it in words; nothing is
decided by hand. The numbers are handed in: ``Numbers`` holds what was counted, measured on this
machine, modelled or taken from what trained models reached. What is missing leaves its statements
open, and what cannot be measured here is said.

Source: the course texts of the four chapters, worded anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.findings import Finding as Finding
from engine.findings import Known as Known
from engine.findings import Layers as Layers
from engine.findings import Numbers as Numbers
from engine.findings import Pairs as Pairs
from engine.findings import Step as Step
from engine.findings import There as There
from engine.findings import Times as Times
from engine.findings import Trained as Trained
from engine.findings import Verdict as Verdict

MOSTLY = 0.5  # of FLOPs or of time: the majority
SURE = 0.9  # of answers: right as a rule
CLEARLY = 0.1  # of answers: more than trainings from other seeds differ by
SAME = 1e-5  # in probability: rounding, and nothing that anybody would show
RECURRENT = ("rnn", "gru", "lstm")  # without attention over their states
LIKE_ONE = 1.5  # times as long as one is no longer "at once"


class Experiment(NamedTuple):
    """Where a statement can be seen: a chapter, what its ``restore`` takes, and a tick.

    The tick is one of all, or that of a part of them: (number of the part, tick in it). ∞ is the
    last one.
    """

    chapter: str
    settings: Mapping[str, Any] = {}
    tick: float | tuple[int, float] = 0.0


@dataclass(frozen=True)
class Statement:
    """One statement of the course text.

    ``rule`` is ``judge`` in words, ``needs`` the numbers that it reads, ``turns`` what would make
    the verdict another one, ``not_here`` what this machine did not tell.
    """

    id: str
    group: str  # id of the chapter
    says: str
    rule: str
    needs: tuple[str, ...]
    judge: Callable[[Any], Finding] = field(repr=False, compare=False)
    turns: str
    experiment: Experiment
    not_here: str = ""


class Judged(NamedTuple):
    """A statement and what was found; None: its numbers are not there."""

    statement: Statement
    finding: Finding | None


def judge(numbers: Numbers) -> tuple[Judged, ...]:
    """Return every statement with what its rule finds."""
    known = numbers.known
    return tuple(
        Judged(each, each.judge(numbers) if known.issuperset(each.needs) else None)
        for each in STATEMENTS
    )


def counts(rows: Iterable[Judged]) -> dict[Verdict, int]:
    """Return how many statements have each verdict."""
    found = dict.fromkeys(Verdict, 0)
    for row in rows:
        if row.finding is not None:
            found[row.finding.verdict] += 1
    return found


def _percent(share: float) -> str:
    """Return a share in per cent, never 100 or 0 where it is not."""
    near = 0.0 < share < 0.01 or 0.99 < share < 1.0
    return f"{100 * share:.1f} %" if near else f"{100 * share:.0f} %"


def _range(shares: Trained) -> str:
    """Return the least and the largest of several shares, one where they read alike."""
    low, high = _percent(min(shares)), _percent(max(shares))
    return high if low == high else f"{low.removesuffix(' %')}–{high}"


def _seconds(value: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g}\u00a0{unit}"
    return f"{value * 1e9:.2g}\u00a0ns"


def _round(value: float) -> str:
    """Return a large number with two figures, "80 000"."""
    if not math.isfinite(value) or value < 1:
        return "∞" if value >= 1 else "0"
    step = 10 ** max(math.floor(math.log10(value)) - 1, 0)
    return f"{round(value / step) * step:,}".replace(",", "\u202f")


def _of(verdict: bool, otherwise: Verdict = Verdict.PICTURE) -> Verdict:
    return Verdict.HOLDS if verdict else otherwise


# ---- from RNN to Transformer ---------------------------------------------------------------------


def _one_at_a_time(n: There) -> Finding:
    (t1, first, _), (t2, last, _) = n.depths[0], n.depths[-1]
    slope = (last - first) / (t2 - t1)
    return Finding(_of(slope >= 1), "", f"+{slope:.3g}", Known.COUNTED,
                   f"dependent operations a token; {last} deep at {t2} tokens")  # fmt: skip


def _importance(n: There) -> Finding:
    share = n.weights.one / n.weights.other
    verdict = Verdict.HOLDS if share >= SURE else Verdict.IF
    verdict = verdict if share >= MOSTLY else Verdict.PICTURE
    return Finding(verdict, "influence agrees with weight",
                   f"{n.weights.one:.0f} of {n.weights.other:.0f}", Known.MEASURED,
                   "sentences: the heaviest word is missed most when it is gone")  # fmt: skip


def _bottleneck(n: There) -> Finding:
    found = [n.bottleneck[id] for id in RECURRENT]
    best, looking = max(map(max, found)), n.bottleneck["gru-luong"]
    verdict = Verdict.PICTURE if best >= SURE else Verdict.HOLDS
    verdict = Verdict.IF if best < SURE <= min(looking) else verdict
    return Finding(verdict, "nothing looks back", _range(max(found, key=max)), Known.MEASURED,
                   f"of 16 digits reversed; {_range(looking)} with attention")  # fmt: skip


def _all_pairs(n: There) -> Finding:
    full, masked = round(n.links.one), round(n.links.other)
    square = n.tokens * n.tokens
    verdict = Verdict.PICTURE if full < square else Verdict.HOLDS
    verdict = Verdict.IF if full == square > masked else verdict
    return Finding(verdict, "nothing is masked", f"{full} links", Known.COUNTED,
                   f"a head between {n.tokens} tokens; {masked} with a causal mask")  # fmt: skip


def _same_depth(n: There) -> Finding:
    depths = {row[2] for row in n.depths}
    return Finding(_of(len(depths) == 1), "", f"depth {max(depths)}", Known.COUNTED,
                   f"at any length; the chain {n.depths[-1][1]} at {n.depths[-1][0]}")  # fmt: skip


def _five_heads(n: There) -> Finding:
    count, ticks = n.heads
    return Finding(_of(count > 1 and ticks == 1), "", f"{count} heads", Known.COUNTED,
                   f"in {ticks} tick of a block, none waits for another")  # fmt: skip


def _positions(n: There) -> Finding:
    without, with_, chain = n.order
    return Finding(_of(without <= SAME < min(with_, chain)), "", _percent(with_), Known.MEASURED,
                   "of the answer moves when words are shuffled; without positions "
                   f"{_percent(without) if without > SAME else 'nothing'}")  # fmt: skip


def _single_path(n: There) -> Finding:
    verdict = Verdict.IF if n.looks_back.other > n.looks_back.one else Verdict.HOLDS
    return Finding(verdict, "nothing looks back", f"{n.memory.one:.0f} numbers", Known.COUNTED,
                   f"carry a sentence of any length; a grid keeps {n.memory.other:.0f} "
                   "here")  # fmt: skip


def _existing(n: There) -> Finding:
    state, weights = n.looks_back
    return Finding(_of(weights > state), "", f"depth {weights:.0f}", Known.COUNTED,
                   f"of the weights; the last state is there at {state:.0f}")  # fmt: skip


def _direct(n: There) -> Finding:
    return Finding(_of(n.path.other == 1 < n.path.one), "", f"{n.path.other:.0f} step",
                   Known.COUNTED,
                   f"from the first word to the one asked for; the chain {n.path.one:.0f}",
                   )  # fmt: skip


def _design(_: There) -> Finding:
    return Finding(Verdict.PICTURE, "", "0 readers", Known.COUNTED,
                   "were asked; layouts, colours, labels are taste until then")  # fmt: skip


def _faster(n: There) -> Finding:
    quicker = [row.tokens for row in n.times if row.grid < row.chain]
    last = n.times[-1]
    verdict = Verdict.HOLDS if len(quicker) == len(n.times) else Verdict.IF
    verdict = verdict if quicker else Verdict.PICTURE
    span = f"{min(quicker)} to {max(quicker)}" if len(quicker) > 1 else "".join(map(str, quicker))
    return Finding(verdict, f"T is {span} here", f"{len(quicker)} of {len(n.times)}",
                   Known.MEASURED, f"lengths; at {last.tokens} attention takes "
                   f"{_seconds(last.grid)}, an RNN {_seconds(last.chain)}")  # fmt: skip


def _scalable(n: There) -> Finding:
    tokens, (chain, grid), (little, much) = n.longest
    verdict = Verdict.HOLDS if much <= little else Verdict.IF
    verdict = verdict if grid < chain else Verdict.PICTURE
    return Finding(verdict, "hardware is wide enough", f"{chain / grid:.3g} ×",
                   Known.COUNTED, f"fewer steps at {tokens} tokens: {grid} against {chain}; "
                   f"{much / little:.2g} × the FLOPs")  # fmt: skip


def _long_range(n: There) -> Finding:
    def ahead(of: Mapping[str, Trained], ids: Iterable[str]) -> list[bool]:
        best = max(max(of[id]) for id in ids)
        return [share > best + CLEARLY for share in of["transformer"]]

    digits = ahead(n.bottleneck, RECURRENT)
    pairs = ahead(n.recalled, [id for id in n.recalled if id != "transformer"])
    looking = all(ahead(n.bottleneck, ("gru-luong",)))
    verdict = Verdict.HOLDS if looking and all(digits) and all(pairs) else Verdict.IF
    verdict = verdict if all(digits) and any(pairs) else Verdict.PICTURE
    plain = max(max(n.bottleneck[id]) for id in RECURRENT)
    return Finding(verdict, "the RNN does not look back", _range(n.bottleneck["transformer"]),
                   Known.MEASURED, f"of 16 digits reversed, RNNs {_percent(plain)}; ahead at "
                   f"recalling 8 pairs in {sum(pairs)} of {len(pairs)} seeds")  # fmt: skip


# ---- 3 Computing in AI ---------------------------------------------------------------------------


def _three_types(n: There) -> Finding:
    verdict = Verdict.HOLDS if n.gpu_here else Verdict.IF
    return Finding(verdict, "there is a GPU",
                   "1 GPU" if n.gpu_here else "0 GPUs", Known.COUNTED,
                   "here; " + ("all three kinds run" if n.gpu_here else
                               "the CPU does all three kinds of work itself"))  # fmt: skip


def _host_work(n: There) -> Finding:
    count, flops = n.host
    return Finding(_of(count > 0 and flops == 0), "", f"{flops} FLOPs", Known.COUNTED,
                   f"in the {count} operations of the host in a step")  # fmt: skip


def _step(n: There, mode: str) -> tuple[list[Step], Step]:
    several = [step for step in n.steps if step.mode == mode]
    return several, min(several, key=lambda step: abs(step.matrix - step.claimed))


def _share_of(n: There, mode: str, condition: str) -> Finding:
    several, nearest = _step(n, mode)
    agreeing = sum(step.agrees for step in several)
    verdict = Verdict.HOLDS if agreeing == len(several) else Verdict.IF
    verdict = verdict if agreeing else Verdict.PICTURE
    return Finding(verdict, condition, f"≈ {_percent(nearest.matrix)}", Known.MODELLED,
                   f"matrix work: {nearest.name}; {agreeing} of {len(several)} steps agree",
                   )  # fmt: skip


def _training(n: There) -> Finding:
    return _share_of(n, "training", "rows are wide, half precision")


def _inference(n: There) -> Finding:
    return _share_of(n, "inference", "it reads many tokens at once")


def _cuda_products(n: There) -> Finding:
    most = max(n.steps, key=lambda step: 1 - step.in_tensor_cores)
    share = 1 - most.in_tensor_cores
    verdict = Verdict.HOLDS if share < MOSTLY else Verdict.IF
    return Finding(verdict, "products are in half precision", _percent(share), Known.COUNTED,
                   f"of FLOPs are done by CUDA cores in {most.name}")  # fmt: skip


def _memory(n: There) -> Finding:
    some, every = n.allocating
    return Finding(_of(some > 0), "", f"{some} of {every}", Known.COUNTED,
                   "kernels allocate: they load and store, the host allocates")  # fmt: skip


def _mixed(n: There) -> Finding:
    best = max(step.in_tensor_cores for step in n.steps)
    least = min(step.in_tensor_cores for step in n.steps)
    verdict = Verdict.HOLDS if least >= MOSTLY else Verdict.IF
    verdict = verdict if best >= MOSTLY else Verdict.PICTURE
    return Finding(verdict, "FP16 or FP8, and many rows", f"{_percent(best)}", Known.COUNTED,
                   f"of FLOPs in tensor cores at best, {_percent(least)} at worst")  # fmt: skip


def _sparse(n: There) -> Finding:
    verdict = Verdict.IF if n.sparse else Verdict.PICTURE
    return Finding(verdict, "weights are pruned two of four", f"{n.sparse} products",
                   Known.COUNTED, "are sparse in any step that is modelled here")  # fmt: skip


def _majority(n: There) -> Finding:
    above = [step for step in n.steps if step.matrix > MOSTLY]
    verdict = Verdict.HOLDS if len(above) == len(n.steps) else Verdict.IF
    verdict = verdict if above else Verdict.PICTURE
    return Finding(verdict, "products are large", f"≈ {len(above)} of {len(n.steps)}",
                   Known.MODELLED, "steps spend most of their time in matrix work")  # fmt: skip


def _core(n: There) -> Finding:
    least = min(n.steps, key=lambda step: step.of_flops)
    return Finding(_of(least.of_flops > MOSTLY), "", _percent(least.of_flops), Known.COUNTED,
                   f"of FLOPs at least, in {least.name}; {_percent(least.in_tensor_cores)} in "
                   "tensor cores")  # fmt: skip


def _key(n: There) -> Finding:
    times = n.halved.one / n.halved.other
    verdict = Verdict.IF if times > LIKE_ONE else Verdict.PICTURE
    return Finding(verdict, "products are FP16 or FP8", f"≈ {times:.2g} ×", Known.MODELLED,
                   "quicker in half precision; none reached in plain FP32")  # fmt: skip


# ---- CPU & GPU works -----------------------------------------------------------------------------


def _shapes(n: There) -> Finding:
    most = max(n.dimensions)
    return Finding(_of({0, 1, 2, 3} <= set(n.dimensions)), "", f"0 to {most} axes",
                   Known.COUNTED, "in what one run of the grid holds")  # fmt: skip


def _cpu_order(n: There) -> Finding:
    return Finding(_of(n.threads == 1 and n.at_once < LIKE_ONE), "", f"{n.threads} threads",
                   Known.COUNTED, "each with lanes that do several numbers at once")  # fmt: skip


def _cpu_scalars(n: There) -> Finding:
    times = f"{n.at_once:.0f} ×" if n.at_once >= 10 else f"{n.at_once:.2g} ×"
    return Finding(_of(n.at_once < LIKE_ONE), "", times, Known.MEASURED,
                   "quicker with whole arrays than number by number")  # fmt: skip


def _gpu_many(n: There) -> Finding:
    times = n.order_cost.other / n.order_cost.one
    verdict = Verdict.IF if times < LIKE_ONE else Verdict.PICTURE
    return Finding(verdict, "the tasks are alike", f"≈ {times:.2g} ×", Known.MODELLED,
                   "the time of 5 outputs for 125, in one launch")  # fmt: skip


def _gpu_large(n: There) -> Finding:
    low, high = n.sides
    verdict = Verdict.PICTURE if math.isinf(low) else Verdict.IF
    verdict = Verdict.HOLDS if high == 0 else verdict
    span = f"{low:.0f} to {high:.0f}" if math.isfinite(high) else f"{low:.0f} or more"
    return Finding(verdict, f"n > {span}", f"≈ {span}", Known.MODELLED,
                   f"side of a product from which {n.part} is quicker")  # fmt: skip


def _cpu_simple(n: There) -> Finding:
    here, gpu = n.chain_gpu
    return Finding(_of(here < gpu), "", f"{_seconds(here)}", Known.MEASURED,
                   f"for 8 dependent reads; {n.part} ≈ {_seconds(gpu)}")  # fmt: skip


def _volume(n: There) -> Finding:
    none, most = n.volumes
    finite = math.isfinite(none)
    return Finding(_of(finite and none != most), "", f"≈ {_round(none)}" if finite else "never",
                   Known.MODELLED, f"items from which a GPU pays; {_round(most)} with 32 branches "
                   "each")  # fmt: skip


# ---- Analytical vs Empirical ---------------------------------------------------------------------


def _theory(n: There) -> Finding:
    rule, network = n.examples
    return Finding(_of(rule == 0 < network), "", f"{rule} | {network:,}".replace(",", "\u202f"),
                   Known.COUNTED, "examples used by the rule | by the network")  # fmt: skip


def _written(n: There) -> Finding:
    lines, steps = n.learned
    return Finding(_of(lines > 0 and steps > 0), "", f"{lines} | {steps}", Known.COUNTED,
                   "lines somebody wrote | steps of descent")  # fmt: skip


def _learns(n: There) -> Finding:
    named, rule = n.network["exceptions"], n.rule["exceptions"]
    return Finding(_of(min(named) >= SURE > rule), "", _range(named), Known.MEASURED,
                   f"of named days learned from examples; the rule {_percent(rule)}")  # fmt: skip


def _rule_in_order(n: There) -> Finding:
    alone, batch, _, _ = n.seconds
    return Finding(_of(batch > alone / LIKE_ONE), "", _seconds(batch), Known.MEASURED,
                   f"each of {n.batch} dates; {_seconds(alone)} alone")  # fmt: skip


def _network_parallel(n: There) -> Finding:
    _, _, alone, batch = n.seconds
    times = alone / batch
    verdict = Verdict.IF if times > LIKE_ONE else Verdict.PICTURE
    return Finding(verdict, "many wait at once", f"{times:.2g} ×", Known.MEASURED,
                   f"quicker each in {n.batch}, on this CPU too: {_seconds(batch)}")  # fmt: skip


def _precise(n: There) -> Finding:
    clean, typo = n.rule["clean"], n.rule["typo"]
    verdict = Verdict.PICTURE if clean < SURE else Verdict.HOLDS
    verdict = Verdict.IF if clean >= SURE > typo else verdict
    return Finding(verdict, "the input is as foreseen", _percent(typo), Known.MEASURED,
                   f"right with a typing error; {_percent(clean)} without")  # fmt: skip


def _explains(n: There) -> Finding:
    lines, why = n.ran
    return Finding(_of(lines > 0 and why), "", f"{lines} lines", Known.COUNTED,
                   "ran for one date, and say why it stops where it does")  # fmt: skip


def _approximate(n: There) -> Finding:
    clean, outside = n.network["clean"], n.network["out-of-range"]
    verdict = Verdict.IF if min(clean) >= SURE else Verdict.HOLDS
    verdict = Verdict.PICTURE if min(*clean, *outside) >= SURE else verdict
    return Finding(verdict, "asked outside its examples", _range(outside), Known.MEASURED,
                   f"right in other years; {_range(clean)} in those it saw")  # fmt: skip


def _sure(n: There) -> Finding:
    return Finding(_of(n.sure_when_wrong > MOSTLY), "", _percent(n.sure_when_wrong),
                   Known.MEASURED, "sure where it is wrong: it does not say that it guesses",
                   )  # fmt: skip


def _black_box(n: There) -> Finding:
    role, score = n.role
    verdict = Verdict.IF if score >= SURE else Verdict.HOLDS
    return Finding(verdict, "a head’s role is no explanation", f"{score:.2f}", Known.MEASURED,
                   f"is how well one head follows “{role}”: not all is dark")  # fmt: skip


ONE, TWO, THREE, FOUR = "rnn-transformer", "three-computing", "cpu-gpu", "analytical-empirical"
GROUPS = (ONE, TWO, THREE, FOUR)
# A part of the first; its tick at the longest sequences of training: 2 digits stand at tick 0.
LABORATORY, LONGEST_TRAINED = "long-range", 14
# The sentence and the models that numbers from one run are of, by what chapter 1 takes.
SENTENCE = {
    "text": "the cat that slept ___", "chain": "rnn", "grid": "transformer", "influence": "",
    "precision": "float32",
}  # fmt: skip
OF_SENTENCE = {"sentence": "default"}  # that the laboratory reads, whatever chapter 1 does
# Which network is asked, and that it is asked what its case says and not somebody's own text.
DATES = {"task": "dates", "model": "gru-bahdanau", "case": "clean", "text": ""}
MODEL = {"lanes": "part", "recording": ""}  # the lanes of the modelled step, of no other card
# Whose times are modelled, and how work comes there.
CARD = {"part": "h100", "data": "resident", "launch": "single"}
# Parts of the third. On the page of sizes 2 stands at tick 0, and each has twice the one before.
RACE, SIZES, LENGTHS = 1, 2, 3
EIGHT, LARGE = 2, 7  # ticks of n = 8 and n = AT_ONCE
AT_ONCE = 256  # rows and columns of the squares that are compared number by number
END = math.inf
_NO_GPU = "No GPU was timed: the shares are those of the roofline model."

STATEMENTS = (
    # the chain
    Statement(
        "one-at-a-time", ONE, "An RNN reads one token after another, state by state",
        "holds when each further token makes the longest chain of dependent operations longer",
        ("depths",), _one_at_a_time, "A chain whose depth does not grow with T.",
        Experiment(ONE, SENTENCE, 3),
    ),
    Statement(
        "importance", ONE, "Attention weights say how much a token matters",
        "holds when the heaviest word is the one whose loss moves the answer most in 9 of 10 "
        "sentences, only a picture below 5 of 10",
        ("weights",), _importance, "Weight and influence that agree in 9 of 10 sentences.",
        Experiment(ONE, {**SENTENCE, "influence": "left out"}, END),
        "The numbers 2, 5, 11, 4, 2 of the picture: they come from no model, and add up to 24.",
    ),
    Statement(
        "bottleneck", ONE, "The last state is a bottleneck",
        "holds if nothing looks back when models without attention reverse under 90 % of the "
        "longest inputs they were trained on and one with it 90 % or more",
        ("bottleneck",), _bottleneck, "A recurrent model without attention that reaches 90 %.",
        Experiment(LABORATORY, {"experiment": "bottleneck"}, LONGEST_TRAINED),
    ),
    # the grid
    Statement(
        "all-pairs", ONE, "Every token is connected to every other at once",
        "holds when a head has T² weights above 0; holds if nothing is masked when a mask "
        "leaves fewer",
        ("links", "tokens"), _all_pairs, "A head that leaves pairs out, or a mask that does not.",
        Experiment(ONE, SENTENCE, 3),
    ),
    Statement(
        "five-heads", ONE, "Five heads work side by side: several ways at once",
        "holds when several heads of a block stand in one tick", ("heads",), _five_heads,
        "Heads that wait for one another.", Experiment(ONE, SENTENCE, 3),
    ),
    Statement(
        "positions", ONE, "Position encoding alone tells the grid the order",
        "holds when another order of the words moves the answer with positions, and by no more "
        "than rounding without them",
        ("order",), _positions, "An answer that moves without positions, too.",
        Experiment(LABORATORY, {"experiment": "position", **OF_SENTENCE}, END),
    ),
    # what they mean
    Statement(
        "parallel-freedom", ONE, "A chain depends on order, a grid is free of it",
        "holds when the depth of the grid is the same at every length", ("depths",), _same_depth,
        "A depth that grows with T.", Experiment(ONE, SENTENCE, END),
    ),
    Statement(
        "single-path", ONE, "In an RNN everything goes one way and piles up in a state",
        "holds; only if nothing looks back when there is attention over the states",
        ("looks_back", "memory"), _single_path, "A chain without attention makes it hold.",
        Experiment(ONE, {**SENTENCE, "chain": "rnn-plain"}, END),
    ),
    Statement(
        "existing", ONE, "An RNN’s attention weighs states that exist already",
        "holds when the weights are deeper than the last state", ("looks_back",), _existing,
        "Weights that are there before the last state.", Experiment(ONE, SENTENCE, 6),
    ),
    Statement(
        "direct", ONE, "A Transformer’s attention connects words directly",
        "holds when two words are one step of attention apart, and in the chain as many reads as "
        "lie between them",
        ("path",), _direct, "A way of more than one step.",
        Experiment(LABORATORY, {"experiment": "influence", **OF_SENTENCE}, END),
    ),
    Statement(
        "design", ONE, "Contrast, colour, labels and metaphors make the picture work",
        "only a picture: no number of the application decides it", (), _design,
        "A test with readers.", Experiment(ONE, {}, 0),
        "Whether anybody understands it sooner: that takes a class and not a machine.",
    ),
    Statement(
        "faster", ONE, "Transformers are faster than RNNs",
        "holds when a layer of attention is quicker than one of an RNN at every length that was "
        "timed, holds if T is one of some when it is at those",
        ("times",), _faster, "A machine that is as wide as attention.",
        Experiment(THREE, CARD, (LENGTHS, END)), "A GPU was not timed.",
    ),
    Statement(
        "scalable", ONE, "Parallelization lets Transformers grow with the input",
        "holds when a layer of attention has fewer dependent steps than one of an RNN at the "
        "longest length and no more FLOPs, holds if hardware is wide when it has more FLOPs",
        ("longest",), _scalable, "Attention whose steps grow with T, too.",
        Experiment(THREE, CARD, (LENGTHS, END)),
        "That it has changed the field of AI: this is history and no number.",
    ),
    Statement(
        "long-range", ONE, "Transformers see dependencies over a longer range",
        "holds when the Transformer gets 10 points more of the longest inputs it was trained on "
        "right than any recurrent model of its size, reversing and recalling, from every seed; "
        "holds if the RNN does not look back when only those without attention are behind",
        ("bottleneck", "recalled"), _long_range,
        "A recurrent model of the same size, without attention, within 10 points.",
        Experiment(LABORATORY, {"experiment": "bottleneck"}, LONGEST_TRAINED),
        "Lengths beyond the training: there the Transformer breaks, too.",
    ),
    # 3 Computing in AI
    Statement(
        "three-types", TWO, "AI computes in three ways, on three kinds of hardware",
        "holds when this machine has a GPU, and else only if there is one",
        ("gpu_here",), _three_types, "A GPU in this machine.",
        Experiment(TWO, {"preset": "toy", **MODEL}, 1),
    ),
    Statement(
        "host", TWO, "The CPU controls, reads, schedules and prepares data",
        "holds when a step has operations of the host and none of the FLOPs is theirs",
        ("host",), _host_work, "Arithmetic of the model on the host.",
        Experiment(TWO, {"preset": "toy", **MODEL}, 1), "Reading from a disk is in no step here.",
    ),
    Statement(
        "training", TWO, "Training takes 5 % host, 10 % stream, 85 % and more matrix work",
        "holds when no share of a modelled training step is 5 points off, holds if when some agree",
        ("steps",), _training, "All steps near the claim, or none.",
        Experiment(TWO, {"preset": "gpt3-layer", **MODEL}, 1), _NO_GPU,
    ),
    Statement(
        "inference", TWO, "Inference takes 5 % host, 30 % stream, 65 % and more matrix work",
        "holds when no share of a modelled inference step is 5 points off, holds if when some "
        "agree",
        ("steps",), _inference, "All steps near the claim, or none.",
        Experiment(TWO, {"preset": "l4-prefill", **MODEL}, 1), _NO_GPU,
    ),
    Statement(
        "cuda-cores", TWO, "CUDA cores do vectors and scalars in FP32 and FP16",
        "holds when they do less than half of the FLOPs in every step, else if products are in "
        "half precision",
        ("steps",), _cuda_products, "No step in plain FP32.",
        Experiment(TWO, {"preset": "float32", **MODEL}, 1), _NO_GPU,
    ),
    Statement(
        "memory", TWO, "CUDA cores manage memory",
        "holds when a kernel allocates, else only a picture", ("allocating",), _memory,
        "A kernel that allocates memory.", Experiment(TWO, {"preset": "float32", **MODEL}, 1),
    ),
    Statement(
        "mixed", TWO, "Tensor cores multiply matrices in FP8 and FP16",
        "holds when they do half of the FLOPs in every step, holds if in some",
        ("steps",), _mixed, "Every step in half precision, with many rows.",
        Experiment(TWO, {"preset": "gpt3-layer", **MODEL}, 1), "FP8 was not run here.",
    ),
    Statement(
        "sparse", TWO, "Tensor cores multiply sparse matrices",
        "only a picture while no step that is modelled has a sparse product", ("sparse",), _sparse,
        "Weights of which two of four are 0.",
        Experiment(TWO, {"preset": "gpt3-layer", **MODEL}, 1),
        "Sparse products were neither run nor modelled.",
    ),
    Statement(
        "majority", TWO, "Most of the work of AI is matrix work",
        "holds when over half of the time of every step is matrix work, holds if of some",
        ("steps",), _majority, "Steps of one row, or all of them large.",
        Experiment(TWO, {"preset": "decode-1", **MODEL}, 1), _NO_GPU,
    ),
    Statement(
        "core", TWO, "Matrix multiplication is the core operation",
        "holds when products do over half of the FLOPs of every step", ("steps",), _core,
        "A step with less than 50 % of its FLOPs in products.",
        Experiment(TWO, {"preset": "toy", **MODEL}, 1),
    ),
    Statement(
        "key", TWO, "Tensor cores are what makes AI quicker",
        "holds if products are in half precision when that is 1.5 times as quick as float32",
        ("halved",), _key, "A step that half precision does not shorten.",
        Experiment(TWO, {"preset": "float32", **MODEL}, 1), _NO_GPU,
    ),
    # CPU & GPU works
    Statement(
        "shapes", THREE, "Data are scalars, vectors, matrices or tensors",
        "holds when a run holds numbers with 0, 1, 2 and 3 axes", ("dimensions",), _shapes,
        "A run without one of them.", Experiment(THREE, CARD, (0, END)),
    ),
    Statement(
        "cpu-order", THREE, "A CPU does one thing after another",
        "holds when this machine has one thread and gains nothing from arrays",
        ("threads", "at_once"), _cpu_order, "One thread without vector lanes.",
        Experiment(THREE, CARD, (RACE, END)),
    ),
    Statement(
        "cpu-scalars", THREE, "A CPU mainly handles single numbers",
        "holds when arrays are less than 1.5 times as quick as number by number",
        ("at_once",), _cpu_scalars, "Arrays that gain nothing here.",
        Experiment(THREE, {**CARD, "op": "map"}, (SIZES, LARGE)),
    ),
    Statement(
        "gpu-many", THREE, "A GPU does many tasks at the same time",
        "holds if the tasks are alike when 125 outputs take less than 1.5 times the time of 5",
        ("order_cost",), _gpu_many, "A launch that takes longer for more outputs.",
        Experiment(THREE, CARD, (RACE, END)), "No GPU was timed: its time is modelled.",
    ),
    Statement(
        "gpu-large", THREE, "Large matrices and tensors belong on a GPU",
        "holds if n is large when the modelled time crosses what was measured here",
        ("sides",), _gpu_large, "A GPU that is quicker at every size, or at none.",
        Experiment(THREE, {**CARD, "op": "product"}, (SIZES, LARGE)),
        "No GPU was timed: its time is modelled.",
    ),
    Statement(
        "cpu-simple", THREE, "Simple tasks in a sequence belong on a CPU",
        "holds when a short chain is quicker here than modelled on a GPU", ("chain_gpu",),
        _cpu_simple, "A launch that costs less than a read here.",
        Experiment(THREE, {**CARD, "op": "chain"}, (SIZES, EIGHT)),
        "No GPU was timed: its time is modelled.",
    ),
    Statement(
        "volume", THREE, "Complexity and volume decide which unit is the better one",
        "holds when there is a volume from which a GPU is quicker, and branches move it",
        ("volumes",), _volume, "A boundary that branches do not move.",
        Experiment(THREE, CARD, (SIZES, END)), "No GPU was timed: its time is modelled.",
    ),
    # Analytical vs Empirical
    Statement(
        "theory-data", FOUR, "Rules come from theory, networks from data",
        "holds when the rule used no example and the network did", ("examples",), _theory,
        "A rule that was fitted to examples.", Experiment(FOUR, DATES, 0),
    ),
    Statement(
        "design-learn", FOUR, "Rules are programmed by design, networks learn",
        "holds when the rule has lines that were written and the network steps of descent",
        ("learned",), _written, "A network without training.",
        Experiment(FOUR, DATES, 1),
    ),
    Statement(
        "learns", FOUR, "Networks learn from data what nobody wrote down",
        "holds when the network is right for 90 % of named days, which the rule does not know",
        ("network", "rule"), _learns, "Less than 90 % of named days.",
        Experiment(FOUR, {**DATES, "case": "exceptions"}, END),
    ),
    Statement(
        "rule-in-order", FOUR, "A rule works through its items in sequence, on a CPU",
        "holds when an item in a batch takes as long as one alone", ("seconds",), _rule_in_order,
        "A rule that gains from a batch.", Experiment(FOUR, DATES, END),
        "A rule on a GPU: that it runs on a CPU is habit and no law.",
    ),
    Statement(
        "network-parallel", FOUR, "A network gains from working in parallel, on a GPU",
        "holds if many wait when an item in a batch takes less than two thirds of one alone",
        ("seconds",), _network_parallel, "A batch that gains nothing.",
        Experiment(FOUR, DATES, END), "A GPU: the batch gains on this CPU already.",
    ),
    Statement(
        "precise", FOUR, "Rules are accurate",
        "holds if the input is foreseen when it is right for 90 % of clean dates and for fewer "
        "with a typing error",
        ("rule",), _precise, "A rule that reads typing errors.",
        Experiment(FOUR, {**DATES, "case": "typo"}, END),
    ),
    Statement(
        "explains", FOUR, "Rules show how they decide",
        "holds when every line that ran is known, and a refusal gives its reason", ("ran",),
        _explains, "A rule that stops without a reason.",
        Experiment(FOUR, {**DATES, "case": "typo"}, END),
    ),
    Statement(
        "approximate", FOUR, "Networks are approximate",
        "holds when under 90 % of clean inputs are right, holds if outside the examples when only "
        "there it is fewer",
        ("network",), _approximate, "90 % outside the examples, too.",
        Experiment(FOUR, {**DATES, "case": "out-of-range"}, END),
    ),
    Statement(
        "sure", FOUR, "A network does not show that it may be wrong",
        "holds when it is over 50 % sure where it is wrong", ("sure_when_wrong",), _sure,
        "Doubt wherever it is wrong.",
        Experiment(FOUR, {**DATES, "case": "out-of-range"}, END),
    ),
    Statement(
        "black-box", FOUR, "A network’s decisions stay a black box",
        "holds when no head follows a role in 90 % of sentences, else if a role is no explanation",
        ("role",), _black_box, "A network none of whose heads has a role.",
        Experiment(ONE, SENTENCE, END), "What a head’s role does for the answer in every sentence.",
    ),
)  # fmt: skip
