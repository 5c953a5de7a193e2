"""How the commits of a run are made: author, message, signature.

The author is the configured one, else `pilotfish <pilotfish@users.noreply.HOST>` of the
remote's host, never the person who runs the command (`product.md` 10.15). A template of the
configuration gives the text; our trailers follow it whatever it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.config.secret_refs import read_secret
from bot.git.names import Identity
from bot.git.remote_url import parse_remote_url
from bot.git.signing import Signing, SigningKind
from bot.planning.message import PREFIX, default_message
from bot.proposals.carry_out import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bot.config.model import CommitSettings, SigningSettings
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.plan import Update
    from bot.planning.template import MessageChange
    from bot.update.configuration import Configured

AUTHOR_NAME = "pilotfish"


def writing_for(configured: Configured, remote: Remote, *, base: Sha, now: datetime) -> Writing:
    """Return how to make commits on `base`.

    Raises:
        ConfigError: The author, the template or the signing key is unusable.
    """
    commit = configured.config.commit
    return Writing(
        author=lambda rule: author_of(rule.commit, commit, parse_remote_url(remote.url).host),
        when=now,
        signing=_signing(commit.signing, configured),
        base=base,
        message=_message(configured),
        prefix=lambda rule: prefix_of(rule.commit, commit),
    )


def author_of(own: CommitSettings | None, common: CommitSettings, host: str) -> Identity:
    """Return the update's own author, else the configured one, else ours at the remote's host."""
    chosen = own if own is not None and own.author_email else common
    email = f"pilotfish@users.noreply.{host}" if host else "pilotfish@localhost"
    return Identity(name=chosen.author_name or AUTHOR_NAME, email=chosen.author_email or email)


def prefix_of(own: CommitSettings | None, common: CommitSettings) -> str:
    """Return how subjects and titles begin: the update's word, else the file's, else ours."""
    said = own.prefix if own is not None else None
    said = common.prefix if said is None else said
    return PREFIX if said is None else said


def _signing(settings: SigningSettings | None, configured: Configured) -> Signing | None:
    if settings is None:
        return None
    where = f"{configured.config.source[0]}: commit.sign" if configured.config.source else "sign"
    passphrase = settings.passphrase
    return Signing(
        kind=SigningKind(settings.kind),
        key=read_secret(settings.key, where=where, folder=configured.folder),
        passphrase=read_secret(passphrase, where=where, folder=configured.folder)
        if passphrase
        else None,
    )


def _message(configured: Configured) -> Callable[[str, Sequence[Update]], str]:
    common = configured.config.commit

    def text(name: str, updates: Sequence[Update]) -> str:
        own = updates[0].binding.update.commit
        chosen = own if own is not None and own.message else common
        if not chosen.message:
            return default_message(name, updates, prefix=prefix_of(own, common))
        return _rendered(chosen, updates)

    return text


def _rendered(settings: CommitSettings, updates: Sequence[Update]) -> str:
    """Return the person's template with Flux's data of these updates."""
    from bot.planning.template import MessageValues, render

    rule = updates[0].binding.update
    values = MessageValues(
        automation_name=rule.name,
        automation_namespace=rule.namespace or "",
        changes=tuple(_change(one) for one in updates),
        values=settings.values,
    )
    return render(settings.message, values, where=rule.where or "commit.message")


def _change(update: Update) -> MessageChange:
    from bot.planning.template import MessageChange

    field = update.binding.field
    digest = f"@{update.digest}" if update.digest else ""
    return MessageChange(
        file=update.file,
        old_value=field.value,
        new_value=update.value,
        setter=setter_of(update),
        image=f"{update.binding.image}:{update.to_tag}{digest}",
        api_version=field.identity.api_version,
        kind=field.identity.kind,
        namespace=field.identity.namespace,
        name=field.identity.name,
    )


def setter_of(update: Update) -> str:
    """Return what Flux calls the setter: the marker's text, for an inline one its policy."""
    from bot.rewrite.marker import FluxMarker

    marker = update.binding.field.marker
    return marker.text if isinstance(marker, FluxMarker) else update.binding.policy_name
