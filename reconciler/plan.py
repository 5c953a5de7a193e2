"""What one pass is going to do: desired and live objects and the inventory → an `ApplyPlan`.

Stages and order are those of `reconciler.md` 2.7: definitions and namespaces, then what is valid
in the whole cluster and others rest on, then the rest. An object of another owner is refused; one
of nobody's is adopted, which means that it is never deleted. What was applied before and is desired
no longer is deleted only after a pass that was complete, by uid and resource version, and only if
we made it and it still says that it is ours (`reliability-security.md` FK15, FK19 to FK22, I12).

Must not know the API server.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from reconciler.inventory import Entry, Inventory, Origin
from reconciler.objects import (
    Identity,
    KubernetesObject,
    annotations_of,
    identity_of,
    labels_of,
    mapping_at,
    with_labels,
)
from reconciler.ownership import FLUX_PREFIX, PREFIX, Claim, Owner, claim_on, is_made_by_us

Live = Mapping[str, Any]

_ORDER_TEXT = """
CustomResourceDefinition Namespace ClusterRole ClusterClass RuntimeClass PriorityClass StorageClass
VolumeSnapshotClass IngressClass GatewayClass ClusterRoleBinding ResourceQuota ServiceAccount Role
RoleBinding ConfigMap Secret Service LimitRange Deployment StatefulSet CronJob PodDisruptionBudget
"""
_RANKS = {kind: rank for rank, kind in enumerate(_ORDER_TEXT.split())}
_OTHER_RANK = len(_RANKS)
_LAST_RANKS = {
    "MutatingWebhookConfiguration": _OTHER_RANK + 1,
    "ValidatingWebhookConfiguration": _OTHER_RANK + 2,
}
_DEFINITIONS = frozenset({("apiextensions.k8s.io", "CustomResourceDefinition"), ("", "Namespace")})
# Kinds of the whole cluster that point at objects of the rest, so they cannot come before it.
_POINTERS = frozenset({*_LAST_RANKS, "APIService"})
# A delete of these takes what they hold with it.
_NEVER_REPLACED = _DEFINITIONS | {("", "PersistentVolumeClaim"), ("", "PersistentVolume")}
_BUILT_IN_ENDING = ".k8s.io"
_NOT_OURS = "it is not ours"


class StageName(Enum):
    """The three stages of an apply; each waits until the one before it is usable."""

    DEFINITIONS = "definitions and namespaces"
    CLUSTER = "cluster-wide"
    REST = "the rest"


class Intent(Enum):
    """What a step does: `APPLY` makes or changes an object, `SKIP` leaves it alone."""

    APPLY = "apply"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What labels and annotations say about one object, ours or those of Flux."""

    never_apply: bool = False
    once: bool = False
    merge: bool = False
    force: bool = False
    never_prune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object of a plan: as it will be sent, and as it was found.

    `live` is `None` when it is not there. `reason` says why it is skipped. `takes_over` is
    whether fields that `kubectl` wrote become ours, `may_replace` whether it may be deleted and
    made anew when a change is refused as immutable.
    """

    desired: KubernetesObject
    live: Live | None = field(repr=False)
    intent: Intent
    origin: Origin
    reason: str = ""
    takes_over: bool = True
    may_replace: bool = False

    @property
    def identity(self) -> Identity:
        """Return which object this is about."""
        return self.desired.identity

    @property
    def is_new(self) -> bool:
        """Return whether the object is not there yet."""
        return self.live is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Steps that are carried out together, in their order."""

    name: StageName
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An object that is another owner's, and whose."""

    identity: Identity
    who: str
    source: str = ""

    def __str__(self) -> str:
        """Return the refusal as a sentence."""
        return f"{self.identity} belongs to {self.who}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPlan:
    """What a pass will do; `intended` is the inventory to be written before the first apply."""

    stages: tuple[Stage, ...]
    refusals: tuple[Refusal, ...]
    intended: Inventory

    @property
    def steps(self) -> Iterator[Step]:
        """Yield every step, stage by stage."""
        for stage in self.stages:
            yield from stage.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """One delete, valid for exactly this object in exactly this state."""

    identity: Identity
    version: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An object that is desired no longer and stays, and why; its entry stays as well."""

    identity: Identity
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What is deleted, what stays, and whose entries leave the inventory without a delete."""

    prunes: tuple[Prune, ...] = ()
    kept: tuple[Kept, ...] = ()
    forgotten: tuple[Identity, ...] = ()


