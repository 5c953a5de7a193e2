"""Why a rollout is not healthy, in one line."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.causes import cause_of, offspring_of, with_pods
from reconciler.health import Health, Status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
Raw = dict[str, Any]
WAITING = Health(status=Status.IN_PROGRESS, message="1 of 2 replicas are ready")


def thing(name: str, kind: str = "Pod", owner: str = "", **parts: Any) -> Raw:
    metadata: Raw = {"name": name, "uid": f"uid-{name}", **parts.pop("metadata", {})}
    if owner:
        metadata["ownerReferences"] = ["odd", {"uid": f"uid-{owner}", "controller": True}]
    return {"kind": kind, "metadata": metadata, **parts}


def pod(name: str = "web-1", *containers: Raw, created: str = "", **status: Any) -> Raw:
    metadata = {"creationTimestamp": created}
    held = {"phase": "Running", "containerStatuses": list(containers), **status}
    return thing(name, metadata=metadata, status=held)


def container(name: str = "web", **state: Any) -> Raw:
    return {"name": name, "ready": False, "state": state}


def event(name: str, message: str, when: str, kind: str = "Warning", **more: Any) -> Raw:
    about = {"uid": f"uid-{name}"}
    head = {"type": kind, "reason": "Failed", "message": message, "involvedObject": about}
    return {**head, "lastTimestamp": when, **more}


WEB = thing("web", "Deployment")
PULL = container(waiting={"reason": "ImagePullBackOff", "message": 'Back-off pulling "x:2"'})
CRASH = container(waiting={"reason": "CrashLoopBackOff"})


def test_offspring_is_found_through_the_controllers_between() -> None:
    objects = [
        thing("rs", "ReplicaSet", owner="web"),
        thing("web-1", owner="rs"),
        thing("other", owner="else"),
        thing("free"),
        thing("web", owner="web-1"),
    ]

    found = offspring_of(WEB, objects)

    assert [one["metadata"]["name"] for one in found] == ["rs", "web-1", "web"]
    assert offspring_of({"metadata": {}}, objects) == []


@pytest.mark.parametrize(
    ("pods", "cause"),
    [
        pytest.param(
            [pod("web-1", PULL)],
            'container web of pod web-1: ImagePullBackOff: Back-off pulling "x:2"',
            id="image",
        ),
        pytest.param(
            [
                pod(
                    "web-1",
                    {**CRASH, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}},
                )
            ],
            "container web of pod web-1: CrashLoopBackOff: last time it ended with code 3 (Error)",
            id="crash",
        ),
        pytest.param(
            [pod("web-1", container(terminated={"exitCode": 137, "message": "killed\nnow"}))],
            "container web of pod web-1: it ended with code 137 (Error): killed now",
            id="exit",
        ),
        pytest.param(
            [pod("web-1", container(), initContainerStatuses=[PULL])],
            'init container web of pod web-1: ImagePullBackOff: Back-off pulling "x:2"',
            id="init",
        ),
        pytest.param(
            [
                pod(
                    "web-1",
                    conditions=[
                        {"type": "Ready", "status": "False"},
                        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"},
                    ],
                )
            ],
            "pod web-1 is not scheduled: 0/3 nodes",
            id="unscheduled",
        ),
        pytest.param(
            [pod("web-1", container(running={"startedAt": "x"}))],
            "container web of pod web-1 runs and is not ready",
            id="not-ready",
        ),
        pytest.param(
            [pod("web-1", container(waiting={"reason": "ContainerCreating"}))], "", id="on-the-way"
        ),
        pytest.param(
            [pod("web-1", container(terminated={"exitCode": 0}), {"name": "x", "ready": True})],
            "",
            id="ended-well",
        ),
        pytest.param(
            [pod("a", CRASH, created="2026-01-01"), pod("b", PULL, created="2026-01-02")],
            'container web of pod b: ImagePullBackOff: Back-off pulling "x:2"',
            id="the-youngest-pod",
        ),
        pytest.param(
            [{**pod("a", CRASH), "metadata": {"name": "a", "deletionTimestamp": "x"}}],
            "",
            id="a-pod-that-goes",
        ),
    ],
)
def test_the_container_and_its_reason_are_named(pods: list[Raw], cause: str) -> None:
    assert cause_of(WEB, pods, []) == cause


def test_a_pod_by_itself_is_looked_at() -> None:
    assert cause_of(pod("web-1", PULL), [], []).startswith("container web of pod web-1: Image")


def test_the_newest_warning_about_it_or_its_pods_is_added() -> None:
    events = [
        event("web-1", "old", "2026-01-01T00:00:01Z"),
        event("web-1", "new", "2026-01-01T00:00:05Z"),
        event("web", "newest", "", series={"lastObservedTime": "2026-01-01T00:00:09Z"}),
        event("web-1", "normal", "2026-01-02T00:00:00Z", kind="Normal"),
        event("else", "foreign", "2026-01-03T00:00:00Z"),
    ]

    cause = cause_of(WEB, [pod("web-1", CRASH)], events)

    assert cause == "container web of pod web-1: CrashLoopBackOff; event Failed: newest"
    assert cause_of(WEB, [], events) == "event Failed: newest"


def test_a_cause_is_one_line_of_bounded_length() -> None:
    cause = cause_of(WEB, [], [event("web", "a\nb " * 500, "x")])

    assert "\n" not in cause
    assert len(cause) == 400


def test_a_parent_in_progress_has_failed_with_its_first_failed_pod() -> None:
    health = with_pods(WAITING, [pod("web-2", container()), pod("web-1", CRASH)], now=NOW)

    assert health.is_failed
    assert health.message == "pod web-1: container web keeps crashing"


def test_a_pod_that_goes_or_waits_for_a_node_fails_nobody() -> None:
    going = pod("a", CRASH)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    reason = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    homeless = pod("b", created="2025-01-01T00:00:00Z", phase="Pending", conditions=[reason])

    assert with_pods(WAITING, [going, homeless], now=NOW) is WAITING


def test_a_parent_that_is_healthy_stays_so() -> None:
    current = Health(status=Status.CURRENT, message="2 replicas are available")

    assert with_pods(current, [pod("a", CRASH)], now=NOW) is current
