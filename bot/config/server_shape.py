"""The shape of the file of `pilotfish serve`: what an operator may write, and what it means.

It shares the pieces of `.pilotfish.yaml` where they mean the same (`product.md` 3.2).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from bot.config.shape import (
    CommitShape,
    ForgeShape,
    LimitsShape,
    OptionsShape,
    RegistryShape,
    ScheduleShape,
    SecretShape,
    Shape,
)

_NUMBER_OR_TEXT = {"type": ["string", "number"]}


class CredentialsShape(Shape):
    """What opens a Git remote; only what is needed is given."""

    username: str | None = Field(None, description="Goes with the token; default: pilotfish.")
    token: SecretShape | None = Field(None, description="Where the token is kept.")
    ssh_key: str | None = Field(None, description="File of a private SSH key.")
    ssh_passphrase: SecretShape | None = Field(None, description="Where its passphrase is kept.")
    known_hosts: str | None = Field(None, description="File of the SSH hosts that are trusted.")
    ca: str | None = Field(None, description="PEM file of a private certificate authority.")


class RepositoryShape(Shape):
    """A Git repository whose images are kept up to date."""

    name: str = Field(description="What logs and targets call it.")
    url: str = Field(description="Its address: https or ssh, without credentials.")
    branch: str | None = Field(None, description="The base; default: the remote's own.")
    credentials: CredentialsShape | None = Field(None, description="What opens it.")
    interval: str = Field("5m", description="How often to look, such as 5m or 1h.")
    schedule: ScheduleShape | None = Field(None, description="When to look; default: always.")
    suspend: bool = Field(False, description="Whether it stands still.")
    defaults: OptionsShape | None = Field(
        None, description="What its policies must keep; they may ask for more, never for less."
    )
    limits: LimitsShape | None = Field(None, description="The smaller of these and its own count.")
    forge: ForgeShape | None = Field(None, description="Its forge; stronger than its own file.")
    commit: CommitShape | None = Field(None, description="Who commits, and with which key.")


class TargetShape(Shape):
    """A folder of a repository that is applied to a cluster."""

    name: str = Field(description="What logs call it, and the name of its inventory.")
    repository: str = Field(description="The name of one of `repositories`.")
    path: str = Field("", description="The folder to build; default: the top.")
    kubeconfig: str | None = Field(None, description="File; default: $KUBECONFIG or the usual.")
    context: str | None = Field(None, description="Context of the kubeconfig; default: its own.")
    namespace: str = Field("default", description="Of objects without one, and the inventory.")
    interval: str = Field("5m", description="How often to apply, such as 5m or 1h.")
    schedule: ScheduleShape | None = Field(None, description="When to apply; default: always.")
    prune: bool = Field(False, description="Delete what has left the folder.")
    wait: bool = Field(True, description="Wait until the objects are healthy.")
    timeout: str = Field("5m", description="How long to wait for that.")
    force: bool = Field(False, description="Replace objects where a field cannot be changed.")
    suspend: bool = Field(False, description="Whether it stands still.")
    vars: dict[str, str] | None = Field(
        None, description="Variables for `${name}` in the objects; without it none is replaced."
    )


class ListenShape(Shape):
    """Where the server answers about itself."""

    listen: str = Field("127.0.0.1:8080", description="HOST:PORT of health and metrics.")


class BoundsShape(Shape):
    """How much the server does at once."""

    concurrent: int = Field(4, ge=1, le=64, description="Most errands under way at once.")
    errand_timeout: str = Field("15m", description="An errand that takes longer is stopped.")
    kept_runs: int = Field(
        10_000, ge=100, le=1_000_000, description="How many runs the store remembers."
    )


class ServerFileShape(Shape):
    """What `pilotfish serve` watches, and where it applies it."""

    version: Annotated[int, WithJsonSchema({"type": "integer", "const": 1})] = Field(
        1, ge=1, le=1, description="The version of this format; always 1."
    )
    repositories: list[RepositoryShape] = Field([], description="The repositories to look after.")
    targets: list[TargetShape] = Field([], description="What is applied where.")
    registries: dict[str, RegistryShape] = Field(
        {}, description="Registries by host, where the docker configuration does not suffice."
    )
    server: ListenShape = Field(ListenShape(), description="Where the server answers.")  # type: ignore[call-arg]  # all have defaults
    store: str | None = Field(
        None, description="The SQLite file of its memory; default: in the state folder."
    )
    limits: BoundsShape = Field(BoundsShape(), description="How much happens at once.")  # type: ignore[call-arg]  # all have defaults
    jitter: Annotated[str, WithJsonSchema(_NUMBER_OR_TEXT)] = Field(
        "10%", description="How much later than its interval an errand may begin: 0 to 100%."
    )
