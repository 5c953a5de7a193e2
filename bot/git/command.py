"""Runs git: an environment from nothing, a configuration of our own, errors in our words.

Secrets reach git only through small programs in a private folder (askpass, ssh) that read
files only we may read; never by an argument, an environment variable or an address (rules
C2, C4, G1, G3, G4, S2, S3 of the threat model). The askpass program answers for one host.

Must not know what is fetched, committed or pushed, nor why.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.git.faults import GitTooOldError, translate_local, translate_network
from bot.git.remote_url import RemoteUrl, Transport
from bot.git.settings import (
    GitAccess,
    Setting,
    access_settings,
    config_file,
    imported_settings,
)
from bot.process import Completed, clean_environment, inherited_environment, run
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret

OLDEST_GIT = (2, 34)  # the first that signs with SSH keys
_LOCAL_TIMEOUT_S = 120.0
_NETWORK_TIMEOUT_S = 600.0
_MAX_OUTPUT_BYTES = 256 << 20
_ANY_USER = "x-access-token"  # forges take any name beside a token; GitHub asks for this one

# What a person's credential helper and ssh agent need; only for one-shot commands.
_PERSON = (
    "HOME", "USER", "LOGNAME", "XDG_*", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_TTY", "DISPLAY",
    "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "https_proxy", "HTTPS_PROXY", "http_proxy",
    "ALL_PROXY", "all_proxy", "no_proxy", "NO_PROXY", "GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN",
)  # fmt: skip
_PERSON_CONFIG = (
    "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_*", "GIT_CONFIG_VALUE_*", "GIT_CONFIG_PARAMETERS",
)  # fmt: skip

_SHELL = Path("/bin/sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git for one cache folder and one remote."""

    folder: Path
    private: Path
    where: str
    environment: Mapping[str, str]
    version: tuple[int, int]

    async def local(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        more: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (0,),
        max_output_bytes: int = _MAX_OUTPUT_BYTES,
    ) -> Completed:
        """Run git on the cache alone.

        Raises:
            CorruptCacheError: git ended with another status than `accepted`: the cache is
                damaged, or an object that was named is not there.
            DiskFullError: The cache cannot be written.
        """
        result = await self._run(arguments, stdin, more, _LOCAL_TIMEOUT_S, max_output_bytes)
        if result.code not in accepted:
            raise translate_local(result, where=self.where)
        return result

    async def network(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run git against the remote; the caller looks at the exit status.

        Raises:
            ProgramTimeoutError: It took longer than ten minutes.
        """
        return await self._run(arguments, stdin, more, _NETWORK_TIMEOUT_S, _MAX_OUTPUT_BYTES)

    async def remote(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run git against the remote.

        Raises:
            ProductError: It failed; the kind tells what happens next.
        """
        result = await self.network(*arguments, stdin=stdin, more=more)
        if result.code:
            raise translate_network(result, where=self.where)
        return result

    async def _run(
        self,
        arguments: Sequence[str],
        stdin: bytes | None,
        more: Mapping[str, str] | None,
        timeout_s: float,
        max_output_bytes: int,
    ) -> Completed:
        return await run(
            ["git", *arguments],
            stdin=stdin,
            environment={**self.environment, **(more or {})},
            cwd=self.private,
            timeout_s=timeout_s,
            max_output_bytes=max_output_bytes,
        )


@contextlib.asynccontextmanager
async def open_git(
    folder: Path,
    url: RemoteUrl,
    *,
    access: GitAccess,
    allow_file: bool,
    import_person: bool,
    person_folder: Path | None = None,
) -> AsyncIterator[Git]:
    """Give git for `folder` and `url`, with a private folder that goes when it is closed.

    `import_person` is for commands that a person or a CI job runs; `person_folder` is the
    clone they stand in.

    Raises:
        GitTooOldError: git is older than 2.34.
        ProgramMissingError: There is no git.
        ConfigError: A file that `access` names cannot be read.
    """
    private = Path(tempfile.mkdtemp(prefix="pilotfish-"))
    try:
        version = await _check_version(private)
        imported: list[Setting] = []
        if import_person:
            imported = await _person_settings(person_folder or private, access)
        if url.user and access.token is None and url.kind is not Transport.SSH:
            imported.append(("credential.username", url.user))
        settings = [*imported, *access_settings(access)]
        write_private(private / "config", config_file(settings))
        environment = _environment(folder, private, url, allow_file, import_person)
        environment |= _credentials(private, url, access, as_person=import_person)
        yield Git(
            folder=folder,
            private=private,
            where=url.text,
            environment=environment,
            version=version,
        )
    finally:
        shutil.rmtree(private, ignore_errors=True)


def private_program(path: Path, *, for_shell: str, for_python: str) -> Path:
    """Write a program that only we may run: in shell where there is one, else in Python.

    Both forms find their own folder and must do the same; neither may hold a secret.
    """
    shell, python = f"#!{_SHELL}\n{for_shell}", f"#!{sys.executable} -IS\n{for_python}"
    text = shell if _SHELL.exists() else python
    write_private(path, text.encode())
    path.chmod(0o700)
    return path


def write_secret(path: Path, secret: Secret) -> None:
    """Write a secret's text to a file that only we may read."""
    write_private(path, secret.reveal().encode())


def copy_key(source: Path, target: Path) -> Path:
    """Copy a private key so that only we may read it, as ssh demands of its keys.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        content = source.read_bytes()
    except OSError as fault:
        raise ConfigError(
            f"the key file {source} cannot be read ({fault.strerror})",
            where=str(source),
            hint="Check its path and rights",
        ) from fault
    write_private(target, content if content.endswith(b"\n") else content + b"\n")
    return target


def passphrase_environment(private: Path, name: str, passphrase: Secret | None) -> dict[str, str]:
    """Return what makes ssh and ssh-keygen take a key's passphrase from a private file."""
    if passphrase is None:
        return {}
    write_secret(private / f"{name}-passphrase", passphrase)
    program = private_program(
        private / f"{name}-askpass",
        for_shell=f'cat "${{0%/*}}/{name}-passphrase"\necho\n',
        for_python=f"import os, sys\nsys.stdout.write(open(os.path.join(os.path.dirname(__file__), "
        f"{name + '-passphrase'!r})).read() + '\\n')\n",
    )
    return {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only we may read, from its first byte."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


async def _check_version(private: Path) -> tuple[int, int]:
    result = await run(
        ["git", "version"],
        environment=clean_environment(
            {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        ),
        cwd=private,
    )
    match = re.search(rb"(\d+)\.(\d+)", result.stdout)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < OLDEST_GIT:
        raise GitTooOldError(
            f"git {version[0]}.{version[1]} is too old",
            where="git",
            hint=f"Install git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer",
        )
    return version


async def _person_settings(folder: Path, access: GitAccess) -> list[Setting]:
    environment = clean_environment() | inherited_environment(_PERSON_CONFIG)
    result = await run(
        ["git", "-c", "core.fsmonitor=false", "config", "--list", "--show-scope", "-z"],
        environment=environment,
        cwd=folder,
        max_output_bytes=1 << 22,
    )
    if result.code and "bad config" in result.error_text:
        raise ConfigError(
            f"git's own configuration cannot be read: {shown(result.error_text)}",
            where="git config",
            hint="Put that file right; every git command stumbles over it",
        )
    return imported_settings(result.stdout, with_credentials=access.token is None)


def _environment(
    folder: Path, private: Path, url: RemoteUrl, allow_file: bool, import_person: bool
) -> dict[str, str]:
    protocols = ["https", "ssh"]
    if url.kind is Transport.HTTP and url.is_loopback:
        protocols.append("http")
    if url.kind is Transport.FILE and allow_file:
        protocols.append("file")
    own = {
        "HOME": str(private),
        "LC_ALL": "C",
        "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(private / "config"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    return clean_environment(own) | (inherited_environment(_PERSON) if import_person else {})


def _credentials(
    private: Path, url: RemoteUrl, access: GitAccess, *, as_person: bool
) -> dict[str, str]:
    if url.kind is Transport.SSH:
        return _ssh(private, access, as_person=as_person)
    if access.token is None or url.kind is Transport.FILE:
        return {}
    user = access.username or url.user or _ANY_USER
    write_private(private / "username", f"{user}\n".encode())
    write_secret(private / "token", access.token)
    host = f"{url.kind.value}://{url.host}" + (f":{url.port}" if url.port is not None else "")
    write_private(private / "host", f"{host}\n{host.replace('://', f'://{user}@')}\n".encode())
    askpass = private_program(
        private / "askpass", for_shell=_ASKPASS_SHELL, for_python=_ASKPASS_PYTHON
    )
    return {"GIT_ASKPASS": str(askpass)}


# git asks "Username for 'https://host': " and "Password for 'https://user@host': ".
_ASKPASS_SHELL = """\
here=${0%/*}
{ read -r plain; read -r named; } < "$here/host"
case $1 in
"Username for '$plain'"*) cat "$here/username" ;;
"Password for '$named'"* | "Password for '$plain'"*) cat "$here/token"; echo ;;
*) exit 1 ;;
esac
"""
_ASKPASS_PYTHON = """\
import os, sys
here = os.path.dirname(__file__)
plain, named = open(os.path.join(here, "host")).read().splitlines()
asked = sys.argv[1]
if asked.startswith(f"Username for '{plain}'"):
    sys.stdout.write(open(os.path.join(here, "username")).read())
elif asked.startswith((f"Password for '{named}'", f"Password for '{plain}'")):
    sys.stdout.write(open(os.path.join(here, "token")).read() + "\\n")
else:
    sys.exit(1)
"""


def _ssh(private: Path, access: GitAccess, *, as_person: bool) -> dict[str, str]:
    options = ["-o", "StrictHostKeyChecking=yes", "-o", "PasswordAuthentication=no"]
    options += ["-o", "KbdInteractiveAuthentication=no", "-o", "ConnectTimeout=20"]
    if access.ssh_passphrase is None:
        options += ["-o", "BatchMode=yes"]
    if not as_person:
        # Unknown to older clients; weak host keys are refused where ssh can (G3).
        options += ["-F", "none", "-o", "IgnoreUnknown=RequiredRSASize"]
        options += ["-o", "RequiredRSASize=3072"]
    if access.known_hosts is not None:
        known = str(access.known_hosts.absolute())
        options += ["-o", f'UserKnownHostsFile="{known}"', "-o", "GlobalKnownHostsFile=/dev/null"]
    if access.ssh_key is not None:
        key = copy_key(access.ssh_key, private / "ssh-key")
        options += ["-o", "IdentitiesOnly=yes", "-i", str(key)]
    words = ["ssh", *options]
    program = private_program(
        private / "ssh",
        for_shell=f'exec {shlex.join(words)} "$@"\n',
        for_python=f"import os, sys\nos.execvp('ssh', {words!r} + sys.argv[1:])\n",
    )
    return {
        "GIT_SSH": str(program),
        "GIT_SSH_VARIANT": "ssh",
        **passphrase_environment(private, "ssh", access.ssh_passphrase),
    }
