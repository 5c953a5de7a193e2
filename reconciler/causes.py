"""Why an object is not healthy, in one line: which container of which pod, and which event.

A workload's own status says how many replicas are missing; why, stands with its pods and in the
events about them. A parent that is still in progress counts as failed when one of its pods has
failed for good, unless that pod is on its way out or merely waits for a node (`reconciler.md` 2.9).

Must not know fetching or waiting.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.health import Health, Status, conditions_of, container_statuses, health_of
from reconciler.objects import mapping_at

_MAX_CHARS = 400
_ON_THE_WAY = frozenset({"ContainerCreating", "PodInitializing"})
_TIMES = ("lastTimestamp", "eventTime", "firstTimestamp")
Raw = Mapping[str, Any]


def offspring_of(workload: Raw, objects: Iterable[Raw]) -> list[Raw]:
    """Return those of `objects` that `workload` controls, directly or through others of them."""
    children: dict[str, list[Raw]] = {}
    for one in objects:
        children.setdefault(_controller_uid(one), []).append(one)
    found: list[Raw] = []
    seen = {""}  # what has no controller is nobody's
    ask = [_uid(workload)]
    while ask:
        uid = ask.pop()
        if uid in seen:
            continue
        seen.add(uid)
        found += children.get(uid, [])
        ask += [_uid(one) for one in children.get(uid, [])]
    return found


def with_pods(health: Health, pods: Iterable[Raw], *, now: datetime) -> Health:
    """Return the health of a parent once its pods have been looked at.

    Only a parent in progress is judged anew: it has failed as soon as one pod has.
    """
    if health.status is not Status.IN_PROGRESS:
        return health
    for pod in _staying(pods):
        judged = health_of(pod, now=now)
        if judged.is_failed and not _is_unschedulable(pod):
            return Health(status=Status.FAILED, message=f"pod {_name(pod)}: {judged.message}")
    return health


def cause_of(live: Raw, pods: Sequence[Raw], events: Iterable[Raw]) -> str:
    """Return the likeliest cause that `live` is not healthy; empty when nothing tells.

    `pods` are its own, without any the object itself is looked at. The newest warning among
    `events` about one of them is added.
    """
    described = [*_staying(pods)] or [live]
    trouble = next((text for pod in described for text in _troubles(pod)), "")
    about = {_uid(one) for one in (live, *pods)} - {""}
    warning = _newest_warning(events, about)
    return _line("; ".join(part for part in (trouble, warning) if part))


def _troubles(pod: Raw) -> Iterator[str]:
    """Yield what is wrong with a pod, the most telling first."""
    for key, word in (
        ("initContainerStatuses", "init container"),
        ("containerStatuses", "container"),
    ):
        statuses = container_statuses(pod, key)
        for one in statuses:
            said = _waits(one) or _ended(one)
            if said:
                yield f"{word} {one.get('name', '')} of pod {_name(pod)}: {said}"
    for one in conditions_of(pod):
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            yield f"pod {_name(pod)} is not scheduled: {one.get('message') or one.get('reason')}"
    for one in container_statuses(pod, "containerStatuses"):
        if one.get("ready") is False and mapping_at(one, "state", "running"):
            yield f"container {one.get('name', '')} of pod {_name(pod)} runs and is not ready"


def _waits(status: Raw) -> str:
    waiting = mapping_at(status, "state", "waiting")
    reason = str(waiting.get("reason") or "")
    if not reason or reason in _ON_THE_WAY:
        return ""
    last = _exit(mapping_at(status, "lastState", "terminated"))
    parts = [reason, str(waiting.get("message") or ""), f"last time {last}" if last else ""]
    return ": ".join(part for part in parts if part)


def _ended(status: Raw) -> str:
    return _exit(mapping_at(status, "state", "terminated"))


def _exit(terminated: Raw) -> str:
    code = terminated.get("exitCode")
    if not code:
        return ""
    reason = str(terminated.get("reason") or "Error")
    message = str(terminated.get("message") or "")
    return f"it ended with code {code} ({reason})" + (f": {message}" if message else "")


def _newest_warning(events: Iterable[Raw], about: set[str]) -> str:
    found = [
        one
        for one in events
        if one.get("type") == "Warning" and mapping_at(one, "involvedObject").get("uid") in about
    ]
    if not found:
        return ""
    newest = max(found, key=_event_time)
    return f"event {newest.get('reason') or 'Warning'}: {newest.get('message') or ''}"


def _event_time(event: Raw) -> str:
    series = str(mapping_at(event, "series").get("lastObservedTime") or "")
    return max([series, *(str(event.get(key) or "") for key in _TIMES)])


def _is_unschedulable(pod: Raw) -> bool:
    return any(
        one.get("type") == "PodScheduled" and one.get("reason") == "Unschedulable"
        for one in conditions_of(pod)
    )


def _staying(pods: Iterable[Raw]) -> list[Raw]:
    """Return pods that stay, the youngest first: they are what a rollout brought."""
    staying = [one for one in pods if not mapping_at(one, "metadata").get("deletionTimestamp")]
    ordered = sorted(staying, key=_name)
    return sorted(ordered, key=_created, reverse=True)


def _created(one: Raw) -> str:
    return str(mapping_at(one, "metadata").get("creationTimestamp") or "")


def _name(one: Raw) -> str:
    return str(mapping_at(one, "metadata").get("name") or "")


def _uid(one: Raw) -> str:
    return str(mapping_at(one, "metadata").get("uid") or "")


def _controller_uid(one: Raw) -> str:
    owners = mapping_at(one, "metadata").get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, Mapping) and owner.get("controller") is True:
            return str(owner.get("uid") or "")
    return ""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 1] + "…"
