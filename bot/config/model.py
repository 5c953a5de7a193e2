"""The one configuration model that everything reads, whatever form it was written in.

Three forms lead here (`product.md` 3): markers on the line itself, `.pilotfish.yaml`, and
Flux's objects as files. Nothing outside `bot/config/` knows which it was.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret, SecretRef
    from policies.policy import TagPolicy

DEFAULT_NAMESPACE = "flux-system"
DEFAULT_UPDATE = "default"
PAUSED_LABEL = "pilotfish/paused"  # a person's alone: see bot/proposals/paused.py
DIGESTS = "digests"  # the proposal of new digests of tags that stay


class Delivery(Enum):
    """How a change reaches Git: edited files, a commit on the base, a branch, a proposal."""

    FILES = "files"
    COMMIT = "commit"
    BRANCH = "branch"
    PULL_REQUEST = "pull-request"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PolicyKey:
    """What a marker calls a policy: `namespace:name`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPolicy:
    """A policy with a name, the repository it looks at, and where both were written.

    `image` is the repository as written, without a tag; `where` is `file:line`.
    `suspended` policies choose nothing new. `options` are the policy's options as
    `policies.spec.read_policy` takes them, the file's defaults included, so that a marker may
    override some.
    """

    key: PolicyKey
    image: str
    policy: TagPolicy
    where: str
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    suspended: bool = False
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What a person said about one registry, on top of what the machine already knows.

    `host` is `name[:port]`. `password_from` says where the password is kept; `password` is it,
    once `bot.config.native.resolve_secrets` has read it. Paths are absolute.
    `rate_per_s` is requests per second, `None` for no limit of ours.
    """

    host: str
    username: str | None = None
    password: Secret | None = None
    password_from: SecretRef | None = None
    docker_config: str | None = None
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    insecure: bool = False
    rate_per_s: float | None = None
    concurrency: int = 16
    page_size: int | None = None
    token_hosts: tuple[str, ...] = ()


class Opening(Enum):
    """When a proposal is opened: see `bot/proposals/openings.py`."""

    IMMEDIATE = "immediate"
    AFTER_CHECKS = "after-checks"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When proposals may be opened: `within` as written (`Mon-Fri 08:00-17:00`), in `timezone`."""

    within: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What shares a proposal: `policy` (one each), `all`, `type` (of update), or named groups."""

    kind: str = "policy"
    named: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRefreshes:
    """How new digests of tags that stay are proposed: together or not, and how often at most."""

    together: bool = True
    every: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySelector:
    """Which named policies an update may use, as a Kubernetes label selector.

    Each expression is `(key, operator, values)`; no expression selects all.
    """

    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRule:
    """One `updates:` entry, or one ImageUpdateAutomation: where, how and when to deliver.

    `paths` are relative to the repository, empty for all of it. `branch` is the base, empty
    for the remote's default branch; `push_branch` the branch that `deliver: branch` writes,
    empty for one named after the update. `reviewers` are asked, and `assignees` assigned, where
    a person is to merge; `owner/team` is a team of reviewers. `namespace` limits Flux markers
    to one namespace, `None` admits every policy that the configuration knows.
    """

    name: str = DEFAULT_UPDATE
    paths: tuple[str, ...] = ()
    deliver: Delivery = Delivery.PULL_REQUEST
    group: Grouping = field(default_factory=Grouping)
    open: Opening = Opening.IMMEDIATE
    labels: tuple[str, ...] = ()
    automerge: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    digests: DigestRefreshes = field(default_factory=DigestRefreshes)
    schedule: Schedule | None = None
    branch: str = ""
    push_branch: str = ""
    namespace: str | None = None
    selector: PolicySelector | None = None
    suspended: bool = False
    commit: CommitSettings | None = None
    repository: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeSettings:
    """Which forge the repository lives on; an empty kind is found by the remote's host.

    `app_id` and `app_key` are those of a GitHub App; `ca` is an absolute path. `workflow` is
    started on the branch of a proposal by its file name, for tokens whose pushes start none.
    """

    kind: str = ""
    url: str = ""
    token: SecretRef | None = None
    app_id: str = ""
    app_key: SecretRef | None = None
    ca: str = ""
    workflow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be open or pushed at once (`peers.md` 3.5)."""

    open: int = 10
    new_per_hour: int = 4
    pushes_per_hour: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """How commits are signed: `kind` is `ssh` or `gpg`, `key` where the private key stands."""

    kind: str
    key: SecretRef
    passphrase: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSettings:
    """Who writes our commits and how they read; empty texts mean the program's defaults.

    `message` is a Go template; `prefix` begins subjects and titles, `None` where nobody said;
    `values` are what it sees as `.Values`.
    """

    author_name: str = ""
    author_email: str = ""
    message: str = ""
    prefix: str | None = None
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    signing: SigningSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an operator asks of every policy of a repository, whatever its files say.

    `options` are those that were written, `policy` is what they mean on their own; see
    `bot.config.bounds` for how each is kept.
    """

    options: frozenset[str]
    policy: TagPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was configured, whatever form it had.

    `said_limits` names the limits that were written, by their keys. `defaults` are options that
    inline markers and named policies fall back to. `bounds` is what the operator of a server
    asks of all of them. `sources` are addresses of source repositories by image, normalised,
    where release notes are read instead of where labels say. `dashboard`: one issue shows
    everything. `source` names the file or files
    that were read, empty when nothing was configured.
    """

    policies: Mapping[PolicyKey, NamedPolicy] = field(default_factory=lambda: MappingProxyType({}))
    updates: tuple[UpdateRule, ...] = (UpdateRule(),)
    registries: tuple[RegistrySettings, ...] = ()
    forge: ForgeSettings = field(default_factory=ForgeSettings)
    limits: Limits = field(default_factory=Limits)
    said_limits: frozenset[str] = frozenset()
    commit: CommitSettings = field(default_factory=CommitSettings)
    defaults: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    namespace: str = DEFAULT_NAMESPACE
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dashboard: bool = False
    bounds: Bounds | None = None
    source: tuple[str, ...] = ()
