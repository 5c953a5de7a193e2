"""One errand: a folder of a repository applied to a cluster once, and watched until healthy.

What Git says at the tip of the branch is written to a folder of its own, built, its variables
put in, and handed to the reconciler. The repository is let go meanwhile, so that a rollout
that takes minutes keeps nobody waiting; a newer commit ends the waiting (FK30). A rollout that
fails becomes a hold.

Must not know how anything is applied.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import ConfigError, Problem, ProductError, RefusedError, Severity
from bot.events import Event, Kind, Weight
from bot.git.names import EntryKind
from bot.planning.rollouts import FailedRollout, images_in
from bot.serve.outcome import Outcome, Result, of_problems
from bot.serve.rollouts import hold_what_failed
from reconciler.build.kustomize import build
from reconciler.build.substitute import substitute
from reconciler.changes import Action
from reconciler.connection import open_cluster
from reconciler.health import Status
from reconciler.objects import KubernetesObject, object_of, raw_objects
from reconciler.reconcile import Wish, check_owner, reconcile
from reconciler.yaml_stream import write_value

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.server_model import RepositoryEntry, TargetEntry
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.serve.generation import Generation
    from bot.serve.repositories import Repositories
    from reconciler.changes import ObjectChange, Verdict
    from reconciler.changes import Outcome as Pass
    from reconciler.cluster import Cluster

_MOST_FILES = 20_000
_FILES_AT_ONCE = 500
_SUBSTITUTE = "kustomize.toolkit.fluxcd.io/substitute"
_WRITTEN = {Action.CREATED, Action.CONFIGURED, Action.DELETED}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Checkout:
    repository: str
    commit: Sha
    branch: str
    newer: asyncio.Event


class Targets:
    """Applies the targets of a configuration."""

    def __init__(self, repositories: Repositories, *, clock: Clock, cache_folder: Path) -> None:
        self._repositories = repositories
        self._clock = clock
        self._cache_folder = cache_folder
        self._waiting: set[_Checkout] = set()

    def supersede(self, repository: str, tip: Sha) -> None:
        """End the waiting for what was applied of another commit than `tip`."""
        for one in self._waiting:
            if one.repository == repository and one.commit != tip:
                one.newer.set()

    async def run(self, target: TargetEntry, generation: Generation) -> Outcome:
        """Apply one target, and hold what did not roll out.

        Raises:
            ProductError: It could not be read or built, or the cluster cannot be asked.
        """
        entry = generation.config.repository(target.repository)
        with tempfile.TemporaryDirectory(prefix="pilotfish-") as scratch:
            root = Path(scratch)
            async with self._repositories.open(entry, generation) as remote:
                checkout = await _check_out(remote, entry, root)
            built = await build(root / target.path, root=root)
            objects = _with_variables(built.objects, target)
        async with open_cluster(
            clock=self._clock,
            kubeconfig=Path(target.kubeconfig) if target.kubeconfig else None,
            context=target.context,
            cache_folder=self._cache_folder / "clusters",
        ) as cluster:
            wish = Wish(
                owner=check_owner(target.name, target.namespace),
                objects=objects,
                prune=target.prune,
                timeout_s=target.timeout.total_seconds(),
                force=target.force,
            )
            done = await reconcile(cluster, wish, clock=self._clock)
            if target.wait and not done.failed and done.health is not Status.CURRENT:
                done = await self._wait(cluster, wish, checkout, done)
        holds = await self._hold(target, entry, generation, checkout, done)
        outcome = _outcome(target, checkout, done)
        return replace(outcome, events=(*outcome.events, *holds))

    async def _wait(self, cluster: Cluster, wish: Wish, checkout: _Checkout, applied: Pass) -> Pass:
        """Return how the objects are once they are healthy, failed, out of time or superseded.

        A second pass over what was just applied: it finds nothing to write, and waits.
        """

        async def watch() -> Pass | ProductError:
            try:
                return await reconcile(cluster, replace(wish, wait=True), clock=self._clock)
            except ProductError as fault:
                return fault

        self._waiting.add(checkout)
        try:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(watch())
                newer = group.create_task(checkout.newer.wait())
                await asyncio.wait({waiting, newer}, return_when=asyncio.FIRST_COMPLETED)
                newer.cancel()
                waiting.cancel()
        finally:
            self._waiting.discard(checkout)
        if waiting.cancelled():
            return applied
        seen = waiting.result()
        if isinstance(seen, ProductError):
            raise seen
        return replace(seen, changes=applied.changes, problems=(*applied.problems, *seen.problems))

    async def _hold(
        self,
        target: TargetEntry,
        entry: RepositoryEntry,
        generation: Generation,
        checkout: _Checkout,
        done: Pass,
    ) -> list[Event]:
        failures = [
            FailedRollout(object=str(one.identity), images=images_in(one.live), cause=str(one))
            for one in done.verdicts
            if one.live is not None and images_in(one.live)
        ]
        if not failures:
            return []
        async with self._repositories.open(entry, generation) as remote:
            await remote.fetch(checkout.branch)
            return await hold_what_failed(
                remote,
                checkout.commit,
                checkout.branch,
                failures,
                self._repositories.world(entry, generation),
                where=target.name,
                clock=self._clock,
            )


async def _check_out(remote: Remote, entry: RepositoryEntry, root: Path) -> _Checkout:
    """Write every regular file at the tip of the branch below `root`."""
    branch = entry.branch or await remote.default_branch()
    fetched = await remote.fetch(branch)
    if branch not in fetched:
        raise ConfigError(
            f"the branch {branch} does not exist there",
            where=remote.url,
            hint="Push it first, or name another in the server's file",
        )
    commit = fetched[branch]
    paths = [one.path for one in await remote.files(commit) if one.kind is EntryKind.FILE]
    if len(paths) > _MOST_FILES:
        raise RefusedError(
            f"the repository holds more than {_MOST_FILES} files",
            where=remote.url,
            hint="Keep what is applied in a repository of its own",
        )
    for start in range(0, len(paths), _FILES_AT_ONCE):
        texts = await remote.read(commit, paths[start : start + _FILES_AT_ONCE])
        await asyncio.to_thread(_write, root, texts)
    return _Checkout(repository=entry.name, commit=commit, branch=branch, newer=asyncio.Event())


def _write(root: Path, texts: dict[str, bytes]) -> None:
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)


def _with_variables(
    objects: Sequence[KubernetesObject], target: TargetEntry
) -> list[KubernetesObject]:
    """Return the objects with the target's variables put into the YAML of each, as Flux does."""
    if not target.variables:
        return list(objects)
    return [
        one if _is_left_alone(one) else _substituted(one, dict(target.variables)) for one in objects
    ]


