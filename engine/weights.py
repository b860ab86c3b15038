"""Trained models as files: ``<id>.safetensors`` with the parameters, ``<id>.json`` with the card.

A file is not trusted: what its header claims is compared with its size and with the shapes that
the card's configuration asks for before any memory is taken for a parameter.

Format: https://huggingface.co/docs/safetensors, 8 bytes with the length of a JSON header (little
endian), the header ``{name: {dtype, shape, data_offsets}}``, then the bytes of all tensors.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.assets import ASSETS
from engine.models import Config, Model, shapes
from engine.roles import MIXED, ROLES
from engine.said import Said
from engine.tokens import BLANK, PADDING, UNKNOWN

MODELS = ASSETS / "models"  # of the missing word, the models that are shipped
TASKS = ASSETS / "tasks"  # a folder for each task, with its models

MOST_CARD_BYTES = 2**22
MOST_HEADER_BYTES = 2**20
MOST_COUNT = 2**20  # of any number in a configuration
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # no dot and no slash: an id never leaves its folder
_LENGTH_BYTES = 8
_DAMAGE = (TypeError, ValueError, KeyError, AttributeError, RecursionError)
# What a card says, by kind, where it says it; configuration and vocabulary are checked apart.
_CARD = {"title": str, "task": str, "about": str, "seed": int, "steps": int, "trained_length": int,
         "parameters": int, "shortest": int, "held_out": dict, "sha256": str}  # fmt: skip


class WeightsError(Said):
    """A model that cannot be read or written: what happened, and what to do, in a sentence."""


class _UnusableError(Exception):
    """Why a model cannot be used, as the end of the sentence "… cannot be used because"."""


def folder(task: str) -> Path:
    """Return where the models of a task lie that are shipped."""
    return MODELS if task == "missing-word" else TASKS / task


def available() -> tuple[str, ...]:
    """Return the ids of the models that are shipped, in alphabetical order."""
    found = (path.stem for path in MODELS.glob("*.safetensors") if _card_of(path).is_file())
    return tuple(sorted(name for name in found if _ID.fullmatch(name)))


def load(id: str) -> Model:
    """Return a shipped model.

    Raises
    ------
    WeightsError
        With one sentence, when no model has this id or its files are damaged.
    """
    if not _ID.fullmatch(id) or id not in available():
        known = ", ".join(available()) or "none is installed"
        raise WeightsError(f"There is no model {id[:40]!r}; choose one of these: {known}.")
    return read(MODELS / f"{id}.safetensors")


def read(path: Path) -> Model:
    """Return the model of a file and of the card beside it.

    Raises
    ------
    WeightsError
        With one sentence, when either file is missing, cut off, damaged or holds something else.
    """
    try:
        return _read(path)
    except _UnusableError as error:
        problem = str(error)
    except FileNotFoundError as error:
        missing = Path(error.filename or path).name
        problem = "it is missing" if missing == path.name else f"its card {missing} is missing"
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
    except KeyError as error:
        problem = f"its card lacks {error}"
    except _DAMAGE as error:
        problem = f"it is damaged ({' '.join(str(error).split())[:80]})"
    raise WeightsError(
        f"{path.name} cannot be used because {problem}; "
        "choose another model, or install Unrolled again."
    )


def write(path: Path, model: Model) -> None:
    """Write a model and its card, beside their places first, so that old files stay until then.

    Raises
    ------
    WeightsError
        With one sentence, when the parameters do not fit the configuration, hold NaN or infinity,
        or the place cannot be written.
    """
    # Imported here: a reader needs numpy alone, and starts sooner.
    from safetensors.numpy import save

    expected = shapes(model.config)
    arrays = {name: np.ascontiguousarray(model.parameters[name]) for name in model.parameters}
    if {name: array.shape for name, array in arrays.items()} != expected:
        raise WeightsError(
            f"{path.name} was not written because the parameters do not fit the configuration; "
            "make them with the shapes of engine.models.shapes."
        )
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise WeightsError(
                f"{path.name} was not written because {name} holds NaN or infinity; "
                "train again with a smaller step."
            )
    data = save(arrays)
    card = dict(model.card) | {
        "config": asdict(model.config),
        "vocabulary": list(model.vocabulary),
        "parameters": sum(array.size for array in arrays.values()),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(card, ensure_ascii=False, indent=1).encode() + b"\n"
    try:
        for target, content in ((path, data), (_card_of(path), text)):
            beside = target.with_name(f"{target.name}.{os.getpid()}.part")
            try:
                beside.write_bytes(content)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{path.name} was not written because {path.parent} cannot be written "
            f"({error.strerror or error}); choose another place."
        ) from error


def _card_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _read(path: Path) -> Model:
    """Return the model of a file, or raise something of ``read``'s list."""
    card = _card(_card_of(path))
    config = _config(card["config"])
    vocabulary = _vocabulary(card["vocabulary"], config)
    _roles(card.get("roles", []), config)
    with path.open("rb") as file:
        parameters = _parameters(file, config, card.get("sha256", ""))
    return Model(path.stem, config, parameters, vocabulary, card)


def _card(path: Path) -> dict[str, Any]:
    """Return a card whose entries are of the kinds that they should be."""
    if path.stat().st_size > MOST_CARD_BYTES:
        raise _UnusableError(f"its card is larger than {MOST_CARD_BYTES >> 20} MiB")
    text = path.read_bytes()
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnusableError("its card is no JSON") from error
    if not isinstance(card, dict):
        raise _UnusableError("its card is no JSON object")
    for key, kind in _CARD.items():
        if key in card and type(card[key]) is not kind:
            raise _UnusableError(f"its card says {str(card[key])[:40]!r} for {key}")
    return card


