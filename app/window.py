"""The main window: places widgets and connects them; what they mean is elsewhere."""

from __future__ import annotations

import gc
import math
import sys
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import CELLS, CHAPTER, DEFAULT_TEXT, SCALES, SETS, SPEEDS
from app import session as sessions
from app.actions import ACTIONS
from app.background import Background, Outcome
from app.choices import Choices
from app.chrome import Bar, EmptyPage, KeySheet, Rail
from app.history import History
from app.player import Player
from app.presenting import Presenting
from app.selection import Selection
from app.setting import Setting, of_models
from app.stills import Stills
from app.studies import Studies
from engine.assets import ASSETS
from engine.said import Said
from widgets import captions, theme
from widgets.canvas import Canvas
from widgets.controls import Notice, Strip, style_sheet
from widgets.geometry import px, text_width
from widgets.remember import forget
from widgets.transport import Transport, prepare_run_answer
from widgets.view import Switch, View

if TYPE_CHECKING:
    from app.compute import PairResult
    from engine.trace import Pair
    from widgets.inspector import Inspector

TYPING_MS = 250  # after the last key, what was typed is computed
# px at 100 %.
INSPECTOR_PX = 320
# Of the window: below, each folds away. The stage needs 1018 to be seen without scrolling; the
# rail gives way first, because a click on a node is to show its numbers.
NARROW = {"inspector": 1018 + INSPECTOR_PX, "rail": 1118}
BESIDE_RAIL = 470  # of bar and foot, at the least
INSPECTOR_MOST = 0.6  # of the window's width, however large the text is
UNSEEN = ("influence", "predict", "pin", "arcs", "classic", "head")  # in a comparison
DARKER = {"light": "dark", "contrast": "contrast-dark"}
LIGHTER = {dark: light for light, dark in DARKER.items()}
STRONGER = {"light": "contrast", "dark": "contrast-dark"}
WEAKER = {strong: usual for usual, strong in STRONGER.items()}


