"""Signs commits with a key from a file, by GPG or SSH, and has git verify them.

Each key lives in a private folder for as long as the remote is open: GPG in a home folder of
its own, never the person's. Where signing is asked for, a commit without a good signature is
no commit (FG24, S11): a missing, locked or expired key stops the run before any push.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from bot.git.command import (
    Git,
    passphrase_environment,
    private_program,
    write_private,
    write_secret,
)
from bot.git.faults import SigningError
from bot.process import clean_environment, run
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret
    from bot.git.names import Sha


class SigningKind(Enum):
    """Who makes the signature."""

    GPG = "gpg"
    SSH = "ssh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A private key's text (armoured for GPG, OpenSSH's form for SSH) and what opens it."""

    kind: SigningKind
    key: Secret
    passphrase: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key made ready for one git; `environment` is what git needs to use it."""

    git: Git
    environment: Mapping[str, str]

    async def verify(self, commit: Sha) -> None:
        """Return when git finds a good signature of this key on `commit`.

        Raises:
            SigningError: There is none.
        """
        result = await self.git.local(
            "verify-commit", "--end-of-options", commit,
            more=self.environment, accepted=tuple(range(256)),
        )  # fmt: skip
        if result.code:
            raise _failed("git does not find a good signature on the commit", result.error_text)


@contextlib.asynccontextmanager
async def open_signer(git: Git, signing: Signing) -> AsyncIterator[Signer]:
    """Give a signer for `signing`.

    Raises:
        SigningError: The key cannot be read or used.
    """
    if signing.kind is SigningKind.SSH:
        yield await _ssh_signer(git, signing)
        return
    home = git.private / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    environment = clean_environment({"HOME": str(git.private), "GNUPGHOME": str(home)})
    try:
        yield await _gpg_signer(git, signing, home, environment)
    finally:
        # The agent leaves our process group; it ends with its socket only after minutes.
        await run(
            ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], environment=environment
        )


async def _gpg_signer(
    git: Git, signing: Signing, home: Path, environment: Mapping[str, str]
) -> Signer:
    words = 'exec gpg --homedir "${0%/*}/gnupg" --batch --no-tty'
    python = ["gpg", "--homedir", str(home), "--batch", "--no-tty"]
    extra: list[str] = []
    if signing.passphrase is not None:
        secret = git.private / "gpg-passphrase"
        write_secret(secret, signing.passphrase)
        extra = ["--pinentry-mode", "loopback", "--passphrase-file", str(secret)]
        words += ' --pinentry-mode loopback --passphrase-file "${0%/*}/gpg-passphrase"'
    program = private_program(
        git.private / "gpg",
        for_shell=f'{words} "$@"\n',
        for_python=f"import os, sys\nos.execvp('gpg', {python + extra!r} + sys.argv[1:])\n",
    )
    imported = await run(
        [str(program), "--import"],
        stdin=signing.key.reveal().encode(),
        environment=environment,
    )
    if imported.code:
        raise _failed("the GPG key cannot be read", imported.error_text)
    listed = await run(
        [str(program), "--list-secret-keys", "--with-colons"], environment=environment
    )
    lines = [line.split(":") for line in listed.stdout.decode("utf-8", "replace").splitlines()]
    prints = [line[9] for line in lines if line[0] == "fpr"]
    if not prints:
        raise _failed("the GPG key holds no secret part", listed.error_text)
    return Signer(
        git=git,
        environment=_settings(
            {
                "gpg.format": "openpgp",
                "gpg.program": str(program),
                "user.signingkey": prints[0],
            }
        )
        | {"GNUPGHOME": str(home)},
    )


async def _ssh_signer(git: Git, signing: Signing) -> Signer:
    key = git.private / "signing-key"
    write_private(key, signing.key.reveal().rstrip().encode() + b"\n")
    asked = passphrase_environment(git.private, "signing", signing.passphrase)
    public = await run(
        ["ssh-keygen", "-y", "-f", str(key)],
        environment=clean_environment({"HOME": str(git.private), **asked}),
    )
    if public.code:
        raise _failed("the SSH signing key cannot be read", public.error_text)
    signers = git.private / "allowed-signers"
    write_private(signers, b"* " + public.stdout)
    return Signer(
        git=git,
        environment=_settings(
            {
                "gpg.format": "ssh",
                "user.signingkey": str(key),
                "gpg.ssh.allowedsignersfile": str(signers),
            }
        )
        | asked,
    )


def _settings(pairs: Mapping[str, str]) -> dict[str, str]:
    environment = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _failed(what: str, said: str) -> SigningError:
    return SigningError(
        f"{what}: {shown(said)}" if said else what,
        where="commit signing",
        hint="Check the key and its passphrase, and that the key has not expired",
    )
