"""The bar of "3 Computing in AI": workload, part and style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app import workloads
from app.choice_bar import ChoiceBar
from app.workloads import Chosen

if TYPE_CHECKING:
    from engine.report import Recording
    from widgets.captions import Captions


class WorkloadControls(ChoiceBar):
    """Model, batch, tokens, part and style."""

    def __init__(self, say: Captions) -> None:
        offers = {
            kind: (say(f"units.bar.{kind}"), rows) for kind, rows in workloads.offers(say).items()
        }
        super().__init__(say, say("units.bar.workload"), offers)
        self._recorded: set[str] = set()  # ids that are offered

    def offer_recordings(self, known: Mapping[str, Recording]) -> None:
        """Offer recordings among the parts, each once."""
        for id, recording in known.items():
            if id not in self._recorded:
                self._recorded.add(id)
                self.choices["part"].add(
                    id, self._say("units.bar.recording", card=workloads.short_name(recording.card),
                                  date=recording.date[:10])
                )  # fmt: skip

    def show_chosen(self, chosen: Chosen) -> None:
        """Show what is chosen."""
        work = chosen.workload
        self.show_ids(
            {
                "model": work.model, "batch": str(work.batch), "tokens": str(work.tokens),
                "part": chosen.recording or chosen.part, "style": str(work.style),
            }
        )  # fmt: skip
