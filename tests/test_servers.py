"""The test servers do what their docstrings say; other tests stand on that."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.servers import binaries
from tests.servers.distribution import Distribution
from tests.servers.git_host import GitHost
from tests.servers.gitea import Gitea
from tests.servers.missing import Missing
from tests.servers.odd_registry import OddRegistry
from tests.servers.pusher import RefusedPush
from tests.servers.ssh_host import SshHost

_BOTH = ("linux/amd64", "linux/arm64")


def _get(url: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Ask without proxies or logins, and take any status as an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def _git(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *map(str, arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _clone_and_commit(url: str, folder: Path, **environment: str) -> None:
    """Clone `url` and commit the file `new` on its main branch, without pushing."""
    cloned = _git("clone", "--quiet", url, folder, **environment)
    assert cloned.returncode == 0, cloned.stderr
    (folder / "new").write_text("new\n", encoding="utf-8")
    _git("-C", folder, "add", ".")
    assert _git("-C", folder, "commit", "--quiet", "-m", "Add new").returncode == 0


@pytest.mark.parametrize(
    "name",
    ["registry", "registry_htpasswd", "registry_bearer", "registry_tls", "registry_mtls"],
)
@pytest.mark.servers
def test_every_registry_takes_an_index_and_lists_its_tags(
    name: str, request: pytest.FixtureRequest, unique_name: str
) -> None:
    registry: Distribution = request.getfixturevalue(name)

    digest = registry.push_image(unique_name, "1.0", platform=_BOTH)
    registry.push_tags(unique_name, [f"2.{minor}" for minor in range(150)])

    assert registry.digest(unique_name, "1.0") == digest
    assert len(registry.tags(unique_name)) == 151


def test_a_deleted_tag_is_gone_and_the_rest_stays(registry: Distribution, unique_name: str) -> None:
    registry.push_tags(unique_name, ["1", "2"])

    registry.delete_tag(unique_name, "1")

    assert registry.tags(unique_name) == ["2"]


def test_crane_sees_what_was_pushed(
    registry: Distribution, unique_name: str, private_home: Path
) -> None:
    digest = registry.push_image(unique_name, "1.0")
    try:
        crane = binaries.find("crane")
    except Missing as missing:
        pytest.skip(str(missing))

    said = subprocess.run(
        [crane, "digest", "--insecure", f"{registry.host}/{unique_name}:1.0"],
        env={"HOME": str(private_home)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == digest


def test_basic_is_really_asked_for(registry_htpasswd: Distribution) -> None:
    status, headers, _ = _get(f"{registry_htpasswd.url}/v2/")

    assert status == 401
    assert headers["Www-Authenticate"].startswith("Basic ")


def test_a_token_is_really_asked_for(registry_bearer: Distribution, unique_name: str) -> None:
    registry_bearer.push_image(unique_name, "1.0")

    status, headers, _ = _get(f"{registry_bearer.url}/v2/{unique_name}/tags/list")

    assert status == 401
    assert registry_bearer.tokens.realm in headers["Www-Authenticate"]


def test_a_made_up_token_is_refused(registry_bearer: Distribution, unique_name: str) -> None:
    address = f"{registry_bearer.url}/v2/{unique_name}/tags/list"

    assert _get(address, Authorization="Bearer e30.e30.e30")[0] == 401


def test_an_anonymous_token_pulls_only_what_is_public(
    registry_bearer: Distribution, unique_name: str
) -> None:
    registry_bearer.push_image(unique_name, "1.0")
    scope = f"repository:{unique_name}:pull"
    asking = f"{registry_bearer.tokens.realm}?service=x&scope={scope}"
    listing = f"{registry_bearer.url}/v2/{unique_name}/tags/list"

    def list_anonymously() -> int:
        token = json.loads(_get(asking)[2])["token"]
        return _get(listing, Authorization=f"Bearer {token}")[0]

    before = list_anonymously()
    registry_bearer.tokens.public.add(unique_name)

    assert (before, list_anonymously()) == (401, 200)


def test_an_unknown_authority_is_refused(registry_tls: Distribution) -> None:
    with pytest.raises(urllib.error.URLError) as refused:
        _get(f"{registry_tls.url}/v2/")

    assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)


def test_a_client_without_certificate_is_refused(registry_mtls: Distribution) -> None:
    context = ssl.create_default_context(cafile=registry_mtls.ca_file)

    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        urllib.request.urlopen(f"{registry_mtls.url}/v2/", context=context, timeout=10)


def test_a_stopped_registry_comes_back_with_its_content(
    registry_to_stop: Distribution, unique_name: str
) -> None:
    registry_to_stop.push_image(unique_name, "1.0")

    registry_to_stop.stop()
    with pytest.raises(urllib.error.URLError):
        _get(f"{registry_to_stop.url}/v2/")
    registry_to_stop.start()

    assert registry_to_stop.tags(unique_name) == ["1.0"]


def test_gitea_takes_a_push_over_https_and_merges_it(
    gitea: Gitea, unique_name: str, tmp_path: Path
) -> None:
    fleet = gitea.create_repository(unique_name, {"app/app.yaml": "image: app:1\n"})
    trust = {"GIT_SSL_CAINFO": str(gitea.ca_file)}
    _clone_and_commit(fleet.url_with_token, tmp_path / "clone", **trust)

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "HEAD:refs/heads/topic", **trust)
    assert pushed.returncode == 0, pushed.stderr
    fleet.merge_branch("topic")

    assert fleet.read_file("new") == b"new\n"
    assert set(fleet.branches()) == {"main"}


def test_gitea_keeps_a_protected_branch(gitea: Gitea, unique_name: str, tmp_path: Path) -> None:
    fleet = gitea.create_repository(unique_name, {"a": "1\n"})
    fleet.protect_branch("main")
    trust = {"GIT_SSL_CAINFO": str(gitea.ca_file)}
    _clone_and_commit(fleet.url_with_token, tmp_path / "clone", **trust)

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main", **trust)

    assert pushed.returncode != 0
    assert "protected branch" in pushed.stderr


def test_gitea_commits_to_a_new_branch_and_over_a_file(gitea: Gitea, unique_name: str) -> None:
    fleet = gitea.create_repository(unique_name, {"a": "1\n"})

    fleet.commit_file("a", "2\n", "Change a", branch="topic", author=("Ann", "ann@example.test"))

    assert fleet.read_file("a", "topic") == b"2\n"
    assert fleet.read_file("a") == b"1\n"
    assert fleet.log("topic")[0].author_name == "Ann"


def test_gitea_is_a_registry_too(gitea: Gitea, unique_name: str) -> None:
    repository = f"{gitea.owner}/{unique_name}"
    digest = gitea.push_image(repository, "1.0", platform=_BOTH)
    gitea.push_tags(repository, ["1.1", "1.2"])

    gitea.delete_tag(repository, "1.1")

    assert gitea.digest(repository, "1.0") == digest
    assert sorted(gitea.tags(repository)) == ["1.0", "1.2"]


def test_a_stranger_may_not_push_to_anothers_gitea_registry(
    gitea: Gitea, unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = gitea.create_user(unique_name)
    monkeypatch.setattr(gitea, "credentials", (stranger.name, stranger.password))
    monkeypatch.setattr(gitea, "_bearer", {})

    with pytest.raises(RefusedPush):
        gitea.push_image(f"{gitea.owner}/{unique_name}", "1.0")


def test_git_pushes_over_http_with_a_login(git_host_basic: GitHost, tmp_path: Path) -> None:
    fleet = git_host_basic.create("fleet", {"a": "1\n"})
    assert _git("ls-remote", fleet.url_http).returncode != 0
    with_login = fleet.url_http.replace("http://", "http://person:secret@")
    _clone_and_commit(with_login, tmp_path / "clone")

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main")

    assert pushed.returncode == 0, pushed.stderr
    assert fleet.files() == {"a": b"1\n", "new": b"new\n"}


def test_git_trusts_https_only_with_the_authority(git_host_tls: GitHost) -> None:
    fleet = git_host_tls.create("fleet", {"a": "1\n"})
    known = {"GIT_SSL_CAINFO": str(git_host_tls.ca_file)}

    assert _git("ls-remote", fleet.url_http).returncode != 0
    assert _git("ls-remote", fleet.url_http, **known).returncode == 0


def test_git_pushes_over_ssh_and_checks_the_host_key(ssh_host: SshHost, unique_name: str) -> None:
    fleet = ssh_host.create(unique_name, {"a": "1\n"})
    client = f"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -i {ssh_host.private_key}"
    right = f"{client} -o UserKnownHostsFile={ssh_host.known_hosts}"
    wrong = f"{client} -o UserKnownHostsFile={ssh_host.wrong_known_hosts}"

    assert _git("ls-remote", fleet.url_ssh, GIT_SSH_COMMAND=right).returncode == 0
    assert _git("ls-remote", fleet.url_ssh, GIT_SSH_COMMAND=wrong).returncode != 0


def test_a_cut_push_leaves_the_commit_on_the_server(git_host: GitHost, tmp_path: Path) -> None:
    fleet = git_host.create("fleet", {"a": "1\n"})
    _clone_and_commit(fleet.url_http, tmp_path / "clone")
    git_host.cut_after_push()

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main")

    assert pushed.returncode != 0
    assert fleet.read("new") == b"new\n"
    assert git_host.pushes() == 1


def test_a_push_cut_before_leaves_nothing(git_host: GitHost, tmp_path: Path) -> None:
    fleet = git_host.create("fleet", {"a": "1\n"})
    _clone_and_commit(fleet.url_http, tmp_path / "clone")
    git_host.cut_before_push()

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main")

    assert pushed.returncode != 0
    assert fleet.files() == {"a": b"1\n"}


def test_a_base_can_move_while_a_push_is_on_its_way(git_host: GitHost, tmp_path: Path) -> None:
    fleet = git_host.create("fleet", {"a": "1\n"})
    _clone_and_commit(fleet.url_http, tmp_path / "clone")
    git_host.before_push(lambda: fleet.commit({"b": "2\n"}, "Be quicker"))

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main")

    assert pushed.returncode != 0
    assert set(fleet.files()) == {"a", "b"}


def test_a_hook_rejects_with_its_own_words(git_host: GitHost, tmp_path: Path) -> None:
    fleet = git_host.create("fleet", {"a": "1\n"})
    _clone_and_commit(fleet.url_http, tmp_path / "clone")
    fleet.hook("pre-receive", "echo 'not on a Friday' >&2; exit 1")

    pushed = _git("-C", tmp_path / "clone", "push", "origin", "main")

    assert "not on a Friday" in pushed.stderr


def test_people_merge_squash_and_revert_on_the_remote(git_host: GitHost) -> None:
    fleet = git_host.create("fleet", {"a": "1\n", "b": "1\n"})
    fleet.commit({"a": "2\n"}, "Change a\n\nWhy: because\n", branch="one", start="main")
    fleet.commit({"b": "2\n"}, "Change b", branch="two", start="main")

    merged = fleet.merge("one")
    fleet.squash_merge("two")
    fleet.revert(merged)

    assert fleet.files() == {"a": b"1\n", "b": b"2\n"}
    assert fleet.log("one")[0].trailers == {"Why": "because"}
    assert f"This reverts commit {merged}." in fleet.log()[0].body


def test_the_odd_registry_behaves_when_untouched(odd_registry: OddRegistry) -> None:
    digest = odd_registry.push_image("app", "1.0", platform=_BOTH)

    status, headers, body = _get(f"{odd_registry.url}/v2/app/manifests/1.0")

    assert status == 200
    assert headers["Docker-Content-Digest"] == digest
    assert len(json.loads(body)["manifests"]) == 2
    assert odd_registry.count("GET", "/manifests/") == 1


def test_the_odd_registry_is_busy_once_and_then_answers(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", ["1"])
    odd_registry.say_busy(retry_after="7")
    address = f"{odd_registry.url}/v2/app/tags/list"

    status, headers, _ = _get(address)

    assert (status, headers["Retry-After"]) == (429, "7")
    assert _get(address)[0] == 200


def test_the_odd_registry_pages_cuts_and_loops(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", [f"{number:03}" for number in range(10)])
    address = f"{odd_registry.url}/v2/app/tags/list"

    odd_registry.page_size = 4
    paged = _get(address)
    odd_registry.cut_lists(at=3)
    cut = _get(f"{address}?n=50&last=001")
    odd_registry.loop_pages()
    looped = _get(f"{address}?n=3")

    assert paged[1]["Link"] == '</v2/app/tags/list?last=003&n=4>; rel="next"'
    assert "Link" not in cut[1]
    assert json.loads(cut[2])["tags"] == ["002", "003", "004"]
    assert looped[1]["Link"] == '</v2/app/tags/list?n=3>; rel="next"'


def test_the_odd_registry_says_unchanged_by_etag(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", ["1"])
    odd_registry.etags = True
    address = f"{odd_registry.url}/v2/app/tags/list"
    tag = _get(address)[1]["ETag"]

    assert _get(address, **{"If-None-Match": tag})[0] == 304


def test_the_odd_registry_lists_referrers(odd_registry: OddRegistry) -> None:
    odd_registry.referrers_api = True
    subject = odd_registry.push_image("app", "1.0")
    said = odd_registry.push_artifact("app", subject_digest=subject, artifact_type="text/plain")

    _, _, body = _get(f"{odd_registry.url}/v2/app/referrers/{subject}")

    assert [each["digest"] for each in json.loads(body)["manifests"]] == [said]


def test_the_odd_registry_gives_a_hundred_thousand_tags_by_pages(
    odd_registry: OddRegistry,
) -> None:
    odd_registry.push_tags("app", [f"{number:06}" for number in range(100_000)])
    odd_registry.page_size = 10_000
    found: list[str] = []
    target = "/v2/app/tags/list"

    while target:
        _, headers, body = _get(odd_registry.url + target)
        found += json.loads(body)["tags"]
        target = headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert len(found) == 100_000
    assert odd_registry.count("GET") == 10


def test_a_program_that_cannot_be_built_says_what_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "TOOLS", tmp_path)
    monkeypatch.setattr(binaries, "_GO_FOLDER", str(tmp_path))
    monkeypatch.setattr(binaries, "_ENVIRONMENT", {"PATH": str(tmp_path)})

    with pytest.raises(Missing, match="Go is not installed") as missing:
        binaries.find("registry")

    assert "install Go" in missing.value.remedy


def test_each_test_has_an_empty_home_and_a_fixed_identity(private_home: Path) -> None:
    assert [path.name for path in private_home.iterdir()] == [".gitconfig"]
    assert _git("config", "user.name").stdout == "Test Person\n"
    assert not [name for name in os.environ if name.lower().endswith("_proxy")]
