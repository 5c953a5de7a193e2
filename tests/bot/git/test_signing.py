"""Signed commits: git itself finds the signature good, and a bad key stops before any push."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.config.secret_refs import Secret
from bot.git.faults import SigningError
from bot.git.names import Sha
from bot.git.remote import Remote
from bot.git.signing import Signing, SigningKind
from tests.bot.git.situations import BOT, WHEN, Opener
from tests.servers.git_host import GitHost

FILES = {"a.yaml": "image: x:1\n"}
PASSPHRASE = "canary-pass-5d"  # of a key that lives as long as a test

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="apt-get install gnupg")


def ssh_key(folder: Path, passphrase: str = "") -> Signing:
    key = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)], check=True
    )
    return Signing(
        kind=SigningKind.SSH,
        key=Secret(key.read_text()),
        passphrase=Secret(passphrase) if passphrase else None,
    )


def gpg_key(passphrase: str = "", *, faked_time: str = "", expires: str = "never") -> Signing:
    import tempfile

    home = tempfile.mkdtemp(prefix="gpg-")
    gpg = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback"]
    gpg += ["--passphrase", passphrase]
    past = ["--faked-system-time", faked_time] if faked_time else []
    try:
        subprocess.run(
            [*gpg, *past, "--quick-gen-key", BOT.text, "ed25519", "sign", expires],
            check=True,
            capture_output=True,
        )
        armoured = subprocess.run(
            [*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True
        ).stdout.decode()
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
        shutil.rmtree(home, ignore_errors=True)
    return Signing(
        kind=SigningKind.GPG,
        key=Secret(armoured),
        passphrase=Secret(passphrase) if passphrase else None,
    )


async def sign_and_push(remote: Remote, signing: Signing) -> Sha:
    tip = (await remote.fetch("main"))["main"]
    made = await remote.commit(
        tip, {"a.yaml": b"image: x:2\n"}, message="Sign x", author=BOT, when=WHEN, signing=signing
    )
    assert made is not None
    await remote.push("main", made, expected=tip)
    return made


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["open", "locked"])
async def test_an_ssh_signature_is_good_for_git(
    git_host: GitHost, opened: Opener, tmp_path: Path, passphrase: str
) -> None:
    fleet = git_host.create("fleet", FILES)
    signing = ssh_key(tmp_path, passphrase)

    async with opened(fleet.url_http) as remote:
        made = await sign_and_push(remote, signing)
        await remote.verify(made, signing)

    public = (tmp_path / "key.pub").read_text()
    (tmp_path / "signers").write_text(f"{BOT.email} {public}")
    fleet.configure("gpg.ssh.allowedSignersFile", str(tmp_path / "signers"))
    assert fleet.git("log", "-1", "--format=%G? %GS", "main").split() == ["G", BOT.email]
    assert fleet.read("a.yaml") == b"image: x:2\n"


@needs_gpg
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["open", "locked"])
async def test_a_gpg_signature_is_good_for_git(
    git_host: GitHost, opened: Opener, passphrase: str
) -> None:
    fleet = git_host.create("fleet", FILES)
    signing = gpg_key(passphrase)

    async with opened(fleet.url_http) as remote:
        made = await sign_and_push(remote, signing)
        await remote.verify(made, signing)

    assert "-----BEGIN PGP SIGNATURE-----" in fleet.git("cat-file", "commit", made)


@needs_gpg
async def test_no_agent_stays_behind(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        await sign_and_push(remote, gpg_key())

    lines = [
        Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in os.listdir("/proc")
        if pid.isdigit() and Path(f"/proc/{pid}/cmdline").exists()
    ]
    assert not [line for line in lines if b"gpg-agent" in line and b"/pilotfish-" in line]


@needs_gpg
async def test_an_expired_key_stops_before_any_push(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    signing = gpg_key(faked_time="20200101T000000", expires="1d")

    async with opened(fleet.url_http) as remote:
        with pytest.raises(SigningError, match="has not expired"):
            await sign_and_push(remote, signing)

    assert git_host.pushes() == 0


@pytest.mark.parametrize("kind", [SigningKind.SSH, pytest.param(SigningKind.GPG, marks=needs_gpg)])
async def test_a_key_that_is_none_stops_before_any_push(
    git_host: GitHost, opened: Opener, kind: SigningKind
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        with pytest.raises(SigningError, match="cannot be read"):
            await sign_and_push(remote, Signing(kind=kind, key=Secret("no key at all")))

    assert git_host.pushes() == 0


async def test_a_wrong_passphrase_stops_before_any_push(
    git_host: GitHost, opened: Opener, tmp_path: Path
) -> None:
    fleet = git_host.create("fleet", FILES)
    locked = ssh_key(tmp_path, PASSPHRASE)
    wrong = Signing(kind=locked.kind, key=locked.key, passphrase=Secret("canary-wrong"))

    async with opened(fleet.url_http) as remote:
        with pytest.raises(SigningError) as caught:
            await sign_and_push(remote, wrong)

    assert "canary" not in str(caught.value)
    assert git_host.pushes() == 0


async def test_a_signature_of_another_key_is_none(
    git_host: GitHost, opened: Opener, tmp_path: Path
) -> None:
    fleet = git_host.create("fleet", FILES)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = ssh_key(tmp_path / "one"), ssh_key(tmp_path / "two")

    async with opened(fleet.url_http) as remote:
        made = await sign_and_push(remote, one)
    async with opened(fleet.url_http) as remote:
        await remote.fetch("main")
        with pytest.raises(SigningError, match="good signature"):
            await remote.verify(made, two)