def _config(entries: Any) -> Config:
    """Return the configuration of a card, every number of it within reason."""
    if not isinstance(entries, dict):
        raise _UnusableError("its card has no configuration")
    kinds = {"str": (str,), "int": (int,), "bool": (bool,), "float": (float, int)}
    known = {field.name: kinds[str(field.type)] for field in fields(Config)}
    for key, entry in entries.items():
        if type(entry) not in known.get(key, ()):
            raise _UnusableError(f"its configuration says {str(entry)[:40]!r} for {str(key)[:40]}")
        if isinstance(entry, int | float) and not 0 <= entry <= MOST_COUNT:
            raise _UnusableError(f"its configuration says {str(entry)[:40]} for {key}")
    config = Config(**entries)
    if config.layers > 1024:
        raise _UnusableError(f"its configuration has {config.layers} layers")
    return config


def _vocabulary(words: Any, config: Config) -> tuple[str, ...]:
    """Return the words of a card."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _UnusableError("its vocabulary is no list of words")
    if len(words) != config.words or len(set(words)) != len(words):
        raise _UnusableError(f"its vocabulary has not {config.words} different words")
    if config.answers == "hidden":
        for word in (PADDING, UNKNOWN, BLANK):
            if word not in words:
                raise _UnusableError(f"its vocabulary lacks {word}")
    return tuple(words)


def _roles(roles: Any, config: Config) -> None:
    """Refuse roles that are not a known name and a score for every head of every layer."""
    if not roles:
        return
    heads = [list(map(tuple, layer)) for layer in roles]
    if [len(layer) for layer in heads] != [config.heads] * config.layers or not all(
        isinstance(role, str) and isinstance(score, int | float) and 0 <= score <= 1
        for layer in heads
        for role, score in layer
    ):
        raise _UnusableError("its card has other roles than one with a score for every head")
    for role in (role for layer in heads for role, _ in layer):
        if role not in (*ROLES, MIXED):
            raise _UnusableError(f"its card has a head with the unknown role {role[:40]!r}")


def _parameters(file: BinaryIO, config: Config, sha256: str) -> dict[str, NDArray[Any]]:
    """Return the parameters of a file after all that it claims has been found to fit."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(_LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH_BYTES or length < 2:
        raise _UnusableError("it is cut off, or is no safetensors file")
    if length > MOST_HEADER_BYTES:
        raise _UnusableError(
            f"its header claims {length:,} bytes and at most {MOST_HEADER_BYTES:,} are read"
        )
    if length > size - _LENGTH_BYTES:
        raise _UnusableError("it is cut off within its header")
    header_bytes = file.read(length)
    header = json.loads(header_bytes)
    if not isinstance(header, dict):
        raise _UnusableError("its header is no JSON object")
    header.pop("__metadata__", None)
    places = _places(header, config, size - _LENGTH_BYTES - length)
    data = file.read(size - _LENGTH_BYTES - length)
    if sha256 and hashlib.sha256(start + header_bytes + data).hexdigest() != sha256:
        raise _UnusableError("it is not the file that its card describes (SHA-256)")
    parameters: dict[str, NDArray[Any]] = {}
    for name, (dtype, shape, begin) in places.items():
        array = np.frombuffer(data, dtype, math.prod(shape), begin).reshape(shape)
        if not np.isfinite(array).all():
            raise _UnusableError(f"{name} holds values that are not numbers (NaN or infinity)")
        array.setflags(write=False)  # so that a device may keep it
        parameters[name] = array
    return parameters


def _places(
    header: Mapping[str, Any], config: Config, size: int
) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], int]]:
    """Return dtype, shape and first byte of every parameter, in the order of their use."""
    expected = shapes(config)
    if header.keys() != expected.keys():
        odd = sorted(header.keys() ^ expected.keys())[0]
        verb = "lacks" if odd in expected else "has"
        raise _UnusableError(f"it {verb} the parameter {odd[:60]}, unlike its configuration")
    places: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]] = {}
    spans: list[tuple[int, int]] = [(0, 0)]
    for name, shape in expected.items():
        entry = header[name]
        if tuple(entry["shape"]) != shape:
            raise _UnusableError(
                f"{name} has the shape {tuple(entry['shape'])} and not {shape}"[:160]
            )
        if entry["dtype"] not in DTYPES:
            raise _UnusableError(f"{name} holds {str(entry['dtype'])[:20]} and not F32 or F64")
        dtype = DTYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        if type(begin) is not int or type(end) is not int:
            raise _UnusableError(f"{name} lies at no place of the file")
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise _UnusableError(f"{name} claims {end - begin:,} bytes, which is not its size")
        places[name] = (dtype, shape, begin)
        spans.append((begin, end))
    if len({dtype for dtype, _, _ in places.values()}) > 1:
        raise _UnusableError("its parameters mix two precisions")
    spans.sort()
    if any(before[1] != after[0] for before, after in pairwise(spans)):
        raise _UnusableError("its parameters overlap or leave gaps")
    if spans[-1][1] != size:
        raise _UnusableError(
            f"it claims {spans[-1][1]:,} bytes of parameters and has {size:,}, so it is cut off "
            "or damaged"
        )
    return places
