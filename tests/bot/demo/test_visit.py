"""A visit to a cluster has a namespace of its own, and the person's way to log in."""

from pathlib import Path

from bot.demo.cluster_story import cluster_story
from bot.demo.cluster_visit import Visit, plan_visit
from bot.demo.commands import Command
from bot.demo.kubeconfig import ClusterAddress
from bot.demo.story import STORY, Question, Step

ADDRESS = ClusterAddress(context="kind", server="https://127.0.0.1:6443", files="/k/config")


def planned(kubeconfig: Path | None = None) -> Visit:
    return plan_visit(ADDRESS, kubeconfig=kubeconfig)


def steps(*, ask: bool) -> list[Step]:
    chapters = cluster_story(planned(), ask=ask)[len(STORY) :]
    return [step for chapter in chapters for step in chapter.steps]


def test_no_two_visits_share_a_namespace() -> None:
    assert len({planned().namespace for _ in range(100)}) == 100


def test_log_in_programs_find_the_persons_environment() -> None:
    theirs = {"HOME": "/homes/me", "AWS_PROFILE": "p", "KUBECONFIG": "k", "NO_COLOR": "1"}
    ours = {"HOME": "/t/h", "PILOTFISH_CACHE": "/t/c", "TMPDIR": "/t", "FORCE_COLOR": "1"}
    assert planned().environment(theirs, ours) == {
        "HOME": "/homes/me",
        "AWS_PROFILE": "p",
        "KUBECONFIG": "/k/config",
        "PILOTFISH_CACHE": "/t/c",
        "TMPDIR": "/t",
        "FORCE_COLOR": "1",
    }


def test_a_kubeconfig_that_was_named_is_named_in_each_command() -> None:
    assert "--kubeconfig" not in planned().options
    options = planned(Path("/k/other")).options
    assert options[options.index("--kubeconfig") + 1] == "/k/other"


def test_consent_comes_before_the_first_command_in_the_cluster() -> None:
    first, *rest = steps(ask=True)
    assert isinstance(first, Question)
    assert first.must_be_yes
    assert "kind at https://127.0.0.1:6443" in first.text
    assert not [step for step in rest if isinstance(step, Question)]


def test_nothing_is_asked_where_the_context_was_named() -> None:
    assert all(isinstance(step, Command) for step in steps(ask=False))
