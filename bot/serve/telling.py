"""Tells events: one line of the log each, counted, and news only while it is new.

A decision that an errand repeats word for word (a tag that is still held) is told in full the
first time and as a detail afterwards; the summary at the end of each run counts it still.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.events import Event, Weight

if TYPE_CHECKING:
    from bot.serve.metrics import Metrics

_log = logging.getLogger(__name__)
_LEVELS = {
    Weight.DETAIL: logging.DEBUG,
    Weight.NEWS: logging.INFO,
    Weight.COPED: logging.WARNING,
    Weight.ACT: logging.ERROR,
}


class Teller:
    """The log and the count of everything that was decided."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: dict[str, frozenset[str]] = {}

    def tell(self, *events: Event, errand: str = "") -> None:
        """Write a line for each event."""
        for event in events:
            extra = {
                "where": event.where,
                "subject": event.subject,
                "reason": event.reason,
                **event.facts,
            }
            said = {key: value for key, value in extra.items() if value != ""}
            _log.log(_LEVELS[event.heavy], event.kind.value, extra={"says": event.sentence, **said})
            if errand:
                self._metrics.add("pilotfish_decisions_total", errand, event.kind.value)

    def tell_run(self, errand: str, events: Iterable[Event]) -> None:
        """Write a line for each decision of a run; what the run before said is a detail."""
        before, now = self._told.get(errand, frozenset()), list(events)
        self.tell(
            *(replace(one, weight=Weight.DETAIL) if one.sentence in before else one for one in now),
            errand=errand,
        )
        self._told[errand] = frozenset(one.sentence for one in now)

    def forget(self, kept: Iterable[str]) -> None:
        """Forget what errands said that are configured no more."""
        wanted = set(kept)
        self._told = {key: value for key, value in self._told.items() if key in wanted}
