"""The main window: places widgets and connects them; what they mean is elsewhere."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QByteArray, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import CHAPTER, SCALES, SPEEDS
from app import session as sessions
from app.actions import ACTIONS
from app.chapters import CHAPTERS, Chapter, Host, Where, make
from app.chrome import Bar, Rail
from app.live import Now
from app.panels import Panels
from app.player import Player
from app.presenting import Presenting
from app.saying import sentence_of
from engine.recorder import Recorder
from widgets import captions, theme
from widgets.canvas import Canvas
from widgets.controls import Notice, style_sheet
from widgets.live_strip import LiveStrip
from widgets.transport import Transport

if TYPE_CHECKING:
    from app.analytical import AnalyticalEmpirical
    from app.computing import ComputingUnits
    from app.experiments import Seek
    from app.export import Words
    from app.key_sheet import KeySheet
    from app.rnn_transformer import RnnTransformer
    from app.stills import Stills
    from engine.trace import Step
    from widgets.capsule import Strip
    from widgets.inspector import Inspector

IN_THE_BAR = ("sentence", "recent", "words")  # actions that need the bar, which Present hides
TURNING = {"next_element": 1, "step": 1, "previous_element": -1, "back": -1}  # the list of keys
PRESSING = ("play", "open")  # actions that press the button that has the focus instead
DARKER = {"light": "dark", "contrast": "contrast-dark"}
LIGHTER = {dark: light for light, dark in DARKER.items()}
STRONGER = {"light": "contrast", "dark": "contrast-dark"}
WEAKER = {strong: usual for usual, strong in STRONGER.items()}


class Window(QMainWindow):
    """Everything that a lecturer sees and drives: a chapter, and what is round it.

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
        self._last_shown = 0  # tick
        self._seek: Seek | None = None  # an experiment that is on its way to its tick
        self._chapters: dict[str, Chapter] = {}  # those that have been opened, by id
        self.recorder = Recorder()
        self._build()
        self.first = cast("RnnTransformer", self._made(CHAPTER))
        self.chapter: Chapter = self.first
        self._place(self.first)
        rows = (self.bar, self.transport, self.live)
        self.panels = Panels(self, self.session, self.side, self.rail, rows)
        self.presenting = Presenting(
            self, self.canvas, lambda: self.strip, self.notice, (self.rail, self.side, *rows)
        )
        self._connect()
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
        self.place = QStackedWidget()  # of the chapters' pages
        self.notice = Notice()
        self.transport = Transport(self._theme, say, SPEEDS)
        self.live = LiveStrip(self._theme, say)
        self.now = Now(self.recorder, self.live, self)
        self.side = QWidget()  # the place of the inspector
        self.rail = Rail(say, CHAPTERS)
        self.bar = Bar(say)
        self._middle = middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.place, 1)
        middle.addWidget(self.notice)
        body = QHBoxLayout()
        body.setSpacing(0)
        body.addLayout(middle, 1)
        body.addWidget(self.side)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.bar)
        right.addLayout(body, 1)
        right.addWidget(self.transport)
        right.addWidget(self.live)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(right, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        self.transport.pressed.connect(self.do)
        self.transport.sought.connect(lambda tick: self.player.seek(tick))
        self.transport.speed_chosen.connect(lambda speed: self.player.set_speed(speed))
        self.rail.chosen.connect(self.open_chapter)
        self.bar.theme_button.clicked.connect(self.toggle_theme)
        self.bar.present_button.clicked.connect(self.present)
        self.bar.export_asked.connect(
            lambda e, k, grey, text: self.export_stage(ending=e, scale=k, grey=grey, text=text)
        )
        self.bar.copy_asked.connect(self.copy_stage)
        self.bar.window_asked.connect(self.export_window)

    @cached_property
    def inspector(self) -> Inspector:
        """Return the inspector; it is made when there is something to write into it."""
        from widgets.inspector import Inspector

        made = Inspector(self._theme, self._say, self.session.scale)
        made.linked.connect(lambda name: self.chapter.follow(name))
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

    @cached_property
    def strip(self) -> Strip:
        """Return the foot of Present; it is made when that begins for the first time."""
        from widgets.capsule import Strip

        made = Strip(self._say)
        made.capsule.pressed.connect(self.do)
        self._middle.addWidget(made)
        return made

    @cached_property
    def sheet(self) -> KeySheet:
        """Return the list of keys; it is made when somebody asks for it."""
        from app.key_sheet import KeySheet

        return KeySheet(self, self._say)

    @property
    def shows_keys(self) -> bool:
        """Return whether the list of keys lies over the window."""
        return "sheet" in self.__dict__ and self.sheet.isVisible()

    @cached_property
    def stills(self) -> Stills:
        """Return what saves and copies; it is made when something is to be."""
        from app.stills import Stills

        made = Stills(self, self._say)
        made.said.connect(self.notice.say)
        made.failed.connect(lambda error: self.notice.say(sentence_of(error)))
        return made

    @property
    def _is_made(self) -> bool:
        return "inspector" in self.__dict__

    def _add_actions(self) -> None:
        from PySide6.QtGui import QAction, QKeySequence  # (here: the first frame answers no key)

        for action in ACTIONS:
            made = QAction(self._say(f"action.{action.id}"), self)
            made.setObjectName(action.id)
            made.setShortcuts([QKeySequence(key) for key in action.keys])
            made.triggered.connect(lambda _=False, id=action.id: self.do(id))
            self.addAction(made)

    # ------------------------------------------------------------------ chapters

    @property
    def player(self) -> Player:
        """Return the clock of the chapter that is open."""
        return self.chapter.player

    @property
    def canvas(self) -> Canvas:
        """Return the canvas of the chapter that is open."""
        return self.chapter.canvas

    def _made(self, id: str) -> Chapter:
        """Return a chapter; it is made when it is asked for the first time."""
        if id in self._chapters:
            return self._chapters[id]
        made = make(
            id,
            Host(
                self,
                self._say,
                self._theme,
                self._settings.parent,
                self.notice,
                self.recorder,
                self.open_experiment,
                self.open_chapter,
                self._train_behind,
            ),
        )
        self._chapters[id] = made
        self.place.addWidget(made.page)
        made.canvas.tick_told = lambda tick: ", ".join(
            part.replace(" · ", ", ") for part in made.title(tick) if part
        )
        made.restore(self.session.chapters.get(id, {}))
        made.player.set_reduced(self.session.still)
        if len(self._chapters) > 1:  # the first is shown with all that is round it
            made.show_theme(self._theme, self.session.scale)
        made.canvas.activated.connect(self.activate)
        made.player.moved.connect(self._show_tick)
        made.player.changed.connect(self._show_player)
        made.changed.connect(self._show_chapter)
        made.said.connect(self.notice.say)
        return made

    def open_chapter(self, id: str) -> None:
        """Show a chapter as it was left; it begins where it has not been before."""
        self.rail.mark(id)
        if id == self.chapter.id:
            self.canvas.setFocus()
            return
        try:
            opened = self._made(id)
        except Exception as error:
            self.rail.mark(self.chapter.id)
            self.notice.say(sentence_of(error))
            return
        before, self.chapter = self.chapter, opened
        before.end()
        self.notice.clear()
        if self._is_made:
            self.inspector.show_nothing()
        self._place(opened)
        self.presenting.show(opened.canvas)
        opened.player.set_speed(before.player.speed)
        opened.begin()
        self._show_player()
        self._show_chapter()
        opened.canvas.setFocus()

    def open_experiment(self, id: str, settings: Mapping[str, Any], tick: Where) -> None:
        """Show a chapter set up as somebody says, at a tick."""
        if self._seek is not None:
            self._seek.stop()
            self._seek = None
        from app.experiments import Seek, arrange

        made = self._chapters.get(id)
        if made is None:
            kept = self.session.chapters.get(id, {})
            self.session.chapters[id] = {**kept, **settings}
        self.open_chapter(id)
        if self.chapter.id != id:
            return  # it could not be made, and said why
        if made is not None:
            arrange(made, settings)
        self._seek = Seek(self.chapter, tick)
        self._seek.done.connect(self._sought)

    def _sought(self) -> None:
        self._seek = None

    def _train_behind(self, on: bool) -> None:
        """Let a training go on behind another chapter, or pause."""
        chapter = self._chapters.get("analytical-empirical")
        if chapter is not None:
            cast("AnalyticalEmpirical", chapter).train_behind(on)

    def _place(self, chapter: Chapter) -> None:
        """Put a chapter's page and controls into their places."""
        self.place.setCurrentWidget(chapter.page)
        self.bar.show_controls(chapter.controls)
        self.rail.mark(chapter.id)

    def begin(self) -> None:
        """Answer keys, and begin with the chapter that was open the last time."""
        self._add_actions()
        if self.session.chapter not in (CHAPTER, *CHAPTERS):
            self.session.chapter = CHAPTER
        self.open_chapter(self.session.chapter)
        if self.chapter is self.first:
            self.chapter.begin()
        self.now.begin()

    def do(self, id: str) -> None:
        """Do what an action does, wherever it was asked for."""
        if self.canvas.blank and id in ("step", "back", "play"):
            self.presenting.blank()  # a presenter's remote ends the black first
            return
        if self.shows_keys and id in TURNING:
            self.sheet.turn(TURNING[id])
            return
        action = next(action for action in ACTIONS if action.id == id)
        if action.group == "time" and not self.chapter.groups():
            return  # there is no clock
        if id in PRESSING and self._press_focused():
            return
        here = self.chapter.keys.get(id)
        if here is not None:
            while id in IN_THE_BAR and (self.shows_keys or self.presenting.on):
                self.leave()
            here()
        elif action.chapter:
            chapter = self._say(f"action.chapter_{CHAPTERS[action.chapter].number}")
            self.notice.say(self._say("window.elsewhere", chapter=chapter), passing=True)
        else:
            method, _, given = action.method.partition(":")
            attrgetter(method)(self)(*filter(None, [given]))

    def _press_focused(self) -> bool:
        """Press the button that has the focus; return whether there is one."""
        focus = QApplication.focusWidget()
        pressed = isinstance(focus, QAbstractButton) and focus.isVisible()
        if pressed and not self.presenting.on:
            cast(QAbstractButton, focus).click()
            return True
        return False

    # ------------------------------------------------------------------ what is shown

    def _show_chapter(self) -> None:
        """Show what the open chapter says of itself."""
        groups = self.chapter.groups()
        self.player.set_groups(group.first for group in groups)
        self.transport.show_groups(groups)
        self.transport.show_busy(self.chapter.busy)
        self.bar.show_device(*self.chapter.device())
        self._show_tick()

    def _show_tick(self) -> None:
        player, shown = self.player, self.player.shown
        self.canvas.show_tick(player.tick)
        if shown != self._last_shown:
            self._last_shown = shown
            self.notice.pass_by()
        head, note = self.chapter.title(shown)
        self.transport.show_tick(player.tick, head, note)
        if self.presenting.on:
            self.strip.capsule.show_clock(head)
        self._show_page()

    def _show_player(self) -> None:
        # The collector stops everything for up to 40 ms with thousands of shapes about, so it runs
        # when nothing plays; a start turns it on again behind the first frame.
        if self.player.playing:
            gc.disable()
        elif self.isVisible():
            gc.enable()
        self.transport.show_playing(self.player.playing, self.player.speed)
        if self.presenting.on:
            self.strip.capsule.show_playing(self.player.playing)
        self._show_tick()

    def _show_page(self) -> None:
        """Show the page of what is opened, beside the stage where there is room for it."""
        self._fold()
        key = self.chapter.page_key()
        if self.side.isHidden() or (key is None and not self._is_made):
            return  # written when it is shown
        if key is None:
            self.inspector.show_nothing()
        else:
            self.inspector.show_page(key, self.chapter.write)

    # ------------------------------------------------------------------ the stage

    def activate(self, name: str) -> None:
        """Do what a click on an element of the stage means."""
        self.panels.follow_opened()
        self.chapter.activate(name)
        self._show_page()
        QTimer.singleShot(0, self._keep_in_sight)  # the inspector may have taken its place

    def _keep_in_sight(self) -> None:
        """Scroll to what is selected."""
        if self.canvas.view.selected:
            self.canvas.bring_into_sight(self.canvas.view.selected)

    def close_element(self) -> None:
        """Go back to the element that this one was opened from, or close it."""
        self.chapter.back()
        self._show_page()

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
        self.canvas.bring_into_sight(self.canvas.ringed)

    def open_element(self) -> None:
        """Open the element with the ring, or what is open one level deeper."""
        if self._is_made and QApplication.focusWidget() is self.inspector.text:
            self.inspector.text.follow()
        elif self.canvas.ringed or not self.canvas.view.selected:
            self.canvas.open_ringed()
        else:
            self.activate(self.canvas.view.selected)

    def read_inspector(self) -> None:
        """Give the keys to the inspector: Tab walks its links, Enter opens one."""
        if not self.presenting.on:
            self.panels.want("inspector")
            self._show_page()
            self.inspector.text.setFocus()

    def toggle_still(self) -> None:
        """Reduce motion, or not."""
        self.session.still = not self.session.still
        for chapter in self._chapters.values():
            chapter.player.set_reduced(self.session.still)
        words = "window.still_on" if self.session.still else "window.still_off"
        self.notice.say(self._say(words), passing=True)

    # ------------------------------------------------------------------ themes and sizes

    @property
    def theme_name(self) -> str:
        """Return the name of the theme."""
        return self._theme.name

    def _show_theme(self) -> None:
        """Draw everything in the theme, and so many times larger."""
        shown, scale = self._theme, self.session.scale
        self.setStyleSheet(style_sheet(shown, scale))
        for chapter in self._chapters.values():
            chapter.show_theme(shown, scale)
        self.bar.show_theme(shown, scale, "moon" if shown.name in DARKER else "sun")
        for part in (self.rail, self.transport, self.live):
            part.show_theme(shown, scale)
        if self.presenting.on:
            self.strip.capsule.show_theme(shown, scale)
        self.panels.condense()
        if self._is_made:
            self.inspector.show_theme(shown, scale)
        self._show_player()

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
        if self.shows_keys:
            self.sheet.show_over(self, self.session.scale)
        self.notice.say(
            self._say("window.scale", percent=round(100 * self.session.scale)), passing=True
        )
        QTimer.singleShot(0, self._keep_in_sight)

    # ------------------------------------------------------------------ panels

    def toggle_inspector(self) -> None:
        """Fold the inspector away, or show it."""
        if not self.presenting.on:
            self.panels.toggle("inspector")
            self._show_page()

    def toggle_rail(self) -> None:
        """Fold the rail away, or show it."""
        if self.presenting.on:
            return
        if self.rail.isVisible() or self.panels.rail_fits:
            self.panels.toggle("rail")
            self._fold()
        else:
            self.notice.say(self._say("window.no_room"), passing=True)

    def _fold(self) -> None:
        """Fold inspector and rail away where the window is narrow and nobody asks for them."""
        self.panels.fold(opened=self.chapter.is_open, presenting=self.presenting.on)

    def present(self) -> None:
        """Show nothing but the stage on the whole screen; again, or Esc: leave."""
        if self.presenting.on:
            self.leave()
        else:
            self.presenting.begin()
            self.strip.capsule.show_theme(self._theme, self.session.scale)
            self._show_player()

    def leave(self) -> None:
        """Leave the list of keys, the full screen, the bar, or what is opened; in this order."""
        focus = QApplication.focusWidget()
        if self.shows_keys:
            self.sheet.hide()
            self.canvas.setFocus()
        elif self.presenting.on:
            self.presenting.end()
            for widget in (self.bar, self.transport, self.live):
                widget.show()
            self._show_page()
        elif focus is not None and self.chapter.controls.isAncestorOf(focus):
            self.canvas.setFocus()
        else:
            self.canvas.setFocus()  # the inspector gives the keys back
            self.chapter.leave()
            self._show_page()

    def help(self) -> None:
        """Show the keys, or hide them."""
        if self.shows_keys:
            self.leave()
        else:
            self.sheet.show_over(self, self.session.scale)

    # ------------------------------------------------------------------ out of the window

    def export_stage(
        self, *, ending: str = ".png", scale: int = 2, grey: bool = False, text: Words = "text",
        path: str = "",
    ) -> None:  # fmt: skip
        """Save the stage as it stands, laid out for 1600 × 900; grey for paper."""
        still = self.chapter.still()
        if still is None:
            self.notice.say(self._say("window.nothing_to_export"))
            return
        self.player.pause()
        self.stills.save_stage(
            *still,
            round(self.player.tick),
            self.canvas.view,
            name=self.chapter.id,
            ending=ending,
            scale=scale,
            grey=grey,
            text=text,
            path=path,
        )

    def export_window(self, *, path: str = "") -> bool:
        """Save the whole window as a PNG; return whether it was."""
        self.canvas.settle()
        return self.stills.save_window(self.grab().toImage(), path)

    def copy_stage(self) -> None:
        """Copy the stage as an image."""
        still = self.chapter.still()
        if still is None:
            self.notice.say(self._say("window.nothing_to_export"))
            return
        self.player.pause()
        self.stills.copy_stage(*still, round(self.player.tick), self.canvas.view)

    def save_tensor(self, step: Step, *, path: str = "") -> bool:
        """Save the numbers of a step as .npy; return whether they were."""
        return self.stills.save_tensor(step, path)

    # ------------------------------------------------------------------ coming and going

    def _restore(self) -> None:
        self.player.set_speed(self.session.speed)
        if self.session.geometry:
            self.restoreGeometry(
                QByteArray.fromBase64(self.session.geometry.encode("ascii", "ignore"))
            )
        self._show_chapter()

    def _remember(self) -> None:
        self.session.speed = self.player.speed
        self.session.theme = self._theme.name
        self.session.chapter = self.chapter.id
        for id, chapter in self._chapters.items():
            self.session.chapters[id] = chapter.remember()
        if not self.presenting.on:
            self.session.geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take sentences and files."""
        if event.mimeData().hasUrls() or event.mimeData().hasText():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Let chapter 1 read a sentence or a file, and chapter 2 the report of a card."""
        urls = event.mimeData().urls()
        report = urls[0].toLocalFile() if urls and urls[0].isLocalFile() else ""
        if report.lower().endswith(".json"):
            self.open_chapter("three-computing")
            if self.chapter.id == "three-computing":
                cast("ComputingUnits", self.chapter).open_recording(report)
        else:
            self.open_chapter(CHAPTER)
            self.first.sentences.drop(event.mimeData())
        event.acceptProposedAction()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold what does not fit, and show again what does."""
        super().resizeEvent(event)
        self.panels.condense()
        self._show_page()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Remember what is shown, and end what computes."""
        self.chapter.end()
        self.presenting.stop()
        self.now.close()
        self._remember()
        self.hide()  # what still computes is waited for without a window that does not answer
        problem = sessions.save(self.session, self._settings)
        if problem:
            print(problem, file=sys.stderr)
        for chapter in self._chapters.values():
            chapter.close()
        if "stills" in self.__dict__:
            self.stills.close()
        super().closeEvent(event)
