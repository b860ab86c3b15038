"""Settings: kept whole, and set aside when they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.session import Session, load, save


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    kept = {"three-computing": {"text": "the dogs ___ “ö” \U0001f408", "batch": 8}}
    session = Session(chapter="three-computing", theme="dark", speed=2.0, scale=1.5, chapters=kept)
    path = tmp_path / "deep" / "session.json"
    assert save(session, path) == ""
    assert load(path) == (session, "")
    assert [entry.name for entry in path.parent.iterdir()] == ["session.json"]


def test_no_file_gives_the_defaults_and_no_word(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == (Session(), "")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[1]", b'{"version": 3}', b'{"version": 2, "chapter": 7}', b"\xff\xfe",
        b'{"version": 1, "theme": "pink"}', b'{"version": 2, "scale": 1.1}',
        b'{"version": 2, "scale": NaN}', b'{"version": 2, "scale": "2"}',
        b'{"version": 2, "chapters": []}',
        b"[" * 100_000, b" " * 1_000_001,
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_set_aside_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "session.json"
    for number in (1, 2):
        path.write_bytes(content)
        session, said = load(path)
        assert session == Session()
        assert said.endswith(".")
        assert "\n" not in said
        assert not path.exists()
        assert (tmp_path / f"session.damaged-{number}.json").read_bytes() == content


def test_of_damaged_files_the_newest_three_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    others = ("session.damaged-x.json", "other.damaged-1.json", "long-range.json")
    for name in others:
        (tmp_path / name).write_text("{")
    for number in range(1, 13):
        path.write_text("{" * number)
        assert f"session.damaged-{number}.json" in load(path)[1]
    kept = {entry.name: len(entry.read_text()) for entry in tmp_path.iterdir()}
    newest = {f"session.damaged-{number}.json": number for number in (10, 11, 12)}
    assert kept == newest | dict.fromkeys(others, 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"[" * 100_000, "it is nested too deeply"), (b"\xff\xfe", "it is no text"),
     (b'{\n"a": ', "it is no JSON from line 2 on"), (b"[1]", "it holds no settings")],
)  # fmt: skip
def test_why_a_file_is_not_read_is_said_in_words(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(content)
    assert load(path)[1].startswith(f"The settings cannot be used ({why}); ")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "could not be saved" in save(Session(), tmp_path / "file" / "session.json")


@pytest.mark.parametrize("own", [None, 7, [], "x", {"text": "x" * 300_000}])
def test_what_a_chapter_cannot_have_kept_costs_nothing_else(tmp_path: Path, own: object) -> None:
    path = tmp_path / "session.json"
    chapters = {"three-computing": own, "cpu-gpu": {"tick": 3}}
    content = {"version": 2, "theme": "dark", "chapters": chapters}
    path.write_text(json.dumps(content), encoding="utf-8")
    session, said = load(path)
    assert said == ""
    assert (session.theme, session.chapters) == ("dark", {"cpu-gpu": {"tick": 3}})
    session.chapters = {**session.chapters, "three-computing": own}
    assert save(session, path) == ""
    assert load(path)[0].chapters == {"cpu-gpu": {"tick": 3}}


def test_settings_of_the_time_with_one_chapter_are_read(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    own = {"text": "the dogs ___", "chain": "gru", "tick": 4.0, "query": 2}
    content = {"version": 1, "theme": "dark", "rail": False, **own}
    path.write_text(json.dumps(content), encoding="utf-8")
    session = Session(theme="dark", rail=False, chapters={"rnn-transformer": own})
    assert load(path) == (session, "")
