"""What one step of a model has to do: its sizes, style and memory, and what an operation is.

Nothing is computed here but sizes, so that a step of a model that no machine at hand could hold is
described as exactly as one of the models on the stage; ``engine.operations`` lays the step out.
Letters, as in the papers:

    B, T, S     sequences, new tokens a sequence, tokens they look at
    M           B T, rows of every product
    d, h, f     width of a row, heads, width of the MLP
    V, P        words of the vocabulary, parameters

Source: Korthikanti et al. 2022, "Reducing activation recomputation in large Transformer models",
eq. 1, for memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from engine.said import Said
from engine.trace import Cost, Unit
from engine.units import Work

MOST_BYTES = 4e12  # a step that needs more memory is refused: 16 cards of the largest have less
MOST_KERNELS = 400_000  # a step that launches more is refused: it would be drawn for minutes
MOST = 10**12  # any number above is a slip of the hand


class Mode(StrEnum):
    """What a step is for."""

    TRAINING = "training"
    INFERENCE = "inference"  # reading a prompt
    DECODE = "decode"  # writing one token after a context


class Style(StrEnum):
    """How the same formulas become kernels."""

    CUPY_EAGER = "cupy-eager"  # one kernel for each NumPy-like call
    FRAMEWORK_EAGER = "framework-eager"  # one kernel for each layer operation
    FUSED = "fused"  # attention in one kernel, biases and activations inside the products
    GRAPH = "graph"  # fused, and launched as one recorded graph


class Precision(StrEnum):
    """The number format of operands; sums are float32 in all."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FP8 = "fp8"  # modelled only


class Device(StrEnum):
    """What kind of machine a step is laid out for."""

    GPU = "gpu"
    CPU = "cpu"


class Group(StrEnum):
    """Which part of a step an operation belongs to."""

    HOST = "host"
    FORWARD = "forward"
    BACKWARD = "backward"
    UPDATE = "update"


class WorkloadError(Said):
    """A step that cannot be: its text says why, and what to give instead."""


@dataclass(frozen=True)
class Size:
    """The shape of a model.

    ``whole`` is False for a block that stands alone, without embedding, answer and copies.
    ``tokens`` and ``batch`` are what it is usually shown with.
    """

    id: str
    title: str
    width: int
    blocks: int
    vocabulary: int
    tokens: int
    batch: int = 1
    heads: int = 0  # 0: a chain
    mlp: int = 0
    cell: str = ""  # of a chain: a key of CELLS
    positions: int = 0  # rows of a learned table of positions
    whole: bool = True

    @property
    def chain(self) -> bool:
        """Return whether it reads its tokens one by one."""
        return bool(self.cell)

    @property
    def parameters(self) -> int:
        """Return P; the table of words also makes the answer, so it counts once."""
        d, f = self.width, self.mlp
        if self.chain:
            block = CELLS[self.cell].gates * (2 * d * d + 2 * d)
        else:
            block = 4 * d * d + 2 * d * f + 4 * d + f + d + 4 * d  # products, biases, two norms
        table = (self.vocabulary + self.positions) * d + (2 * d if self.whole else 0)
        return self.blocks * block + (table if self.whole else 0)


@dataclass(frozen=True)
class Cell:
    """What a recurrent cell does a step beside its product with the state."""

    title: str
    gates: int
    equation: str
    calls: int  # elementwise calls a step, forward
    backward_calls: int
    special: int  # exp or tanh a number of the state


CELLS = {
    "elman": Cell("Elman", 1, "h_t = tanh(x_t W_x + h_{t-1} W_h + b)", 2, 3, 1),
    "gru": Cell("GRU", 3, "h_t = z ⊙ h_{t-1} + (1 − z) ⊙ h̃", 13, 22, 3),
    "lstm": Cell("LSTM", 4, "c_t = f ⊙ c_{t-1} + i ⊙ g,  h_t = o ⊙ tanh(c_t)", 14, 24, 5),
}

SIZES = {
    size.id: size
    for size in (
        Size("toy", "One block, d = 40", 40, 1, 100, 5, heads=5, mlp=160),
        Size("stage", "The stage’s Transformer", 40, 2, 309, 5, heads=5, mlp=160),
        Size("block-192", "One block, d = 192", 192, 1, 0, 64, 4, heads=6, mlp=768, whole=False),
        Size("gpt2-124m", "GPT-2 124M", 768, 12, 50257, 1024, heads=12, mlp=3072, positions=1024),
        Size("7b", "7 B, 32 blocks", 4096, 32, 32000, 2048, heads=32, mlp=16384),
        Size("gpt3-layer", "One block of GPT-3", 12288, 1, 0, 2048, heads=96, mlp=49152,
             whole=False),
        Size("stage-rnn", "The stage’s RNN, without attention", 16, 1, 309, 5, cell="elman"),
        Size("gru-124m", "GRU, 124 M", 1744, 2, 50257, 1024, cell="gru"),
        Size("lstm-124m", "LSTM, 124 M", 1626, 2, 50257, 1024, cell="lstm"),
    )
}  # fmt: skip

