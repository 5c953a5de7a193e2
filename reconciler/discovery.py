"""Which kinds an API server has, by which path, and of which groups it could not say.

Read from aggregated discovery: two answers tell everything, where asking each group takes forty
(`dependencies.md` 8). A group version that the server marks stale, because the extension behind
it is down, is kept apart: a kind missing from it is unknown, never gone (`reliability-security.md`
FK6).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_AGGREGATED = "APIGroupDiscoveryList"
_STALE = "Stale"
ACCEPT = ", ".join(
    [
        *(
            f"application/json;g=apidiscovery.k8s.io;v={version};as={_AGGREGATED}"
            for version in ("v2", "v2beta1")
        ),
        "application/json",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as the API server serves it in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object; without `name` of the list, everywhere without both."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{where}/{self.plural}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Every kind that the server told of, best version first, and groups it could not ask."""

    resources: Mapping[tuple[str, str], tuple[Resource, ...]] = field(repr=False)
    silent: frozenset[str] = frozenset()

    def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        """Return the kind in `version`, in the server's preferred one without; `None` if none."""
        for each in self.resources.get((group, kind), ()):
            if not version or each.version == version:
                return each
        return None


def read_discovery(answers: Iterable[Any]) -> Discovery | None:
    """Return what the answers of `/api` and `/apis` say; `None` when they are not aggregated."""
    found: dict[tuple[str, str], tuple[Resource, ...]] = {}
    silent: set[str] = set()
    for answer in answers:
        if answer.get("kind") != _AGGREGATED:
            return None
        for group in answer.get("items") or []:
            name = (group.get("metadata") or {}).get("name") or ""
            for version in group.get("versions") or []:
                if version.get("freshness") == _STALE:
                    silent.add(name)
                for each in _resources(name, version):
                    key = (name, each.kind)
                    found[key] = (*found.get(key, ()), each)
    return Discovery(resources=found, silent=frozenset(silent))


def _resources(group: str, version: Mapping[str, Any]) -> Iterable[Resource]:
    for each in version.get("resources") or []:
        kind = (each.get("responseKind") or {}).get("kind")
        verbs = frozenset(each.get("verbs") or ())
        if kind and "get" in verbs:
            yield Resource(
                group=group,
                version=version["version"],
                kind=kind,
                plural=each["resource"],
                namespaced=each.get("scope") == "Namespaced",
                verbs=verbs,
            )


def as_json(discovery: Discovery) -> list[list[Any]]:
    """Return rows for the cache file; what was silent is not kept, so that it is asked again."""
    return [
        [one.group, one.version, one.kind, one.plural, one.namespaced, sorted(one.verbs)]
        for versions in discovery.resources.values()
        for one in versions
    ]


def from_json(rows: Any) -> Discovery:
    """Return what `as_json` gave.

    Raises:
        ValueError, TypeError: It is something else.
    """
    found: dict[tuple[str, str], tuple[Resource, ...]] = {}
    for group, version, kind, plural, namespaced, verbs in rows:
        one = Resource(
            group=group,
            version=version,
            kind=kind,
            plural=plural,
            namespaced=namespaced is True,
            verbs=frozenset(verbs),
        )
        found[group, kind] = (*found.get((group, kind), ()), one)
    return Discovery(resources=found)
