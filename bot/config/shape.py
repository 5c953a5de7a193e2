"""The shape of `.pilotfish.yaml`: which keys stand where, of which type, and what they mean.

`product.md` 3.2 is the source. The shapes give the JSON schema that editors use and the
first pass over a file; what only several keys together can say is checked in
`bot/config/native.py`. The one door to pydantic. Texts arrive as written, so a number or
truth value is read from its text here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_MOST_CONNECTIONS = 256
_MOST_TAGS_A_PAGE = 10_000
_TEXT_OR_TRUE = {"type": ["string", "boolean"]}
_ORDER = {"type": "string", "enum": ["asc", "desc"]}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_DENY = {
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["tag"],
                "properties": {
                    "tag": {"type": "string", "description": "The tag that must not run."},
                    "reason": {"type": "string", "description": "Why, for those who ask later."},
                },
            },
        ]
    },
}
_GROUP = {
    "anyOf": [
        {"type": "string", "enum": ["policy", "all", "type"]},
        {"type": "object", "additionalProperties": _TEXTS},
    ]
}


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Shape(BaseModel):
    """What every shape has in common: unknown keys are faults, names are written with dashes."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=_kebab, frozen=True, hide_input_in_errors=True
    )


class SecretShape(Shape):
    """Where a secret is kept: exactly one of `env` and `file`; never the secret itself."""

    env: str | None = Field(None, description="The environment variable that holds it.")
    file: str | None = Field(None, description="The file that holds it; relative to this one.")


class PasswordShape(SecretShape):
    """Where a password is kept: exactly one of `env`, `file` and `docker-config`."""

    docker_config: str | None = Field(None, description="A docker config.json that holds it.")


class AuthShape(Shape):
    """The credential for one registry: user name and password, or a docker configuration."""

    username: str | None = Field(None, description="The user name.")
    password: PasswordShape | None = Field(None, description="Where the password is kept.")
    docker_config: str | None = Field(
        None, description="A docker config.json to take the credential from."
    )


class RegistryShape(Shape):
    """One registry, only where the machine's own docker configuration does not suffice."""

    auth: AuthShape | None = Field(None, description="The credential.")
    ca: str | None = Field(None, description="PEM file of a private certificate authority.")
    client_cert: str | None = Field(None, description="PEM file of a client certificate.")
    client_key: str | None = Field(None, description="PEM file of the client certificate's key.")
    proxy: str | None = Field(None, description="Address of an HTTP proxy, without credentials.")
    insecure: bool = Field(False, description="Speak plain HTTP, and say so in every report.")
    rate: Annotated[str | None, WithJsonSchema({"type": ["string", "number"]})] = Field(
        None, description="Most requests per time, such as 20/s, 100/m or 1000/h."
    )
    concurrency: int = Field(
        16, ge=1, le=_MOST_CONNECTIONS, description="Most requests under way at once."
    )
    page_size: int | None = Field(
        None, ge=1, le=_MOST_TAGS_A_PAGE, description="How many tags to ask for at once."
    )
    token_hosts: list[str] = Field(
        [], description="Hosts beside the registry's own that may be sent its credential."
    )


class OptionsShape(Shape):
    """Options of a policy that may also stand under `defaults`."""

    digest: Annotated[
        object,
        WithJsonSchema({"type": "string", "enum": ["never", "if-not-present", "always"]}),
    ] = Field(None, description="Whether the digest is written beside the tag.")
    exclude: Annotated[object, WithJsonSchema(_TEXTS)] = Field(
        None, description="Patterns of tags to pass over; default: signatures and attestations."
    )
    min_age: Annotated[object, WithJsonSchema({"type": "string"})] = Field(
        None, description="How old a tag must be, such as 3d, 36h or 90m."
    )
    platforms: Annotated[object, WithJsonSchema(_TEXTS)] = Field(
        None, description="Platforms that a tag must exist for, such as linux/arm64."
    )
    allow_downgrade: Annotated[object, WithJsonSchema({"type": "boolean"})] = Field(
        None, description="Whether a tag may fall when a higher one disappears."
    )
    variant: Annotated[object, WithJsonSchema({"type": "string", "enum": ["keep", "any"]})] = Field(
        None, description="Whether the part after the version, such as -alpine, stays."
    )
    precision: Annotated[object, WithJsonSchema({"type": "string", "enum": ["keep", "any"]})] = (
        Field(None, description="Whether the number of parts, such as 1.4 or 1.4.2, stays.")
    )
    max_jump: Annotated[object, WithJsonSchema({"type": ["integer", "string"]})] = Field(
        None, description="How many major versions may be passed over before a person is asked."
    )