class Window(QMainWindow):
    """Everything that a lecturer sees and drives.

    Parameters
    ----------
    settings
        Where the settings lie.
    """

    def __init__(self, settings: Path) -> None:
        super().__init__()
        self._settings = settings
        self.session, problem = sessions.load(settings)
        self._say = captions.load("en")
        self._theme = theme.load(self.session.theme)
        self._result: PairResult | None = None
        self._unfolded: set[str] = set()  # "inspector", "rail": asked for where there is no room
        self.setting = of_models(self.session.chain, self.session.grid)
        self._available: frozenset[str] = frozenset()
        self.player = Player(self)
        self.background = Background(self)
        self._last_shown = 0  # tick
        self._history: History[tuple[str, Setting]] = History()
        self._file = ""  # the saved trace that is being opened, or shown
        self._asked = ""  # the text that is being computed, or shown
        self.stills = Stills(self, self._say)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.compute)
        self._build()
        self.selection = Selection(self.canvas, lambda: self._open_inspector)
        self.studies = Studies(self.canvas, self)
        self.choices = Choices(
            self.canvas,
            self.player,
            self.notice,
            self._say,
            lambda: self.pair,
            lambda: self.selection.scene == CHAPTER,
            self,
        )
        panels = (self.rail, self.bar, self.side, self.transport)
        self.presenting = Presenting(self, self.canvas, self.strip, self.notice, panels)
        self._connect()
        self._add_actions()
        self._show_theme()
        if problem:
            self.notice.say(problem, until_next=True)  # the first result leaves it there
        self._restore()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        say = self._say
        self.setWindowTitle("Unrolled")
        self.setMinimumSize(960, 600)
        self.setAcceptDrops(True)
        self.resize(1600, 900)
        view = View(1188, 728, self._theme, say)
        self.canvas = Canvas(view)
        self.canvas.tick_told = lambda tick: ", ".join(self._tick_title(tick))
        self.canvas.value_told = self._value_told
        self.stage = QScrollArea()
        self.stage.setObjectName("stage")
        self.stage.setWidgetResizable(True)
        self.stage.setFrameShape(QFrame.Shape.NoFrame)
        self.stage.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.stage.setWidget(self.canvas)
        self.empty = EmptyPage(say, DEFAULT_TEXT)
        self.place = QStackedWidget()
        self.place.addWidget(self.stage)
        self.place.addWidget(self.empty)
        self.notice = Notice()
        self.transport = Transport(self._theme, say, SPEEDS)
        self.side = QWidget()  # the place of the inspector
        self.rail = Rail(say)
        self.bar = Bar(say)
        self.strip = Strip(say)
        self.capsule = self.strip.capsule
        self.sheet = KeySheet(self, say)
        self.sheet.hide()
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.place, 1)
        middle.addWidget(self.notice)
        middle.addWidget(self.strip)
        body = QHBoxLayout()
        body.setSpacing(0)
        body.addLayout(middle, 1)
        body.addWidget(self.side)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.bar)
        right.addLayout(body, 1)
        right.addWidget(self.transport)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(right, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        self.bar.field.setText(self.session.text if self.session.text.strip() else DEFAULT_TEXT)
        self.bar.field.textEdited.connect(self._typed)
        self.bar.field.returnPressed.connect(self._entered)
        self.bar.chain_choice.chosen.connect(lambda cell: self._choose(cell=cell))
        self.bar.set_choice.chosen.connect(lambda size: self._choose(size=size))
        self.background.done.connect(self._arrived)
        self.studies.grown.connect(self._show_selected)
        self.choices.changed.connect(self._show_selected)
        self.studies.failed.connect(lambda error: self.notice.say(sentence_of(error)))
        self.stills.said.connect(self.notice.say)
        self.stills.failed.connect(lambda error: self.notice.say(sentence_of(error)))
        self.player.moved.connect(self._show_tick)
        self.player.changed.connect(self._show_player)
        self.transport.pressed.connect(self.do)
        self.transport.sought.connect(self.player.seek)
        self.transport.speed_chosen.connect(self.player.set_speed)
        self.canvas.activated.connect(self.activate)
        self.canvas.dropped.connect(self.swap_words)
        self.canvas.failed.connect(lambda error: self.notice.say(sentence_of(error)))
        self.capsule.pressed.connect(self.do)
        self.rail.chapter.clicked.connect(self.chapter_1)
        self.empty.button.clicked.connect(lambda: self.set_text(DEFAULT_TEXT))
        self.bar.theme_button.clicked.connect(self.toggle_theme)
        self.bar.present_button.clicked.connect(self.present)
        self.bar.export_asked.connect(
            lambda e, k, grey: self.export_stage(ending=e, scale=k, grey=grey)
        )
        self.bar.copy_asked.connect(self.copy_stage)
        self.bar.window_asked.connect(self.export_window)

    @cached_property
    def inspector(self) -> Inspector:
        """Return the inspector; it is made when there is something to write into it."""
        from widgets.inspector import Inspector

        made = Inspector(self._theme, self._say, self.session.scale)
        made.linked.connect(self.open_name)
        made.save_asked.connect(self.save_tensor)
        made.copied.connect(
            lambda taken: self.notice.say(
                self._say("window.copied_text" if taken else "window.not_copied")
            )
        )
        row = QHBoxLayout(self.side)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(made)
        return made

    @property
    def _is_made(self) -> bool:
        return "inspector" in self.__dict__

    @property
    def _open_inspector(self) -> Inspector | None:
        """Return the inspector where it is to be seen and has had anything to say."""
        silent = self.pair is None and not self._is_made
        return None if self.side.isHidden() or silent else self.inspector

    def do(self, id: str) -> None:
        """Do what an action does, wherever it was asked for."""
        if self.canvas.blank and id in ("step", "back", "play"):
            self.presenting.blank()  # a presenter's remote ends the black first
            return
        action = next(action for action in ACTIONS if action.id == id)
        if self._result is None and action.group == "time":
            return  # there is no clock without a sentence
        if self.selection.scene != CHAPTER and id in UNSEEN:
            self.notice.say(self._say("window.not_here"), passing=True)
            return
        attrgetter(action.method)(self)()

    def _add_actions(self) -> None:
        for action in ACTIONS:
            made = QAction(self._say(f"action.{action.id}"), self)
            made.setObjectName(action.id)
            made.setShortcuts([QKeySequence(key) for key in action.keys])
            made.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            made.triggered.connect(lambda _=False, id=action.id: self.do(id))
            self.addAction(made)

    # ------------------------------------------------------------------ settings

    def _restore(self) -> None:
        self.player.set_reduced(self.session.still)
        self.player.set_speed(self.session.speed)
        if self.session.geometry:
            self.restoreGeometry(
                QByteArray.fromBase64(self.session.geometry.encode("ascii", "ignore"))
            )
        self._fold()
        self._show_player()
        self._show_setting()

    def _remember(self) -> None:
        self.session.text = self.bar.field.text()
        self.session.speed = self.player.speed
        self.session.still = self.player.reduced
        self.session.theme = self._theme.name
        view = self.canvas.view
        self.session.tick = self.player.tick
        self.session.layer = -1 if view.layer is None else view.layer
        self.session.query = -1 if view.query is None else view.query
        self.session.chain, self.session.grid = self.setting.chain, self.setting.grid
        if not self.presenting.on:
            self.session.geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")

    @property
    def pair(self) -> Pair | None:
        """Return the runs on the stage, None before the first have come."""
        return None if self._result is None else self._result.pair

    @property
    def theme_name(self) -> str:
        """Return "light" or "dark"."""
        return self._theme.name

    # ------------------------------------------------------------------ computing

    def _show_setting(self) -> None:
        """Show what is chosen, and grey what has no weights; the folder is looked at, not files."""
        folder = ASSETS / "models"
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        self._available = frozenset(
            name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors")
        )
        self.bar.chain_choice.choose(self.setting.cell)
        self.bar.set_choice.choose(self.setting.size)
        for cell in CELLS:
            self.bar.chain_choice.grey(cell, self._missing(cell=cell))
        for size in SETS:
            self.bar.set_choice.grey(size, self._missing(size=size))

    def _missing(self, **changed: Any) -> str:
        """Return why something cannot be chosen, "" when it can, or the nearest thing to it."""
        wanted = replace(self.setting, **changed)
        near = wanted.nearest(self._available)
        possible = near.possible(self._available) and all(
            getattr(near, name) == value for name, value in changed.items()
        )
        return "" if possible else self._say("window.no_weights")

    def _choose(self, **changed: Any) -> None:
        """Take other models, or run them another way."""
        self.setting = replace(self.setting, **changed).nearest(self._available)
        self._show_setting()
        self.compute()

    def undo(self) -> None:
        """Show the sentence and the models that were shown before."""
        lost = self._result is None or bool(self._file)  # then the state that was noted last
        state = self._history.now if lost else self._history.undo()
        self._restore_state(state, "window.nothing_to_undo")

    def redo(self) -> None:
        """Show the sentence and the models that were undone."""
        self._restore_state(self._history.redo(), "window.nothing_to_redo")

    def _restore_state(self, state: tuple[str, Setting] | None, otherwise: str) -> None:
        if state is None:
            self.notice.say(self._say(otherwise), passing=True)
            return
        text, self.setting = state
        self._show_setting()
        self.set_text(text)

    def show_recent(self) -> None:
        """Offer the sentences that were read before, under the field."""
        others = [text for text in self.session.recent if text != self.bar.field.text()]
        if not others:
            self.notice.say(self._say("window.no_recent"), passing=True)
            return
        menu = QMenu(self)
        for text in others:
            shown = text if len(text) <= 80 else f"{text[:79]}…"
            entry = menu.addAction(shown.replace("&", "&&"))
            entry.triggered.connect(lambda _=False, text=text: self.set_text(text))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        field = self.bar.field
        menu.popup(field.mapToGlobal(field.rect().bottomLeft()))
        menu.setActiveAction(menu.actions()[0])

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take sentences and files."""
        if event.mimeData().hasUrls() or event.mimeData().hasText():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Read a sentence or a text file, or open a saved trace."""
        files = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if files:
            self.open_file(files[0])
        elif event.mimeData().hasText():
            self.set_text(event.mimeData().text())
        event.acceptProposedAction()

    def open_file(self, path: str) -> None:
        """Open a saved trace beside the other side's model, or read a text file."""
        if path.lower().endswith(".npz"):
            self._typing.stop()
            self._file, self._asked = path, ""
            self.background.ask(_open, path, self.setting)
            self.player.hold(True)
            self.transport.show_busy(True)
        elif path.lower().endswith(".txt"):
            try:
                with Path(path).open(encoding="utf-8", errors="replace") as file:
                    from engine.tokens import MOST_CHARACTERS

                    self.set_text(file.read(MOST_CHARACTERS))
            except OSError as error:
                self.notice.say(
                    self._say("window.unread", name=Path(path).name, why=error.strerror)
                )
        else:
            self.notice.say(self._say("window.drop", name=Path(path).name))

    def _typed(self, text: str) -> None:
        self._typing.start()

    def _entered(self) -> None:
        """Compute what was typed, and let the keys belong to the stage again."""
        self.compute()
        self.canvas.setFocus()

    def set_text(self, text: str) -> None:
        """Put a sentence into the field and compute it."""
        self.bar.field.setText(text)
        self.compute()

    def compute(self) -> None:
        """Ask for a new run of what is typed; the last good picture stays until it comes."""
        self._typing.stop()
        text = self.bar.field.text()
        if not text.strip():
            self._show_nothing()
            return
        self._file, self._asked = "", text.strip()
        self.background.ask(_compute, text, self.setting)
        self.player.hold(True)  # a tick shows only what has been computed
        self.transport.show_busy(True)

    def _show_nothing(self) -> None:
        """Offer a sentence where there is none; nothing of the last one is left beside it."""
        self.background.ask(_nothing)
        self._result = None
        self.selection.close()
        self.player.seek(self.player.tick)
        self.player.hold(True)
        self.place.setCurrentWidget(self.empty)
        self.bar.field.mark((), ())
        self.notice.clear()
        self.transport.show_groups(())
        self._show_tick(self.player.tick)

    def _arrived(self, outcome: Outcome) -> None:
        self.transport.show_busy(False)
        if outcome.error is not None:
            self._refused(outcome.error)
            return
        if outcome.value is None:
            return
        self.player.hold(False)
        first = self.player.last == 0
        before, self._result = self.pair, outcome.value
        forget()
        from engine.memory import give_back

        give_back()
        pair = self._result.pair
        self.notice.clear()
        self.place.setCurrentWidget(self.stage)
        words = self._result.sentence.typed
        if self._file:
            self._typing.stop()
            self.setting = self._setting_shown() or self.setting
            self._show_setting()
            self.bar.field.setText(" ".join(self._result.sentence.tokens))
            self.notice.say(self._say("window.opened", name=Path(self._file).name))
        else:
            self._remember_sentence()
        self.bar.field.mark(words, pair.unknown)
        self.bar.show_device(pair.grid.facts.backend, pair.grid.facts.device)
        room = self.canvas.fitted()[0] - 56
        if text_width(" · ".join(self._result.notes), 14, 500) > room:
            self.notice.add(" ".join(self._result.notes))  # the stage's one line does not hold them
        same = before is not None and (before.typed, before.grid.hidden) == (
            pair.typed, pair.grid.hidden
        )  # fmt: skip
        query = self.canvas.view.query if same else None  # another sentence asks with its own word
        brush = self.canvas.view.brush if same else None
        pinned = self.canvas.view.pinned_word if same else None
        classic = self.canvas.view.classic and len(words) == len(DEFAULT_TEXT.split())
        view = replace(
            self.canvas.view,
            query=query,
            brush=brush,
            pinned_word=pinned,
            switches=self._switches(),
            classic=classic,
        )
        self.canvas.show_view(view)
        self.player.set_last(pair.last_tick)
        self.transport.show_groups(prepare_run_answer(self._say, max(pair.last_tick, 1)))
        if first:
            self._go_where_we_were(pair)
        self.selection.keep(pair)
        self._show_tick(self.player.tick)

    def _go_where_we_were(self, pair: Pair) -> None:
        """Show the tick, the block and the asking word of the last time."""
        layer, query = self.session.layer, self.session.query
        self.canvas.show_view(
            replace(
                self.canvas.view,
                layer=layer if 0 <= layer < pair.grid.facts.layers else None,
                query=query if 0 <= query < len(pair.tokens) else None,
            )
        )
        self.player.seek(min(math.floor(self.session.tick), pair.last_tick))

    def _remember_sentence(self) -> None:
        """Note what is shown for undo, and among the recent sentences."""
        text = self._asked
        self._history.show((text, self.setting))
        others = [other for other in self.session.recent if other != text]
        self.session.recent = [text, *others][: sessions.RECENT]

    def _refused(self, error: Exception) -> None:
        """Say what could not be computed, and let the choice of models tell what is shown."""
        from engine.weights import WeightsError

        sentence = sentence_of(error)
        shown = self._setting_shown() or Setting()
        self.player.hold(self._result is None)
        if not isinstance(error, WeightsError) or shown == self.setting:
            self.notice.say(sentence)
            return
        self.setting = shown
        self._show_setting()
        instead = self._say("window.instead", model=self._say(f"window.chain.{shown.cell}"))
        self.notice.say(f"{sentence} {instead}", until_next=self.pair is None)
        if self.pair is None:
            self.compute()

    def _setting_shown(self) -> Setting | None:
        """Return the setting of the run on the stage, None before the first has come."""
        if self._result is None:
            return None
        pair, result = self._result.pair, self._result
        try:
            models = of_models(pair.chain.facts.model, pair.grid.facts.model)
        except ValueError:  # a saved run of a model that is none of the shipped ones
            models = self.setting
        return replace(models, positions=result.positions, trained=result.trained)

    def _switches(self) -> tuple[Switch, ...]:
        """Return the switches of the run on the stage."""
        shown = self._setting_shown()
        assert shown is not None
        return tuple(
            Switch(name, getattr(shown, name), self._missing(**{name: not getattr(shown, name)}))
            for name in ("attention", "both", "causal", "positions", "trained")
        )

    # ------------------------------------------------------------------ the clock

    def _show_tick(self, tick: float) -> None:
        self.canvas.show_tick(tick)
        shown = self.player.shown
        if shown != self._last_shown:
            self._last_shown = shown
            self.notice.pass_by()
        self.transport.show_tick(tick, *self._tick_title(shown))
        self.capsule.show_tick(shown, self.player.last)
        self._show_selected()

    def _tick_title(self, tick: int) -> tuple[str, str]:
        """Return which tick it is, and what works at it."""
        if self._result is None:
            return "", ""
        pair = self._result.pair
        parts = []
        for side in ("chain", "grid"):
            trace = pair.side(side)
            if tick > trace.last_tick:
                what = self._say("transport.done", tick=trace.last_tick)
            else:
                what = trace.stage_at[tick].title
            parts.append(self._say(f"transport.{side}", what=what))
        head = self._say("transport.title", tick=tick, last=pair.last_tick)
        return head, " · ".join(parts)

    def _value_told(self, name: str) -> str:
        """Return what an element of the stage is worth, in words."""
        from widgets.accessible import value_of

        return value_of(self.pair, name, self._say) if self.pair is not None else ""

    def _show_player(self) -> None:
        # The collector stops everything for up to 40 ms with thousands of shapes about, so it runs
        # when nothing plays; a start turns it on again behind the first frame.
        if self.player.playing:
            gc.disable()
        elif self.isVisible():
            gc.enable()
        self.transport.show_playing(self.player.playing, self.player.speed)
        self.capsule.show_playing(self.player.playing)
        self._show_tick(self.player.tick)

    def toggle_play(self) -> None:
        """Play or pause; press the button instead when a button has the focus."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton) and focus.isVisible() and not self.presenting.on:
            focus.click()
        elif self._result is not None:
            self.choices.reveal()
            self.player.toggle()

    def toggle_still(self) -> None:
        """Reduce motion, or not."""
        self.player.set_reduced(not self.player.reduced)
        self.notice.say(
            self._say("window.still_on" if self.player.reduced else "window.still_off"),
            passing=True,
        )

    # ------------------------------------------------------------------ the stage

    def activate(self, name: str) -> None:
        """Do what a click on an element of the stage means."""
        kind, _, rest = name.partition(":")
        if not name and self.selection.scene != CHAPTER:
            return
        if not name or name == "crumb:0":
            self.selection.leave()
            self._show_selected()
        elif kind == "ask":
            self.canvas.show_view(replace(self.canvas.view, query=int(rest)))
            self._open_word(int(rest))
        elif kind == "hide":
            self._hide_index(int(rest))
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
        elif kind in ("shorter", "longer"):
            self.do(kind)
        elif kind == "toggle":
            self.do(rest)
        else:
            before = self.selection.scene
            self.selection.open(name)
            self._show_selected()
            if self.selection.scene != before:  # another picture is read from its beginning
                for bar in (self.stage.horizontalScrollBar(), self.stage.verticalScrollBar()):
                    bar.setValue(0)
            QTimer.singleShot(0, self._keep_in_sight)  # the inspector may have taken its place

    def _keep_in_sight(self) -> None:
        """Scroll to what is selected."""
        name = self.canvas.view.selected
        point = self.canvas.place_of(name) or self.canvas.place_of(name.partition("[")[0])
        if point is not None:
            self.stage.ensureVisible(point.x(), point.y(), 80, 80)

    def _open_word(self, index: int) -> None:
        """Open what the grid has computed for a word that asks, as far as it has come."""
        if self.pair is None:
            return
        state = self.choices.grid_state(self.pair)
        pattern = f"blocks.{state.block}.attn.pattern"
        known = self.pair.grid.ticks[f"blocks.{state.block}.softmax"] <= self.player.shown
        self.selection.open(f"grid:{pattern}[0,{index}]" if known else f"grid:embed.x[{index}]")
        self._show_selected()

    def open_name(self, name: str) -> None:
        """Open what the shown element reads; Backspace goes back."""
        found = self.pair.find(name) if self.pair is not None else None
        if found is None:
            return
        self.selection.follow(name)
        trace, step, _ = found
        tick, shown = trace.ticks[step.stage], self.player.shown
        if tick > self.choices.told:
            self.choices.reveal()  # the page of a counter leads to what a later tick computes
            self.player.seek(max(tick, shown))
        self._show_selected()

    def close_element(self) -> None:
        """Go back to the element that this one was opened from, or close it."""
        self.selection.back()
        self._show_selected()

    def _show_selected(self) -> None:
        """Show what is opened, beside the stage where there is room for it."""
        self._fold()
        self.selection.show(self.pair, self.choices.told)
        self.studies.show(self.pair)

    def freeze(self) -> None:
        """Freeze what is shown as A; whatever is changed then stands beside it as B. Again: end."""
        if self.selection.scene == "compare":
            self.selection.thaw()
        elif self.pair is not None:
            from widgets.scenes.compare import Side

            label = self._say("window.frozen")
            self.selection.leave()
            self.selection.freeze(
                Side(self.pair, self.player.shown, label), self._say("window.now")
            )
            self.notice.say(self._say("window.freeze"), passing=True)
        self._show_selected()

    def _words(self) -> list[str]:
        if self._result is None:
            return []
        sentence = self._result.sentence
        return ["___" if i == sentence.hidden else word for i, word in enumerate(sentence.typed)]

    def _hide_index(self, index: int) -> None:
        """Hide another word: the one that was hidden is typed again where it is known."""
        if self._result is None:
            return
        words = list(self._result.sentence.typed)
        hidden = self._result.sentence.hidden
        known = words[hidden] != "___"
        if index == hidden or not 0 <= index < len(words):
            return
        said = ""
        if not known:
            # Nobody typed the word: the likeliest one stands in, and is said.
            words[hidden] = self._result.pair.grid.answer(1)[0][0]
            said = self._say("window.put_in", word=words[hidden])
        words[index] = "___"
        self.set_text(" ".join(words))
        self.notice.say(said, until_next=True)

    def hide_word(self) -> None:
        """Hide the word that has the keyboard's ring, is under the pointer, or asks."""
        for name in (self.canvas.ringed, self.canvas.view.hovered):
            if name.startswith(("ask:", "hide:")):
                self._hide_index(int(name.partition(":")[2]))
                return
        if self.canvas.view.query is not None:
            self._hide_index(self.canvas.view.query)

    def swap_words(self, a: int, b: int) -> None:
        """Let two words change places."""
        words = self._words()
        if max(a, b) < len(words):
            words[a], words[b] = words[b], words[a]
            self.set_text(" ".join(words))
            self.notice.say(self._say("window.swapped"), until_next=True)

    def toggle_attention(self) -> None:
        """Take the chain that was trained without, or with, attention over its states."""
        self._toggle("attention")

    def toggle_both(self) -> None:
        """Take the chain that was trained to read from both sides, or from the left alone."""
        self._toggle("both")

    def toggle_causal(self) -> None:
        """Take the grid that was trained with, or without, the causal mask."""
        self._toggle("causal")

    def toggle_positions(self) -> None:
        """Run the grid without its position encoding, or with it; the weights stay."""
        self._toggle("positions")

    def toggle_trained(self) -> None:
        """Run both models with weights drawn at random, or with the trained ones."""
        self._toggle("trained")

    def _toggle(self, name: str) -> None:
        changed = {name: not getattr(self.setting, name)}
        if self._missing(**changed):
            self.notice.say(self._say("window.no_switch", switch=self._say(f"action.{name}")))
        else:
            self._choose(**changed)

    def toggle_classic(self) -> None:
        """Show the numbers of the textbook picture, or the computed ones."""
        view = self.canvas.view
        classic = not view.classic
        self.canvas.show_view(replace(view, classic=classic))
        if classic and self._result is not None and len(self._result.sentence.typed) != 5:
            self.set_text(DEFAULT_TEXT)
            self.notice.say(self._say("window.classic_text"), until_next=True)

    def next_element(self) -> None:
        """Move the keyboard's ring on."""
        self._walk(1)

    def previous_element(self) -> None:
        """Move the keyboard's ring back."""
        self._walk(-1)

    def _walk(self, by: int) -> None:
        if self._is_made and self.inspector.text.hasFocus() and self.inspector.text.walk(by):
            return
        if not self.canvas.hasFocus():
            self.focusNextPrevChild(by > 0)
            return
        self.canvas.walk(by)
        point = self.canvas.place_of(self.canvas.ringed)
        if point is not None:
            self.stage.ensureVisible(point.x(), point.y(), 80, 80)

    def open_element(self) -> None:
        """Open the element with the ring, or what is open one level deeper; press a button."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton):
            focus.click()
        elif self._is_made and focus is self.inspector.text:
            self.inspector.text.follow()
        elif self.canvas.ringed or not self.canvas.view.selected:
            self.canvas.open_ringed()
        else:
            self.activate(self.canvas.view.selected)

    def read_inspector(self) -> None:
        """Give the keys to the inspector: Tab walks its links, Enter opens one."""
        if not self.presenting.on:
            self.session.inspector = True
            self._unfolded.add("inspector")
            self._show_selected()
            self.inspector.text.setFocus()

    def chapter_1(self) -> None:
        """Show the chapter; there is one."""
        self.rail.chapter.setChecked(True)
        self.canvas.setFocus()

    # ------------------------------------------------------------------ the window

    def edit_sentence(self) -> None:
        """Put the cursor into the sentence."""
        while self.sheet.isVisible() or self.presenting.on:
            self.leave()
        self.bar.field.setFocus()
        self.bar.field.selectAll()

    def _show_theme(self) -> None:
        """Draw everything in the theme, and so many times larger."""
        shown, scale = self._theme, self.session.scale
        self.setStyleSheet(style_sheet(shown, scale))
        self.canvas.show_view(replace(self.canvas.view, theme=shown))
        self.canvas.enlarge(scale)
        self.bar.show_theme(shown, scale, "moon" if shown.name in DARKER else "sun")
        for part in (self.rail, self.transport, self.capsule, self.empty):
            part.show_theme(shown, scale)
        if self._is_made:
            self.inspector.show_theme(shown, scale)
        self._show_player()
        self._show_selected()

    def set_theme(self, name: str) -> None:
        """Show everything in a theme."""
        self._theme = theme.load(name)
        self._show_theme()

    def toggle_theme(self) -> None:
        """Change between light and dark; high contrast stays high contrast."""
        self.set_theme(DARKER.get(self._theme.name) or LIGHTER[self._theme.name])

    def toggle_contrast(self) -> None:
        """Change between high contrast and the usual one; light stays light, dark stays dark."""
        self.set_theme(STRONGER.get(self._theme.name) or WEAKER[self._theme.name])

    def larger(self) -> None:
        """Show all text one step larger."""
        self._enlarge(1)

    def smaller(self) -> None:
        """Show all text one step smaller."""
        self._enlarge(-1)

    def usual_size(self) -> None:
        """Show all text as large as usual."""
        self._enlarge(-len(SCALES))

    def _enlarge(self, steps: int) -> None:
        place = SCALES.index(self.session.scale) + steps
        self.session.scale = SCALES[min(max(place, 0), len(SCALES) - 1)]
        self._show_theme()
        if self.sheet.isVisible():
            self.sheet.show_over(self, self.session.scale)
        self.notice.say(
            self._say("window.scale", percent=round(100 * self.session.scale)), passing=True
        )
        QTimer.singleShot(0, self._keep_in_sight)

    def toggle_inspector(self) -> None:
        """Fold the inspector away, or show it."""
        if self.side.isVisible() and not self._has_room("inspector"):
            self.selection.close()  # which would bring it back
        self._toggle_panel("inspector", self.side)
        self._show_selected()

    def toggle_rail(self) -> None:
        """Fold the rail away, or show it."""
        if self.rail.isVisible() or self._rail_fits:
            self._toggle_panel("rail", self.rail)
        elif not self.presenting.on:
            self.notice.say(self._say("window.no_room"), passing=True)

    def _toggle_panel(self, name: str, panel: QWidget) -> None:
        """Show a panel, or not. Where it has no room, that lasts only until it is folded again."""
        if self.presenting.on:
            return
        if not panel.isVisible():
            setattr(self.session, name, True)
            self._unfolded.add(name)
        else:
            if self._has_room(name):
                setattr(self.session, name, False)
            self._unfolded.discard(name)
        self._fold()

    def _has_room(self, name: str) -> bool:
        beside = INSPECTOR_PX if name == "rail" and not self.side.isHidden() else 0
        return self.width() >= px(NARROW[name] + beside, self.session.scale)

    def _fold(self) -> None:
        """Fold inspector and rail away where the window is narrow and nobody asks for them."""
        asked = "inspector" in self._unfolded or self.selection.is_open
        wide = min(px(INSPECTOR_PX, self.session.scale), round(INSPECTOR_MOST * self.width()))
        self.side.setFixedWidth(wide)
        inspector = self.session.inspector and (asked or self._has_room("inspector"))
        self.side.setVisible(inspector and not self.presenting.on)
        rail = self.session.rail and ("rail" in self._unfolded or self._has_room("rail"))
        self.rail.setVisible(rail and self._rail_fits and not self.presenting.on)

    @property
    def _rail_fits(self) -> bool:
        """Return whether bar and foot have room beside the rail, however much it is wanted."""
        return self.width() >= self.rail.maximumWidth() + px(BESIDE_RAIL, self.session.scale)

    def present(self) -> None:
        """Show nothing but the stage on the whole screen; again, or Esc: leave."""
        if self.presenting.on:
            self.leave()
        else:
            self.presenting.begin()

    def leave(self) -> None:
        """Leave the list of keys, the full screen, the field, or the selection; in this order."""
        if self.sheet.isVisible():
            self.sheet.hide()
            self.canvas.setFocus()
        elif self.presenting.on:
            self.presenting.end()
            for widget in (self.bar, self.transport):
                widget.show()
            self._show_selected()
        elif self.bar.field.hasFocus():
            self.canvas.setFocus()
        else:
            if self.selection.scene == "compare":
                self.selection.thaw()
            self.selection.leave()
            self._show_selected()

    def help(self) -> None:
        """Show the keys, or hide them."""
        if self.sheet.isVisible():
            self.leave()
        else:
            self.sheet.show_over(self, self.session.scale)

    # ------------------------------------------------------------------ out of the window

    def export_stage(
        self, *, ending: str = ".png", scale: int = 2, grey: bool = False, path: str = ""
    ) -> None:
        """Save the stage as it stands, laid out for 1600 × 900; grey for paper."""
        if self._result is None:
            self.notice.say(self._say("window.nothing_to_export"))
            return
        self.player.pause()
        self.stills.save_stage(
            self._result.pair,
            round(self.player.tick),
            self.canvas.view,
            scene=self.selection.drawing,
            name=self.selection.scene,
            ending=ending,
            scale=scale,
            grey=grey,
            path=path,
        )

    def export_window(self, *, path: str = "") -> bool:
        """Save the whole window as a PNG; return whether it was."""
        self.canvas.settle()
        return self.stills.save_window(self.grab().toImage(), path)

    def copy_stage(self) -> None:
        """Copy the stage as an image."""
        if self._result is None:
            self.notice.say(self._say("window.nothing_to_export"))
            return
        self.player.pause()
        self.stills.copy_stage(
            self._result.pair,
            round(self.player.tick),
            self.canvas.view,
            scene=self.selection.drawing,
        )

    def save_tensor(self, name: str, *, path: str = "") -> bool:
        """Save the tensor of an element as .npy; return whether it was."""
        found = self.pair.find(name) if self.pair is not None else None
        return found is not None and self.stills.save_tensor(found[1], path)

    # ------------------------------------------------------------------ coming and going

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold what does not fit, and show again what does."""
        super().resizeEvent(event)
        self._show_selected()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Remember what is shown, and end the worker."""
        self.player.seek(self.player.tick)
        self._typing.stop()
        self.presenting.stop()
        self._remember()
        self.hide()  # what still computes is waited for without a window that does not answer
        problem = sessions.save(self.session, self._settings)
        if problem:
            print(problem, file=sys.stderr)
        self.background.close()
        self.studies.close()
        self.stills.close()
        super().closeEvent(event)


def sentence_of(error: Exception) -> str:
    """Return what to say about an error, in a sentence and without a traceback."""
    if isinstance(error, MemoryError):
        return captions.load("en")("window.memory")
    if isinstance(error, Said):
        return " ".join(str(error).split())
    what = " ".join(f"{type(error).__name__}: {error}".split())[:160]
    return captions.load("en")("window.error", what=what)


def _nothing() -> None:
    """Compute nothing: an empty sentence is the newest request, so that older ones are dropped."""


def _open(path: str, setting: Setting) -> Any:
    import widgets.scenes  # noqa: F401  (imported here, so that the window does not wait for it)
    from app.compute import open_trace

    return open_trace(path, setting.chain, setting.grid)


def _compute(text: str, setting: Setting) -> Any:
    import widgets.scenes  # noqa: F401  (imported here, so that the window does not wait for it)
    from app.compute import make_pair

    return make_pair(
        text, setting.chain, setting.grid, positions=setting.positions, trained=setting.trained
    )
