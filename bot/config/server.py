"""The file of `pilotfish serve`, read with every fault at once.

The same three passes as for `.pilotfish.yaml` (`bot/config/native.py`): shape, values, what
several keys say together. It is the operator's word: credentials, certificates and addresses
count here and nowhere else (`product.md` 10.13). No secret is read yet.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from bot.config.faults import Faults
from bot.config.lookup import nearest
from bot.config.model import Bounds, Limits, RegistrySettings
from bot.config.named_policies import read_defaults
from bot.config.native import read_forge, read_root
from bot.config.nodes import Kind, Node, UnreadableYaml
from bot.config.notation import (
    Unreadable,
    read_branch,
    read_duration,
    read_host,
    read_name,
    read_namespace,
    read_path,
)
from bot.config.registry_settings import read_registries, read_secret_place
from bot.config.server_model import (
    GitCredentials,
    RepositoryEntry,
    ServerConfig,
    TargetEntry,
)
from bot.config.update_rules import read_commit, read_schedule
from bot.errors import ConfigError
from policies.spec import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from bot.config.secret_refs import SecretRef
    from bot.config.server_shape import RepositoryShape, ServerFileShape, TargetShape

_Entry = TypeVar("_Entry", RepositoryEntry, TargetEntry)

_START = "Begin with `version: 1` and list `repositories`"
_EVERYTHING = 100


def read_server_file(
    file: str, text: bytes, *, folder: Path, check_url: Callable[[str], object]
) -> ServerConfig:
    """Return what the operator's file says.

    `file` is the name that faults give, `folder` the one that relative files start from, and
    `check_url` raises a `ConfigError` for an address that Git is not spoken to at.

    Raises:
        FaultsError: The file has faults; all are in it, in the order of the file.
    """
    faults = Faults(file)
    root = read_root(text, faults)
    if root is None or root.kind is not Kind.MAPPING:
        if not faults.problems:
            faults.add(root.place if root else (1, 1), "the file says nothing that counts", _START)
        faults.raise_if_any()
        raise AssertionError("a fault was noted above")
    try:
        config = _Reading(root, faults, folder, check_url).whole()
    except UnreadableYaml as fault:
        faults.add(fault.place, str(fault), "Write it out, with fewer aliases")
        faults.raise_if_any()
        raise
    faults.raise_if_any()
    return config


class _Reading:
    """One reading of one file."""

    def __init__(
        self, root: Node, faults: Faults, folder: Path, check_url: Callable[[str], object]
    ) -> None:
        from bot.config.server_shape import ServerFileShape
        from bot.config.shape_faults import read_shape_of

        self.root, self.faults, self.folder = root, faults, folder
        self.check_url = check_url
        self.shape: ServerFileShape | None = read_shape_of(ServerFileShape, root, faults)

    def whole(self) -> ServerConfig:
        """Return the configuration; it counts only where no fault was noted."""
        registries = read_registries(self.root, self.shape, self.faults, folder=self.folder)
        repositories = self._entries("repositories", self._repository)
        targets = self._entries("targets", self._target)
        self._check_targets(targets, {one.name for one in repositories})
        if not repositories and not self.faults.problems:
            self.faults.add(self.root.place, "there is nothing to look after", _START)
        host, port = self.faults.read(self.root.at("server", "listen"), _read_listen) or (
            "127.0.0.1",
            8080,
        )
        jitter = self.faults.read(self.root.get("jitter"), _read_share)
        limits = self.shape.limits if self.shape else None
        store = self.root.string("store")
        return ServerConfig(
            file=self.faults.file,
            folder=str(self.folder),
            repositories=repositories,
            targets=targets,
            registries=registries,
            host=host,
            port=port,
            store=str(self.folder / store) if store else "",
            concurrent=limits.concurrent if limits else 1,
            errand_timeout=self._length(self.root.at("limits", "errand-timeout"), "15m"),
            kept_runs=limits.kept_runs if limits else 100,
            jitter=0.1 if jitter is None else jitter,
            files=_files_of(repositories, targets, registries, self.folder),
        )

    def _entries(
        self, section: str, read: Callable[[Node, int], _Entry | None]
    ) -> tuple[_Entry, ...]:
        found: dict[str, _Entry] = {}
        node = self.root.get(section)
        for position, item in enumerate(node.items if node is not None else []):
            entry = read(item, position) if item.kind is Kind.MAPPING else None
            if entry is None:
                continue
            if entry.name in found:
                self.faults.add(
                    item.key_place("name"),
                    f"the name {entry.name!r} stands twice under {section}",
                    "Give each a name of its own",
                )
            found[entry.name] = entry
        return tuple(found.values())

    def _repository(self, node: Node, position: int) -> RepositoryEntry | None:
        typed: RepositoryShape | None = self.shape.repositories[position] if self.shape else None
        name = self.faults.read(node.get("name"), read_name)
        self.faults.read(node.get("url"), self._checked_url)
        if name is None:
            return None
        commit = node.get("commit")
        return RepositoryEntry(
            name=name,
            url=node.string("url"),
            branch=self.faults.read(node.get("branch"), read_branch) or "",
            credentials=self._credentials(node.get("credentials")),
            interval=self._length(node.get("interval"), "5m"),
            schedule=read_schedule(node.get("schedule"), self.faults),
            suspended=bool(typed and typed.suspend),
            bounds=self._bounds(node),
            limits=Limits(
                open=typed.limits.open,
                new_per_hour=typed.limits.new_per_hour,
                pushes_per_hour=typed.limits.pushes_per_hour,
            )
            if typed and typed.limits
            else None,
            forge=read_forge(node.get("forge"), self.faults, folder=self.folder)
            if node.get("forge")
            else None,
            commit=read_commit(commit, self.faults),
        )

    def _checked_url(self, text: str) -> str:
        try:
            self.check_url(text)
        except ConfigError as fault:
            raise Unreadable(fault.what, fault.hint) from fault
        return text

    def _bounds(self, node: Node) -> Bounds | None:
        options = read_defaults(node, self.faults)
        if not options:
            return None
        policy = read_policy({"semver": "*", **options}, native=True)
        return Bounds(options=frozenset(options), policy=policy)

    def _credentials(self, node: Node | None) -> GitCredentials:
        if node is None or node.kind is not Kind.MAPPING:
            return GitCredentials()

        def path(key: str) -> str:
            text = node.string(key)
            return str(self.folder / text) if text else ""

        return GitCredentials(
            username=node.string("username"),
            token=read_secret_place(node.get("token"), self.faults),
            ssh_key=path("ssh-key"),
            ssh_passphrase=read_secret_place(node.get("ssh-passphrase"), self.faults),
            known_hosts=path("known-hosts"),
            ca=path("ca"),
        )

    def _target(self, node: Node, position: int) -> TargetEntry | None:
        typed: TargetShape | None = self.shape.targets[position] if self.shape else None
        name = self.faults.read(node.get("name"), read_namespace)
        if name is None:
            return None
        kubeconfig = node.string("kubeconfig")
        return TargetEntry(
            name=name,
            repository=node.string("repository"),
            path=self.faults.read(node.get("path"), read_path) or "",
            kubeconfig=str(self.folder / kubeconfig) if kubeconfig else "",
            context=node.string("context"),
            namespace=self.faults.read(node.get("namespace"), read_namespace) or "default",
            interval=self._length(node.get("interval"), "5m"),
            timeout=self._length(node.get("timeout"), "5m"),
            schedule=read_schedule(node.get("schedule"), self.faults),
            prune=bool(typed and typed.prune),
            wait=bool(typed is None or typed.wait),
            force=bool(typed and typed.force),
            suspended=bool(typed and typed.suspend),
            variables=MappingProxyType(dict(typed.vars))
            if typed and typed.vars is not None
            else None,
        )

    def _check_targets(self, targets: tuple[TargetEntry, ...], known: set[str]) -> None:
        by_name = {one.name: one for one in targets}
        section = self.root.get("targets")
        for item in section.items if section is not None else []:
            named = item.get("repository")
            target = by_name.get(item.string("name"))
            if target is not None and named is not None and target.repository not in known:
                self.faults.add(
                    named.place,
                    f"no repository is called {target.repository!r}",
                    nearest(target.repository, known),
                )

    def _length(self, node: Node | None, default: str) -> timedelta:
        return self.faults.read(node, read_duration) or read_duration(default)


def _read_listen(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004  # the highest port
        raise Unreadable(f"{text!r} is no address to listen at", "Write HOST:PORT")
    read_host(host)
    return host.strip("[]"), int(port)


def _read_share(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    if not number.isdigit() or int(number) > _EVERYTHING:
        raise Unreadable(f"{text!r} is no share of an interval", "Write 0%, 10% … up to 100%")
    return int(number) / _EVERYTHING


def _files_of(
    repositories: tuple[RepositoryEntry, ...],
    targets: tuple[TargetEntry, ...],
    registries: tuple[RegistrySettings, ...],
    folder: Path,
) -> tuple[str, ...]:
    """Return every file whose change is a change of the configuration."""

    def kept(ref: SecretRef | None) -> str:
        return str(folder / ref.file) if ref is not None and ref.file else ""

    found = [kept(one.password_from) for one in registries]
    for one in registries:
        found += [
            one.docker_config or "",
            one.ca or "",
            one.client_cert or "",
            one.client_key or "",
        ]
    for entry in repositories:
        by = entry.credentials
        found += [kept(by.token), kept(by.ssh_passphrase), by.ssh_key, by.known_hosts, by.ca]
        if entry.forge is not None:
            found += [kept(entry.forge.token), kept(entry.forge.app_key), entry.forge.ca]
        if entry.commit is not None and entry.commit.signing is not None:
            found += [kept(entry.commit.signing.key), kept(entry.commit.signing.passphrase)]
    found += [target.kubeconfig for target in targets]
    return tuple(sorted({file for file in found if file}))
