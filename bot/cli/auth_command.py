"""`pilotfish auth test IMAGE`: which credential is used, and what the registry answers.

It does what a run does, aloud: the places that were looked at, each question and its answer,
how many tags there are. Secrets are named by where they stand and never shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.cli.options import Display, parser, read_display
from bot.errors import ConfigError, ProductError
from bot.telemetry import redact

if TYPE_CHECKING:
    from bot.config.model import RegistrySettings
    from policies.reference import Reference

_DONE, _ERROR = 0, 1
_EXAMPLES = """\
  pilotfish auth test ghcr.io/acme/api
  pilotfish auth test alpine:3.20
  DOCKER_CONFIG=/run/secrets/docker pilotfish auth test registry.acme.io/team/api -o json
"""


@dataclass(slots=True, kw_only=True)
class _Outcome:
    image: str
    registry: str
    credentials: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    tags: int | None = None
    digest: str | None = None
    quota: str = ""
    error: ProductError | None = None


def run(argv: list[str]) -> int:
    """Test the way to one image's registry; 1 when its tags cannot be had."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    outcome = asyncio.run(_test(given.image))
    _show(outcome, display)
    return _DONE if outcome.error is None else _ERROR


def _parser() -> Any:
    made = parser(
        "auth",
        "Ask an image's registry as a run would, and say which credential was used.",
        examples=_EXAMPLES,
    )
    made.add_argument("test", metavar="test", choices=("test",))
    made.add_argument("image", metavar="IMAGE", help="a repository, or an image with its tag")
    return made


async def _test(image: str) -> _Outcome:
    from bot.clock import SystemClock
    from bot.registry.client import open_registries

    reference = _reference(image)
    repository = reference.repository
    outcome = _Outcome(image=image, registry=repository.registry)
    settings = await _settings()
    try:
        async with open_registries(
            settings, clock=SystemClock(), environment=os.environ, tell=outcome.steps.append
        ) as client:
            found = await client.credentials.find(repository.registry, repository.path)
            outcome.credentials = [each.entry for each in found.credentials]
            outcome.faults = list(found.faults)
            outcome.tags = len((await client.list_tags(repository)).tags)
            asked = reference.digest or reference.tag
            if asked:
                outcome.digest = (await client.head(repository, asked)).digest
            outcome.quota = client.host(repository.registry).quota
    except ConfigError:
        raise
    except ProductError as error:
        outcome.error = error
    return outcome


async def _settings() -> tuple[RegistrySettings, ...]:
    """Return what the configuration around this folder says about registries, secrets read."""
    from bot.cli.folder_config import config_here
    from bot.config.native import resolve_secrets

    configured = await config_here()
    return resolve_secrets(configured.config, folder=configured.folder).registries


def _reference(image: str) -> Reference:
    from policies.reference import InvalidReference, parse_reference

    try:
        return parse_reference(image)
    except InvalidReference as fault:
        raise ConfigError(
            str(fault), where=image, hint="Write an image, such as ghcr.io/acme/api"
        ) from fault


def _show(outcome: _Outcome, display: Display) -> None:
    if display.json:
        print(redact(json.dumps(_as_json(outcome), indent=2)))
    else:
        print(redact(_as_text(outcome)))
    if outcome.error is not None:
        from bot.cli.faults import tell

        sys.stdout.flush()
        tell(outcome.error)


def _as_json(outcome: _Outcome) -> dict[str, object]:
    error = outcome.error
    return {
        "image": outcome.image,
        "registry": outcome.registry,
        "credential": outcome.credentials[0] if outcome.credentials else None,
        "credentials": outcome.credentials,
        "unreadable": outcome.faults,
        "steps": outcome.steps,
        "tags": outcome.tags,
        "digest": outcome.digest,
        "quota": outcome.quota or None,
        "ok": error is None,
        "error": {"where": error.where, "message": error.what, "hint": error.hint}
        if error
        else None,
    }


def _as_text(outcome: _Outcome) -> str:
    first, *others = outcome.credentials or ["none, asked without a login"]
    lines = [f"registry:    {outcome.registry}", f"credential:  {first}"]
    lines += [f"             then {each}" for each in others]
    lines += [f"unreadable:  {each}" for each in outcome.faults]
    lines += ["steps:", *(f"  {step}" for step in outcome.steps)] if outcome.steps else []
    if outcome.tags is not None:
        lines.append(f"tags:        {outcome.tags}")
    if outcome.digest is not None:
        lines.append(f"digest:      {outcome.digest}")
    if outcome.quota:
        lines.append(f"quota:       {outcome.quota}")
    return "\n".join(lines)
