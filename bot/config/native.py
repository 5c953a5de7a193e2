"""`.pilotfish.yaml` read into the one model, with every fault at once.

`product.md` 3.2 is the grammar. Faults come from three passes over one node tree (shape,
values, what several keys say together) and are told in the order of the file. A repository's
own file is code of whoever may push there: what would send credentials or requests elsewhere
counts only when a person runs the command (`product.md` 10.13).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.faults import Faults
from bot.config.model import (
    DEFAULT_NAMESPACE,
    CommitSettings,
    Config,
    ForgeSettings,
    Limits,
    UpdateRule,
)
from bot.config.named_policies import read_defaults, read_policies
from bot.config.nodes import Kind, Node, UnreadableYaml, read_documents
from bot.config.notation import Unreadable, read_address, read_namespace
from bot.config.registry_settings import read_registries, read_secret_place
from bot.config.secret_refs import read_secret
from bot.config.update_rules import read_commit, read_updates
from bot.errors import ConfigError, FaultsError, Problem, Severity
from policies.reference import InvalidReference, parse_repository

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from bot.config.model import RegistrySettings
    from bot.config.shape import FileShape

FILE_NAME = ".pilotfish.yaml"

_OPERATORS_REGISTRY_KEYS = (
    "auth",
    "ca",
    "client-cert",
    "client-key",
    "proxy",
    "insecure",
    "token-hosts",
)
_OPERATORS_FORGE_KEYS = ("url", "token", "app", "ca")
_OPERATORS_HINT = "The operator says this in the file of `pilotfish serve`; remove it here"


class Trust(Enum):
    """Who runs the command: a person (or a CI job) in this repository, or the server."""

    PERSON = "person"
    SERVER = "server"


def read_native(
    file: str, text: bytes, *, folder: Path, trust: Trust, elsewhere: Collection[str] = ()
) -> Config:
    """Return what `.pilotfish.yaml` says; no secret is read yet.

    `file` is the name that faults give, `folder` the one that relative files of certificates
    start from. `elsewhere` names policies of other sources, which groups may hold as well.

    Raises:
        FaultsError: The file has faults; all are in it, in the order of the file.
    """
    faults = Faults(file)
    root = read_root(text, faults)
    if root is None:
        faults.raise_if_any()
        return Config(source=(file,))
    if root.kind is not Kind.MAPPING:
        faults.add(root.place, f"the file must be a mapping, and is {root.kind.value}", _START)
        faults.raise_if_any()
    try:
        config = _read_sections(root, faults, folder=folder, elsewhere=elsewhere)
    except UnreadableYaml as fault:
        faults.add(fault.place, str(fault), "Write it out, with fewer aliases")
    if trust is Trust.SERVER:
        _refuse_operators_keys(root, faults)
    faults.raise_if_any()
    return config


def resolve_secrets(config: Config, *, folder: Path) -> Config:
    """Return `config` with the password of each registry read from where it is kept.

    Safe to repeat: each call reads again.

    Raises:
        FaultsError: At least one cannot be read; all of those are in it.
    """
    problems: list[Problem] = []
    registries: list[RegistrySettings] = []
    for settings in config.registries:
        password = None
        if settings.password_from is not None:
            where = f"registry {settings.host}"
            try:
                password = read_secret(settings.password_from, where=where, folder=folder)
            except ConfigError as fault:
                problems.append(
                    Problem(
                        severity=Severity.ERROR,
                        file=config.source[0] if config.source else settings.host,
                        message=f"{where}: {fault.what}",
                        hint=fault.hint,
                    )
                )
        registries.append(replace(settings, password=password))
    if problems:
        raise FaultsError(problems)
    return replace(config, registries=tuple(registries))


_START = "Begin with `version: 1`; `pilotfish schema` prints what may follow"


def read_root(text: bytes, faults: Faults) -> Node | None:
    """Return the one document of a file, noting what makes it unreadable; `None` without any."""
    try:
        documents = read_documents(text)
    except UnreadableYaml as fault:
        faults.add(fault.place, str(fault), "Mend the file; every YAML linter shows the place")
        return None
    for document in documents:
        for twice in document.duplicates:
            faults.add(
                twice.place,
                f"the key {twice.key!r} stands at line {twice.first[0]} already",
                "Remove one of the two",
            )
    roots = [document.root for document in documents if document.root is not None]
    if len(roots) > 1:
        faults.add(roots[1].place, "the file holds a second document", "Join the two")
    return roots[0] if roots else None


def _read_sections(
    root: Node, faults: Faults, *, folder: Path, elsewhere: Collection[str]
) -> Config:
    from bot.config.shape_faults import read_shape  # pydantic: late, most folders have no file

    shape = read_shape(root, faults)
    namespace = faults.read(root.get("namespace"), read_namespace) or DEFAULT_NAMESPACE
    defaults = read_defaults(root, faults)
    policies = read_policies(root, faults, namespace=namespace, defaults=defaults)
    _check_approvals(root, shape, faults)
    section = root.get("policies")
    written = {entry.key for entry in section.entries} if section is not None else set()
    return Config(
        policies=policies,
        updates=read_updates(root, shape, faults, policies=written | set(elsewhere))
        or (UpdateRule(),),
        registries=read_registries(root, shape, faults, folder=folder),
        forge=read_forge(root.get("forge"), faults, folder=folder),
        sources=_read_sources(root.get("sources"), faults),
        limits=_read_limits(shape),
        said_limits=_said_limits(root),
        dashboard=shape is not None and shape.dashboard,
        commit=read_commit(root.get("commit"), faults) or CommitSettings(),
        defaults=defaults,
        namespace=namespace,
        source=(faults.file,),
    )


def _check_approvals(root: Node, shape: FileShape | None, faults: Faults) -> None:
    """Note an update that waits for approvals where there is no place to give one."""
    if shape is None or (shape.dashboard and (shape.forge is None or shape.forge.kind != "plain")):
        return
    updates = root.get("updates")
    for node in updates.items if updates is not None else []:
        if node.kind is Kind.MAPPING and node.string("open") == "approval":
            faults.add(
                node.key_place("open"),
                "nobody could approve: approvals are given on the dashboard of a forge",
                "Write `dashboard: true`, or `open: immediate`",
            )


def read_forge(section: Node | None, faults: Faults, *, folder: Path) -> ForgeSettings:
    """Return what a `forge` mapping says; a relative `ca` is taken from `folder`."""
    if section is None:
        return ForgeSettings()
    app, ca = section.get("app"), section.string("ca")
    return ForgeSettings(
        kind=section.string("kind"),
        url=faults.read(section.get("url"), read_address) or "",
        token=read_secret_place(section.get("token"), faults),
        app_id=app.string("id") if app is not None else "",
        app_key=read_secret_place(app.get("private-key"), faults) if app is not None else None,
        ca=str(folder / ca) if ca else "",
        workflow=section.string("workflow"),
    )


def _read_sources(section: Node | None, faults: Faults) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in section.entries if section is not None else []:
        image = faults.read(entry.key_node, _read_image)
        address = faults.read(entry.value, read_address)
        if image and address:
            found[image] = address
    return MappingProxyType(found)


def _read_image(text: str) -> str:
    try:
        return parse_repository(text).canonical
    except InvalidReference as fault:
        raise Unreadable(
            f"the image {text!r} cannot be read: {fault}",
            "Write the repository alone, such as ghcr.io/acme/api",
        ) from fault


def _read_limits(shape: FileShape | None) -> Limits:
    if shape is None:
        return Limits()
    return Limits(
        open=shape.limits.open,
        new_per_hour=shape.limits.new_per_hour,
        pushes_per_hour=shape.limits.pushes_per_hour,
    )


def _said_limits(root: Node) -> frozenset[str]:
    section = root.get("limits")
    said = section.entries if section is not None else []
    return frozenset(entry.key for entry in said if not entry.value.is_null)


def _refuse_operators_keys(root: Node, faults: Faults) -> None:
    """Note every key that only the operator may set, however it got here."""
    registries, forge = root.get("registries"), root.get("forge")
    protected: list[tuple[Node, str, tuple[str, ...]]] = [
        (entry.value, f"registries.{entry.key}", _OPERATORS_REGISTRY_KEYS)
        for entry in (registries.entries if registries is not None else [])
    ]
    if forge is not None:
        protected.append((forge, "forge", _OPERATORS_FORGE_KEYS))
    updates = root.get("updates")
    commits = [(root.get("commit"), "commit")] + [
        (update.get("commit"), f"updates[{position}].commit")
        for position, update in enumerate(updates.items if updates is not None else [])
    ]
    protected += [(commit, name, ("sign",)) for commit, name in commits if commit is not None]
    for section, name, keys in protected:
        for key in keys:
            if section.get(key) is not None:
                faults.add(
                    section.key_place(key),
                    f"{name}.{key} does not count in a repository's own file",
                    _OPERATORS_HINT,
                )
