"""Settings: kept whole, and set aside when they are not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from app.session import Session, load, save


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    session = Session(
        text="the dogs ___ “ö” \U0001f408", chain="gru", theme="dark", speed=2.0, scale=1.5
    )
    path = tmp_path / "deep" / "session.json"
    assert save(session, path) == ""
    assert load(path) == (session, "")
    assert [entry.name for entry in path.parent.iterdir()] == ["session.json"]


def test_no_file_gives_the_defaults_and_no_word(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == (Session(), "")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[1]", b'{"version": 2}', b'{"version": 1, "text": 7}', b"\xff\xfe",
        b'{"version": 1, "theme": "pink"}', b'{"version": 1, "scale": 1.1}',
        b'{"version": 1, "scale": NaN}', b'{"version": 1, "scale": "2"}',
        b'{"version": 1, "chain": "nonsense"}',
        b"[" * 100_000, b" " * 1_000_001,
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_set_aside_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "session.json"
    for number in (1, 2):
        path.write_bytes(content)
        session, said = load(path)
        assert asdict(session) == asdict(Session())
        assert said.endswith(".")
        assert "\n" not in said
        assert not path.exists()
        assert (tmp_path / f"session.damaged-{number}.json").read_bytes() == content


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "could not be saved" in save(Session(), tmp_path / "file" / "session.json")


def test_long_sentences_do_not_cost_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    session = Session(
        text="д" * 100_000, recent=["д" * 100_000] * 9 + ["the cat ___"], theme="dark"
    )
    assert save(session, path) == ""
    again, said = load(path)
    assert said == ""
    assert (again.theme, again.recent, len(again.text)) == ("dark", ["the cat ___"], 10_000)
