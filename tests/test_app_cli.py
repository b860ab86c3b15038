"""The command line as a user meets it: answers on one stream, one sentence on the other."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import THEMES, compute
from app.__main__ import main
from app.commands import version
from engine.trace import load
from engine.weights import WeightsError
from widgets import theme

# Qt has one application a process: the one of the tests with windows, also for figures.
pytestmark = pytest.mark.usefixtures("qapp")

ROOT = Path(__file__).parents[1]
TEXT = "the cat that slept ___"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Return the one sentence with which a call ends."""
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.strip()


def figure(*arguments: str) -> tuple[str, ...]:
    return ("figure", "rnn-transformer", "--text", TEXT, *arguments)


# ---- help and version --------------------------------------------------------------------------


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"unrolled {project['version']}\n"
    assert version() == project["version"]


@pytest.mark.parametrize("command", [[], ["figure"], ["trace"]])
def test_help_has_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert 'unrolled figure rnn-transformer --text "the cat that slept ___" --tick 3' in out


def test_help_and_version_need_no_numpy_and_no_qt() -> None:
    code = (
        "import sys; from app.__main__ import main; main(['--help']); main(['--version']); "
        "main(['figure']); print(sorted({'numpy', 'PySide6'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert done.stdout.endswith("[]\n")


# ---- wrong arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["bogus"], "invalid choice: 'bogus'"),
        (["--bogus"], "nrecognized arguments: --bogus"),
        (["figure"], "required: CHAPTER"),
        (["figure", "rnn-transformer"], "required: -o/--output"),
        (["figure", "chapter-9", "-o", "x.svg"], "invalid choice: 'chapter-9'"),
        (["trace"], "required: --model"),
        (figure("-o", "x.svg", "--size", "0x900"), "'0x900' is no size"),
        (figure("-o", "x.svg", "--size", "0x0"), "'0x0' is no size"),
        (figure("-o", "x.svg", "--size", "1000000x1000000"), "'1000000x1000000' is no size"),
        (figure("-o", "x.svg", "--size", "1600"), "'1600' is no size"),
        (figure("-o", "x.svg", "--size", "-1x9"), "--size"),
        (figure("-o", "x.svg", "--size", "٣٠٠x٣٠٠"), "is no size"),
        (figure("-o", "x.svg", "--scale", "0"), "'0' is no scale"),
        (figure("-o", "x.svg", "--scale", "nan"), "'nan' is no scale"),
        (figure("-o", "x.svg", "--scale", "1e9"), "'1e9' is no scale"),
        (figure("-o", "x.svg", "--tick", "soon"), "'soon' is no tick"),
        (figure("-o", "x.svg", "--tick", "-1"), "tick"),
        (figure("-o", "x.svg", "--tick", "inf"), "'inf' is no tick"),
        (figure("-o", "x.svg", "--tick", "nan"), "'nan' is no tick"),
        (figure("-o", "x.svg", "--tick", "99"), "Tick 99 lies behind the last, 13"),
        (figure("-o", "x.svg", "--tick", "1", "--every-tick"), "not allowed with argument"),
        (figure("-o", "x.svg", "--every-tick"), "write {tick} into the name"),
        (figure("-o", "x.svg", "--layer", "0"), "'0' is no number from 1"),
        (figure("-o", "x.svg", "--layer", "3"), "There is no layer 3; give one from 1 to 2."),
        (figure("-o", "x.svg", "--query", "6"), "There is no query 6; give one from 1 to 5."),
        (figure("-o", "x.svg", "--theme", "pink"), "invalid choice: 'pink'"),
        (figure("-o", "x.svg", "--svg-text", "no"), "invalid choice: 'no'"),
        (figure("-o", "x.svg", "--scale", "16"), "each side must be"),
        (figure("-o", "x.gif"), "ends in '.gif'"),
        (figure("-o", "x"), "has no ending"),
        (figure("-o", "nowhere/x.svg"), "There is no folder 'nowhere'"),
        (["figure", "rnn-transformer", "--text", "", "-o", "x.svg"], "There is no word to read"),
        (figure("-o", "x.svg", "--model", "rnn"), "is no pair of models"),
        (figure("-o", "x.svg", "--model", "rnn+rnn"), "rnn is no Transformer"),
        (figure("-o", "x.svg", "--model", "../x+transformer"), "There is no model '../x'"),
        (figure("-o", "x.png", "--size", "12000x12000"), "million pixels"),
        (["trace", "--model", "nobody", "--text", TEXT], "There is no model 'nobody'"),
        (["trace", "--model", "rnn", "-o", "x.txt"], "A trace is saved as .npz"),
        (["trace", "--model", "rnn", "--text", ""], "There is no word to read"),
        (["trace", "--model", "rnn", "--text", " \n\x00"], "There is no word to read"),
        (["models", "--yaml"], "nrecognized arguments: --yaml"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence_and_2(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert problem in said(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_model_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(id: str) -> None:
        raise WeightsError("rnn.safetensors cannot be used because it is cut off.")

    monkeypatch.setattr(compute, "model", damaged)
    assert "because it is cut off" in said(capsys, "trace", "--model", "rnn")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("x"), "Unrolled stopped because of an error of its own (KeyError: 'x')"),
        (ValueError("no fit"), "an error of its own (ValueError: no fit)"),
        (MemoryError(), "There is not enough memory for this"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ImportError("libEGL.so.1: cannot open shared object file"), "libegl1"),
    ],
)
def test_no_traceback_reaches_a_user(
    error: Exception, sentence: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(compute, "make_trace", fail)
    monkeypatch.setattr("app.display.missing_libraries", lambda plugin: ())
    assert sentence in said(capsys, "trace", "--model", "rnn", code=1)


def test_a_traceback_is_shown_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_DEBUG", "1")
    with pytest.raises(WeightsError):
        main(["trace", "--model", "nobody"])


# ---- figures -----------------------------------------------------------------------------------


def test_a_figure_is_as_large_as_was_asked_for(tmp_path: Path) -> None:
    svg, png, pdf = (tmp_path / f"figure.{ending}" for ending in ("svg", "png", "pdf"))
    for path in (svg, png, pdf):
        arguments = figure("--tick", "3", "--size", "800x600", "--scale", "1.5", "-o", str(path))
        assert main(arguments) == 0
    root = ElementTree.parse(svg).getroot()
    assert (root.get("width"), root.get("height")) == ("1200", "900")
    assert struct.unpack(">II", png.read_bytes()[16:24]) == (1200, 900)
    assert b"/MediaBox [0 0 900" in pdf.read_bytes()  # in points, 72 an inch
    assert sorted(tmp_path.iterdir()) == sorted([svg, png, pdf])


def test_a_figure_has_real_text_with_the_names_of_tensors(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    assert main(figure("-o", str(path))) == 0
    assert capsys.readouterr().out == f"{path}\n"
    text = path.read_text(encoding="utf-8")
    for word in TEXT.split()[:-1]:
        assert f">{word}</" in text
    assert "chain:rnn.h.3" in text
    assert "grid:blocks.1.attn.pattern" in text


def test_one_number_is_drawn_open_or_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "open.svg"
    assert main(figure("--open", "grid:blocks.0.attn.scores[0,4,1]", "-o", str(path))) == 0
    assert "recomputed" in path.read_text(encoding="utf-8")
    capsys.readouterr()
    for name in ("grid:nothing[0]", "nonsense", "chain:rnn.h.3[99]"):
        said(capsys, *figure("--open", name, "-o", str(path)))


def test_the_same_figure_is_the_same_bytes_in_both_light_and_dark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measured times are of each run; all else is the same.
    measured = compute._fastest
    monkeypatch.setattr(
        compute, "_fastest", lambda *a, **k: replace(measured(*a, **k), seconds=1e-4)
    )
    compute._measured.cache_clear()
    made: dict[str, str] = {}
    for name, colours in (("a", "light"), ("b", "light"), ("c", "dark")):
        path = tmp_path / f"{name}.svg"
        assert main(figure("--tick", "2", "--theme", colours, "-o", str(path))) == 0
        made[name] = path.read_text(encoding="utf-8")
    compute._measured.cache_clear()
    assert made["a"] == made["b"]
    assert made["a"] != made["c"]


def test_every_theme_is_offered_and_makes_a_figure(tmp_path: Path) -> None:
    assert THEMES == theme.NAMES
    for name in THEMES:
        path = tmp_path / f"{name}.svg"
        assert main(figure("--theme", name, "-o", str(path))) == 0
        assert f'fill="{theme.load(name).stage}"' in path.read_text(encoding="utf-8")


def test_a_grey_figure_has_no_hue(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    assert main(figure("--grey", "-o", str(path))) == 0
    colours = set(re.findall('"#([0-9A-F]{6})"', path.read_text(encoding="utf-8")))
    assert len(colours) > 20
    assert all(colour == 3 * colour[:2] for colour in colours)


def test_every_tick_is_a_file_of_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(figure("--every-tick", "-o", str(tmp_path / "tick-{tick}.svg"))) == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == [f"tick-{tick:02d}.svg" for tick in range(14)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_asking_word_and_the_layer_change_the_figure(tmp_path: Path) -> None:
    made = set()
    for options in ((), ("--query", "2"), ("--layer", "1")):
        path = tmp_path / "figure.svg"
        assert main(figure(*options, "-o", str(path))) == 0
        made.add(re.sub(r"[\d.]+\u00a0[mµn]?s", "TIME", path.read_text(encoding="utf-8")))
    assert len(made) == 3


def test_what_was_changed_in_the_text_is_said_beside_a_figure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    text = "The cat " * 1030 + "___"
    assert main(["figure", "rnn-transformer", "--text", text, "-o", str(path)]) == 0
    err = capsys.readouterr().err
    assert "Of 2 061 words the 2048 that end with the blank are read." in err
    assert "Capitals are read as small letters." in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "800x450"), "text is 9 px high"),
        (("--size", "800x450", "--scale", "1.3"), "text is 11.7 px high"),
        (("--size", "800x450", "--scale", "2"), ""),
        ((), ""),
    ],
)
def test_text_that_is_small_in_a_figure_is_said_with_a_size_that_suffices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    path = str(tmp_path / "figure.svg")
    assert main(figure("--tick", "3", *options, "-o", path)) == 0
    err = capsys.readouterr().err
    assert said in err
    if not said:
        assert "smallest text" not in err
        return
    enough = re.search(r"--size (\d+x\d+) makes it 12", err)
    assert enough is not None
    assert main(figure("--tick", "3", *options, "--size", enough[1], "-o", path)) == 0
    assert "smallest text" not in capsys.readouterr().err


def test_a_figure_needs_no_display(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items()
               if key not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")}  # fmt: skip
    path = tmp_path / "figure.png"
    done = subprocess.run([sys.executable, "-m", "app", *figure("-o", str(path))], cwd=ROOT,
                          env=environ | {"DISPLAY": ":4711"}, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert path.stat().st_size > 10_000


# ---- traces and models -------------------------------------------------------------------------


def test_a_trace_is_json_alone_on_its_stream(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--model", "rnn", "--text", "The 🐈 ___", "--json"]) == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert data["tokens"] == ["the", "🐈", "___"]
    assert data["model"] == "rnn"
    assert "Capitals are read as small letters." in data["notes"]
    assert {row["tick"] for row in data["steps"]} == set(range(data["last_tick"] + 1))
    assert err == ""


def test_a_trace_is_saved_with_every_value(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "trace.npz"
    assert main(["trace", "--model", "transformer", "--text", TEXT, "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert load(path).tokens == tuple(TEXT.split())
    with np.load(path) as arrays:
        assert arrays["blocks.1.attn.pattern"].shape == (5, 5, 5)


def test_a_trace_for_people_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--model", "rnn", "--text", "the cat purrs"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["tick", "depth", "step", "axes", "shape", "FLOPs", "µs"]
    assert re.search(r"^3 +\d+ +rnn\.h\.3 +hidden +16 ", out, re.MULTILINE)
    assert "“purrs”, is hidden" in err


def test_a_place_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "trace.npz"
    sentence = said(capsys, "trace", "--model", "rnn", "--text", TEXT, "-o", str(path))
    assert "was not saved because" in sentence
    assert "choose another place" in sentence


def test_models_are_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^rnn +.* 16 numbers$", table, re.MULTILINE)
    assert re.search(r"^transformer +Transformer +\d+ +85\.\d\d % +85\.07 % ", table, re.MULTILINE)
    assert main(["models", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["transformer"]["memory"] == "T × 40 numbers"
    assert 0.5 < rows["transformer"]["held_out"]["word"] <= 1


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"'{sys.executable}' -m app trace --model transformer --json | head -c 10"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    assert len(done.stdout) == 10
    assert done.stderr == ""


def test_a_console_that_knows_few_characters_is_no_error() -> None:
    environ = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "app", "models"], cwd=ROOT, env=environ,
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0
    assert "T ? 40 numbers" in done.stdout


def test_an_opened_number_takes_no_tick_and_no_odd_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "open-{tick}.svg"
    name = "grid:blocks.0.attn.scores[0,4,1]"
    for more in (["--every-tick"], ["--tick", "0"], ["--layer", "1"], ["--query", "2"]):
        said(capsys, *figure("--open", name, *more, "-o", str(path)))
    for odd in ("grid:blocks.0.attn.scores[0,1", "grid:blocks.0.attn.scores[ 0,1,1]",
                "grid:answer.probabilities[\u0663]"):  # fmt: skip
        said(capsys, *figure("--open", odd, "-o", str(path)))


# ---- training, and texts that nobody can read --------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("dates", "--model", "rule"), "dates has no model 'rule'; choose one of these: rnn, gru"),
        (("sums", "--model", "gru"), "There is no task 'sums'; choose one of these: missing-word"),
        (("dates", "--model", "gru", "--steps", "0"), "'0' is no number from 1 to"),
        (("dates", "--model", "gru", "--seed", "-1"), "'-1' is no number from 0 to"),
    ],
)
def test_what_cannot_be_trained_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in said(capsys, "train", *arguments, "-o", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept", [b"garbage", b"", None])
def test_a_kept_training_that_is_none_is_said_and_stays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kept: bytes | None
) -> None:
    path = tmp_path / "gru-0.part"
    if kept is None:
        path.mkdir()
    else:
        path.write_bytes(kept)
    text = said(capsys, "train", "reverse", "--model", "gru", "--steps", "1", "-o", str(tmp_path))
    assert text.startswith("gru-0.part cannot be gone on with (")
    assert text.endswith("); remove it to begin again.")
    assert path.is_dir() if kept is None else path.read_bytes() == kept


def test_a_training_ends_where_nothing_can_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = tmp_path / "gru.safetensors"
    place.mkdir()  # where the weights belong
    assert main(["train", "reverse", "--model", "gru", "--steps", "1", "-o", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("gru.safetensors was not written because")
    assert (tmp_path / "gru-0.part").exists()  # the training itself is kept


@pytest.mark.parametrize("text", ["☃☃ ☃", "日本", " \u00a0 ", "\x00\x01"])
@pytest.mark.parametrize("task", ["dates", "brackets"])
def test_a_text_of_which_nothing_can_be_read_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, task: str, text: str
) -> None:
    sentence = said(capsys, "figure", "analytical-empirical", "--task", task, "--text", text,
                    "-o", str(tmp_path / "a.svg"))  # fmt: skip
    assert sentence.startswith("There is nothing in it that the network can read; type ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("steps", [(), ("--train", "2")])
def test_what_of_a_text_is_not_read_is_said_and_the_rest_is_solved(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, steps: tuple[str, ...]
) -> None:
    path = tmp_path / "a.svg"
    assert main(["figure", "analytical-empirical", "--text", "5 mär 2019", *steps, "--tick", "0",
                 "-o", str(path)]) == 0  # fmt: skip
    out, err = capsys.readouterr()
    assert out.strip() == str(path)
    assert err == "The network does not know 'ä' and reads the text without it.\n"


@pytest.mark.parametrize(("case", "text"), [("typo", "9" * 501), ("clean", "(" * 501)])
def test_a_text_that_is_too_long_for_a_rule_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, case: str, text: str
) -> None:
    task = "dates" if case == "typo" else "brackets"
    sentence = said(capsys, "figure", "analytical-empirical", "--task", task, "--text", text,
                    "-o", str(tmp_path / "a.svg"))  # fmt: skip
    assert (
        sentence == "The text has 501 characters and a rule is shown for at most 500; shorten it."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("reverse", "--model", "rule", "--case", "8"), "Nobody wrote a rule for reverse"),
        (("dates", "--model", "rule", "--case", "hard"), "dates has no case 'hard'; it has clean"),
        (("dates", "--model", "nobody", "--case", "clean"), "dates has no model 'nobody'"),
        (("dates", "--model", "rule", "--count", "0"), "'0' is no number from 1 to"),
    ],
)
def test_what_cannot_be_asked_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in said(capsys, "evaluate", *arguments)


def test_a_picture_of_many_pixels_is_made(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    assert main(figure("--size", "8300x8200", "--tick", "1", "-o", str(path))) == 0
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (8300, 8200)
