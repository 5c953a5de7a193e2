"""Who gets in and how: tokens, keys and certificates, never seen in arguments or environments."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConfigError, ProductError
from bot.git import command
from bot.git.faults import GitAccessError, GitTooOldError, HostKeyError
from bot.git.settings import GitAccess
from tests.bot.git.situations import Opener, build, recorded_git
from tests.servers.git_host import GitHost
from tests.servers.gitea import Gitea
from tests.servers.ssh_host import SshHost

FILES = {"a.yaml": "image: x:1\n"}
CANARY = "canary-9c1e77ab-token"
FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="))


async def change(
    opened: Opener, url: str, access: GitAccess, *, import_person: bool = False
) -> None:
    async with opened(url, access=access, import_person=import_person) as remote:
        branch = await remote.default_branch()
        tip = (await remote.fetch(branch))[branch]
        await remote.push("pilotfish/x", await build(remote, tip), expected=None)


async def test_a_token_opens_a_server_that_asks(git_host_basic: GitHost, opened: Opener) -> None:
    fleet = git_host_basic.create("fleet", FILES)

    await change(opened, fleet.url_http, GitAccess(username="person", token=Secret("secret")))

    assert fleet.read("a.yaml", "pilotfish/x") == b"image: x:2\n"


async def test_the_token_program_works_without_a_shell(
    git_host_basic: GitHost, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_SHELL", Path("/nowhere/sh"))
    fleet = git_host_basic.create("fleet", FILES)

    await change(opened, fleet.url_http, GitAccess(username="person", token=Secret("secret")))

    assert fleet.read("a.yaml", "pilotfish/x") == b"image: x:2\n"


@pytest.mark.parametrize("token", [None, Secret("wrong-token")], ids=["none", "wrong"])
async def test_a_bad_token_is_an_access_fault_at_once(
    git_host_basic: GitHost, opened: Opener, token: Secret | None
) -> None:
    fleet = git_host_basic.create("fleet", FILES)

    with pytest.raises(GitAccessError, match="Check the token or key") as caught:
        await change(opened, fleet.url_http, GitAccess(token=token))

    assert "wrong-token" not in str(caught.value)
    assert not opened.clock.waits


async def test_a_secret_reaches_no_argument_environment_address_or_message(
    git_host_basic: GitHost, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_host_basic.credentials = ("person", CANARY)
    fleet = git_host_basic.create("fleet", FILES)
    fleet.hook("pre-receive", f"echo {CANARY} >&2; exit 1")
    real = shutil.which("git")
    assert real is not None
    with recorded_git(tmp_path / "bin", real) as (folder, notes):
        monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
        with pytest.raises(ProductError) as caught:
            await change(opened, fleet.url_http, GitAccess(username="person", token=Secret(CANARY)))
        seen = notes.read_text()

    assert "argument push" in seen
    kept = b"".join(p.read_bytes() for p in opened.cache_folder.rglob("*") if p.is_file())
    for form in FORMS:
        assert form not in seen
        assert form not in str(caught.value)
        assert form.encode() not in kept


async def test_children_see_nothing_of_our_environment(
    git_host: GitHost, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = git_host.create("fleet", FILES)
    real = shutil.which("git")
    assert real is not None
    for name in (
        "LD_PRELOAD_X",
        "GIT_SSH_COMMAND",
        "GIT_PROXY_COMMAND",
        "PYTHONPATH",
        "AWS_SECRET",
    ):
        monkeypatch.setenv(name, CANARY)
    with recorded_git(tmp_path / "bin", real) as (folder, notes):
        monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
        await change(opened, fleet.url_http, GitAccess())
        seen = notes.read_text()

    assert CANARY not in seen
    names = {line.split("=", 1)[0] for line in seen.splitlines() if not line.startswith("argument")}
    assert names <= {
        "PATH", "LC_ALL", "TZ", "HOME", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "GIT_DIR",
        "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_ATTR_NOSYSTEM", "GIT_TERMINAL_PROMPT",
        "GIT_ASKPASS", "GIT_ALLOW_PROTOCOL", "GIT_LFS_SKIP_SMUDGE", "GIT_OPTIONAL_LOCKS",
        "GIT_NO_REPLACE_OBJECTS", "GIT_TRACE_PACKET", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0",
        "GIT_CONFIG_KEY_1", "GIT_CONFIG_KEY_2", "GIT_CONFIG_VALUE_0", "GIT_CONFIG_VALUE_1",
        "GIT_CONFIG_VALUE_2",
    }  # fmt: skip


async def test_no_argument_from_outside_begins_with_a_dash(
    git_host: GitHost, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = git_host.create("fleet", {"--output=x": "a", "a.yaml": "b"})
    fleet.git("update-ref", "refs/heads/--upload-pack=x", fleet.head())
    real = shutil.which("git")
    assert real is not None
    with recorded_git(tmp_path / "bin", real) as (folder, notes):
        monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
        async with opened(fleet.url_http) as remote:
            tip = (await remote.fetch("main"))["main"]
            await remote.heads()
            await remote.read(tip, ["--output=x"])
            await remote.first_parents(tip, limit=5, with_changes=True, paths=["--output=x"])
            made = await build(remote, tip, "--output=x", b"new")
            await remote.push("main", made, expected=tip)
        seen = notes.read_text().splitlines()

    assert fleet.read("--output=x") == b"new"
    assert not [
        line for line in seen if line.startswith(("argument --output", "argument --upload"))
    ]


async def test_the_private_folder_is_gone_afterwards(
    git_host_basic: GitHost, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    fleet = git_host_basic.create("fleet", FILES)
    access = GitAccess(username="person", token=Secret("secret"))

    async with opened(fleet.url_http, access=access) as remote:
        await remote.fetch("main")
        modes = {p.name: p.stat().st_mode & 0o777 for p in scratch.rglob("*") if p.is_file()}

    assert {modes[name] for name in ("config", "token", "username", "host")} == {0o600}
    assert modes["askpass"] == 0o700
    assert list(scratch.iterdir()) == []


async def test_a_token_is_not_given_to_another_host(
    git_host: GitHost, git_host_basic: GitHost, opened: Opener, private_home: Path
) -> None:
    fleet = git_host_basic.create("fleet", FILES)
    rewrite = f'[url "{git_host_basic.url}/"]\n\tinsteadOf = {git_host.url}/\n'
    (private_home / ".gitconfig").write_text(rewrite)
    access = GitAccess(username="person", token=Secret("secret"))

    with pytest.raises(GitAccessError):
        await change(opened, f"{git_host.url}/fleet.git", access, import_person=True)

    assert not [r for r in git_host_basic.requests if "authorization" in r.headers]
    assert set(fleet.branches()) == {"main"}


async def test_a_redirect_is_not_followed(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.answer(301, 2)

    with pytest.raises(ProductError):
        await change(opened, fleet.url_http, GitAccess())

    assert git_host.pushes() == 0


async def test_a_private_authority_is_trusted_when_named_and_only_then(
    git_host_tls: GitHost, opened: Opener
) -> None:
    fleet = git_host_tls.create("fleet", FILES)

    with pytest.raises(GitAccessError, match="certificate is not trusted"):
        await change(opened, fleet.url_http, GitAccess())
    await change(opened, fleet.url_http, GitAccess(ca_file=git_host_tls.ca_file))

    assert fleet.read("a.yaml", "pilotfish/x") == b"image: x:2\n"


async def test_a_persons_own_helper_is_asked_in_a_command_of_theirs(
    git_host_basic: GitHost, opened: Opener, private_home: Path
) -> None:
    fleet = git_host_basic.create("fleet", FILES)
    (private_home / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    stored = git_host_basic.url.replace("://", "://person:secret@")
    (private_home / ".git-credentials").write_text(f"{stored}\n")

    with pytest.raises(GitAccessError):
        await change(opened, fleet.url_http, GitAccess())
    await change(opened, fleet.url_http, GitAccess(), import_person=True)

    assert "pilotfish/x" in fleet.branches()


async def test_a_header_that_ci_left_in_the_clone_opens_the_remote(
    git_host_basic: GitHost, opened: Opener, tmp_path: Path
) -> None:
    fleet = git_host_basic.create("fleet", FILES)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    header = "AUTHORIZATION: Basic " + base64.b64encode(b"person:secret").decode()
    key = f"http.{git_host_basic.url}/.extraheader"
    subprocess.run(["git", "-C", str(clone), "config", key, header], check=True)

    async with opened(fleet.url_http, import_person=True, person_folder=clone) as remote:
        assert await remote.default_branch() == "main"


async def test_a_helper_that_the_clone_brings_is_never_run(
    git_host_basic: GitHost, opened: Opener, tmp_path: Path
) -> None:
    fleet = git_host_basic.create("fleet", FILES)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    for key in ("credential.helper", "core.sshCommand", "core.askPass", "core.fsmonitor"):
        value = f"!touch {tmp_path}/sprung" if key == "credential.helper" else f"touch {tmp_path}/x"
        subprocess.run(["git", "-C", str(clone), "config", key, value], check=True)

    async with opened(fleet.url_http, import_person=True, person_folder=clone) as remote:
        with pytest.raises(AccessError):
            await remote.default_branch()

    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "x").exists()


async def test_ssh_goes_by_key_and_known_host(
    ssh_host: SshHost, opened: Opener, unique_name: str
) -> None:
    fleet = ssh_host.create(unique_name, FILES)
    access = GitAccess(ssh_key=ssh_host.private_key, known_hosts=ssh_host.known_hosts)

    await change(opened, fleet.url_ssh, access)

    assert fleet.read("a.yaml", "pilotfish/x") == b"image: x:2\n"


async def test_a_changed_host_key_is_refused(
    ssh_host: SshHost, opened: Opener, unique_name: str
) -> None:
    fleet = ssh_host.create(unique_name, FILES)
    access = GitAccess(ssh_key=ssh_host.private_key, known_hosts=ssh_host.wrong_known_hosts)

    with pytest.raises(HostKeyError, match="not the one that is known"):
        await change(opened, fleet.url_ssh, access)


async def test_an_unknown_host_key_is_refused_too(
    ssh_host: SshHost, opened: Opener, unique_name: str, tmp_path: Path
) -> None:
    fleet = ssh_host.create(unique_name, FILES)
    (tmp_path / "none").touch()
    access = GitAccess(ssh_key=ssh_host.private_key, known_hosts=tmp_path / "none")

    with pytest.raises(HostKeyError):
        await change(opened, fleet.url_ssh, access)


async def test_a_key_that_the_server_does_not_know_is_an_access_fault(
    ssh_host: SshHost, opened: Opener, unique_name: str
) -> None:
    fleet = ssh_host.create(unique_name, FILES)
    access = GitAccess(ssh_key=ssh_host.host_key, known_hosts=ssh_host.known_hosts)

    with pytest.raises(GitAccessError, match="does not let us in"):
        await change(opened, fleet.url_ssh, access)


async def test_a_key_with_a_passphrase_is_opened_without_a_terminal(
    ssh_host: SshHost, opened: Opener, unique_name: str, tmp_path: Path
) -> None:
    fleet = ssh_host.create(unique_name, FILES)
    key = Path(shutil.copy(ssh_host.private_key, tmp_path / "locked"))
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", CANARY, "-f", str(key)], check=True)
    access = GitAccess(ssh_key=key, ssh_passphrase=Secret(CANARY), known_hosts=ssh_host.known_hosts)

    await change(opened, fleet.url_ssh, access)

    assert "pilotfish/x" in fleet.branches()


async def test_a_real_forge_takes_the_token(gitea: Gitea, opened: Opener, unique_name: str) -> None:
    project = gitea.create_repository(unique_name, FILES)
    access = GitAccess(token=Secret(gitea.token), ca_file=gitea.ca_file)

    await change(opened, project.url, access)

    assert project.read_file("a.yaml", "pilotfish/x") == b"image: x:2\n"


async def test_a_protected_branch_of_a_real_forge_refuses_with_its_words(
    gitea: Gitea, opened: Opener, unique_name: str
) -> None:
    project = gitea.create_repository(unique_name, FILES)
    project.protect_branch("main")
    access = GitAccess(token=Secret(gitea.token), ca_file=gitea.ca_file)

    async with opened(project.url, access=access) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(ProductError, match=r"refused to change branch main.*protected"):
            await remote.push("main", await build(remote, tip), expected=tip)

    assert project.read_file("a.yaml") == b"image: x:1\n"


async def test_an_old_git_is_refused_at_the_start(
    git_host: GitHost, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\necho git version 2.33.9\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    with pytest.raises(GitTooOldError, match=r"git 2\.33 is too old.*2\.34"):
        async with opened(f"{git_host.url}/fleet.git"):
            pass


async def test_a_key_file_that_is_not_there_is_named(opened: Opener, tmp_path: Path) -> None:
    access = GitAccess(ssh_key=tmp_path / "nokey")

    with pytest.raises(ConfigError, match="nokey cannot be read"):
        async with opened("ssh://git@127.0.0.1:1/x", access=access):
            pass


async def test_a_configuration_that_git_cannot_read_is_named(
    git_host: GitHost, opened: Opener, private_home: Path
) -> None:
    fleet = git_host.create("fleet", FILES)
    (private_home / ".gitconfig").write_text("[user\nname")

    with pytest.raises(ConfigError, match=r"\.gitconfig"):
        async with opened(fleet.url_http, import_person=True):
            pass


async def test_a_rewrite_of_https_to_plain_http_is_no_way(
    git_host: GitHost, opened: Opener, private_home: Path
) -> None:
    fleet = git_host.create("fleet", FILES)
    rewrite = f'[url "{git_host.url}/"]\n\tinsteadOf = https://git.acme.example/\n'
    (private_home / ".gitconfig").write_text(rewrite)

    with pytest.raises(ProductError, match="not allowed"):
        async with opened("https://git.acme.example/fleet.git", import_person=True) as remote:
            await remote.default_branch()

    assert set(fleet.branches()) == {"main"}