class PolicyShape(OptionsShape):
    """Which tag of an image should run: exactly one rule, and its options."""

    image: str = Field(description="The repository, without tag and digest.")
    semver: Annotated[object, WithJsonSchema(_TEXT_OR_TRUE)] = Field(
        None, description="Rule: the highest version in a range; true for any release."
    )
    alphabetical: Annotated[object, WithJsonSchema(_ORDER)] = Field(
        None, description="Rule: the last (asc) or first (desc) by byte order."
    )
    numerical: Annotated[object, WithJsonSchema(_ORDER)] = Field(
        None, description="Rule: the greatest (asc) or least (desc) number, exactly."
    )
    calver: Annotated[object, WithJsonSchema({"type": "string"})] = Field(
        None, description="Rule: the newest calendar version of a format such as YYYY.0M.MICRO."
    )
    newest_built: Annotated[object, WithJsonSchema({"type": "boolean"})] = Field(
        None, description="Rule: the one built last."
    )
    newest_pushed: Annotated[object, WithJsonSchema({"type": "boolean"})] = Field(
        None, description="Rule: the one pushed last."
    )
    digest_of: Annotated[object, WithJsonSchema({"type": "string"})] = Field(
        None, description="Rule: this very tag, followed by digest."
    )
    filter: Annotated[object, WithJsonSchema({"type": "string"})] = Field(
        None, description="Pattern (RE2) that a tag must match."
    )
    extract: Annotated[object, WithJsonSchema({"type": "string"})] = Field(
        None, description="What of a matching tag is compared, such as $ts."
    )
    deny: Annotated[object, WithJsonSchema(_DENY)] = Field(
        None, description="Tags that must not run, each with a reason."
    )


class ScheduleShape(Shape):
    """When proposals may be opened."""

    within: str = Field(description="Days and times, such as Mon-Fri 08:00-17:00.")
    timezone: str = Field("UTC", description="An IANA time zone, such as Europe/Berlin.")


class SignShape(Shape):
    """How commits are signed: exactly one of `ssh` and `gpg`."""

    ssh: SecretShape | None = Field(None, description="Where the private SSH key is kept.")
    gpg: SecretShape | None = Field(None, description="Where the armoured GPG key is kept.")
    passphrase: SecretShape | None = Field(None, description="Where its passphrase is kept.")


class CommitShape(Shape):
    """Who writes commits, and how they read."""

    author: str | None = Field(None, description="Who: 'name <name@host>'.")
    message: str | None = Field(None, description="The message, a Go template.")
    prefix: str | None = Field(
        None, description="How subjects and titles begin; default: chore(images)."
    )
    values: dict[str, str] = Field({}, description="What the template sees as .Values.")
    sign: SignShape | None = Field(None, description="With which key commits are signed.")


AutomergeWhen = Literal["never", "after-checks", "quiet"]


class AutomergeShape(Shape):
    """Which types of update merge without a person: once their checks passed, or quietly.

    `quiet` merges the branch and opens a proposal only where a check failed or none reported.
    """

    major: AutomergeWhen = Field("never", description="A new major version.")
    minor: AutomergeWhen = Field("never", description="A new minor version.")
    patch: AutomergeWhen = Field("never", description="A new patch version.")
    digest: AutomergeWhen = Field("never", description="The same tag with a new digest.")
    other: AutomergeWhen = Field("never", description="Tags that are no versions.")


class DigestsShape(Shape):
    """New digests of tags that stay: in one proposal of their own, and not too often."""

    group: Literal["together", "policy"] = Field(
        "together", description="In one proposal, or in that of each policy."
    )
    every: str = Field("1d", description="How often at most, such as 1d or 12h; 1s for at once.")


