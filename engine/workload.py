"""What one step of a model has to do: its operations in order, with their shapes, FLOPs and bytes.

Nothing is computed here but sizes, so that a step of a model that no machine at hand could hold is
described as exactly as one of the models on the stage. Letters, as in the papers:

    B, T, S     sequences, new tokens a sequence, tokens they look at
    M           B T, rows of every product
    d, h, f     width of a row, heads, width of the MLP
    V, P        words of the vocabulary, parameters

FLOPs count a multiplication with its addition as 2. Bytes are what the kernels of a style move: in
the fused ideal every operand and result once; in eager CuPy every kernel of a formula writes its
intermediate result and the next reads it again. The additions of a bias are counted only where a
kernel of their own does them.

Sources: Kaplan et al. 2020, "Scaling laws for neural language models", table 1, for the FLOPs of
the products; Ivanov et al. 2021, "Data movement is all you need", section 3, for the classes and
for why bytes decide; Dao et al. 2022, "FlashAttention", section 3.2, for its traffic; Korthikanti
et al. 2022, "Reducing activation recomputation in large Transformer models", eq. 1, for memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from engine.said import Said
from engine.shares import Work
from engine.trace import Cost, Unit

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

TOKENIZE_SECONDS = 1e-6  # a token of a prompt: a fast byte-pair encoder; assumed
SCHEDULE_SECONDS = 10e-6  # a decoding step: which sequences go on; assumed
BATCH_SECONDS = (
    20e-6  # a training step, and for each of its tokens 22 ns to gather and pin; assumed
)
BATCH_TOKEN_SECONDS = 22e-9
WAIT_SECONDS = 20e-6  # wake, read what came back, choose the next token or log the loss; assumed


@lru_cache(maxsize=64)
def operations(workload: Workload, device: Device = Device.GPU) -> tuple[Operation, ...]:
    """Return every operation of a step, in the order in which it is launched.

    On a CPU nothing is copied or upcast, half precision is computed in float32, and products are
    matrix work at any precision when they have more than one row.
    """
    return tuple(_Layout(workload, device).step())


class _Layout:
    """Lays a step out as operations."""

    def __init__(self, workload: Workload, device: Device) -> None:
        self.w = workload
        self.on_cpu = device == Device.CPU
        self.size = workload.size
        self.e = BYTES[Precision(workload.precision)]
        self.group = Group.FORWARD
        self.block: int | None = None

    # -- single operations --

    def make(
        self, name: str, label: str, equation: str, operands: tuple[Operand, ...], result: Operand,
        *, work: Work, flops: float, bytes_: float, kernel: Kernel, calls: int = 1, why: str,
    ) -> Operation:  # fmt: skip
        prefix = "" if self.block is None else f"blocks.{self.block}."
        return Operation(
            name=prefix + name,
            label=label,
            equation=equation,
            operands=operands,
            result=result,
            work=work,
            cost=Cost(round(flops), round(bytes_)),
            group=self.group,
            block=self.block,
            kernel=kernel,
            calls=calls,
            reason=why,
        )

    def stream(
        self, name: str, label: str, equation: str, operands: tuple[Operand, ...], result: Operand,
        *, flops: float, bytes_: float, calls: int = 1, special: int = 0, why: str = "elementwise",
    ) -> Operation:  # fmt: skip
        kernel = Elementwise(special)
        return self.make(
            name, label, equation, operands, result, work=Work.STREAM, flops=flops, bytes_=bytes_,
            kernel=kernel, calls=calls, why=why,
        )  # fmt: skip

    def product(
        self, name: str, label: str, equation: str, a: Operand, b: Operand, result: Operand,
        *, rows: int, columns: int, inner: int, batch: int = 1, precision: Precision | None = None,
    ) -> Operation:  # fmt: skip
        """Return ``batch`` products (rows, inner) x (inner, columns) in one call."""
        format_ = precision or Precision(self.w.precision)
        one_row = min(rows, columns) == 1 and not (self.w.rows_on_tensor and not self.on_cpu)
        work = Work.MATRIX
        why = "cpu" if self.on_cpu else "batched" if batch > 1 else "product"
        if one_row:
            work, why = Work.STREAM, "row"
        elif format_ == Precision.FLOAT32 and not self.on_cpu:
            work, why = Work.STREAM, "float32"
        read, written = {Precision.FP8: (1, 2)}.get(format_, (BYTES[format_], BYTES[format_]))
        numbers = read * (rows * inner + inner * columns) + written * rows * columns
        return self.make(
            name, label, equation, (a, b), result, work=work,
            flops=2 * rows * columns * inner * batch, bytes_=batch * numbers,
            kernel=Product(rows, columns, inner, batch, format_), why=why,
        )  # fmt: skip

    def batched(
        self, name: str, label: str, equation: str, a: Operand, b: Operand, result: Operand,
        *, rows: int, columns: int, inner: int, batch: int,
    ) -> Iterator[Operation]:  # fmt: skip
        """Yield the products of all heads; eager CuPy makes float32 of half precision for them."""
        size = {"rows": rows, "columns": columns, "inner": inner, "batch": batch}
        format_ = self.attention_precision
        upcast = self.w.eager and not self.w.batched_half and not self.on_cpu
        if not upcast or format_ in (Precision.FLOAT32, Precision.TF32):
            # CuPy does not consult CUPY_TF32 for products with more than two axes, either.
            if upcast and format_ == Precision.TF32:
                format_ = Precision.FLOAT32
            yield self.product(name, label, equation, a, b, result, precision=format_, **size)
            return
        read, written = batch * (rows * inner + inner * columns), batch * rows * columns
        yield self.stream(f"{name}.up", f"{label}: to float32", "float32(a), float32(b)", (a, b),
                          a, flops=0, bytes_=6 * read, calls=2, why="cast")  # fmt: skip
        made = self.product(name, label, equation, a, b, result, precision=Precision.FLOAT32,
                            **size)  # fmt: skip
        yield made if made.reason == "row" else replace(made, reason="upcast")
        yield self.stream(f"{name}.down", f"{label}: back to half", "float16(a b)", (result,),
                          result, flops=0, bytes_=6 * written, why="cast")  # fmt: skip

    @property
    def attention_precision(self) -> Precision:
        """Return the format inside attention and of the answer: eight bits stay outside."""
        given = Precision(self.w.precision)
        return Precision.FLOAT16 if given == Precision.FP8 else given

    # -- a whole step --

    def step(self) -> Iterator[Operation]:
        yield from self.prepare()
        if self.size.chain:
            yield from self.chain()
        else:
            yield from self.grid()
        yield from self.end()

    def host(self, name: str, label: str, seconds: float, *, waits: bool = False) -> Operation:
        self.group, self.block = Group.HOST, None
        rows = Operand("ids", (self.w.batch, self.w.new_tokens))
        return self.make(
            name, label, "", (), rows, work=Work.SEQUENTIAL, flops=0, bytes_=0,
            kernel=Host(seconds, waits), why="sample" if waits else "prepare",
        )  # fmt: skip

    def transfer(self, name: str, label: str, what: Operand, bytes_: int) -> Iterator[Operation]:
        if not self.on_cpu:
            self.group, self.block = Group.HOST, None
            yield self.make(name, label, "", (what,), what, work=Work.COPY, flops=0, bytes_=bytes_,
                            kernel=Transfer(), why="copy")  # fmt: skip

    def prepare(self) -> Iterator[Operation]:
        w = self.w
        if not self.size.whole:
            return
        if w.training:
            seconds = BATCH_SECONDS + BATCH_TOKEN_SECONDS * w.rows
            yield self.host("batch", "Put the batch together", seconds)
        elif w.mode == Mode.DECODE:
            yield self.host("schedule", "Choose who goes on", SCHEDULE_SECONDS)
        elif w.tokenizer:
            yield self.host("tokenize", "Text to ids", TOKENIZE_SECONDS * w.rows)
        yield from self.transfer("ids.copy", "Ids to the device",
                                 Operand("ids", (w.batch, w.new_tokens)), 4 * w.rows)  # fmt: skip

    def end(self) -> Iterator[Operation]:
        w, V = self.w, self.size.vocabulary
        if not self.size.whole:
            return
        if w.training:
            yield from self.transfer("loss.copy", "Loss to the host", Operand("loss", ()), 4)
            yield from self.wait("loss.read", "Read the loss")
            return
        self.group, self.block = Group.FORWARD, None
        probabilities = Operand("p", (w.batch, V))
        yield self.stream(
            "sample", "Softmax and choice", "argmax softmax(logits)", (probabilities,),
            Operand("ids", (w.batch,)), flops=6 * w.batch * V, bytes_=24 * w.batch * V,
            calls=4 if w.eager else 2, why="reduction",
        )  # fmt: skip
        yield from self.transfer("token.copy", "Token to the host",
                                 Operand("ids", (w.batch,)), 4 * w.batch)  # fmt: skip
        yield from self.wait("token.read", "Take the token")

    def wait(self, name: str, label: str) -> Iterator[Operation]:
        if not self.on_cpu:  # which has nobody to wait for
            yield self.host(name, label, WAIT_SECONDS, waits=True)

    # -- the grid --

    def grid(self) -> Iterator[Operation]:
        w, size = self.w, self.size
        yield from self.embed(forward=True)
        for block in range(size.blocks):
            self.block = block
            yield from self.forward_block()
        self.block = None
        yield from self.answer()
        if not w.training:
            return
        self.group = Group.BACKWARD
        yield from self.answer_backward()
        for block in reversed(range(size.blocks)):
            self.block = block
            yield from self.backward_block()
        self.block = None
        yield from self.embed(forward=False)
        yield from self.update()

    def embed(self, *, forward: bool) -> Iterator[Operation]:
        if not self.size.whole:
            self.group = Group.FORWARD if forward else Group.BACKWARD
            return
        M, d, V, e = self.w.rows, self.size.width, self.size.vocabulary, self.e
        x, table = Operand("x", (M, d)), Operand("E", (V, d))
        if not forward:
            yield self.stream("embed.dE", "Gradient of the table", "dE[ids] += dx", (x,), table,
                              flops=M * d, bytes_=12 * M * d, why="gather")  # fmt: skip
            return
        self.group = Group.FORWARD
        yield self.stream("embed.x", "Embedding", "x = E[ids]", (table,), x, flops=0,
                          bytes_=2 * M * d * e, why="gather")  # fmt: skip
        if not self.size.chain:
            yield self.stream("embed.sum", "Position", "x + p", (x, x), x, flops=M * d,
                              bytes_=3 * M * d * e)  # fmt: skip

    def norm(self, name: str, *, backward: bool = False) -> Operation:
        M, d, e = self.w.rows, self.size.width, self.e
        x = Operand("x", (M, d))
        calls, traffic = (9, 14) if self.w.eager else (1, 2)
        if backward:
            calls, traffic = (18, 30) if self.w.eager else (2, 4)
        return self.stream(
            name + ".backward" * backward, "Norm" + ", backward" * backward,
            "dx, dγ, dβ" if backward else "γ ⊙ (x − μ) / σ + β", (x,), x,
            flops=(20 if backward else 10) * M * d, bytes_=traffic * M * d * e, calls=calls,
            why="reduction",
        )  # fmt: skip

    def add(self, name: str, label: str, equation: str) -> Operation:
        M, d = self.w.rows, self.size.width
        x = Operand("x", (M, d))
        return self.stream(name, label, equation, (x, x), x, flops=M * d,
                           bytes_=3 * M * d * self.e)  # fmt: skip

    def linear(
        self, name: str, label: str, letters: str, rows: int, columns: int, inner: int,
        *, bias: bool = True, precision: Precision | None = None,
    ) -> Iterator[Operation]:  # fmt: skip
        x, W, y = letters.split()
        made = Operand(y, (rows, columns))
        fused = bias and not self.w.eager
        yield self.product(
            name, label, f"{x} {W} + b" if fused else f"{x} {W}", Operand(x, (rows, inner)),
            Operand(W, (inner, columns)), made, rows=rows, columns=columns, inner=inner,
            precision=precision,
        )  # fmt: skip
        if bias and self.w.eager:
            yield self.stream(f"{name}.bias", f"{label}: bias", f"{y} + b", (made,), made,
                              flops=rows * columns, bytes_=2 * rows * columns * self.e)  # fmt: skip

    def linear_backward(
        self, name: str, label: str, letters: str, rows: int, columns: int, inner: int,
        *, bias: bool = True, precision: Precision | None = None,
    ) -> Iterator[Operation]:  # fmt: skip
        x, W, y = letters.split()
        given, weights = Operand(x, (rows, inner)), Operand(W, (inner, columns))
        made = Operand(f"d{y}", (rows, columns))
        yield self.product(f"{name}.dX", f"{label}: d{x}", f"d{x} = d{y} {W}^⊤", made, weights,
                           Operand(f"d{x}", (rows, inner)), rows=rows, columns=inner,
                           inner=columns, precision=precision)  # fmt: skip
        yield self.product(f"{name}.dW", f"{label}: d{W}", f"d{W} = {x}^⊤ d{y}", given, made,
                           Operand(f"d{W}", (inner, columns)), rows=inner, columns=columns,
                           inner=rows, precision=precision)  # fmt: skip
        if bias:
            yield self.stream(f"{name}.db", f"{label}: db", f"db = Σ d{y}", (made,),
                              Operand("db", (columns,)), flops=rows * columns,
                              bytes_=rows * columns * self.e, why="reduction")  # fmt: skip

    @property
    def linears(self) -> dict[str, tuple[str, str, str, int, int, int]]:
        """Return the products with weights of one block, by name, as ``linear`` takes them."""
        M, d = self.w.rows, self.size.width
        part, f = d // self.w.parallel, self.size.mlp // self.w.parallel
        return {
            "qkv": ("attn.qkv", "q, k, v", "n W_{qkv} qkv", M, 3 * part, d),
            "out": ("attn.out", "Project", "z W_o o", M, d, part),
            "in": ("mlp.in", "MLP in", "n W_{in} a", M, f, d),
            "down": ("mlp.out", "MLP out", "g W_{out} m", M, d, f),
        }  # fmt: skip

    def forward_block(self) -> Iterator[Operation]:
        linears = self.linears
        yield self.norm("norm1")
        yield from self.linear(*linears["qkv"])
        yield from self.attention()
        yield from self.linear(*linears["out"])
        yield self.add("attn.residual", "Residual sum", "x + o")
        yield self.norm("norm2")
        yield from self.linear(*linears["in"])
        yield from self.gelu()
        yield from self.linear(*linears["down"])
        yield self.add("mlp.residual", "Residual sum", "x + m")

    def backward_block(self) -> Iterator[Operation]:
        linears = self.linears
        yield from self.linear_backward(*linears["down"])
        yield from self.gelu(backward=True)
        yield from self.linear_backward(*linears["in"])
        yield self.norm("norm2", backward=True)
        yield self.add("mlp.residual.backward", "Residual sum, backward", "dx + dn")
        yield from self.linear_backward(*linears["out"])
        yield from self.attention_backward()
        yield from self.linear_backward(*linears["qkv"])
        yield self.norm("norm1", backward=True)
        yield self.add("attn.residual.backward", "Residual sum, backward", "dx + dn")

    def gelu(self, *, backward: bool = False) -> Iterator[Operation]:
        n = self.w.rows * self.size.mlp // self.w.parallel
        a = Operand("a", (self.w.rows, self.size.mlp // self.w.parallel))
        if self.w.fused and not backward:
            return  # at the end of the product in front of it
        calls, traffic = (1, 3 if backward else 2)
        if self.w.eager:
            calls, traffic = (17, 34) if backward else (9, 18)
        yield self.stream(
            "mlp.act" + ".backward" * backward, "GELU" + ", backward" * backward,
            "da = dg ⊙ gelu′(a)" if backward else "g = gelu(a)", (a,),
            Operand("da" if backward else "g", a.shape), flops=15 * n,
            bytes_=traffic * n * self.e, calls=calls, special=n,
        )  # fmt: skip

    @property
    def heads(self) -> tuple[int, int, int, int]:
        """Return B h, T, S and d_head of the heads on one card."""
        w, size = self.w, self.size
        heads = w.batch * max(1, size.heads // w.parallel)
        return heads, w.new_tokens, w.tokens, size.width // size.heads

    def operands(self) -> tuple[Operand, Operand, Operand, Operand, Operand]:
        """Return q, k, v, the scores and z."""
        n, T, S, k = self.heads
        return (Operand("q", (n, T, k)), Operand("k", (n, S, k)), Operand("v", (n, S, k)),
                Operand("s", (n, T, S)), Operand("z", (n, T, k)))  # fmt: skip

    def attention(self) -> Iterator[Operation]:
        n, T, S, k = self.heads
        q, keys, v, s, z = self.operands()
        e, eager, rows, scores = self.e, self.w.eager, n * T * k, n * T * S
        if self.w.fused:
            yield self.flash(backward=False)
            return
        yield self.stream("attn.split", "Split into heads", "heads(q), heads(k), heads(v)",
                          (q, keys, v), q, flops=0, bytes_=6 * rows * e, calls=3 if eager else 1,
                          why="move")  # fmt: skip
        yield from self.batched("attn.scores.product", "Scores", "q k^⊤", q, keys, s, rows=T,
                                columns=S, inner=k, batch=n)  # fmt: skip
        yield self.stream("attn.scores", "Scale and mask", "s / √d_{head} + mask", (s,), s,
                          flops=2 * scores, bytes_=(4 if eager else 2) * scores * e,
                          calls=2 if eager else 1)  # fmt: skip
        yield self.stream("attn.pattern", "Softmax", "p = softmax(s)", (s,), s, flops=5 * scores,
                          bytes_=(6 if eager else 2) * scores * e, calls=4 if eager else 1,
                          special=scores, why="reduction")  # fmt: skip
        yield from self.batched("attn.z", "Weighted sum", "z = p v", s, v, z, rows=T, columns=k,
                                inner=S, batch=n)  # fmt: skip
        yield self.stream("attn.concat", "Join the heads", "Concat(z_1 … z_h)", (z,), z, flops=0,
                          bytes_=2 * rows * e, why="move")  # fmt: skip

    def attention_backward(self) -> Iterator[Operation]:
        n, T, S, k = self.heads
        q, keys, v, s, z = self.operands()
        e, eager, rows, scores = self.e, self.w.eager, n * T * k, n * T * S
        if self.w.fused:
            yield self.flash(backward=True)
            return
        yield self.stream("attn.concat.backward", "Join the heads, backward", "heads(dz)", (z,), z,
                          flops=0, bytes_=2 * rows * e, why="move")  # fmt: skip
        yield from self.batched("attn.z.dP", "Weighted sum: dp", "dp = dz v^⊤", z, v, s, rows=T,
                                columns=S, inner=k, batch=n)  # fmt: skip
        yield from self.batched("attn.z.dV", "Weighted sum: dv", "dv = p^⊤ dz", s, z, v, rows=S,
                                columns=k, inner=T, batch=n)  # fmt: skip
        yield self.stream("attn.pattern.backward", "Softmax, backward",
                          "ds = p ⊙ (dp − Σ p ⊙ dp)", (s, s), s, flops=4 * scores,
                          bytes_=(9 if eager else 3) * scores * e, calls=4 if eager else 1,
                          why="reduction")  # fmt: skip
        yield self.stream("attn.scores.backward", "Scale and mask, backward", "ds / √d_{head}",
                          (s,), s, flops=scores, bytes_=(4 if eager else 2) * scores * e,
                          calls=2 if eager else 1)  # fmt: skip
        yield from self.batched("attn.scores.product.dQ", "Scores: dq", "dq = ds k", s, keys, q,
                                rows=T, columns=k, inner=S, batch=n)  # fmt: skip
        yield from self.batched("attn.scores.product.dK", "Scores: dk", "dk = ds^⊤ q", s, q, keys,
                                rows=S, columns=k, inner=T, batch=n)  # fmt: skip
        yield self.stream("attn.split.backward", "Split into heads, backward",
                          "rows(dq), rows(dk), rows(dv)", (q, keys, v), q, flops=0,
                          bytes_=6 * rows * e, calls=3 if eager else 1, why="move")  # fmt: skip

    def flash(self, *, backward: bool) -> Operation:
        n, T, S, k = self.heads
        q, keys, v, _, z = self.operands()
        format_ = self.attention_precision
        # A causal kernel leaves out the half of the tiles that the mask forbids. Backward there are
        # five products for the forward two: the scores are computed again.
        half = 0.5 if T == S and T > 1 else 1
        on_cuda = format_ == Precision.FLOAT32 and not self.on_cpu
        return self.make(
            "attn.flash" + ".backward" * backward, "Attention" + ", backward" * backward,
            "dq, dk, dv" if backward else "softmax(q k^⊤ / √d_{head} + mask) v", (q, keys, v), z,
            work=Work.STREAM if on_cuda else Work.MATRIX,
            flops=(10 if backward else 4) * n * T * S * k * half,
            bytes_=(5 if backward else 2) * (n * T * k + n * S * k) * self.e,
            kernel=Attention(n, T, S, format_, backward), why="float32" if on_cuda else "attention",
        )  # fmt: skip

    def answer(self) -> Iterator[Operation]:
        if not self.size.whole:
            return
        w, d, V = self.w, self.size.width, self.size.vocabulary
        rows = w.rows if w.training else w.batch
        if not self.size.chain:
            yield self.norm("answer.norm")
        yield from self.linear("answer.scores", "Logits", "x E^⊤ l", rows, V, d, bias=False,
                               precision=self.attention_precision)  # fmt: skip
        if not w.training:
            return
        n, p = rows * V, Operand("l", (rows, V))
        yield self.stream("loss", "Cross-entropy", "−log softmax(l)[ids]", (p,),
                          Operand("loss", ()), flops=6 * n,
                          bytes_=24 * n if w.eager else 2 * n * self.e, calls=5 if w.eager else 1,
                          special=n, why="reduction")  # fmt: skip

    def answer_backward(self) -> Iterator[Operation]:
        if not self.size.whole:
            return
        w, d, V = self.w, self.size.width, self.size.vocabulary
        n, p = w.rows * V, Operand("l", (w.rows, V))
        yield self.stream("loss.backward", "Cross-entropy, backward",
                          "dl = softmax(l) − onehot(ids)", (p,), p, flops=2 * n,
                          bytes_=16 * n if w.eager else 2 * n * self.e,
                          calls=3 if w.eager else 1)  # fmt: skip
        yield from self.linear_backward("answer.scores", "Logits", "x E^⊤ l", w.rows, V, d,
                                        bias=False, precision=self.attention_precision)  # fmt: skip
        if not self.size.chain:
            yield self.norm("answer.norm", backward=True)

    def update(self) -> Iterator[Operation]:
        """Yield AdamW over the parameters of one card.

        A step reads weight, gradient and two moments and writes three of them back: 28 bytes a
        parameter, 30 with a half-precision copy of the weights. When it comes after ``every``
        micro-batches, each of them adds its gradient to the sum (6 bytes).
        """
        self.group = Group.UPDATE
        P, k, half = self.size.parameters / self.w.parallel, self.w.every, self.e == 2
        once = (104 if half else 100) if self.w.eager else (30 if half else 28)
        calls = 14 if self.w.eager and k == 1 else 1
        theta = Operand("θ", (round(P),))
        yield self.stream(
            "adamw", "AdamW" if k == 1 else f"Gradient sum, and AdamW / {k}",
            "θ − η (m̂ / (√v̂ + ε) + λ θ)", (theta,), theta,
            flops=14 * P if k == 1 else P * (1 + 14 / k),
            bytes_=once * P if k == 1 else P * (6 + once / k), calls=calls, why="optimizer",
        )  # fmt: skip

    # -- the chain --

    def chain(self) -> Iterator[Operation]:
        w, size = self.w, self.size
        yield from self.embed(forward=True)
        for block in range(size.blocks):
            self.block = block
            yield from self.recurrent_layer(backward=False)
        self.block = None
        yield from self.answer()
        if not w.training:
            return
        self.group = Group.BACKWARD
        yield from self.answer_backward()
        for block in reversed(range(size.blocks)):
            self.block = block
            yield from self.recurrent_layer(backward=True)
        self.block = None
        yield from self.embed(forward=False)
        yield from self.update()

    def recurrent_layer(self, *, backward: bool) -> Iterator[Operation]:
        """Yield the input's product of all tokens at once, then one step after the other."""
        w, d, e = self.w, self.size.width, self.e
        cell = CELLS[self.size.cell]
        M, g, B, T = w.rows, cell.gates * self.size.width, w.batch, w.new_tokens
        x, h, W, made = (Operand("x", (M, d)), Operand("h", (B, d)), Operand("W_h", (d, g)),
                         Operand("a", (B, g)))  # fmt: skip
        if backward:
            yield from self.linear_backward("x", "Input", "x W_x a", M, g, d, bias=False)
            yield self.product("h.dW", "State: dW_h", "dW_h = h^⊤ da", Operand("h", (M, d)),
                               Operand("da", (M, g)), Operand("dW_h", (d, g)), rows=d, columns=g,
                               inner=M)  # fmt: skip
        else:
            yield from self.linear("x", "Input", "x W_x a", M, g, d, bias=False)
        suffix = ".backward" if backward else ""
        if w.persistent:
            format_ = Precision(w.precision)
            on_tensor = B >= 8 and (self.on_cpu or format_ != Precision.FLOAT32)
            yield self.make(
                "h" + suffix, f"All {T} steps", cell.equation, (x, W), h,
                work=Work.MATRIX if on_tensor else Work.STREAM, flops=2 * M * g * d,
                bytes_=8 * M * d * e, kernel=Persistent(B, T, format_), why="persistent",
            )  # fmt: skip
            return
        calls, traffic = 1, 8
        if w.eager:
            calls, traffic = (cell.backward_calls if backward else cell.calls), 3 * cell.calls + 1
        order = range(T, 0, -1) if backward else range(1, T + 1)
        if backward:
            step = self.product("h.t.dH", "State: dh", "dh_{t-1} = da W_h^⊤", made, W, h, rows=B,
                                columns=d, inner=g)  # fmt: skip
        else:
            step = self.product("h.t.product", "State", "h_{t-1} W_h", h, W, made, rows=B,
                                columns=g, inner=d)  # fmt: skip
        gates = self.stream("h.t" + suffix, f"{cell.title} gates", cell.equation, (made,), h,
                            flops=10 * cell.gates * B * d, bytes_=traffic * B * d * e, calls=calls,
                            special=cell.special * B * d)  # fmt: skip
        pair = (step, gates)
        for t in order:
            for one in pair:
                yield replace(one, name=one.name.replace(".t", f".{t}", 1))
