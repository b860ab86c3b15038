"""The operations of one step of a workload, in the order in which they are launched.

FLOPs count a multiplication with its addition as 2. Bytes are what the kernels of a style move: in
the fused ideal every operand and result once; in eager CuPy every kernel of a formula writes its
intermediate result and the next reads it again. The additions of a bias are counted only where a
kernel of their own does them. The letters are those of ``engine.workload``.

Sources: Kaplan et al. 2020, "Scaling laws for neural language models", table 1, for the FLOPs of
the products; Ivanov et al. 2021, "Data movement is all you need", section 3, for the classes and
for why bytes decide; Dao et al. 2022, "FlashAttention", section 3.2, for its traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from engine.trace import Cost
from engine.units import Work
from engine.workload import (
    BYTES,
    CELLS,
    Attention,
    Device,
    Elementwise,
    Group,
    Host,
    Kernel,
    Mode,
    Operand,
    Operation,
    Persistent,
    Precision,
    Product,
    Transfer,
    Workload,
)

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
        yield from self.model()
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

    def model(self) -> Iterator[Operation]:
        blocks = range(self.size.blocks)
        yield from self.embed(forward=True)
        for block in blocks:
            self.block = block
            yield from self.layer(backward=False)
        self.block = None
        yield from self.answer()
        if not self.w.training:
            return
        self.group = Group.BACKWARD
        yield from self.answer_backward()
        for block in reversed(blocks):
            self.block = block
            yield from self.layer(backward=True)
        self.block = None
        yield from self.embed(forward=False)
        yield from self.update()

    def layer(self, *, backward: bool) -> Iterator[Operation]:
        if self.size.chain:
            return self.recurrent_layer(backward=backward)
        return self.backward_block() if backward else self.forward_block()

    # -- the grid --

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
