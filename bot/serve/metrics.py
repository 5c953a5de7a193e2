"""The figures that Prometheus asks for; the door to prometheus-client.

Names, help and labels stand in `bot/telemetry.py`, in one table; here they are kept and
printed. Labels are names that the operator wrote, so that their number is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from bot.telemetry import METRICS

if TYPE_CHECKING:
    from prometheus_client.metrics import MetricWrapperBase

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_KINDS: dict[str, Callable[..., MetricWrapperBase]] = {"counter": Counter, "gauge": Gauge}


class Metrics:
    """Every metric of the table, and those of the process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second line for each figure
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._all: dict[str, MetricWrapperBase] = {}
        for name, metric in METRICS.items():
            if metric.kind == "histogram":
                self._all[name] = Histogram(
                    name, metric.help, metric.labels, buckets=_SECONDS, registry=self._registry
                )
            else:
                make = _KINDS[metric.kind]
                self._all[name] = make(name, metric.help, metric.labels, registry=self._registry)

    def add(self, name: str, *labels: str, by: float = 1) -> None:
        """Count up."""
        one = self._one(name, labels)
        assert isinstance(one, Counter)  # noqa: S101  # the table says so
        one.inc(by)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        one = self._one(name, labels)
        assert isinstance(one, Gauge)  # noqa: S101  # the table says so
        one.set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add one observation to a histogram."""
        one = self._one(name, labels)
        assert isinstance(one, Histogram)  # noqa: S101  # the table says so
        one.observe(value)

    def forget(self, label: str, kept: Iterable[str]) -> None:
        """Drop the values of every `label` that is not in `kept`."""
        wanted = set(kept)
        for name, metric in METRICS.items():
            if metric.labels[:1] != (label,):
                continue
            one = self._all[name]
            seen = {sample.labels[label] for family in one.collect() for sample in family.samples}
            for value in seen - wanted:
                one.remove_by_labels({label: value})

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self._registry)

    def _one(self, name: str, labels: tuple[str, ...]) -> MetricWrapperBase:
        metric = self._all[name]
        return metric.labels(*labels) if labels else metric
