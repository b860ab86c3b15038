"""A training that is kept in a file, to be gone on with: weights, means and step, as safetensors.

A file is not trusted: it is read by the same rules as trained models, no larger than what it must
hold, and only when it says that it belongs to the same task, model, seed and number of steps.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.said import Said

if TYPE_CHECKING:
    from engine.training import Snapshot

VERSION = 1
HEADER_BYTES = 4096  # that a file may have beside its numbers


class MomentError(Said):
    """A kept training that cannot be read or written, in a sentence."""


def save(path: Path, about: Mapping[str, Any], moment: Snapshot) -> None:
    """Write a moment of a training beside its place first, so that the old one stays until then.

    Raises
    ------
    MomentError
        With one sentence, when the place cannot be written.
    """
    from safetensors.numpy import save as packed

    told = {"version": str(VERSION), "step": str(moment.step), "about": json.dumps(dict(about))}
    arrays = {"weights": moment.weights, "mean": moment.mean, "square": moment.square}
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(packed(arrays, metadata=told))
        beside.replace(path)
    except OSError as error:
        raise MomentError(
            f"The training was not kept because {path} cannot be written "
            f"({error.strerror or error}); it goes on, and ends as if nothing had happened."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path, about: Mapping[str, Any], like: Snapshot) -> Snapshot:
    """Return the moment that a file holds.

    Parameters
    ----------
    path
        Of a file that ``save`` wrote.
    about
        What the training is: the file must say the same.
    like
        A moment of the same training, whose arrays have the sizes that the file's must have.

    Raises
    ------
    MomentError
        With one sentence, when the file is damaged or belongs to another training.
    """
    from safetensors import SafetensorError, safe_open

    from engine.training import Snapshot

    try:
        if path.stat().st_size > 3 * like.weights.nbytes + HEADER_BYTES:
            raise ValueError("it is too large")
        with safe_open(path, framework="numpy") as file:
            told = file.metadata() or {}
            if told.get("version") != str(VERSION):
                raise ValueError(f"it is of version {str(told.get('version'))[:20]}, not {VERSION}")
            if json.loads(told["about"]) != dict(about):
                raise ValueError("it belongs to another training")
            step, steps = int(told["step"]), int(about["steps"])
            if not 0 <= step <= steps:
                raise ValueError(f"it is of step {step} of {steps}")
            arrays = [file.get_tensor(name) for name in ("weights", "mean", "square")]
        for array in arrays:
            if array.shape != like.weights.shape or array.dtype != like.weights.dtype:
                raise ValueError("its arrays are of another size")
            if not np.isfinite(array).all():
                raise ValueError("it holds numbers that are none")
    except (OSError, ValueError, KeyError, RecursionError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:80]
        raise MomentError(
            f"{path.name} cannot be gone on with ({reason}); remove it to begin again."
        ) from error
    return Snapshot(step, *arrays)
