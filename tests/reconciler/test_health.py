"""Health by kstatus: every recorded case, and the rules between them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.health import JobRule, Status, health_of

CASES = json.loads((Path(__file__).parents[1] / "cases" / "kstatus.json").read_text())
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
READERS = {"kstatus": JobRule.KSTATUS, "flux-job": JobRule.COMPLETION}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_agrees_with_kstatus(case: dict[str, Any]) -> None:
    health = health_of(case["object"], now=NOW, jobs=READERS[case["reader"]])

    assert health.status.value == case["expected"]
    assert health.message


def thing(kind: str, api_version: str = "apps/v1", **parts: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **parts}


def rollout(kind: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return thing(kind, spec=spec, status=status)


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


AVAILABLE = condition("Available")
DONE = condition("Progressing", reason="NewReplicaSetAvailable")
FULL = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"replicas": 1}, "1 of 2 replicas are made"),
        ({"updatedReplicas": 1}, "1 of 2 replicas are updated"),
        ({"replicas": 3}, "1 old replicas are to go"),
        ({"availableReplicas": 1}, "1 of 2 updated replicas are available"),
        ({"readyReplicas": 1}, "1 of 2 replicas are ready"),
        ({"conditions": [AVAILABLE]}, "the new replica set is not available yet"),
        ({"conditions": [DONE]}, "it is not available"),
        ({"conditions": [DONE, AVAILABLE]}, "2 replicas are available"),
    ],
)
def test_a_deployment_says_what_it_waits_for(status: dict[str, Any], message: str) -> None:
    spec = {"replicas": 2, "progressDeadlineSeconds": 600}

    assert health_of(rollout("Deployment", spec, **{**FULL, **status}), now=NOW).message == message


def test_a_deployment_beyond_its_deadline_says_what_its_condition_says() -> None:
    late = condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="timed out")

    health = health_of(rollout("Deployment", {}, conditions=[late]), now=NOW)

    assert health.is_failed
    assert health.message == "ProgressDeadlineExceeded: timed out"


@pytest.mark.parametrize(
    ("live", "status"),
    [
        (rollout("ReplicaSet", {}, conditions=[condition("ReplicaFailure")]), Status.IN_PROGRESS),
        (
            rollout(
                "ReplicaSet", {"replicas": 0}, conditions=[condition("ReplicaFailure", "False")]
            ),
            Status.CURRENT,
        ),
        (rollout("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}), Status.CURRENT),
        (rollout("StatefulSet", {"replicas": 1}, replicas=2, readyReplicas=1), Status.IN_PROGRESS),
        (
            {
                **rollout(
                    "DaemonSet",
                    {},
                    observedGeneration=1,
                    desiredNumberScheduled=1,
                    currentNumberScheduled=1,
                    updatedNumberScheduled=1,
                    numberAvailable=1,
                    numberReady=1,
                ),
                "metadata": {"generation": 1},
            },
            Status.CURRENT,
        ),
        (rollout("DaemonSet", {}, desiredNumberScheduled=0), Status.IN_PROGRESS),
        (
            thing("Service", "v1", spec={"type": "LoadBalancer", "clusterIP": "1.2.3.4"}),
            Status.CURRENT,
        ),
        (
            thing(
                "Pod",
                "v1",
                status={"phase": "Running", "conditions": [condition("Ready", "False")]},
            ),
            Status.IN_PROGRESS,
        ),
        (
            thing(
                "Pod",
                "v1",
                status={
                    "phase": "Running",
                    "containerStatuses": [
                        {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
                    ],
                },
            ),
            Status.FAILED,
        ),
        (thing("Pod", "v1", status={"phase": "Pending"}), Status.IN_PROGRESS),
        (thing("Pod", "v1", status={"phase": ""}), Status.IN_PROGRESS),
        (
            thing(
                "CustomResourceDefinition",
                "apiextensions.k8s.io/v1",
                status={
                    "conditions": [
                        condition("Established", "False", reason="Installing"),
                        condition("Other"),
                    ]
                },
            ),
            Status.IN_PROGRESS,
        ),
        (
            thing(
                "Widget", "example.io/v1", status={"conditions": "odd", "observedGeneration": True}
            ),
            Status.CURRENT,
        ),
        (
            thing(
                "Widget",
                "example.io/v1",
                status={"conditions": ["odd", condition("Stalled", message="broken")]},
            ),
            Status.FAILED,
        ),
        (
            thing("Widget", "example.io/v1", status={"conditions": [condition("Ready", "False")]}),
            Status.IN_PROGRESS,
        ),
        (
            thing("Job", "batch/v1", status={"conditions": [condition("Suspended")]}),
            Status.IN_PROGRESS,
        ),
    ],
)
def test_rules_that_no_case_shows(live: dict[str, Any], status: Status) -> None:
    assert health_of(live, now=NOW).status is status


def test_an_object_that_is_being_deleted_is_terminating_whatever_it_says() -> None:
    live = thing("Widget", "e.io/v1", status={"conditions": [condition("Stalled")]})
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    health = health_of(live, now=NOW)

    assert health.status is Status.TERMINATING
    assert not health.is_current


@pytest.mark.parametrize(
    ("age_s", "status"), [(14, Status.IN_PROGRESS), (15, Status.FAILED), (60, Status.FAILED)]
)
def test_an_unschedulable_pod_has_fifteen_seconds(age_s: int, status: Status) -> None:
    pod = unschedulable((NOW - timedelta(seconds=age_s)).isoformat().replace("+00:00", "Z"))

    assert health_of(pod, now=NOW).status is status


@pytest.mark.parametrize("created", ["yesterday", "2026-01-01T00:00:00", ""])
def test_without_a_time_of_creation_it_waits(created: str) -> None:
    assert health_of(unschedulable(created), now=NOW).status is Status.IN_PROGRESS


def unschedulable(created: str) -> dict[str, Any]:
    reason = condition("PodScheduled", "False", reason="Unschedulable", message="no node")
    pod = thing("Pod", "v1", status={"phase": "Pending", "conditions": [reason]})
    pod["metadata"]["creationTimestamp"] = created
    return pod


def test_a_job_that_deletes_itself_and_is_gone_has_ended() -> None:
    job = thing("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 0})

    assert health_of(None, now=NOW, desired=job).is_current
    assert health_of(None, now=NOW, desired=thing("Job", "batch/v1")).status is Status.NOT_FOUND
    assert health_of(None, now=NOW, desired=thing("Widget")).status is Status.NOT_FOUND