def _is_left_alone(one: KubernetesObject) -> bool:
    return "disabled" in {one.labels.get(_SUBSTITUTE), one.annotations.get(_SUBSTITUTE)}


def _substituted(one: KubernetesObject, variables: dict[str, str]) -> KubernetesObject:
    text = substitute(write_value(one.content), variables, source=one.source)
    ((content, _),) = raw_objects(text.encode(), source=one.source)
    return object_of(content, source=one.source)


def _outcome(target: TargetEntry, checkout: _Checkout, done: Pass) -> Outcome:
    where, commit = target.name, checkout.commit[:12]
    written = [one for one in done.changes if one.action in _WRITTEN]
    events = [_of_change(where, one) for one in done.changes if one.action is not Action.UNCHANGED]
    events += [_of_verdict(where, one) for one in done.verdicts]
    told = {str(one.identity) for one in done.verdicts}
    events += of_problems(where, (one for one in done.problems if one.file not in told))
    healthy = done.health is Status.CURRENT
    failed_in_part = bool(done.changes) and done.failed
    result = Result.PARTLY if failed_in_part else Result.FAILED if done.failed else Result.DONE
    health = "a newer commit is there" if checkout.newer.is_set() else done.health.value
    summary = (
        f"{commit} of {checkout.branch}: {len(written)} of {len(done.changes)} objects changed, "
        f"health: {health}"
    )
    kind = Kind.TARGET_APPLIED if written else Kind.TARGET_UNCHANGED
    if done.failed and not done.verdicts:
        kind = Kind.TARGET_FAILED
    events.append(
        Event(
            kind=kind,
            where=where,
            reason=_reason(summary, done.problems) if not done.verdicts else summary,
            facts=MappingProxyType({"commit": checkout.commit, "inventory": done.inventory}),
        )
    )
    return Outcome(
        result=result,
        summary=summary,
        events=tuple(events),
        gauges=MappingProxyType({"pilotfish_target_healthy": float(healthy)}),
        counts=MappingProxyType({"pilotfish_target_objects_changed_total": len(written)}),
    )


def _reason(summary: str, problems: Sequence[Problem]) -> str:
    errors = [one for one in problems if one.severity is Severity.ERROR]
    return f"{summary}; {errors[0].where}: {errors[0].message}" if errors else summary


def _of_change(where: str, change: ObjectChange) -> Event:
    return Event(
        kind=Kind.OBJECT_CHANGED,
        where=where,
        subject=str(change.identity),
        reason=f"{change.action.value}; {change.reason}" if change.reason else change.action.value,
    )


def _of_verdict(where: str, verdict: Verdict) -> Event:
    return Event(
        kind=Kind.TARGET_UNHEALTHY,
        where=where,
        subject=str(verdict.identity),
        reason=str(verdict),
        weight=Weight.ACT,
    )