def rules_of(desired: KubernetesObject | None, live: Live | None) -> Rules:
    """Return what the labels and annotations of both sides ask for.

    `ssa: IfNotPresent` counts on the desired object alone (`reconciler.md` 2.7). Values are
    compared without regard to case.
    """
    mine = _words(desired.content) if desired is not None else set()
    both = mine | (_words(live) if live is not None else set())
    ignored = ("reconcile", "disabled") in both or ("ssa", "ignore") in both
    return Rules(
        never_apply=ignored,
        once=("ssa", "ifnotpresent") in mine,
        merge=("ssa", "merge") in both,
        force=("force", "enabled") in both,
        never_prune=ignored or ("prune", "disabled") in both,
    )


def _words(content: Live) -> set[tuple[str, str]]:
    return {
        (key.removeprefix(prefix), str(value).lower())
        for held in (labels_of(content), annotations_of(content))
        for key, value in held.items()
        for prefix in (PREFIX, FLUX_PREFIX)
        if key.startswith(prefix)
    }


def apply_order(identity: Identity) -> tuple[int, str, str, str, str]:
    """Return the key that sorts objects into the order of an apply; pruning reverses it."""
    rank = _LAST_RANKS.get(identity.kind) or _RANKS.get(identity.kind, _OTHER_RANK)
    is_other = rank == _OTHER_RANK
    return (
        rank,
        identity.group if is_other else "",
        identity.kind if is_other else "",
        identity.namespace,
        identity.name,
    )


def stage_of(identity: Identity) -> StageName:
    """Return the stage of an object whose namespace, if it can have one, is filled in.

    Objects of foreign kinds are in the last stage even if they belong to the whole cluster:
    their webhooks are in it.
    """
    if (identity.group, identity.kind) in _DEFINITIONS:
        return StageName.DEFINITIONS
    if identity.namespace or identity.kind in _POINTERS:
        return StageName.REST
    is_built_in = "." not in identity.group or identity.group.endswith(_BUILT_IN_ENDING)
    is_rested_on = is_built_in or identity.kind.endswith("Class")
    return StageName.CLUSTER if is_rested_on else StageName.REST


def plan_apply(
    desired: Sequence[KubernetesObject],
    live: Mapping[Identity, Live],
    inventory: Inventory,
    owner: Owner,
    *,
    force: bool = False,
) -> ApplyPlan:
    """Return what applying `desired` means where `live` is what is there.

    Every namespaced object of `desired` has its namespace; `live` holds those that exist. The
    order of `desired` does not matter. With `force` any object may be replaced.
    """
    steps: list[Step] = []
    refusals: list[Refusal] = []
    for one in sorted(desired, key=lambda one: apply_order(one.identity)):
        found = live.get(one.identity)
        claimed = claim_on(found, owner) if found is not None else None
        if claimed is not None and claimed.claim is Claim.ANOTHER:
            refusals.append(Refusal(identity=one.identity, who=claimed.who, source=one.source))
            continue
        origin = _origin(found, inventory.get(one.identity), claimed is not None and claimed.claim)
        steps.append(_step(one, found, owner, origin=origin, force=force))
    stages = tuple(
        Stage(name=name, steps=tuple(one for one in steps if stage_of(one.identity) is name))
        for name in StageName
    )
    return ApplyPlan(
        stages=tuple(stage for stage in stages if stage.steps),
        refusals=tuple(refusals),
        intended=_intended(inventory, steps),
    )


def _origin(live: Live | None, entry: Entry | None, claim: Claim | bool) -> Origin:
    """Return how an object that is not another's came to us, from all that is known."""
    if live is None:
        return Origin.INTENDED
    if entry is None or claim is not Claim.OURS or entry.origin is Origin.ADOPTED:
        return Origin.ADOPTED
    if entry.origin is Origin.CREATED and entry.uid == uid_of(live):
        return Origin.CREATED
    # We were about to make it and were stopped, or someone made it anew.
    return Origin.CREATED if is_made_by_us(live) else Origin.ADOPTED


