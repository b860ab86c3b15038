"""The inspector's pages of the long-range laboratory: what a number is, and how it is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.laboratory import BREAKS_AT, WRITERS, Curve
from widgets import numbers
from widgets.numbers import NBSP
from widgets.scenes.long_range import source_of
from widgets.scenes.long_range.bottleneck import breaks_words, percent
from widgets.scenes.long_range.influence import POINTS, SIDES, path_words
from widgets.scenes.long_range.position import amount, panels, same, verdict
from widgets.scenes.long_range.scale import KINDS, basis_words, rows_of
from widgets.scenes.long_range.subject import Laboratory
from widgets.scenes.long_range.writing import sums
from widgets.writer import Writer

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.inspector import Page

_CELL = re.compile(r"(divided|plain)\[(\d{1,3}),(\d{1,3})\]")


def is_element(subject: Laboratory, name: str) -> bool:
    """Return whether a name is an element of the shown experiment that has a page."""
    if not subject.known:
        return False
    kind, _, rest = name.partition(":")
    parts = rest.split(":")
    shown = subject.experiment
    if shown == "bottleneck" and subject.bottleneck is not None:
        known = {curve.model: dict(curve.measured) for curve in subject.bottleneck.curves}
        if kind == "curve":
            return rest in known
        return kind == "point" and len(parts) == 2 and parts[0] in known and (
            parts[1] in map(str, known[parts[0]])
        )  # fmt: skip
    if shown == "influence" and subject.reach is not None:
        if kind == "fade":
            return len(parts) == 2 and parts[0] in ("tanh", "linear") and (
                parts[1] in map(str, POINTS)
            )  # fmt: skip
        words = subject.reach[0].words
        return kind == "reach" and len(parts) == 2 and parts[0] in SIDES and (
            _below(parts[1], len(words))
        )  # fmt: skip
    if shown == "scale" and subject.scale is not None:
        cell = _CELL.fullmatch(rest) if kind == "cell" else None
        if cell is not None:
            return max(int(cell[2]), int(cell[3])) < len(subject.scale.words)
        return name in {
            f"width:{width.basis}:{kind}:{width.d_head}"
            for width in subject.scale.widths for kind in KINDS
        } or name in {f"cell:{kind}" for kind in KINDS}  # fmt: skip
    if shown == "position":
        if kind == "panel":
            return rest in panels(subject)
        return kind == "word" and len(parts) == 2 and parts[0] in panels(subject) and (
            _below(parts[1], len(subject.shuffled[0].order))
        )  # fmt: skip
    if shown == "writing" and subject.writing is not None:
        if kind == "way":
            return rest in WRITERS
        return kind == "turn" and len(parts) == 2 and parts[0] in WRITERS and (
            _below(parts[1], subject.last_tick)
        )  # fmt: skip
    return False


def _below(text: str, count: int) -> bool:
    return text.isdecimal() and len(text) < 5 and int(text) < count


def write(page: Page, subject: Laboratory, name: str, tick: int, say: Captions) -> None:
    """Write the page of an element, or without one that of the experiment at a tick."""
    if not subject.known:
        return
    writer = _Writer(page, subject, tick, say)
    if not name or not is_element(subject, name):
        getattr(writer, subject.experiment)()
    else:
        kind, _, rest = name.partition(":")
        getattr(writer, f"of_{kind}")(rest)
    page.rule()
    writer.basis(source_of(subject, say))


class _Writer(Writer):
    """Writes on a page in words."""

    def __init__(self, page: Page, subject: Laboratory, tick: int, say: Captions) -> None:
        super().__init__(page, say)
        self._subject, self._tick = subject, tick

    # ------------------------------------------------------------------ small parts

    def _title(self, title: str) -> None:
        self._head(self._say(f"lab.choice.{self._subject.experiment}"), title)

    def _words(self, words: str, above: int = 5) -> None:
        self._page.line([(words, self._page.formats.body)], above=above)

    def basis(self, words: str) -> None:
        """Write how the numbers of a page are known."""
        f = self._page.formats
        self._page.line([(self._say("lab.page.basis"), f.strong)])
        self._page.line([(words, f.small)], above=2)

    # ------------------------------------------------------------------ bottleneck

    def bottleneck(self) -> None:
        """Write the share of every model at the length of now."""
        found, say = self._subject.bottleneck, self._say
        assert found is not None
        n = self._subject.length(self._tick)
        self._title(say("lab.page.at_digits", n=n))
        for curve in found.curves:
            share = dict(curve.measured).get(n)
            told = "—" if share is None else percent(share)
            name = "" if share is None else f"point:{curve.model}:{n}"
            self._row(curve.title, told, strong=True, name=name)
        self._words(say("lab.page.bottleneck", sentences=found.sentences))
        self._section(say("lab.page.where"))
        for curve in found.curves:
            self._row(curve.title, breaks_words(curve, found, say), name=f"curve:{curve.model}")
        self._words(say("lab.page.breaks", share=f"{100 * BREAKS_AT:.0f}"))

    def _curve(self, id: str) -> Curve:
        assert self._subject.bottleneck is not None
        return next(curve for curve in self._subject.bottleneck.curves if curve.model == id)

    def of_curve(self, id: str) -> None:
        """Write all of a model's shares."""
        found, say, curve = self._subject.bottleneck, self._say, self._curve(id)
        assert found is not None
        self._title(curve.title)
        self._row(say("lab.page.parameters"), numbers.exact(curve.parameters))
        self._row(say("lab.page.memory"), curve.memory)
        self._row(breaks_words(curve, found, say), "")
        for other in curve.others_break:
            self._row(say("lab.page.seed_breaks"), "—" if other is None else str(other))
        self._section(say("lab.whole_right"))
        for n, share in curve.measured:
            self._row(say("lab.page.digits", n=n), percent(share), name=f"point:{id}:{n}")

    def of_point(self, rest: str) -> None:
        """Write one share, its range, and what other seeds reached."""
        found, say = self._subject.bottleneck, self._say
        assert found is not None
        id, _, length = rest.partition(":")
        curve, n = self._curve(id), int(length)
        share = dict(curve.measured)[n]
        self._title(say("lab.page.point", model=curve.title, n=n))
        self._page.formula("share = whole answers right / asked")
        self._row(say("lab.page.right"), f"{round(share * found.sentences)} / {found.sentences}",
                  strong=True)  # fmt: skip
        self._row(say("lab.page.share"), percent(share), strong=True)
        others = [dict(other)[n] for other in curve.others if n in dict(other)]
        for other in others:
            self._row(say("lab.page.seed"), percent(other))
        key = "lab.page.trained" if n <= found.longest_trained else "lab.page.untrained"
        self._words(say(key, longest=found.longest_trained))
        self._words(say("lab.page.point_said"))
        self._row(say("lab.page.all_of", model=curve.title), "", name=f"curve:{id}")

    # ------------------------------------------------------------------ influence

    def influence(self) -> None:
        """Write the shares of both along the sentence."""
        say = self._say
        assert self._subject.reach is not None
        self._title(say("lab.question.influence"))
        self._page.formula("g_t = ‖∂p / ∂x_t‖")
        self._words(say("lab.page.influence"))
        for side, reach in zip(SIDES, self._subject.reach, strict=True):
            self._section(say(f"lab.side.{side}", model=reach.title))
            self._row(say("lab.answers", word=reach.answered), f"{reach.probability:.3f}")
            for t, word in enumerate(reach.words):
                self._row(word, f"{100 * reach.share[t]:.1f}{NBSP}%", name=f"reach:{side}:{t}")
        fades = self._subject.fade()
        if fades is not None:
            self._section(say("lab.radius", radius=f"{self._subject.radius:g}"))
            for kind in ("tanh", "linear"):
                fading = getattr(fades, kind)
                for reads in (POINTS[3], POINTS[-1]):
                    self._row(say("lab.page.left", kind=say(f"lab.fade.{kind}"), reads=reads),
                              numbers.value(fading.median[reads - 1]),
                              name=f"fade:{kind}:{reads}")  # fmt: skip

    def of_reach(self, rest: str) -> None:
        """Write how strongly a word moves the answer, and over how many operations."""
        say = self._say
        assert self._subject.reach is not None
        side, _, index = rest.partition(":")
        t = int(index)
        reach = self._subject.reach[SIDES.index(side)]
        self._title(say("lab.page.reach", word=reach.words[t], model=reach.title))
        self._page.formula(f"g_{t + 1} = ‖∂p / ∂x_{t + 1}‖")
        self._row(say("lab.page.gradient"), numbers.value(reach.gradient[t]), strong=True)
        self._row(say("lab.page.of_sum"), f"{100 * reach.share[t]:.1f}{NBSP}%", strong=True)
        self._row(say("lab.page.of_largest"), f"{100 * reach.relative[t]:.1f}{NBSP}%")
        self._row(say("lab.page.path"), path_words(reach, t, say), strong=True)
        self._row(say("lab.answers", word=reach.answered), f"{reach.probability:.3f}")
        self._words(say("lab.page.influence"))
        self._words(say("lab.page.path_said"))
        other = SIDES[1 - SIDES.index(side)]
        self._row(say("lab.page.other_side"), "", name=f"reach:{other}:{t}")

    def of_fade(self, rest: str) -> None:
        """Write what is left of a gradient after so many reads."""
        say = self._say
        kind, _, count = rest.partition(":")
        reads = int(count)
        self._title(say("lab.page.fade", reads=reads, kind=say(f"lab.fade.{kind}")))
        self._page.formula(
            "∂L/∂h_{t−1} = (∂L/∂h_t ⊙ (1 − h_t²)) W_h^⊤" if kind == "tanh" else
            "∂L/∂h_{t−1} = ∂L/∂h_t W_h^⊤"
        )  # fmt: skip
        self._row(say("lab.radius_title"), f"{self._subject.radius:g}")
        matrix = "orthogonal" if self._subject.orthogonal else "random"
        self._row(say("lab.matrix"), say(f"lab.matrix.{matrix}"))
        fades = self._subject.fade()
        if fades is None:
            self._words(say("lab.fades_awaited"))
            return
        fading = getattr(fades, kind)
        low, high = fading.spread[reads - 1]
        self._row(say("lab.page.median"), numbers.value(fading.median[reads - 1]), strong=True)
        self._row(say("lab.page.draws"), f"{numbers.value(low)} … {numbers.value(high)}")
        self._row(say("lab.page.numbers_of_state"), str(fading.width))
        self._words(say("lab.page.fading"))

    # ------------------------------------------------------------------ scale

    def scale(self) -> None:
        """Write what softmax makes of the scores at the width of now."""
        d = self._subject.width(self._tick)
        found = self._subject.at_width(d)
        self.of_width(f"{found.basis}:divided:{d}")

    def of_width(self, rest: str) -> None:
        """Write both ways of one width."""
        say = self._say
        basis, _, of = rest.partition(":")
        d = int(of.rpartition(":")[2])
        found = self._subject.at_width(d, basis)
        self._title(say("lab.page.width", d=d))
        self._page.formula("a = softmax(q k^⊤ / √d)")
        self._words(basis_words(found, say) + ".")
        self._row(say("lab.page.spread"), numbers.value(found.spread))
        for kind in KINDS:
            rows = rows_of(found, kind)
            self._section(say(f"lab.kind.{kind}"))
            self._row(say("lab.page.entropy"), f"{rows.entropy:.3f}", strong=True)
            low, high = rows.entropies
            self._row(say("lab.page.between"), f"{low:.3f} … {high:.3f}")
            self._row(say("lab.page.largest"), f"{100 * rows.largest:.1f}{NBSP}%", strong=True)
        self._words(say("lab.page.scale"))

    def of_cell(self, rest: str) -> None:
        """Write one weight of a pattern, or without an index the width."""
        cell = _CELL.fullmatch(rest)
        if cell is None:
            self.scale()
            return
        say, scale = self._say, self._subject.scale
        assert scale is not None
        kind, q, k = cell[1], int(cell[2]), int(cell[3])
        found = self._subject.at_width(self._subject.width(self._tick))
        self._title(say("lab.page.cell", query=scale.words[q], key=scale.words[k]))
        root = " / √d" if kind == "divided" else ""
        self._page.formula(
            f"a_{{{q + 1},{k + 1}}} = exp(q_{q + 1} k_{k + 1}^⊤{root} − lse_{q + 1})"
        )
        for each in KINDS:
            weight = float(rows_of(found, each).pattern[q, k])
            self._row(say(f"lab.kind.{each}"), numbers.value(weight), strong=each == kind)
        self._row("d", str(found.d_head))
        self._words(basis_words(found, say) + ".")

    # ------------------------------------------------------------------ position

    def position(self) -> None:
        """Write the verdict of every panel."""
        say = self._say
        self._title(say("lab.question.position"))
        self._words(say("lab.page.position"))
        for which in panels(self._subject):
            found = self._subject.panel(which)
            assert found is not None
            self._row(say(f"lab.panel.{which}"), amount(found.largest), strong=True,
                      name=f"panel:{which}")  # fmt: skip

    def of_panel(self, which: str) -> None:
        """Write how far every word is from what it was."""
        say, found = self._say, self._subject.panel(which)
        assert found is not None
        self._title(say(f"lab.panel.{which}"))
        self._words(verdict(found, say) + ".")
        self._page.formula("max |x′ − x| / max |x|")
        for new, old in enumerate(found.order):
            self._row(found.words[new], amount(found.difference[old]), name=f"word:{which}:{old}")
        self._row(say("lab.page.answer_moves"), numbers.value(found.answer), strong=True)
        self._words(say("lab.page.rounding" if found.largest < 1e-5 else "lab.page.position"))

    def of_word(self, rest: str) -> None:
        """Write where a word went, and how far what is made of it is from before."""
        say = self._say
        which, _, index = rest.partition(":")
        found, old = self._subject.panel(which), int(index)
        assert found is not None
        new = found.order.index(old)
        self._title(say("lab.page.word", word=found.words[new], model=say(f"lab.panel.{which}")))
        self._page.formula("max |x′ − x| / max |x|")
        self._row(say("lab.page.before"), str(old + 1))
        self._row(say("lab.page.behind"), str(new + 1))
        self._row(say("lab.page.differs"), amount(found.difference[old]), strong=True)
        self._words(say("lab.page.rounding" if same(found, old) else "lab.page.position"))

    # ------------------------------------------------------------------ writing

    def writing(self) -> None:
        """Write the sums of the three ways up to the tick."""
        say, found = self._say, self._subject.writing
        assert found is not None
        done = self._subject.turns(self._tick)
        self._title(say("lab.page.turns", count=done))
        self._words(say("lab.page.writing"))
        for way in found.ways:
            self._section(say(f"lab.way.{way.way}", model=way.title))
            depth, flops, seconds = sums(way, done)
            self._row(say("lab.sum.depth"), numbers.exact(depth), strong=True)
            self._row(say("lab.sum.flops"), numbers.exact(flops))
            self._row(say("lab.sum.seconds"), numbers.seconds(seconds) if done else "0")
            self._row(say("lab.page.all_turns"), "", name=f"way:{way.way}")

    def of_way(self, way: str) -> None:
        """Write every turn of a way."""
        say = self._say
        assert self._subject.writing is not None
        found = self._subject.writing.way(way)
        self._title(say(f"lab.way.{way}", model=found.title))
        self._words(say(f"lab.page.way.{way}"))
        for i, turn in enumerate(found.turns):
            told = say("lab.page.turn_row", depth=turn.depth, flops=numbers.count(turn.flops))
            self._row(say("lab.page.turn", turn=i + 1, word=found.written[i]), told,
                      name=f"turn:{way}:{i}")  # fmt: skip
        self._section(say("lab.page.sum"))
        self._row(say("lab.sum.depth"), numbers.exact(found.depth), strong=True)
        self._row(say("lab.sum.flops"), numbers.exact(found.flops), strong=True)
        self._row(say("lab.sum.seconds"), numbers.seconds(found.seconds), strong=True)

    def of_turn(self, rest: str) -> None:
        """Write what one turn read, kept, wrote and took."""
        say = self._say
        assert self._subject.writing is not None
        id, _, index = rest.partition(":")
        way, i = self._subject.writing.way(id), int(index)
        turn = way.turns[i]
        self._title(say("lab.page.turn", turn=i + 1, word=way.written[i]))
        self._words(say(f"lab.way.{id}", model=way.title) + ".")
        self._row(say("lab.page.given"), str(turn.given), strong=True)
        self._row(say("lab.page.length"), str(turn.length))
        self._row(say("lab.page.kept"), numbers.exact(turn.kept))
        self._row(say("lab.sum.depth"), numbers.exact(turn.depth), strong=True)
        self._row(say("lab.sum.flops"), numbers.exact(turn.flops), strong=True)
        self._row(say("lab.sum.seconds"), numbers.seconds(turn.seconds), strong=True)
        self._row(say("lab.page.right_digit"), self._subject.writing.right[i])
        self._words(say("lab.page.writing"))
        self._row(say("lab.page.all_turns"), "", name=f"way:{id}")
