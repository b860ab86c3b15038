"""Models as files: what is written is read again, and damage is one sentence each."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import weights
from engine.models import Config, Model, initialise
from engine.weights import WeightsError, available, load, read, write

GRID = Config(kind="grid", words=5, embedding=4, width=4, heads=2, layers=2, mlp=6)
WORDS = ("<pad>", "<unk>", "___", "the", "cät")
ROLES = [[["subject", 0.99], ["next", 0.6]], [["mixed", 0.2], ["previous", 0.7]]]
CARD = {"title": "Small", "task": "missing word", "seed": 3, "trained_length": 32, "roles": ROLES}


def model(**changed: Any) -> Model:
    parameters = initialise(GRID, np.random.default_rng(0))
    return Model("small", GRID, parameters | changed, WORDS, CARD)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "small.safetensors"
    write(place, model())
    return place


def card(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the card of a file; without the hash, so that what is asked about is what is met."""
    place = path.with_suffix(".json")
    entries = json.loads(place.read_text())
    entries.pop("sha256")
    change(entries)
    place.write_text(json.dumps(entries))


def header(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the header of a file."""
    card(path, lambda _: None)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    change(entries)
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def refused(path: Path, problem: str) -> None:
    with pytest.raises(WeightsError) as caught:
        read(path)
    sentence = str(caught.value)
    assert problem in sentence
    assert sentence.startswith(f"{path.name} cannot be used because ")
    assert sentence.endswith("choose another model, or install Unrolled again.")
    assert "\n" not in sentence


# ---- there and back ----------------------------------------------------------------------------


def test_what_is_written_is_read_again(path: Path) -> None:
    again, before = read(path), model()
    assert (again.id, again.config, again.vocabulary) == ("small", GRID, WORDS)
    assert list(again.parameters) == list(before.parameters)
    for name, array in before.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array)
        assert again.parameters[name].dtype == array.dtype
    assert {key: again.card[key] for key in CARD} == CARD
    assert again.card["parameters"] == sum(a.size for a in before.parameters.values())


def test_the_same_model_is_the_same_bytes(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    write(other, model())
    assert other.read_bytes() == path.read_bytes()


def test_other_programs_can_open_the_file(path: Path) -> None:
    from safetensors.numpy import load_file

    assert load_file(path).keys() == model().parameters.keys()


def test_nothing_is_left_beside_the_files(path: Path) -> None:
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["small.json", "small.safetensors"]


def test_models_are_found_by_id(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MODELS", path.parent)
    (path.parent / "alone.safetensors").write_bytes(b"")  # has no card
    assert available() == ("small",)
    assert load("small").config == GRID


# ---- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id", ["../x", "..", "", "/etc/passwd", "a/b", "small.safetensors", "Small", "x" * 5000, "a\n"]
)
def test_an_id_that_is_no_model_is_refused(
    id: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path.parent / "models"
    folder.mkdir()
    monkeypatch.setattr(weights, "MODELS", folder)
    write(folder / "here.safetensors", model())
    write(path.parent / "x.safetensors", model())
    with pytest.raises(WeightsError, match=r"^There is no model .*: here\.$"):
        load(id)


# ---- damage ------------------------------------------------------------------------------------


def test_a_missing_file_is_said(tmp_path: Path, path: Path) -> None:
    path.unlink()
    refused(path, "it is missing")


def test_a_missing_card_is_said(path: Path) -> None:
    path.with_suffix(".json").unlink()
    refused(path, "its card small.json is missing")


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1, -100])
def test_a_file_cut_off_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    refused(path, "cut off")


def test_bytes_behind_the_parameters_are_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "cut off or damaged")


def test_a_header_that_claims_a_terabyte_is_refused_before_allocation(path: Path) -> None:
    path.write_bytes((2**40).to_bytes(8, "little") + path.read_bytes()[8:])
    tracemalloc.start()
    try:
        refused(path, "its header claims 1,099,511,627,776 bytes")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_parameter_that_claims_a_terabyte_is_refused_before_allocation(path: Path) -> None:
    header(path, lambda h: h["embed.E"].update(shape=[2**20, 2**18], data_offsets=[0, 2**40]))
    tracemalloc.start()
    try:
        refused(path, "embed.E has the shape (1048576, 262144) and not (5, 4)")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_configuration_that_asks_for_a_terabyte_is_refused_before_allocation(path: Path) -> None:
    card(path, lambda c: c["config"].update(mlp=2**20))
    refused(path, "blocks.0.mlp.W_in has the shape (4, 6) and not (4, 1048576)")


def test_bytes_that_do_not_fit_the_shape_are_refused(path: Path) -> None:
    header(path, lambda h: h["embed.E"].update(data_offsets=[0, 2**40]))
    refused(path, "embed.E claims 1,099,511,627,776 bytes")


def test_parameters_that_overlap_are_refused(path: Path) -> None:
    def overlap(h: dict[str, Any]) -> None:
        h["blocks.0.attn.W_q"]["data_offsets"] = h["blocks.0.attn.W_k"]["data_offsets"]

    header(path, overlap)
    refused(path, "overlap")


@pytest.mark.parametrize("offsets", [[-80, 0], [0.0, 80.0], ["0", "80"], [0], None])
def test_offsets_that_are_no_place_are_refused(path: Path, offsets: Any) -> None:
    header(path, lambda h: h["embed.E"].update(data_offsets=offsets))
    with pytest.raises(WeightsError, match=r"^small\.safetensors cannot be used because "):
        read(path)


def test_another_dtype_is_refused(path: Path) -> None:
    header(path, lambda h: h["embed.E"].update(dtype="I32"))
    refused(path, "embed.E holds I32 and not F32 or F64")


def test_two_precisions_are_refused(path: Path, tmp_path: Path) -> None:
    write(path, model(**{"embed.E": np.ones((5, 4))}))
    refused(path, "mix two precisions")


def test_a_missing_parameter_is_named(path: Path) -> None:
    header(path, lambda h: h.pop("embed.E"))
    refused(path, "it lacks the parameter embed.E")


def test_a_parameter_too_many_is_named(path: Path) -> None:
    header(path, lambda h: h.update(zebra=h["embed.E"]))
    refused(path, "it has the parameter zebra")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(path: Path, value: float) -> None:
    card(path, lambda _: None)
    data = bytearray(path.read_bytes())
    data[-4:] = np.float32(value).tobytes()
    path.write_bytes(bytes(data))
    refused(path, "not numbers (NaN or infinity)")


def test_a_file_that_the_card_does_not_describe_is_refused(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    refused(path, "not the file that its card describes")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_card_that_is_no_json_is_refused(path: Path, text: bytes) -> None:
    path.with_suffix(".json").write_bytes(text)
    refused(path, "its card is no JSON")


def test_a_card_too_large_is_refused_unread(path: Path) -> None:
    path.with_suffix(".json").write_bytes(b" " * (weights.MOST_CARD_BYTES + 1))
    refused(path, "its card is larger than 4 MiB")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"config": None}, "its card has no configuration"),
        ({"config": {"kind": "grid"}}, "damaged"),
        ({"vocabulary": "the"}, "its vocabulary is no list of words"),
        ({"vocabulary": ["a"] * 5}, "not 5 different words"),
        ({"roles": [[["subject", 0.9]]]}, "other roles"),
        ({"roles": [[["subject", "high"]] * 2] * 2}, "other roles"),
        ({"roles": 7}, "damaged"),
        ({"roles": [[["subject", 0.9], ["oracle", 0.9]]] * 2}, "the unknown role 'oracle'"),
        ({"held_out": [0.9]}, "its card says '[0.9]' for held_out"),
        ({"vocabulary": ["pad", "<unk>", "___", "the", "cat"]}, "its vocabulary lacks <pad>"),
        ({"vocabulary": ["<pad>", "unk", "___", "the", "cat"]}, "its vocabulary lacks <unk>"),
        ({"vocabulary": ["<pad>", "<unk>", "__", "the", "cat"]}, "its vocabulary lacks ___"),
        ({"trained_length": "long"}, "its card says 'long' for trained_length"),
    ],
)
def test_a_card_that_says_something_else_is_refused(
    path: Path, change: dict[str, Any], problem: str
) -> None:
    card(path, lambda c: c.update(change))
    refused(path, problem)


@pytest.mark.parametrize(
    "change",
    [{"heads": 3}, {"heads": -1}, {"layers": 10**6}, {"words": 10**400}, {"width": 4.0},
     {"causal": "yes"}, {"eps": float("nan")}, {"colour": 1}],
)  # fmt: skip
def test_a_configuration_that_no_model_has_is_refused(path: Path, change: dict[str, Any]) -> None:
    card(path, lambda c: c["config"].update(change))
    with pytest.raises(WeightsError, match=r"^small\.safetensors cannot be used because "):
        read(path)


def test_a_card_without_a_vocabulary_is_refused(path: Path) -> None:
    card(path, lambda c: c.pop("vocabulary"))
    refused(path, "its card lacks 'vocabulary'")


# ---- writing -----------------------------------------------------------------------------------


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    with pytest.raises(WeightsError, match="embed.E holds NaN or infinity"):
        write(path, model(**{"embed.E": np.full((5, 4), np.nan, np.float32)}))
    assert not path.exists()


def test_a_shape_that_the_configuration_has_not_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit the configuration"):
        write(tmp_path / "bad.safetensors", model(**{"embed.E": np.zeros((5, 5), np.float32)}))


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="choose another place"):
        write(tmp_path / "file" / "small.safetensors", model())
