"""Who an object belongs to, and who wrote which of its fields.

A set marks what it applies with two labels. An object that carries the labels of another tool, or
of another set, is that one's and never touched; one with no labels at all may be adopted. Fields
that `kubectl` wrote before us are taken over, so that what people edited by hand is put back
(`reconciler.md` 2.7). Names are matched whole: a plugin called `kubectl-foo` keeps its fields.

Must not know applying.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from reconciler.objects import annotations_of, labels_of, mapping_at

FIELD_MANAGER = "pilotfish"
PREFIX = "reconcile.pilotfish.io/"
FLUX_PREFIX = "kustomize.toolkit.fluxcd.io/"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NAME, _NAMESPACE = PREFIX + "name", PREFIX + "namespace"
_VERBS = (
    "annotate apply autoscale client-side-apply create edit expose label last-applied patch "
    "replace rollout run scale set taint"
)
TAKEN_OVER = frozenset({"kubectl", *(f"kubectl-{verb}" for verb in _VERBS.split())})
_BEFORE_FIRST = "before-first-apply"
# What marks an object as another tool's, and how that tool is called in a sentence.
_LABELS = (
    (FLUX_PREFIX + "name", FLUX_PREFIX + "namespace", "Flux Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace", "Flux HelmRelease"),
    ("argocd.argoproj.io/instance", "", "Argo CD application"),
    ("applyset.kubernetes.io/part-of", "", "ApplySet"),
    ("kapp.k14s.io/app", "", "kapp application"),
)
_ANNOTATIONS = (
    ("argocd.argoproj.io/tracking-id", "", "Argo CD application"),
    ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "Helm release"),
    ("config.k8s.io/owning-inventory", "", "cli-utils inventory"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The set that a pass applies, by the name and namespace of its inventory."""

    name: str
    namespace: str

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that mark an object as this set's."""
        return {_NAME: self.name, _NAMESPACE: self.namespace}

    def __str__(self) -> str:
        """Return `namespace/name`."""
        return f"{self.namespace}/{self.name}"


class Claim(Enum):
    """Whose labels an object carries."""

    OURS = "ours"
    NOBODY = "nobody's"
    ANOTHER = "another owner's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Whose an object is; `who` names another owner, as `Helm release shop/web`."""

    claim: Claim
    who: str = ""


def claim_on(live: Mapping[str, Any], owner: Owner) -> Claimed:
    """Return whose `live` is; what another tool marks is never ours, even with our labels."""
    labels, annotations = labels_of(live), annotations_of(live)
    for held, marks in ((labels, _LABELS), (annotations, _ANNOTATIONS)):
        for name, namespace, tool in marks:
            if name in held:
                of = "/".join(part for part in (held.get(namespace, ""), held[name]) if part)
                return Claimed(claim=Claim.ANOTHER, who=f"{tool} {of}")
    for reference in mapping_at(live, "metadata").get("ownerReferences") or ():
        if isinstance(reference, Mapping) and reference.get("controller") is True:
            of = f"{reference.get('kind', '')} {reference.get('name', '')}"
            return Claimed(claim=Claim.ANOTHER, who=f"controller {of}")
    if _NAME not in labels and _NAMESPACE not in labels:
        return Claimed(claim=Claim.NOBODY)
    theirs = Owner(name=labels.get(_NAME, ""), namespace=labels.get(_NAMESPACE, ""))
    if theirs == owner:
        return Claimed(claim=Claim.OURS)
    return Claimed(claim=Claim.ANOTHER, who=f"Pilotfish set {theirs}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """One entry of an object's managed fields; `fields` is its tree of `f:` and `k:` keys."""

    name: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Mapping[str, Any] = field(repr=False)


def writers_of(live: Mapping[str, Any]) -> list[Writer]:
    """Return who wrote fields of `live`, in the order the server keeps them."""
    return [
        Writer(
            name=str(entry.get("manager", "")),
            operation=str(entry.get("operation", "")),
            api_version=str(entry.get("apiVersion", "")),
            subresource=str(entry.get("subresource", "")),
            time=str(entry.get("time", "")),
            fields=mapping_at(entry, "fieldsV1"),
        )
        for entry in _entries(live)
    ]


def is_made_by_us(live: Mapping[str, Any]) -> bool:
    """Return whether `live` shows that our own apply created it.

    It does when nobody else wrote a field of it (status aside), or when our entry is as old as
    the object and all others are younger. What might have been there before us is never deleted.
    """
    writers = [one for one in writers_of(live) if not one.subresource]
    ours = [one for one in writers if one.name == FIELD_MANAGER and one.operation == "Apply"]
    if not ours:
        return False
    created = str(mapping_at(live, "metadata").get("creationTimestamp", ""))
    if not created:
        return False
    others = [one for one in writers if one not in ours]
    return not others or (ours[0].time == created and all(one.time > created for one in others))


def takeover_patch(live: Mapping[str, Any], *, also: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the JSON patch that hands the fields of `kubectl` over to us; empty when none are.

    Entries for a subresource and those of another API version than the one that remains are
    left. `also` names further writers to take over from. The patch holds the resource version,
    so the server refuses it when someone was faster.
    """
    entries = _entries(live)
    taken = [entry for entry in entries if _is_taken(entry, also)]
    patch: list[dict[str, Any]] = []
    if taken:
        kept = next((entry for entry in entries if _is_ours(entry)), None) or taken[-1]
        same = [one for one in taken if one.get("apiVersion") == kept.get("apiVersion")]
        fields: dict[str, Any] = dict(mapping_at(kept, "fieldsV1"))
        for entry in same:
            fields = _united(fields, mapping_at(entry, "fieldsV1"))
        ours = {**kept, "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
        others = [entry for entry in entries if entry is not kept and entry not in same]
        patch.append({"op": "replace", "path": "/metadata/managedFields", "value": [*others, ours]})
    if LAST_APPLIED in annotations_of(live):
        name = LAST_APPLIED.replace("/", "~1")
        patch.append({"op": "remove", "path": f"/metadata/annotations/{name}"})
    version = mapping_at(live, "metadata").get("resourceVersion")
    if patch and version:
        patch.append({"op": "replace", "path": "/metadata/resourceVersion", "value": version})
    return patch


def _entries(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    held = mapping_at(live, "metadata").get("managedFields")
    return [one for one in held if isinstance(one, Mapping)] if isinstance(held, list) else []


def _is_ours(entry: Mapping[str, Any]) -> bool:
    is_whole = not entry.get("subresource")
    return is_whole and entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"


def _is_taken(entry: Mapping[str, Any], also: Collection[str]) -> bool:
    if entry.get("subresource"):
        return False
    name, operation = entry.get("manager"), entry.get("operation")
    if name in {_BEFORE_FIRST, FIELD_MANAGER}:
        return operation == "Update"
    return name in TAKEN_OVER or name in also


def _united(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            merged[key] = _united(held, value)
        else:
            merged.setdefault(key, value)
    return merged