def _step(
    one: KubernetesObject, live: Live | None, owner: Owner, *, origin: Origin, force: bool
) -> Step:
    rules = rules_of(one, live)
    kind = (one.identity.group, one.identity.kind)
    reason = ""
    if rules.never_apply:
        reason = "a label or annotation says to leave it alone"
    elif rules.once and live is not None:
        reason = "it is there, and is to be made only once"
    return Step(
        desired=with_labels(one, owner.labels),
        live=live,
        intent=Intent.SKIP if reason else Intent.APPLY,
        origin=origin,
        reason=reason,
        takes_over=not rules.merge,
        may_replace=(force or rules.force) and live is not None and kind not in _NEVER_REPLACED,
    )


def _intended(inventory: Inventory, steps: Iterable[Step]) -> Inventory:
    """Return the union to be written first; an object made anew takes its new uid with it."""
    entries = []
    for step in steps:
        if step.intent is Intent.SKIP and step.identity not in inventory:
            continue
        uid = uid_of(step.live) if step.live is not None else ""
        entries.append(
            Entry(identity=step.identity, version=step.desired.version, uid=uid, origin=step.origin)
        )
    return inventory.replacing(entries)


def applied_entry(step: Step, answer: Live, *, created: bool) -> Entry:
    """Return the entry of an object after its apply.

    `created` is whether the server said so (status 201): an object that someone else made in
    the meantime is adopted.
    """
    origin = step.origin
    if step.is_new:
        origin = Origin.CREATED if created else Origin.ADOPTED
    return Entry(
        identity=step.identity, version=step.desired.version, uid=uid_of(answer), origin=origin
    )


def plan_prune(
    inventory: Inventory,
    desired: Iterable[Identity],
    live: Mapping[Identity, Live],
    owner: Owner,
    *,
    complete: bool,
) -> PrunePlan:
    """Return what is deleted of the objects that are desired no longer.

    `live` holds those of them that exist, from a reading that did not fail. Unless the pass was
    `complete`, or when it desired nothing at all, nothing is deleted and nothing forgotten.
    """
    wanted = frozenset(desired)
    left = sorted(inventory.left_by(wanted), key=lambda one: apply_order(one.identity))
    if not complete or not wanted:
        why = "nothing is desired" if complete else "the pass was not complete"
        return PrunePlan(kept=tuple(Kept(identity=one.identity, reason=why) for one in left))
    prunes: list[Prune] = []
    kept: list[Kept] = []
    forgotten: list[Identity] = []
    for entry in reversed(left):
        found = live.get(entry.identity)
        reason = _reason_to_keep(entry, found, owner)
        if found is None or reason == _NOT_OURS:
            forgotten.append(entry.identity)
        elif reason:
            kept.append(Kept(identity=entry.identity, reason=reason))
        else:
            prunes.append(_prune(entry, found))
    return PrunePlan(prunes=tuple(prunes), kept=tuple(kept), forgotten=tuple(forgotten))


def _reason_to_keep(entry: Entry, live: Live | None, owner: Owner) -> str:
    if live is None:
        return ""
    if claim_on(live, owner).claim is not Claim.OURS:
        return _NOT_OURS
    if entry.origin is Origin.ADOPTED:
        return "it was there before us"
    if entry.uid != uid_of(live) and not is_made_by_us(live):
        return "nothing shows that we made it"
    if rules_of(None, live).never_prune:
        return "a label or annotation says to keep it"
    if mapping_at(live, "metadata").get("deletionTimestamp"):
        return "it is being deleted"
    return ""


def _prune(entry: Entry, live: Live) -> Prune:
    metadata = mapping_at(live, "metadata")
    _, _, version = str(live.get("apiVersion", entry.version)).rpartition("/")
    return Prune(
        identity=entry.identity,
        version=version,
        uid=uid_of(live),
        resource_version=str(metadata.get("resourceVersion", "")),
    )


def uid_of(live: Live) -> str:
    """Return the uid of a live object."""
    return str(mapping_at(live, "metadata").get("uid", ""))


def by_identity(objects: Iterable[Live]) -> dict[Identity, Live]:
    """Return raw objects of the API server by their identities."""
    return {identity_of(one): one for one in objects}