class UpdateShape(Shape):
    """Where, how and when changes are delivered."""

    name: str = Field(description="What this update is called; part of its branches' names.")
    paths: list[str] = Field([], description="Folders and files; default: the whole repository.")
    deliver: Literal["files", "commit", "branch", "pull-request"] = Field(
        "pull-request", description="How a change reaches Git."
    )
    branch: str | None = Field(None, description="The base; default: the remote's own.")
    push_branch: str | None = Field(None, description="The branch that `deliver: branch` writes.")
    group: Annotated[object, WithJsonSchema(_GROUP)] = Field(
        None, description="What shares a proposal: policy, all, type, or named lists of policies."
    )
    open: Literal["immediate", "after-checks", "approval"] = Field(
        "immediate",
        description="When a proposal is opened: at once, once the checks on its branch ended, "
        "or once a person approved it on the dashboard.",
    )
    labels: list[str] = Field([], description="Labels of the proposals.")
    automerge: AutomergeShape | None = Field(None, description="What merges without a person.")
    digests: DigestsShape | None = Field(
        None, description="How new digests of tags that stay are proposed."
    )
    reviewers: list[str] = Field(
        [], description="Who is asked to review where a person is to merge; owner/team for a team."
    )
    assignees: list[str] = Field([], description="Who is assigned where a person is to merge.")
    schedule: ScheduleShape | None = Field(None, description="When proposals may be opened.")
    commit: CommitShape | None = Field(None, description="Author and message for this update.")
    suspend: bool = Field(False, description="Whether this update stands still.")


class AppShape(Shape):
    """A GitHub App that acts for us: its tokens are made, narrowed and renewed by themselves."""

    id: str = Field(description="The App's number, or its client id.")
    private_key: SecretShape = Field(description="Where its private key (PEM) is kept.")


class ForgeShape(Shape):
    """Which forge the repository lives on; found by the remote's host when not said."""

    kind: Literal["github", "gitlab", "gitea", "forgejo", "plain"] | None = Field(
        None, description="The kind of forge; plain for a Git server alone."
    )
    url: str | None = Field(None, description="The forge's address, when it is not the remote's.")
    token: SecretShape | None = Field(None, description="Where its token is kept.")
    app: AppShape | None = Field(None, description="A GitHub App, instead of a token.")
    ca: str | None = Field(None, description="PEM file of a private certificate authority.")
    workflow: str | None = Field(
        None,
        description="A workflow's file name, to be started on the branch of each proposal; "
        "for tokens whose pushes start none.",
    )


class LimitsShape(Shape):
    """How much may be open or pushed at once."""

    open: int = Field(10, ge=0, le=10_000, description="Most open proposals.")
    new_per_hour: int = Field(4, ge=0, le=10_000, description="Most new proposals an hour.")
    pushes_per_hour: int = Field(20, ge=0, le=10_000, description="Most pushes an hour.")


class FileShape(Shape):
    """What should happen to the container images of this repository."""

    version: Annotated[int, WithJsonSchema({"type": "integer", "const": 1})] = Field(
        1, ge=1, le=1, description="The version of this format; always 1."
    )
    registries: dict[str, RegistryShape] = Field(
        {}, description="Registries by host, where the docker configuration does not suffice."
    )
    defaults: OptionsShape | None = Field(
        None, description="Options for all policies, those in markers included."
    )
    policies: dict[str, PolicyShape] = Field(
        {}, description="Named policies; markers call them NAMESPACE:NAME or NAME."
    )
    updates: list[UpdateShape] = Field(
        [], description="Where, how and when changes are delivered; default: one for everything."
    )
    forge: ForgeShape | None = Field(None, description="The forge of this repository.")
    sources: dict[str, str] = Field(
        {}, description="Source repositories by image, for release notes; stronger than labels."
    )
    dashboard: bool = Field(
        False, description="Whether one issue on the forge shows everything that is followed."
    )
    limits: LimitsShape = Field(LimitsShape(), description="How much may happen at once.")  # type: ignore[call-arg]  # all have defaults
    commit: CommitShape | None = Field(None, description="Author, message and signing key.")
    namespace: str = Field(
        "flux-system", description="The namespace of this file's policies in markers."
    )
