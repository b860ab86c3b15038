"""What ``engine.laboratory.bottleneck`` measured, kept in a file for the next start."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from engine import laboratory, race, weights
from engine.kept import write
from engine.laboratory import MODELS, SEED, SENTENCES, TASK, Bottleneck
from engine.said import Said

VERSION = 1
MOST_BYTES = 100_000


def asked() -> list[Any]:
    """Return what the shares depend on: this machine, the weights to the bit, the sentences."""
    shipped = hashlib.sha256()
    for id in MODELS:
        shipped.update((weights.TASKS / TASK / f"{id}.safetensors").read_bytes())
    return [VERSION, list(race.machine()), shipped.hexdigest(), SENTENCES, SEED]


def load(path: Path) -> Bottleneck | None:
    """Return what was measured here with these weights before, with its day; None: nothing.

    A file of another machine, of other weights or one that is damaged is as good as none: asking
    again costs 15 seconds.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["asked"] != asked():
            return None
        day = date.fromisoformat(data["day"]).isoformat()
        known = {
            id: {int(n): int(right) / SENTENCES for n, right in data["right"][id].items()}
            for id in MODELS
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    found = next(laboratory.bottleneck(known=known))
    shares = [share for curve in found.curves for _, share in curve.measured]
    good = found.complete and all(0 <= share <= 1 for share in shares)
    return replace(found, day=day) if good else None


def save(found: Bottleneck, path: Path) -> None:
    """Write what was measured, beside its place first.

    Raises
    ------
    engine.said.Said
        With one sentence, when it cannot be written.
    """
    right = {
        curve.model: {str(n): round(share * found.sentences) for n, share in curve.measured}
        for curve in found.curves
    }
    data = {"asked": asked(), "day": date.today().isoformat(), "right": right}
    try:
        write(json.dumps(data), path)
    except OSError as error:
        raise Said(
            f"What was measured could not be kept ({error.strerror}); it is shown until you close."
        ) from error