BYTES = {
    Precision.FLOAT32: 4,
    Precision.TF32: 4,
    Precision.FLOAT16: 2,
    Precision.BFLOAT16: 2,
    Precision.FP8: 2,  # between the products, numbers stay half precision
}


@dataclass(frozen=True)
class Workload:
    """One step: a model, what it is for, how much at once, and how it is written.

    Raises
    ------
    WorkloadError
        When there is no such model, mode, precision or style, a number makes no sense, or the step
        would need more memory than any machine has.
    """

    model: str = "gpt2-124m"
    mode: str = Mode.TRAINING
    batch: int = 8  # B
    tokens: int = 1024  # new tokens a sequence; of a decoding step the tokens before it
    precision: str = Precision.FLOAT16
    style: str = Style.FUSED
    every: int = 1  # the optimizer steps after so many micro-batches; 1/every of it is counted
    parallel: int = 1  # tensor parallel: each of so many cards has this part of every product
    tokenizer: bool = False  # turning text into ids waits in front of the step
    rows_on_tensor: bool = False  # products of one row go to tensor cores, too
    batched_half: bool = False  # eager CuPy: products of all heads stay half precision
    persistent: bool = False  # a chain is one kernel that keeps its weights on the chip

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, given, known in (
            ("model", self.model, list(SIZES)),
            ("mode", self.mode, list(Mode)),
            ("precision", self.precision, list(Precision)),
            ("style", self.style, list(Style)),
        ):
            if given not in known:
                raise WorkloadError(
                    f"There is no {name} {str(given)[:40]!r}; there are {', '.join(known)}."
                )
        numbers = {"batch": self.batch, "tokens": self.tokens}
        numbers |= {"every": self.every, "parallel": self.parallel}
        for name, number in numbers.items():
            if type(number) is not int or number < 1:
                raise WorkloadError(
                    f"A step with {name} = {str(number)[:40]} has nothing to compute; "
                    "give a whole number from 1."
                )
            if number > MOST:
                raise WorkloadError(
                    f"A step with {name} = {number:.3g} is too large; give at most {MOST:.0e}."
                )
        size = self.size
        if self.parallel > 1 and (size.chain or size.heads % self.parallel):
            raise WorkloadError(
                f"{size.title} cannot be cut for {self.parallel} cards; "
                "give a number that divides its heads."
            )
        if self.persistent and not size.chain:
            raise WorkloadError("Only a chain can be one persistent kernel; choose a GRU.")
        if self.memory > MOST_BYTES:
            raise WorkloadError(
                f"{size.title} with {self.batch} × {self.tokens} tokens needs about "
                f"{memory_text(self.memory)} of memory on each card, more than any has; "
                "give fewer tokens or a smaller batch."
            )
        if self.kernels_at_least > MOST_KERNELS:
            raise WorkloadError(
                f"A chain over {self.tokens} tokens is {self.kernels_at_least:.3g} kernels, too "
                "many to lay out one by one; give fewer tokens."
            )

    @property
    def size(self) -> Size:
        """Return the shape of the model."""
        return SIZES[self.model]

    @property
    def training(self) -> bool:
        """Return whether it goes backward, too."""
        return self.mode == Mode.TRAINING

    @property
    def eager(self) -> bool:
        """Return whether every call of a formula is a kernel."""
        return self.style == Style.CUPY_EAGER

    @property
    def fused(self) -> bool:
        """Return whether attention is one kernel."""
        return self.style in (Style.FUSED, Style.GRAPH)

    @property
    def new_tokens(self) -> int:
        """Return T."""
        return 1 if self.mode == Mode.DECODE else self.tokens

    @property
    def rows(self) -> int:
        """Return M = B T."""
        return self.batch * self.new_tokens

    @property
    def kernels_at_least(self) -> int:
        """Return a bound from below on the kernels, which only a long chain makes many."""
        size = self.size
        if not size.chain or self.persistent:
            return 1
        cell = CELLS[size.cell]
        calls = 1 + (cell.calls if self.eager else 1)
        if self.training:
            calls += 1 + (cell.backward_calls if self.eager else 1)
        return size.blocks * self.new_tokens * calls

    @property
    def memory(self) -> float:
        """Return about how many bytes a card must hold, at least.

        Weights; in training also gradients and the optimizer's float32 copy and moments (16 bytes a
        parameter); what the backward pass reads again, 34 M d and, unfused, 5 B h T² half-precision
        bytes a block; the logits; and the keys and values that a decoding step looks at.
        """
        size, e = self.size, BYTES[Precision(self.precision)]
        P, M, d = size.parameters / self.parallel, self.rows, size.width
        heads = max(1, size.heads // self.parallel)
        scores = 0 if self.fused or size.chain else self.batch * heads * self.new_tokens
        scores *= self.tokens
        a_block = (34 * M * d / self.parallel + 5 * scores) * e / 2
        kept = a_block * (size.blocks if self.training else 1)
        answers = (M if self.training else self.batch) * size.vocabulary * 4
        cache = 0 if size.chain else 2 * size.blocks * self.batch * self.tokens * d * e
        held = cache / self.parallel if self.mode == Mode.DECODE else 0
        return P * (16 if self.training else e) + kept + answers + held


def memory_text(bytes_: float) -> str:
    """Return a number of bytes for people, "3.2 TB"."""
    units = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB")
    power = min(len(units) - 1, max(0, int(math.log10(max(bytes_, 1)) / 3)))
    return f"{bytes_ / 1000**power:.3g} {units[power]}"


# ---- kernels: what the roofline has to know -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Calls that read and write whole arrays; ``special`` counts exp and tanh."""

    special: int = 0


@dataclass(frozen=True, slots=True)
class Product:
    """``batch`` products (rows, inner) x (inner, columns)."""

    rows: int
    columns: int
    inner: int
    batch: int
    precision: Precision


@dataclass(frozen=True, slots=True)
class Attention:
    """Scores, softmax and weighted sum of ``heads`` = B h heads in one kernel."""

    heads: int
    queries: int
    keys: int
    precision: Precision
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Persistent:
    """``steps`` products with a matrix that stays on the chip, each waiting for the one before."""

    rows: int
    steps: int
    precision: Precision


@dataclass(frozen=True, slots=True)
class Transfer:
    """A copy between host and device."""


@dataclass(frozen=True, slots=True)
class Host:
    """Work of the host, in seconds; ``waits`` for the device before it begins."""

    seconds: float
    waits: bool = False


Kernel = Elementwise | Product | Attention | Persistent | Transfer | Host


@dataclass(frozen=True, slots=True)
class Operand:
    """A letter of the equation and the shape of what it stands for."""

    letter: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One named operation of a step.

    ``name`` is as of the engine's own steps ("blocks.0.mlp.in", backward "blocks.0.mlp.in.dW");
    ``cost`` is what all its ``calls`` kernels do together. ``work`` is the lane it runs in on a
    machine that has one for its precision.
    """

    name: str
    label: str
    equation: str
    operands: tuple[Operand, ...]
    result: Operand
    work: Work
    cost: Cost
    group: Group
    block: int | None
    kernel: Kernel = field(repr=False)
    calls: int = 1
    reason: str = ""  # a key of WHY

    @property
    def why(self) -> str:
        """Return the reason of its lane in one sentence."""
        return WHY[self.reason]

    @property
    def role(self) -> str:
        """Return the name without its block or token, "mlp.in": what recurs in a step."""
        parts = self.name.split(".")
        return ".".join(part for part in parts if part != "blocks" and not part.isdigit())

    @property
    def unit(self) -> Unit:
        """Return the unit of its lane; copies are the host's."""
        units = {Work.MATRIX: Unit.MATRIX, Work.STREAM: Unit.STREAM}
        return units.get(self.work, Unit.SEQUENTIAL)


WHY = {
    "product": "A product of two matrices reuses every number it loads, so it goes where a whole "
    "tile is multiplied at once.",
    "batched": "The products of all heads are products of matrices: every number loaded is used "
    "again for each query.",
    "row": "One row against a matrix uses every weight once: memory sets the pace, and no tile can "
    "be filled.",
    "float32": "Tensor cores multiply half-precision or TF32 tiles; a float32 product runs on the "
    "CUDA cores.",
    "upcast": "CuPy makes float32 of half-precision products with more than two axes, and those "
    "run on the CUDA cores.",
    "cast": "Each number is loaded, changed in format and stored; nothing is used twice.",
    "attention": "Scores and weighted sum are products of tiles; the softmax between them runs "
    "inside the same kernel, which is counted whole.",
    "persistent": "The weights stay on the chip, and each token still waits for the one before.",
    "elementwise": "Each number is loaded, changed and stored once; nothing is used twice, so "
    "memory sets the pace.",
    "reduction": "Each row is loaded once to become a few sums; there is no second matrix to "
    "multiply it with.",
    "gather": "Rows of a table are fetched and stored; there is nothing to multiply.",
    "move": "Numbers change their place in memory; none is computed.",
    "optimizer": "Each parameter is loaded with its gradient and moments, changed and stored; "
    "nothing is used twice.",
    "copy": "The copy engine moves bytes between the host’s memory and the device’s.",
    "prepare": "Text, lists and decisions are handled one after the other, with branches.",
    "sample": "The host waits for the numbers and decides what comes next.",
    "cpu": "A product of two matrices reuses every number it loads: BLAS keeps tiles of it in "
    "registers and cache.",
}
