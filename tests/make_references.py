"""Make tests/references/*.npz: what PyTorch computes in float64 for small models.

Run once, with the extra ``oracle`` installed, and commit the result; new cases stand at the end of
``CASES`` and are made by their names, so that what is committed stays as it is::

    python tests/make_references.py NAME...

A file holds the configuration ("about", JSON that also says how it was made), the parameters
("parameter:<name>"), the ids ("tokens"; "target" of a translator), the padding ("mask", where there
is some) and what PyTorch computed ("expected:<step>"). The live comparison of test_engine_oracle.py
uses the same functions.

PyTorch's modules do the work: nn.RNN, nn.GRU, nn.LSTM, nn.TransformerEncoderLayer with its
nn.MultiheadAttention, nn.TransformerDecoderLayer. Nothing of the
engine's arithmetic is used, only the names and shapes of the parameters.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.models import Config, shapes  # noqa: E402

Arrays = dict[str, NDArray[Any]]
REFERENCES = Path(__file__).with_name("references")


def parameters(config: Config, rng: np.random.Generator) -> Arrays:
    """Return parameters without any zero or one that could hide a missing term."""
    return {name: rng.normal(0.0, 0.5, shape) for name, shape in shapes(config).items()}


def expected(
    config: Config,
    named: Arrays,
    ids: NDArray[Any],
    *,
    hidden: int,
    mask: NDArray[Any] | None,
    target: NDArray[Any] | None = None,
) -> Arrays:
    """Return what PyTorch computes, by the step names of the engine.

    ``ids`` and ``target`` are (batch, token), ``mask`` is True where a token counts.
    """
    weights = {name: torch.from_numpy(value) for name, value in named.items()}
    made = computed(config, weights, ids, hidden=hidden, mask=mask, target=target)
    return {name: value.detach().numpy() for name, value in made.items()}


def computed(
    config: Config,
    weights: dict[str, torch.Tensor],
    ids: NDArray[Any],
    *,
    hidden: int,
    mask: NDArray[Any] | None = None,
    target: NDArray[Any] | None = None,
) -> dict[str, torch.Tensor]:
    """Return what PyTorch computes from weights, with its graph; otherwise as ``expected``."""
    if config.kind == "chain":
        made = chain(config, weights, torch.from_numpy(ids))
    elif config.kind == "seq2seq":
        assert target is not None
        made = seq2seq(config, weights, torch.from_numpy(ids), torch.from_numpy(target))
    elif config.kind == "translator":
        assert target is not None
        closed = None if mask is None else ~torch.from_numpy(mask)
        ends = torch.from_numpy(ids), torch.from_numpy(target)
        made = translator(config, weights, *ends, closed=closed)
    else:
        closed = None if mask is None else ~torch.from_numpy(mask)
        made = grid(config, weights, torch.from_numpy(ids), hidden=hidden, closed=closed)
    return made


def chain(config: Config, w: dict[str, torch.Tensor], ids: torch.Tensor) -> dict[str, torch.Tensor]:
    made = {"embed.x": nn.functional.embedding(ids, w["embed.E"])}
    T, d = ids.shape[1], config.width
    x = made["embed.x"]
    for layer in range(config.layers):
        # All layers up to this one by PyTorch itself, whose output shows the states of the last.
        stack = recurrent(config, w, layers=layer + 1)
        h, _ = stack(made["embed.x"])  # (batch, token, directions * hidden)
        for k, name in enumerate(directions(config, layer)):
            if layer == 0 or config.bidirectional:
                made[f"{name}.x"] = x @ w[f"{name}.W_x"]
            else:
                made |= {f"{name}.x.{t}": x[:, t - 1] @ w[f"{name}.W_x"] for t in range(1, T + 1)}
            half = h[..., k * d : (k + 1) * d]
            made |= {f"{name}.h.{t}": half[:, t - 1] for t in range(1, T + 1)}
            if config.cell == "lstm":
                for t in range(1, T + 1):  # PyTorch shows the cell state behind a sentence only
                    rest = made["embed.x"][:, t - 1 :] if k else made["embed.x"][:, :t]
                    if layer and config.bidirectional:  # which has read the whole sentence below
                        continue
                    _, (_, c) = stack(rest)
                    made[f"{name}.c.{t}"] = c[config.directions * layer + k]
        x = h
    if config.answers == "every":
        return made | combined(looking_back(w, h) if config.attention else h, w)
    y = h[:, -1]
    if config.bidirectional:
        y = torch.cat([h[:, -1, :d], h[:, 0, d:]], dim=-1)
        made["rnn.last"] = y
    if config.attention:
        made["attn.states"] = h
        made |= fits(config.score, w, h, y)
        made["attn.pattern"] = nn.functional.softmax(made["attn.scores"], dim=-1)
        made["attn.context"] = torch.einsum("bt,bth->bh", made["attn.pattern"], h)
        if "attn.query" in made and config.score == "general":
            # One query against all states is nn.functional's attention with the scale 1.
            query = made["attn.query"][:, None]
            context = nn.functional.scaled_dot_product_attention(query, h, h, scale=1.0)
            made["attn.context"] = context[:, 0]
        y = torch.cat([y, made["attn.context"]], dim=-1)
        made["answer.joined"] = y
    return made | combined(y, w)


def combined(y: torch.Tensor, w: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    y = torch.tanh(nn.functional.linear(y, w["answer.W_c"].T, w["answer.b_c"]))
    return {"answer.combined": y} | answer(y, w)


def looking_back(w: dict[str, torch.Tensor], h: torch.Tensor) -> torch.Tensor:
    """Return every state with what it looks back at, (batch, token, 2 * hidden)."""
    context = nn.functional.scaled_dot_product_attention(
        h @ w["attn.W_a"], h, h, is_causal=True, scale=1.0
    )
    return torch.cat([h, context], dim=-1)


def seq2seq(
    config: Config, w: dict[str, torch.Tensor], ids: torch.Tensor, target: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return the answers of two chains, the second one written with PyTorch's cells."""
    d = config.width
    H, last = recurrent(config, w, layers=1)(nn.functional.embedding(ids, w["embed.E"]))
    state = tuple(part[0] for part in last) if config.cell == "lstm" else last[0]
    kinds = {"elman": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
    before = config.attention and config.score == "additive"
    cell = kinds[config.cell](config.embedding + (d if before else 0), d).double()
    W_x = [w["decoder.W_x"], w["decoder.W_c"]] if before else [w["decoder.W_x"]]
    b = w["decoder.b"]
    give(
        cell,
        {
            "weight_ih": torch.cat(W_x).T, "weight_hh": w["decoder.W_h"].T, "bias_ih": b,
            "bias_hh": w.get("decoder.b_h", torch.zeros_like(b)),
        },
    )  # fmt: skip
    rows = []
    for y in nn.functional.embedding(target, w["embed.E"]).unbind(dim=1):
        h = state[0] if config.cell == "lstm" else state
        context = [looked_up(config, w, H, h)] if before else []
        state = cell(torch.cat([y, *context], dim=-1), state)
        h = state[0] if config.cell == "lstm" else state
        if config.attention and not before:
            context = [looked_up(config, w, H, h)]
        rows.append(torch.cat([h, *context], dim=-1))
    return combined(torch.stack(rows, dim=1), w)


def looked_up(
    config: Config, w: dict[str, torch.Tensor], H: torch.Tensor, asks: torch.Tensor
) -> torch.Tensor:
    """Return what a state of the writing chain looks up among those of the reading one."""
    p = nn.functional.softmax(fits(config.score, w, H, asks)["attn.scores"], dim=-1)
    return torch.einsum("bt,bth->bh", p, H)


def fits(
    score: str, w: dict[str, torch.Tensor], h: torch.Tensor, last: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return how well the last state fits every state, token by token as the papers write it."""
    made: dict[str, torch.Tensor] = {}
    scores, energies = [], []
    if score in ("general", "additive"):
        made["attn.query"] = last @ w["attn.W_a"]
    for h_j in h.unbind(dim=1):
        if score == "dot":
            scores.append((last * h_j).sum(-1))
        elif score == "general":
            scores.append(nn.functional.bilinear(last, h_j, w["attn.W_a"][None])[:, 0])
        else:
            if score == "concat":
                energy = torch.tanh(torch.cat([last, h_j], dim=-1) @ w["attn.W_a"])
            else:
                energy = torch.tanh(last @ w["attn.W_a"] + h_j @ w["attn.U_a"])
            energies.append(energy)
            scores.append(energy @ w["attn.v_a"])
    if energies:
        made["attn.energy"] = torch.stack(energies, dim=1)
    return made | {"attn.scores": torch.stack(scores, dim=1)}


def directions(config: Config, layer: int) -> list[str]:
    """Return what the names of each direction of a layer begin with, in PyTorch's order."""
    name = f"rnn.{layer}" if layer else "rnn"
    return [name, f"{name}.back"] if config.bidirectional else [name]


def recurrent(config: Config, w: dict[str, torch.Tensor], *, layers: int) -> Any:
    """Return PyTorch's recurrent layers with these weights, the first ``layers`` of them."""
    kinds = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
    made = kinds[config.cell](
        config.embedding,
        config.width,
        num_layers=layers,
        bidirectional=config.bidirectional,
        batch_first=True,
    ).double()
    state: dict[str, torch.Tensor] = {}
    for layer in range(layers):
        for name, suffix in zip(directions(config, layer), ("", "_reverse"), strict=False):
            state |= {
                f"weight_ih_l{layer}{suffix}": w[f"{name}.W_x"].T,
                f"weight_hh_l{layer}{suffix}": w[f"{name}.W_h"].T,
                f"bias_ih_l{layer}{suffix}": w[f"{name}.b"],
                # The engine adds one bias where PyTorch adds two; only the GRU's are two things.
                f"bias_hh_l{layer}{suffix}": w.get(f"{name}.b_h", torch.zeros_like(w[f"{name}.b"])),
            }
    give(made, state)
    return made


def give(module: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Let a module compute with tensors in place of its parameters: gradients reach them."""
    if tensors.keys() != dict(module.named_parameters()).keys():
        raise ValueError(f"{type(module).__name__} has other parameters than {sorted(tensors)}.")
    for name, tensor in tensors.items():
        path, _, last = name.rpartition(".")
        owner = module.get_submodule(path)
        delattr(owner, last)
        setattr(owner, last, tensor)


def grid(
    config: Config,
    w: dict[str, torch.Tensor],
    ids: torch.Tensor,
    *,
    hidden: int,
    closed: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    T = ids.shape[1]
    made = placed(config, w, ids, "embed")
    causal = nn.Transformer.generate_square_subsequent_mask(T).double() if config.causal else None
    made |= encoder(config, w, made["embed.x"], "", causal=causal, padding=added(closed))
    rows = made[f"blocks.{config.layers - 1}.x"]
    return made | answer_row(config, w, rows if config.answers == "every" else rows[:, hidden])


def translator(
    config: Config,
    w: dict[str, torch.Tensor],
    ids: torch.Tensor,
    target: torch.Tensor,
    *,
    closed: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    padding = added(closed)
    causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1]).double()
    made = placed(config, w, ids, "embed") | placed(config, w, target, "decoder.embed")
    made |= encoder(config, w, made["embed.x"], "encoder.", causal=None, padding=padding)
    memory = made[f"encoder.blocks.{config.layers - 1}.x"]
    if config.norm == "pre":
        gain, bias = w["encoder.norm.gain"], w["encoder.norm.bias"]
        memory = nn.functional.layer_norm(memory, memory.shape[-1:], gain, bias, config.eps)
        made["encoder.norm"] = memory
    x = made["decoder.embed.x"]
    for b in range(config.layers):
        name = f"decoder.blocks.{b}"
        layer, seen = block(config, w, name, nn.TransformerDecoderLayer)
        pre = config.norm == "pre"
        own = layer.norm1(x) if pre else x
        out, made[f"{name}.attn.pattern"] = layer.self_attn(
            own, own, own, attn_mask=causal, average_attn_weights=False
        )
        asks = layer.norm2(x + out) if pre else layer.norm1(x + out)
        _, made[f"{name}.cross.pattern"] = layer.multihead_attn(
            asks, memory, memory, key_padding_mask=padding, average_attn_weights=False
        )
        made |= heads(config, w, f"{name}.cross", {"q": asks, "k": memory, "v": memory})
        seen.clear()
        x = layer(x, memory, tgt_mask=causal, memory_key_padding_mask=padding)
        made |= seen | {f"{name}.x": x}
    return made | answer_row(config, w, x if config.answers == "every" else x[:, -1])


def added(closed: torch.Tensor | None) -> torch.Tensor | None:
    """Return what is added to scores: -∞ where ``closed``."""
    if closed is None:
        return None
    return torch.zeros(closed.shape).double().masked_fill(closed, -torch.inf)


def placed(
    config: Config, w: dict[str, torch.Tensor], ids: torch.Tensor, name: str
) -> dict[str, torch.Tensor]:
    """Return the embedding of the tokens, their positions, and the sum."""
    T, d = ids.shape[1], config.width
    x = nn.functional.embedding(ids, w["embed.E"])
    made = {f"{name}.tokens": x}
    if config.positions == "learned":
        made[f"{name}.positions"] = w["embed.P"][:T]
    elif config.positions == "sinusoidal":
        made[f"{name}.positions"] = waves(T, d) * config.position_scale
    if config.positions != "none":
        x = x + made[f"{name}.positions"]
    return made | {f"{name}.x": x}


def encoder(
    config: Config,
    w: dict[str, torch.Tensor],
    x: torch.Tensor,
    prefix: str,
    *,
    causal: torch.Tensor | None,
    padding: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    """Return what the blocks of an encoder compute."""
    made: dict[str, torch.Tensor] = {}
    for b in range(config.layers):
        name = f"{prefix}blocks.{b}"
        layer, seen = block(config, w, name, nn.TransformerEncoderLayer)
        rows = layer.norm1(x) if config.norm == "pre" else x
        made |= heads(config, w, f"{name}.attn", dict.fromkeys("qkv", rows))
        _, made[f"{name}.attn.pattern"] = layer.self_attn(
            rows, rows, rows, attn_mask=causal, key_padding_mask=padding,
            average_attn_weights=False,
        )  # fmt: skip
        seen.clear()
        x = layer(x, src_mask=causal, src_key_padding_mask=padding)
        made |= seen | {f"{name}.x": x}
    return made


def heads(
    config: Config, w: dict[str, torch.Tensor], name: str, of: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return queries, keys and values, cut into heads."""
    made = {}
    for to, rows in of.items():
        flat = rows @ w[f"{name}.W_{to}"] + w[f"{name}.b_{to}"]
        made[f"{name}.{to}"] = flat.unflatten(-1, (config.heads, -1)).transpose(1, 2)
    return made


def answer_row(
    config: Config, w: dict[str, torch.Tensor], row: torch.Tensor
) -> dict[str, torch.Tensor]:
    gain, bias = w["answer.norm.gain"], w["answer.norm.bias"]
    y = nn.functional.layer_norm(row, row.shape[-1:], gain, bias, config.eps)
    return {"answer.row": row, "answer.norm": y} | answer(y, w)


ACTIVATIONS: dict[str, Any] = {
    "gelu": partial(nn.GELU, approximate="tanh"),
    "gelu_erf": nn.GELU,
    "relu": nn.ReLU,
}


def block(
    config: Config, w: dict[str, torch.Tensor], b: str, kind: Any
) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return PyTorch's block with these weights, and where its hooks put what they see."""
    layer = kind(
        config.width,
        config.heads,
        config.mlp,
        dropout=0.0,
        activation=ACTIVATIONS[config.activation](),
        layer_norm_eps=config.eps,
        batch_first=True,
        norm_first=config.norm == "pre",
    ).double()
    decoder = kind is nn.TransformerDecoderLayer
    attention = {"self_attn": "attn"} | ({"multihead_attn": "cross"} if decoder else {})
    norms = 3 if decoder else 2
    state: dict[str, torch.Tensor] = {}
    for theirs, ours in attention.items():
        state |= {
            f"{theirs}.in_proj_weight": torch.cat([w[f"{b}.{ours}.W_{to}"].T for to in "qkv"]),
            f"{theirs}.in_proj_bias": torch.cat([w[f"{b}.{ours}.b_{to}"] for to in "qkv"]),
            f"{theirs}.out_proj.weight": w[f"{b}.{ours}.W_o"].T,
            f"{theirs}.out_proj.bias": w[f"{b}.{ours}.b_o"],
        }
    for which, side in (("linear1", "in"), ("linear2", "out")):
        state |= {
            f"{which}.weight": w[f"{b}.mlp.W_{side}"].T,
            f"{which}.bias": w[f"{b}.mlp.b_{side}"],
        }
    for k in range(1, norms + 1):
        state |= {
            f"norm{k}.weight": w[f"{b}.norm{k}.gain"],
            f"norm{k}.bias": w[f"{b}.norm{k}.bias"],
        }
    give(layer, state)
    seen: dict[str, torch.Tensor] = {}
    watched: dict[str, Any] = {
        "mlp.pre": layer.linear1,
        "mlp.act": layer.activation,
        "mlp.out": layer.linear2,
    }
    watched |= {f"{ours}.out": getattr(layer, theirs) for theirs, ours in attention.items()}
    # The last norm of a post-norm block gives the block's own result.
    last = norms if config.norm == "pre" else norms - 1
    watched |= {f"norm{k}": getattr(layer, f"norm{k}") for k in range(1, last + 1)}
    for name, module in watched.items():

        def note(_module: Any, _inputs: Any, output: Any, name: str = name) -> None:
            seen[f"{b}.{name}"] = output[0] if isinstance(output, tuple) else output

        module.register_forward_hook(note)
    return layer, seen


def waves(length: int, width: int) -> torch.Tensor:
    """Return the table of sines and cosines, entry by entry as the paper writes it."""
    table = torch.empty(length, width, dtype=torch.float64)
    for t in range(length):
        for i in range(width):
            angle = torch.tensor(t / 10000 ** (2 * (i // 2) / width), dtype=torch.float64)
            table[t, i] = torch.sin(angle) if i % 2 == 0 else torch.cos(angle)
    return table


def answer(y: torch.Tensor, w: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    logits = nn.functional.linear(y, w["embed.E"])
    return {
        "answer.logits": logits,
        "answer.probabilities": nn.functional.softmax(logits, dim=-1),
        "answer.word": logits.argmax(dim=-1),
    }


def chain_config(**changes: Any) -> Config:
    shape: dict[str, Any] = {
        "kind": "chain",
        "words": 7,
        "embedding": 4,
        "width": 5,
        "cell": "elman",
    }
    return Config(**(shape | changes))


def grid_config(**changes: Any) -> Config:
    shape: dict[str, Any] = {
        "kind": "grid",
        "words": 7,
        "embedding": 6,
        "width": 6,
        "heads": 3,
        "mlp": 8,
    }
    return Config(**(shape | {"layers": 2} | changes))


def translator_config(**changes: Any) -> Config:
    return replace(grid_config(layers=1, **changes), kind="translator")


# name -> (configuration, sentences, tokens, hidden word, length of each sentence or ())
CASES: dict[str, tuple[Config, int, int, int, tuple[int, ...]]] = {
    "elman": (chain_config(attention=True), 2, 5, 4, ()),
    "elman_plain": (chain_config(), 1, 4, 1, ()),
    "elman_one_token": (chain_config(attention=True), 1, 1, 0, ()),
    "gru": (chain_config(cell="gru", attention=True), 2, 4, 0, ()),
    "gru_one_number": (chain_config(cell="gru", embedding=1, width=1), 1, 3, 2, ()),
    "lstm": (chain_config(cell="lstm", attention=True), 2, 4, 3, ()),
    "lstm_one_token": (chain_config(cell="lstm"), 1, 1, 0, ()),
    "pre_sinusoidal": (grid_config(position_scale=0.5), 2, 5, 4, ()),
    "pre_learned": (grid_config(positions="learned", max_length=6), 1, 4, 0, ()),
    "post_sinusoidal": (grid_config(norm="post"), 1, 4, 2, ()),
    "post_learned_causal": (
        grid_config(norm="post", positions="learned", max_length=4, causal=True), 2, 4, 3, (),
    ),
    "pre_causal": (grid_config(causal=True, layers=1), 1, 5, 2, ()),
    "one_head": (grid_config(heads=1, layers=1), 1, 3, 1, ()),
    "one_token": (grid_config(layers=1, causal=True), 1, 1, 0, ()),
    "odd_width": (grid_config(embedding=5, width=5, heads=5, layers=1), 1, 3, 0, ()),
    "padding": (grid_config(layers=1), 3, 5, 1, (5, 3, 2)),
    "padding_post_causal": (grid_config(norm="post", causal=True), 2, 4, 0, (4, 2)),
    "elman_both": (chain_config(bidirectional=True, attention=True), 2, 4, 1, ()),
    "elman_layers": (chain_config(layers=3), 1, 4, 0, ()),
    "gru_both_layers": (
        chain_config(cell="gru", bidirectional=True, layers=2, attention=True), 2, 3, 2, (),
    ),
    "gru_layers": (chain_config(cell="gru", layers=2, attention=True), 2, 4, 3, ()),
    "lstm_both": (chain_config(cell="lstm", bidirectional=True), 1, 4, 2, ()),
    "lstm_layers": (chain_config(cell="lstm", layers=2, attention=True), 1, 4, 3, ()),
    "lstm_both_layers_one_token": (
        chain_config(cell="lstm", bidirectional=True, layers=2), 1, 1, 0, (),
    ),
    "pre_gelu_erf": (grid_config(activation="gelu_erf"), 2, 4, 1, ()),
    "post_relu_no_positions": (
        grid_config(norm="post", activation="relu", positions="none"), 1, 4, 3, (),
    ),
    "decoder": (
        grid_config(causal=True, activation="gelu_erf", positions="learned", max_length=5),
        2, 5, 4, (),
    ),
    "score_dot": (chain_config(attention=True, score="dot"), 2, 4, 0, ()),
    "score_concat": (chain_config(attention=True, score="concat", cell="gru"), 2, 4, 2, ()),
    "score_additive": (
        chain_config(attention=True, score="additive", bidirectional=True), 2, 4, 1, (),
    ),
    "score_additive_one_token": (chain_config(attention=True, score="additive"), 1, 1, 0, ()),
    "translator": (replace(translator_config(), layers=2), 2, 4, 0, ()),
    "translator_post": (
        translator_config(norm="post", activation="relu", positions="learned", max_length=5),
        1, 5, 1, (),
    ),
    "translator_padding": (translator_config(activation="gelu_erf"), 3, 4, 0, (4, 2, 3)),
    "translator_one_token": (translator_config(heads=1, positions="none"), 1, 1, 0, ()),
}  # fmt: skip


def main(wanted: list[str]) -> None:
    """Write one file for each of the wanted cases, or for all."""
    torch.set_num_threads(1)
    REFERENCES.mkdir(exist_ok=True)
    for seed, (name, (config, sentences, tokens, hidden, lengths)) in enumerate(CASES.items()):
        if wanted and name not in wanted:
            continue
        rng = np.random.default_rng(seed)
        named = parameters(config, rng)
        ids = rng.integers(0, config.words, (sentences, tokens))
        mask = np.arange(tokens) < np.array(lengths)[:, None] if lengths else None
        about = {
            "made by": f"tests/make_references.py with PyTorch {torch.__version__}, float64",
            "config": asdict(config),
            "hidden": hidden,
            "seed": seed,
        }
        # Of a translator: half as many tokens as the source, from one on.
        target = None
        if config.kind == "translator":
            target = rng.integers(0, config.words, (sentences, (tokens + 1) // 2))
        arrays: Arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        arrays |= {"tokens": ids} | ({} if mask is None else {"mask": mask})
        arrays |= {} if target is None else {"target": target}
        arrays |= {f"parameter:{key}": value for key, value in named.items()}
        made = expected(config, named, ids, hidden=hidden, mask=mask, target=target)
        arrays |= {f"expected:{key}": value for key, value in made.items()}
        np.savez_compressed(REFERENCES / f"{name}.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(sys.argv[1:])
