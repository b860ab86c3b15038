"""What is found about the claims: the numbers that verdicts follow from, and a verdict.

Plain data, which ``app.claims`` gathers and ``engine.statements`` judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple


class Verdict(StrEnum):
    """What a statement is worth here."""

    HOLDS = "holds"
    IF = "holds if"
    PICTURE = "only a picture"


class Known(StrEnum):
    """How the deciding number is known."""

    COUNTED = "counted"
    MEASURED = "measured"
    MODELLED = "modelled"


class Times(NamedTuple):
    """Seconds of one layer over so many tokens, measured: a chain's, and one of attention."""

    tokens: int
    chain: float
    grid: float


class Layers(NamedTuple):
    """Dependent operations and FLOPs of one layer over so many tokens, as ``Times``."""

    tokens: int
    steps: tuple[int, int]
    flops: tuple[int, int]


Trained = tuple[float, ...]  # a share right as a whole, of each training from another seed


class Step(NamedTuple):
    """A modelled step: the claimed and the found share of matrix work, and whether they agree."""

    name: str
    mode: str
    claimed: float
    matrix: float
    of_flops: float  # products, counted
    in_tensor_cores: float  # of FLOPs
    agrees: bool


class Pairs(NamedTuple):
    """A share of one side beside that of the other."""

    one: float
    other: float


@dataclass(frozen=True)
class Numbers:
    """What verdicts follow from; None is not there yet, or cannot be had here.

    The depths are those of chain and grid at so many tokens; ``bottleneck`` and ``recalled`` hold
    by id of a model the share of answers that are right as a whole; ``sides`` the smallest and the
    largest size at which a GPU becomes quicker, by the model's own doubt.
    """

    # counted, from runs
    depths: tuple[tuple[int, int, int], ...] | None = None
    tokens: int | None = None
    memory: Pairs | None = None  # numbers that a chain and a grid keep of a sentence
    links: Pairs | None = None  # of a head, without and with a mask
    heads: tuple[int, int] | None = None  # a block, and how many ticks they take
    looks_back: Pairs | None = None  # depth of the last state, of the weights over the states
    path: Pairs | None = None  # operations of order T between the first word and the answer
    dimensions: tuple[int, ...] | None = None  # axes of what a run holds
    longest: Layers | None = None  # at the longest length
    # measured, from runs
    order: tuple[float, float, float] | None = None  # words shuffled: no positions, with, chain
    weights: Pairs | None = None  # sentences where the heaviest word counts most, and all
    role: tuple[str, float] | None = None  # the clearest role of a head, and its score
    # modelled
    steps: tuple[Step, ...] | None = None
    host: tuple[int, int] | None = None  # operations of the host in a step, and their FLOPs
    allocating: tuple[int, int] | None = None  # operations of a device that allocate, and all
    sparse: int | None = None  # sparse products in all steps
    halved: Pairs | None = None  # seconds of a step in float32 and in float16
    gpu_here: bool | None = None
    # measured and modelled: this machine, against a GPU
    times: tuple[Times, ...] | None = None
    threads: int | None = None
    at_once: float | None = None  # times that NumPy is quicker than one number after another
    order_cost: Pairs | None = None  # modelled seconds of 5 and of 125 outputs in one launch
    sides: Pairs | None = None
    chain_gpu: Pairs | None = None  # seconds of a short chain here, and modelled on a GPU
    volumes: Pairs | None = None  # items from which a GPU is quicker: no branch, most branches
    # trained models, asked again
    bottleneck: Mapping[str, Trained] | None = None  # reversing 16 digits: by model
    recalled: Mapping[str, Trained] | None = None  # 8 pairs: by model
    rule: Mapping[str, float] | None = None  # by case
    network: Mapping[str, Trained] | None = None
    sure_when_wrong: float | None = None
    examples: tuple[int, int] | None = None  # of the rule, of the network
    learned: tuple[int, int] | None = None  # lines of the rule, steps of descent
    ran: tuple[int, bool] | None = None  # lines that ran for one text, whether it said why
    seconds: tuple[float, float, float, float] | None = None  # rule: alone, in a batch; network
    batch: int = 0
    # where and when
    day: str = ""
    part: str = ""  # the GPU that the model is of

    @property
    def known(self) -> frozenset[str]:
        """Return the names of what is there."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is not None)


There = Any  # Numbers, of which those that a rule needs are not None


class Finding(NamedTuple):
    """A verdict, its condition behind "holds if", and the one number that decides it."""

    verdict: Verdict
    condition: str
    number: str
    known: Known
    what: str
