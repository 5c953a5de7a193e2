"""The health of an object: is it doing its job, still on its way, or failed, and why.

The rules are those of kstatus as Flux's reconciler uses it (`reconciler.md` 2.9): deletion, then
generations, then the conditions Reconciling and Stalled, then a rule for the kind, then Ready. For
Jobs there are two: kstatus calls a started one current, a reconciler waits for its end.

Must not know waiting.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from reconciler.objects import mapping_at

_SCHEDULING_GRACE = timedelta(seconds=15)
_NO_DEADLINE = 2**31 - 1
_API_GROUPS = frozenset({"apps", "extensions"})
Raw = Mapping[str, Any]


class Status(Enum):
    """The six states of kstatus."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


class JobRule(Enum):
    """How Jobs are judged: as kstatus does, or by their completion alone."""

    KSTATUS = "kstatus"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A state, and why, in one line."""

    status: Status
    message: str

    @property
    def is_current(self) -> bool:
        """Return whether there is nothing left to wait for."""
        return self.status is Status.CURRENT

    @property
    def is_failed(self) -> bool:
        """Return whether waiting is of no use."""
        return self.status is Status.FAILED


def _current(message: str) -> Health:
    return Health(status=Status.CURRENT, message=message)


def _waiting(message: str) -> Health:
    return Health(status=Status.IN_PROGRESS, message=message)


def _failed(message: str) -> Health:
    return Health(status=Status.FAILED, message=message)


def health_of(
    live: Raw | None, *, now: datetime, jobs: JobRule = JobRule.KSTATUS, desired: Raw | None = None
) -> Health:
    """Return the health of one object.

    `live` is `None` when it is not there; a Job of `desired` that deletes itself after its end
    is then current. `now` has a time zone; a pod is unschedulable after 15 s only.
    """
    if live is None:
        return _absent(desired)
    metadata, status = mapping_at(live, "metadata"), mapping_at(live, "status")
    if metadata.get("deletionTimestamp"):
        return Health(status=Status.TERMINATING, message="it is being deleted")
    generation, observed = _integer(metadata, "generation"), _integer(status, "observedGeneration")
    if generation is not None and observed is not None and generation != observed:
        return _waiting(f"generation {generation} is not observed yet, {observed} is")
    told = _standard(live)
    if told is not None:
        return told
    rule = _rule_for(live, jobs)
    if rule is not None:
        return rule(live, now)
    return _ready(live) or _current("it is there")


def _absent(desired: Raw | None) -> Health:
    if desired is not None and _kind(desired) == ("batch", "Job"):
        ttl = _integer(mapping_at(desired, "spec"), "ttlSecondsAfterFinished")
        if ttl is not None:
            return _current("the Job has ended and deleted itself")
    return Health(status=Status.NOT_FOUND, message="it is not there")


def _kind(content: Raw) -> tuple[str, str]:
    group, _, _ = str(content.get("apiVersion", "")).rpartition("/")
    return group, str(content.get("kind", ""))


def _integer(held: Raw, key: str) -> int | None:
    """Return an integer; `None` when it is absent or of another type."""
    value = held.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _count(held: Raw, key: str, default: int = 0) -> int:
    value = _integer(held, key)
    return default if value is None else value


def conditions_of(live: Raw) -> Iterator[Raw]:
    """Yield the conditions of an object's status, in their order."""
    held = mapping_at(live, "status").get("conditions")
    for one in held if isinstance(held, list) else ():
        if isinstance(one, Mapping):
            yield one


def _condition(live: Raw, name: str) -> Raw | None:
    return next((one for one in conditions_of(live) if one.get("type") == name), None)


def _is_true(condition: Raw | None) -> bool:
    return condition is not None and condition.get("status") == "True"


def _said(condition: Raw) -> str:
    """Return what a condition says for itself: `Reason: message`, as far as there is any."""
    parts = [str(condition.get(key) or "").strip() for key in ("reason", "message")]
    return ": ".join(part for part in parts if part) or str(condition.get("type", ""))


def _standard(live: Raw) -> Health | None:
    for one in conditions_of(live):
        if one.get("type") == "Reconciling" and _is_true(one):
            return _waiting(_said(one))
        if one.get("type") == "Stalled" and _is_true(one):
            return _failed(_said(one))
    return None


