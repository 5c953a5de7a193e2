"""Every metric stands in one table, and what is printed is that table."""

import re

import pytest

from bot.serve.metrics import Metrics
from bot.telemetry import METRICS


def printed(metrics: Metrics) -> str:
    return metrics.text().decode()


def test_everything_of_ours_that_is_printed_stands_in_the_table_with_its_help() -> None:
    text = printed(Metrics())
    helped = dict(re.findall(r"^# HELP (pilotfish_\S+) (.+)$", text, re.MULTILINE))

    assert helped == {
        name.removesuffix("_total") if name not in helped else name: metric.help
        for name, metric in METRICS.items()
    }


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_is_named_as_prometheus_asks(name: str) -> None:
    metric = METRICS[name]

    assert re.fullmatch(r"pilotfish_[a-z_]+", name)
    assert (metric.kind == "counter") == name.endswith("_total")
    assert metric.help.endswith(".")


def test_counting_setting_and_observing_show() -> None:
    metrics = Metrics()
    metrics.add("pilotfish_errands_total", "repository/a", "done")
    metrics.set("pilotfish_config_valid", 0)
    metrics.observe("pilotfish_errand_seconds", 0.2, "repository")
    text = printed(metrics)

    assert 'pilotfish_errands_total{errand="repository/a",result="done"} 1.0' in text
    assert "pilotfish_config_valid 0.0" in text
    assert 'pilotfish_errand_seconds_bucket{kind="repository",le="0.25"} 1.0' in text


def test_figures_of_what_is_configured_no_more_go() -> None:
    metrics = Metrics()
    for name in ("a", "b"):
        metrics.add("pilotfish_errands_total", name, "done")
        metrics.add("pilotfish_decisions_total", name, "proposal opened")
        metrics.set("pilotfish_proposals_open", 1, name)
    metrics.forget("errand", ["b"])
    text = printed(metrics)

    assert 'errand="a"' not in text
    assert 'errand="b"' in text
    assert 'repository="a"' in text


def test_the_process_itself_is_measured() -> None:
    assert "process_open_fds" in printed(Metrics())
