"""An object as it is sent to the API server: what people leave out, and what is not theirs to say.

The rules are those of `reconciler.md` 2.7: ports get the protocol that the server's merge keys
need, a Secret's `stringData` moves into its `data`, and what the server itself writes (status,
time of creation, managed fields) is left out. Roles are left untouched.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from reconciler.objects import InvalidObjectError, KubernetesObject, mapping_at

_SERVERS = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
_ROLES = frozenset(
    {("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "ClusterRole")}
)
_TEMPLATE = ("spec", "template")
# Where the pod is in each built-in kind that has one.
_POD_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
    ("batch", "Job"): _TEMPLATE,
}
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def normalised(one: KubernetesObject) -> KubernetesObject:
    """Return `one` as it is applied; what it was made of is not changed.

    Raises:
        InvalidObjectError: A Secret's `stringData` holds something that is no text.
    """
    kind = (one.identity.group, one.identity.kind)
    if kind in _ROLES:
        return one
    content: dict[str, Any] = deepcopy(dict(one.content))
    for key in _SERVERS:
        content["metadata"].pop(key, None)
    if kind == _DEFINITION:
        _drop_bad_bundle(content)
    else:
        content.pop("status", None)
    if kind == ("", "Secret"):
        _move_string_data(content, one)
    if kind == ("", "Service"):
        _name_protocols(mapping_at(content, "spec"))
    if kind in _POD_PATHS:
        _finish_pod(mapping_at(content, *_POD_PATHS[kind]))
    return replace(one, content=content)


def _finish_pod(pod: Mapping[str, Any]) -> None:
    metadata = pod.get("metadata")
    if isinstance(metadata, dict) and metadata.get("creationTimestamp", "") is None:
        del metadata["creationTimestamp"]
    spec = mapping_at(pod, "spec")
    for key in ("containers", "initContainers"):
        containers = spec.get(key)
        for container in containers if isinstance(containers, list) else ():
            if isinstance(container, dict):
                _name_protocols(container)


def _name_protocols(owner: Mapping[str, Any]) -> None:
    """Add the default protocol to ports without one: it is part of the server's merge key."""
    ports = owner.get("ports")
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict) and not port.get("protocol"):
            port["protocol"] = "TCP"


def _move_string_data(content: dict[str, Any], one: KubernetesObject) -> None:
    plain = content.pop("stringData", None)
    if not plain:
        return
    if not isinstance(plain, dict) or not all(isinstance(text, str) for text in plain.values()):
        raise InvalidObjectError(
            f"stringData of {one.identity} holds something that is no text",
            where=one.source,
            hint="Put its values in quotes",
        )
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    content["data"] = {**(content.get("data") or {}), **encoded}


def _drop_bad_bundle(content: dict[str, Any]) -> None:
    """Drop a conversion webhook's authority that is no certificate: a placeholder for injection."""
    client = mapping_at(content, "spec", "conversion", "webhook", "clientConfig")
    bundle = client.get("caBundle")
    if not isinstance(client, dict) or bundle is None:
        return
    try:
        is_certificate = _CERTIFICATE in base64.b64decode(str(bundle), validate=True)
    except binascii.Error:
        is_certificate = False
    if not is_certificate:
        del client["caBundle"]