def _ready(live: Raw) -> Health | None:
    one = _condition(live, "Ready")
    if one is None:
        return None
    if one.get("status") == "True":
        return _current(_said(one))
    return _waiting(_said(one)) if one.get("status") in {"False", "Unknown"} else None


Rule = Callable[[Raw, datetime], Health]


def _rule_for(live: Raw, jobs: JobRule) -> Rule | None:
    group, kind = _kind(live)
    if (group, kind) == ("batch", "Job"):
        return _job if jobs is JobRule.KSTATUS else _job_by_completion
    return _RULES.get(("apps" if group in _API_GROUPS else group, kind))


def _deployment(live: Raw, now: datetime) -> Health:
    del now
    spec, status = mapping_at(live, "spec"), mapping_at(live, "status")
    deadline = _count(spec, "progressDeadlineSeconds", _NO_DEADLINE)
    progress = _condition(live, "Progressing")
    if progress is not None and progress.get("reason") == "ProgressDeadlineExceeded":
        return _failed(_said(progress))
    done = _is_true(progress) and (progress or {}).get("reason") == "NewReplicaSetAvailable"
    wanted = _count(spec, "replicas", 1)
    made, updated = _count(status, "replicas"), _count(status, "updatedReplicas")
    ready, available = _count(status, "readyReplicas"), _count(status, "availableReplicas")
    if wanted > made:
        return _waiting(f"{made} of {wanted} replicas are made")
    if wanted > updated:
        return _waiting(f"{updated} of {wanted} replicas are updated")
    if made > wanted:
        return _waiting(f"{made - wanted} old replicas are to go")
    if updated > available:
        return _waiting(f"{available} of {updated} updated replicas are available")
    if wanted > ready:
        return _waiting(f"{ready} of {wanted} replicas are ready")
    if not done and deadline != _NO_DEADLINE:
        return _waiting("the new replica set is not available yet")
    if not _is_true(_condition(live, "Available")):
        return _waiting("it is not available")
    return _current(f"{wanted} replicas are available")


def _replica_set(live: Raw, now: datetime) -> Health:
    del now
    spec, status = mapping_at(live, "spec"), mapping_at(live, "status")
    failure = _condition(live, "ReplicaFailure")
    if failure is not None and _is_true(failure):
        return _waiting(_said(failure))
    wanted = _count(spec, "replicas", 1)
    for key, word in (
        ("fullyLabeledReplicas", "labelled"),
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ):
        if wanted > _count(status, key):
            return _waiting(f"{_count(status, key)} of {wanted} replicas are {word}")
    extra = _count(status, "replicas") - wanted
    if extra > 0:
        return _waiting(f"{extra} replicas are to go")
    return _current(f"{wanted} replicas are available")


