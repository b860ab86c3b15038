"""Chapter 1, from RNN to Transformer: one sentence, read by a chain above and a grid below."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget

from app import CHAPTER, DEFAULT_PAIR, DEFAULT_TEXT, PRECISION
from app.chapters import Group, Host
from app.choices import Choices
from app.chrome import SentenceControls
from app.player import Player
from app.saying import sentence_of
from app.selection import Selection
from app.sentences import LONGEST, RECENT, SWITCHES, Sentences
from app.setting import of_models
from app.studies import Studies
from widgets.canvas import Canvas
from widgets.geometry import text_width
from widgets.remember import forget
from widgets.stage import Stage
from widgets.theme import Theme
from widgets.transport import prepare_run_answer
from widgets.view import View

if TYPE_CHECKING:
    from app.empty_page import EmptyPage
    from app.word_sheet import WordSheet
    from engine.trace import Pair
    from widgets.canvas import Scene
    from widgets.inspector import Page

UNSEEN = ("influence", "predict", "pin", "arcs", "classic", "head")  # in a comparison
MOST_TICKS = 1_000_000


class RnnTransformer(QObject):
    """What is read, what is opened and chosen of it, and when it is seen."""

    id = CHAPTER
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._notice = host.say, host.notice
        self._open_chapter = host.open_chapter
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.canvas.value_told = self._value_told
        self.stage = Stage(self.canvas)
        self.page = QStackedWidget()
        self.page.addWidget(self.stage)
        self.controls = SentenceControls(host.say)
        self.sentences = Sentences(host, self.controls)
        self.selection = Selection(self.canvas)
        devices = self.sentences.devices
        self.studies = Studies(self.canvas, host.recorder, lambda: devices.device, self)
        self.choices = Choices(
            self.canvas,
            self.player,
            self._notice,
            self._say,
            lambda: self.pair,
            lambda: self.selection.scene == CHAPTER,
            self,
        )
        self.canvas.expected = self.choices.expected
        self._scale = 1.0  # of all text
        self._kept = (0.0, -1, -1)  # tick, block, asking word to begin with; -1: by default
        self.keys = self._keys()
        self._connect()

    def _connect(self) -> None:
        self.sentences.awaited.connect(self._await)
        self.sentences.devices.found.connect(self.changed)
        self.sentences.arrived.connect(self._arrive)
        self.controls.field.returnPressed.connect(self.canvas.setFocus)
        self.controls.field.tag.clicked.connect(self._replace_unknown)
        self.controls.laboratory.clicked.connect(lambda: self._open_chapter("long-range"))
        self.canvas.dropped.connect(self.sentences.swap)
        self.player.moved.connect(self._show)
        self.studies.grown.connect(self._show_anew)
        self.choices.changed.connect(self._show_anew)
        for part in (self.studies.failed, self.canvas.failed):
            part.connect(lambda error: self.said.emit(sentence_of(error)))

    def _keys(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this chapter does, and what it does its own way."""
        keys: dict[str, Callable[[], object]] = {
            "play": self._play,
            "step": self.choices.step,
            "hide": self._hide_word,
            "influence": self._next_influence,
            "predict": self.choices.toggle_predict,
            "pin": self.choices.pin,
            "freeze": self._freeze,
            "arcs": self.choices.toggle_arcs,
            "classic": self._toggle_classic,
            "layer": self.choices.next_layer,
            "head": self.choices.next_head,
            "shorter": self.studies.shorter,
            "longer": self.studies.longer,
            "sentence": self.controls.edit,
            "recent": self.sentences.show_recent,
            "words": self._show_words,
            "precision": self.sentences.next_precision,
            "undo": self.sentences.undo,
            "redo": self.sentences.redo,
        }
        for name in SWITCHES:
            keys[name] = lambda name=name: self.sentences.toggle(name)  # type: ignore[misc]
        for name in UNSEEN:
            keys[name] = lambda do=keys[name]: self._where_seen(do)  # type: ignore[misc]
        return keys

    @cached_property
    def empty(self) -> EmptyPage:
        """Return the page without a sentence; it is made when there is none."""
        from app.empty_page import EmptyPage

        made = EmptyPage(self._say, DEFAULT_TEXT)
        made.show_theme(self.canvas.view.theme, self._scale)
        made.button.clicked.connect(lambda: self.sentences.set_text(DEFAULT_TEXT))
        self.page.addWidget(made)
        return made

    @cached_property
    def words(self) -> WordSheet:
        """Return the list of the known words; it is made when somebody asks for it."""
        from app.word_sheet import WordSheet

        made = WordSheet(self.controls.field, self._say)
        made.chosen.connect(self.sentences.put_in)
        return made

    # ------------------------------------------------------------------ what the window asks

    @property
    def pair(self) -> Pair | None:
        """Return the runs on the stage, None before the first have come."""
        return self.sentences.pair

    @property
    def busy(self) -> bool:
        """Return whether a run is awaited."""
        return self.sentences.busy

    @property
    def measuring(self) -> bool:
        """Return whether lengths are being timed."""
        return self.studies.measuring.busy

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened."""
        return self.selection.is_open

    def groups(self) -> tuple[Group, ...]:
        """Return Prepare, Run and Answer, none without a sentence."""
        if self.page.currentWidget() is not self.stage:
            return ()
        return prepare_run_answer(self._say, max(self.player.last, 1))

    def title(self, tick: int) -> tuple[str, str]:
        """Return which tick it is, and what each side does at it."""
        pair, parts = self.pair, []
        if pair is None:
            return "", ""
        for side in ("chain", "grid"):
            trace = pair.side(side)
            if tick > trace.last_tick:
                what = self._say("transport.done", tick=trace.last_tick)
            else:
                what = ", ".join(stage.title for stage in trace.stages_at[tick])
            parts.append(self._say(f"transport.{side}", what=what))
        head = self._say("transport.title", tick=tick, last=pair.last_tick)
        return head, " · ".join(parts)

    def device(self) -> tuple[str, str]:
        """Return what computed the run on the stage."""
        if self.pair is None:
            return "", ""
        facts = self.pair.grid.facts
        names = {"backend": facts.backend, "device": facts.device}
        words, title = self._say("window.badge", **names), self._say("window.badge_title", **names)
        if facts.precision != PRECISION:
            words = f"{words} · {facts.precision}"
        device = self.sentences.devices.device
        if device is not None and device.reason:
            title = f"{title} {device.reason}"
        return words, title

    def page_key(self) -> object:
        """Return what the inspector's page depends on, None without a run."""
        return self.selection.page_key()

    def write(self, page: Page) -> None:
        """Write what a tick does, where an element comes from, or how a counter is added up."""
        self.selection.write(page)

    def still(self) -> tuple[Scene, Pair] | None:
        """Return the scene on the stage and its run, None without one."""
        return None if self.pair is None else (self.selection.drawing, self.pair)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)
        self._scale = scale
        if "empty" in self.__dict__:
            self.empty.show_theme(theme, scale)

    def begin(self) -> None:
        """Ask for the run that is due, and measure on."""
        self.sentences.go_on()
        self.studies.rest(False)

    def end(self) -> None:
        """Stand still in the back."""
        self.player.seek(self.player.target)
        self.sentences.rest()
        self.studies.rest(True)

    def close(self) -> None:
        """End the workers."""
        self.sentences.close()
        self.studies.close()

    def remember(self) -> dict[str, Any]:
        """Return sentences, models, and where we are."""
        view, setting = self.canvas.view, self.sentences.setting
        return {
            "text": self.sentences.text[:LONGEST],
            "recent": [text for text in self.sentences.recent if len(text) <= LONGEST],
            "chain": setting.chain,
            "grid": setting.grid,
            "precision": setting.precision,
            "tick": self.player.tick,
            "layer": view.layer,
            "query": view.query,
            "influence": self.studies.influence,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        text, recent, tick = (kept.get(name) for name in ("text", "recent", "tick"))
        if isinstance(text, str) and text.strip():
            self.controls.field.setText(text[:LONGEST])
        if isinstance(recent, list):
            kept_texts = (text for text in recent if isinstance(text, str) and len(text) <= LONGEST)
            self.sentences.recent = list(kept_texts)[:RECENT]
        chain, grid = DEFAULT_PAIR
        with suppress(ValueError):
            self.sentences.setting = of_models(
                str(kept.get("chain", chain)), str(kept.get("grid", grid))
            )
        self.sentences.show_setting()
        self.sentences.restore_precision(kept.get("precision"))
        self.studies.keep_influence(kept.get("influence"))
        good = isinstance(tick, int | float) and 0 <= tick < MOST_TICKS
        layer, query = (kept.get(name) for name in ("layer", "query"))
        self._kept = (
            float(tick or 0) if good else 0.0,
            layer if isinstance(layer, int) else -1,
            query if isinstance(query, int) else -1,
        )

    # ------------------------------------------------------------------ runs

    def _await(self) -> None:
        """Hold still while a run is awaited: a tick shows only what has been computed."""
        self.player.hold(self.busy or self.pair is None)
        self.changed.emit()

    def _arrive(self) -> None:
        """Show another run, or that there is none."""
        forget()
        from engine.memory import give_back
        from widgets.scenes.recurrence_attention.foot import notes_of

        give_back()
        pair, result = self.pair, self.sentences.result
        if pair is None or result is None:
            # Nothing of the last one is left beside the offer of a sentence.
            self.selection.close()
            self.player.seek(self.player.tick)
            self.player.hold(True)
            self.page.setCurrentWidget(self.empty)
            self._show_anew()
            return
        self.player.hold(False)
        self.page.setCurrentWidget(self.stage)
        room = self.canvas.fitted()[0] - 56
        before = self.canvas.subject
        same = before is not None and (before.typed, before.grid.hidden) == (
            pair.typed, pair.grid.hidden
        )  # fmt: skip
        view = self.canvas.view
        if not same:  # another sentence asks with its own word
            view = view._replace(query=None, brush=None, pinned_word=None)
        classic = view.classic and len(result.sentence.typed) == len(DEFAULT_TEXT.split())
        self.canvas.show_view(view._replace(switches=self.sentences.switches(), classic=classic))
        self.choices.cover()
        if text_width(notes_of(pair, self.canvas.view), 14, 500) > room:
            self._notice.add(" · ".join(result.notes))  # the stage's one line does not hold them
        first = self.player.last == 0
        self.player.set_last(pair.last_tick)
        if first:
            self._go_where_we_were(pair)
        self.selection.keep(pair)
        self._show_anew()

    def _go_where_we_were(self, pair: Pair) -> None:
        """Show the tick, the block and the asking word of the last time."""
        tick, layer, query = self._kept
        self.canvas.show_with(
            layer=layer if 0 <= layer < pair.grid.facts.layers else None,
            query=query if 0 <= query < len(pair.tokens) else None,
        )
        self.player.seek(min(math.floor(tick), pair.last_tick))

    # ------------------------------------------------------------------ the stage

    def _show(self) -> None:
        """Show on the stage what is opened of the run, as far as it has come."""
        self.selection.show(self.pair, self.choices.told)
        self.studies.show(self.pair)

    def _show_anew(self) -> None:
        self._show()
        self.changed.emit()

    def activate(self, name: str) -> None:
        """Do what a click on an element of the stage means."""
        kind, _, rest = name.partition(":")
        if not name and self.selection.scene != CHAPTER:
            return
        if not name or name == "crumb:0":
            self.selection.leave()
        elif kind == "ask":
            self.canvas.show_with(query=int(rest))
            self._open_word(int(rest))
        elif kind == "hide":
            self.sentences.hide(int(rest))
        elif kind == "layer":
            self.choices.show_layer(int(rest))
        elif kind == "head":
            self.choices.show_head(int(rest))
        elif kind == "brush":
            self.choices.open_stretch(int(rest))
        elif kind == "reveal":
            self.choices.reveal()
        elif kind == "length":
            self.studies.show_length(int(rest))
        elif name in ("shorter", "longer"):
            self.keys[name]()
        elif kind == "toggle":
            self.keys[rest]()
        else:
            before = self.selection.scene
            self.selection.open(name)
            self._show()
            if self.selection.scene != before:
                self.stage.to_beginning()
        self._show_anew()

    def _open_word(self, index: int) -> None:
        """Open what the grid has computed for a word that asks, as far as it has come."""
        if self.pair is None:
            return
        state = self.choices.grid_state(self.pair)
        pattern = f"blocks.{state.block}.attn.pattern"
        known = self.pair.grid.ticks[f"blocks.{state.block}.softmax"] <= self.choices.told
        self.selection.open(f"grid:{pattern}[0,{index}]" if known else f"grid:embed.x[{index}]")

    def follow(self, name: str) -> None:
        """Open what the shown element reads; Backspace goes back."""
        found = self.pair.find(name) if self.pair is not None else None
        if found is None:
            return
        self.selection.follow(name)
        trace, step, _ = found
        tick, shown = trace.ticks[step.stage], self.player.shown
        if tick > self.choices.told:
            self.player.seek(max(tick, shown))
            self.choices.reveal()  # the page of a counter leads to what a later tick computes
        self._show_anew()

    def back(self) -> None:
        """Go back to the element that this one was opened from, or close it."""
        self.selection.back()
        self._show_anew()

    def leave(self) -> None:
        """Leave the comparison, what is opened, or the selection."""
        if self.selection.scene == "compare":
            self.selection.thaw()
            self._notice.pass_by()
        self.selection.leave()
        self._show_anew()

    # ------------------------------------------------------------------ keys

    def _where_seen(self, do: Callable[[], object]) -> None:
        """Do what the shown scene shows, or say that it would not."""
        if self.selection.scene == CHAPTER:
            do()
        else:
            self._notice.say(self._say("window.not_here"), passing=True)

    def _play(self) -> None:
        if self.pair is not None:
            self.choices.reveal()
            self.player.toggle()

    def _hide_word(self) -> None:
        """Hide the word that has the keyboard's ring, is under the pointer, or asks."""
        view = self.canvas.view
        for name in (self.canvas.ringed, view.hovered):
            if name.startswith(("ask:", "hide:")):
                self.sentences.hide(int(name.partition(":")[2]))
                return
        if view.query is not None:
            self.sentences.hide(view.query)

    def _freeze(self) -> None:
        """Freeze what is shown as A; whatever is changed then stands beside it as B. Again: end."""
        if self.selection.scene == "compare":
            self.selection.thaw()
            self._notice.pass_by()  # that it is frozen is said no more
        elif self.pair is not None:
            from widgets.scenes.compare import Side

            label = self._say("window.frozen")
            self.choices.reveal()  # a comparison can cover nothing
            self.selection.leave()
            self.selection.freeze(
                Side(self.pair, self.player.shown, label), self._say("window.now")
            )
            self._notice.say(self._say("window.freeze"), passing=True)
        self._show_anew()

    def _show_words(self) -> None:
        """Offer the known words for where the cursor is, or else for an unknown one; again: end."""
        field = self.controls.field
        if self.words.isVisible():
            field.setFocus()
        elif field.hasFocus():
            self.words.show_over(self.canvas.view.theme, self._scale)
        else:
            self._replace_unknown()

    def _replace_unknown(self) -> None:
        """Offer the known words for the first unknown one."""
        self.controls.field.select_unknown()
        self.words.show_over(self.canvas.view.theme, self._scale)

    def _next_influence(self) -> None:
        """Show what each word does: made unknown, then left out, then no more."""
        how = self.studies.next_influence() or "off"
        words = f"window.influence_{how.replace(' ', '_')}"
        self._notice.say(self._say(words), passing=True)

    def _toggle_classic(self) -> None:
        """Show the numbers of the textbook picture, or the computed ones."""
        view, result = self.canvas.view, self.sentences.result
        self.canvas.show_with(classic=not view.classic)
        if not view.classic and result is not None and len(result.sentence.typed) != 5:
            self.sentences.set_text(DEFAULT_TEXT)
            self._notice.say(self._say("window.classic_text"), until_next=True, passing=True)

    def _value_told(self, name: str) -> str:
        """Return what an element of the stage is worth, in words."""
        from widgets.accessible import value_of

        return value_of(self.pair, name, self._say) if self.pair is not None else ""