def _stateful_set(live: Raw, now: datetime) -> Health:
    del now
    spec, status = mapping_at(live, "spec"), mapping_at(live, "status")
    strategy = mapping_at(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return _current("its pods are replaced by hand")
    wanted, made = _count(spec, "replicas", 1), _count(status, "replicas")
    ready = _count(status, "readyReplicas")
    if wanted > made:
        return _waiting(f"{made} of {wanted} replicas are made")
    if wanted > ready:
        return _waiting(f"{ready} of {wanted} replicas are ready")
    if made > wanted:
        return _waiting(f"{made - wanted} replicas are to go")
    partition = _integer(mapping_at(strategy, "rollingUpdate"), "partition")
    if partition is not None:
        updated = _count(status, "updatedReplicas")
        if updated < wanted - partition:
            return _waiting(f"{updated} of {wanted - partition} replicas are updated")
        return _current(f"{updated} replicas beyond the partition are updated")
    current = _count(status, "currentReplicas")
    if wanted > current:
        return _waiting(f"{current} of {wanted} replicas are current")
    if status.get("currentRevision") != status.get("updateRevision"):
        return _waiting("the new revision is not rolled out yet")
    return _current(f"{wanted} replicas are ready")


def _daemon_set(live: Raw, now: datetime) -> Health:
    del now
    metadata, status = mapping_at(live, "metadata"), mapping_at(live, "status")
    if None in {_integer(metadata, "generation"), _integer(status, "observedGeneration")}:
        return _waiting("its controller has not seen it yet")
    wanted = _integer(status, "desiredNumberScheduled")
    if wanted is None:
        return _waiting("the number of its pods is not known yet")
    for key, word in (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ):
        if wanted > _count(status, key):
            return _waiting(f"{_count(status, key)} of {wanted} pods are {word}")
    return _current(f"{wanted} pods are ready")


def _pod(live: Raw, now: datetime) -> Health:
    phase = mapping_at(live, "status").get("phase")
    match phase:
        case "Succeeded" | "Failed":
            return _current(f"it has ended: {phase}")
        case "Running":
            return _running_pod(live)
        case "Pending":
            return _pending_pod(live, now)
        case None | "":
            return _waiting("it has no phase yet")
    return Health(status=Status.UNKNOWN, message=f"its phase is {phase!r}")


def _running_pod(live: Raw) -> Health:
    if _is_true(_condition(live, "Ready")):
        return _current("it is ready")
    crashing = [
        str(one.get("name", ""))
        for one in container_statuses(live, "containerStatuses")
        if mapping_at(one, "state", "waiting").get("reason") == "CrashLoopBackOff"
    ]
    if crashing:
        return _failed(f"container {', '.join(crashing)} keeps crashing")
    return _waiting("it is running and not ready yet")


def _pending_pod(live: Raw, now: datetime) -> Health:
    scheduled = _condition(live, "PodScheduled")
    if scheduled is None or scheduled.get("status") != "False":
        return _waiting("it is pending")
    if scheduled.get("reason") == "Unschedulable":
        created = _time(mapping_at(live, "metadata").get("creationTimestamp"))
        if created is not None and now - created >= _SCHEDULING_GRACE:
            return _failed(_said(scheduled))
    return _waiting(_said(scheduled))


def container_statuses(pod: Raw, key: str) -> list[Raw]:
    """Return one of the lists of container statuses of a pod."""
    held = mapping_at(pod, "status").get(key)
    return [one for one in held if isinstance(one, Mapping)] if isinstance(held, list) else []


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _job(live: Raw, now: datetime) -> Health:
    ended = _ended_job(live)
    if ended is not None:
        return ended
    del now
    if mapping_at(live, "status").get("startTime"):
        return _current("it has started")
    return _waiting("it has not started yet")


def _job_by_completion(live: Raw, now: datetime) -> Health:
    del now
    if mapping_at(live, "spec").get("suspend") is True:
        return _current("it is suspended")
    return _ended_job(live) or _waiting("it has not ended yet")


def _ended_job(live: Raw) -> Health | None:
    for one in conditions_of(live):
        if _is_true(one) and one.get("type") == "Complete":
            return _current(
                f"it is complete, {_count(mapping_at(live, 'status'), 'succeeded')} succeeded"
            )
        if _is_true(one) and one.get("type") == "Failed":
            return _failed(_said(one))
    return None


def _claim(live: Raw, now: datetime) -> Health:
    del now
    phase = mapping_at(live, "status").get("phase")
    return _current("it is bound") if phase == "Bound" else _waiting(f"it is {phase or 'new'}")


def _service(live: Raw, now: datetime) -> Health:
    del now
    spec = mapping_at(live, "spec")
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return _waiting("it has no cluster address yet")
    return _current("it is there")


def _definition(live: Raw, now: datetime) -> Health:
    del now
    for one in conditions_of(live):
        name, state = one.get("type"), one.get("status")
        if name == "NamesAccepted" and state == "False":
            return _failed(_said(one))
        if name == "Established" and state == "False" and one.get("reason") != "Installing":
            return _failed(_said(one))
        if name == "Established" and state == "True":
            return _current("it is established")
    return _waiting("it is not established yet")


def _there(live: Raw, now: datetime) -> Health:
    del live, now
    return _current("it is there")


_RULES: dict[tuple[str, str], Rule] = {
    ("", "ConfigMap"): _there,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Secret"): _there,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _there,
    ("policy", "PodDisruptionBudget"): _there,
}
