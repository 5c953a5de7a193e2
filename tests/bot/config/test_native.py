"""`.pilotfish.yaml`: what it may say, and every fault of it at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.model import Config, Delivery, Opening, PolicyKey, UpdateRule
from bot.config.native import Trust, read_native, resolve_secrets
from bot.config.secret_refs import SecretRef
from bot.errors import FaultsError, Problem

FOLDER = Path("/srv/fleet")
EXAMPLE = r"""
version: 1
registries:
  registry.example.org:5000:
    auth: {username: bot, password: {env: FLEET_TOKEN}}
    ca: certs/private.pem
    rate: 120/m
    insecure: no
defaults:
  min-age: 2d
  max-jump: 1
policies:
  web:
    image: ghcr.io/acme/web
    semver: ">=6.0 <7"
  any:
    image: alpine
    semver:
  job:
    image: registry.example.org:5000/team/job
    filter: '^main-[0-9a-f]{7}-(?P<ts>[0-9]+)$'
    extract: '$ts'
    numerical: asc
    digest: always
    exclude: ['-debug$']
    min-age: 3d
    platforms: [linux/amd64, linux/arm64]
    deny: [{tag: main-1111111-1700, reason: "breaks login, #12"}]
    allow-downgrade: false
updates:
  - name: prod
    paths: [./clusters/prod/, apps]
    deliver: pull-request
    group: {front: [web, ghcr.io/acme/inline]}
    labels: [images, 7]
    automerge: {patch: after-checks}
    schedule: {within: "Mon-Fri 08:00-17:00", timezone: Europe/Berlin}
  - name: test
    deliver: branch
    push-branch: images
    branch: develop
    suspend: true
    commit: {message: "test: {{ .AutomationObject }}", values: {a: 1}}
forge: {kind: gitea, url: "https://git.example.org/", token: {env: FORGE_TOKEN}}
limits: {open: 3}
commit: {author: "Fleet Bot <bot@example.org>", sign: {ssh: {file: /etc/key}}}
namespace: fleet
"""


def read(text: str, *, trust: Trust = Trust.PERSON, elsewhere: tuple[str, ...] = ()) -> Config:
    return read_native(
        ".pilotfish.yaml", text.encode(), folder=FOLDER, trust=trust, elsewhere=elsewhere
    )


def faults(
    text: str, *, trust: Trust = Trust.PERSON, elsewhere: tuple[str, ...] = ()
) -> list[Problem]:
    with pytest.raises(FaultsError) as caught:
        read(text, trust=trust, elsewhere=elsewhere)
    return caught.value.problems


def test_sources_are_known_by_the_normal_name_of_their_image() -> None:
    config = read(
        "sources: {redis: https://github.com/redis/redis, ghcr.io/acme/api: https://a.b/c/}"
    )

    assert config.sources == {
        "index.docker.io/library/redis": "https://github.com/redis/redis",
        "ghcr.io/acme/api": "https://a.b/c",
    }


def test_policies_keep_their_options_with_the_defaults() -> None:
    config = read(EXAMPLE)

    web = config.policies[PolicyKey(namespace="fleet", name="web")]
    job = config.policies[PolicyKey(namespace="fleet", name="job")]
    assert (web.image, web.where) == ("ghcr.io/acme/web", ".pilotfish.yaml:13")
    assert web.options == {"semver": ">=6.0 <7", "min-age": "2d", "max-jump": "1"}
    assert job.options["min-age"] == "3d"
    assert job.options["allow-downgrade"] is False
    assert "max-jump" not in job.options
    assert config.policies[PolicyKey(namespace="fleet", name="any")].options["semver"] == ""
    assert config.defaults == {"min-age": "2d", "max-jump": "1"}


def test_updates_say_where_how_and_when() -> None:
    prod, test = read(EXAMPLE).updates

    assert prod.paths == ("clusters/prod", "apps")
    assert prod.deliver is Delivery.PULL_REQUEST
    assert prod.group.named == {"front": ("web", "ghcr.io/acme/inline")}
    assert prod.labels == ("images", "7")
    assert prod.automerge == {"patch": "after-checks"}
    assert prod.schedule is not None
    assert prod.schedule.timezone == "Europe/Berlin"
    assert (test.deliver, test.branch, test.push_branch) == (Delivery.BRANCH, "develop", "images")
    assert test.suspended
    assert test.commit is not None
    assert test.commit.values == {"a": "1"}
    assert prod.where == ".pilotfish.yaml:31"


@pytest.mark.parametrize("opening", list(Opening))
def test_an_update_says_when_its_proposals_are_opened(opening: Opening) -> None:
    text = f"dashboard: true\nupdates:\n  - {{name: x, open: {opening.value}}}"
    (rule,) = read(text).updates
    assert rule.open is opening


def test_people_of_an_update_are_logins_with_or_without_the_sign() -> None:
    (prod,) = read(
        "updates:\n"
        "- {name: prod, reviewers: ['@wanda', acme/platform, wanda], assignees: ['@otto']}\n"
    ).updates

    assert (prod.reviewers, prod.assignees) == (("wanda", "acme/platform"), ("otto",))


def test_a_team_cannot_be_assigned() -> None:
    (fault,) = faults("updates:\n- {name: prod, assignees: [otto, acme/platform]}\n")

    assert "is a team" in fault.message
    assert fault.line == 2


def test_the_label_that_pauses_is_not_put_on_by_us() -> None:
    (fault,) = faults("updates:\n- {name: prod, labels: [images, Pilotfish/Paused]}\n")

    assert "pauses a proposal" in fault.message
    assert "suspend: true" in fault.hint


def test_registries_know_where_their_secrets_are() -> None:
    (settings_,) = read(EXAMPLE).registries

    assert settings_.host == "registry.example.org:5000"
    assert settings_.password_from == SecretRef(env="FLEET_TOKEN")
    assert settings_.password is None
    assert settings_.ca == "/srv/fleet/certs/private.pem"
    assert settings_.rate_per_s == 2.0
    assert settings_.insecure is False


@pytest.mark.parametrize(("said", "kept"), [("", False), ("dashboard: true", True)])
def test_the_dashboard_is_kept_where_it_is_asked_for(said: str, kept: bool) -> None:
    assert read(f"version: 1\n{said}").dashboard is kept


def test_forge_limits_and_commit_are_read() -> None:
    config = read(EXAMPLE)

    assert config.forge.url == "https://git.example.org"
    assert (config.limits.open, config.limits.new_per_hour) == (3, 4)
    assert (config.commit.author_name, config.commit.author_email) == (
        "Fleet Bot",
        "bot@example.org",
    )
    assert config.commit.signing is not None
    assert config.commit.signing.key == SecretRef(file="/etc/key")
    assert config.namespace == "fleet"
    assert config.source == (".pilotfish.yaml",)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "version: 1", "updates: []"])
def test_nothing_said_means_one_update_for_everything(text: str) -> None:
    assert read(text).updates == (UpdateRule(),)


def test_passwords_are_read_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("FLEET_TOKEN", "from-environment")
    text = (
        "registries:\n"
        "  a.example.org: {auth: {username: u, password: {env: FLEET_TOKEN}}}\n"
        "  b.example.org: {auth: {username: u, password: {file: token}}}\n"
        "  c.example.org: {auth: {docker-config: docker.json}}\n"
    )

    read = read_native("f", text.encode(), folder=tmp_path, trust=Trust.PERSON)
    config = resolve_secrets(read, folder=tmp_path)

    a, b, c = config.registries
    assert a.password is not None
    assert a.password.reveal() == "from-environment"
    assert b.password is not None
    assert b.password.reveal() == "from-file"
    assert c.docker_config == str(tmp_path / "docker.json")


def test_every_secret_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    text = (
        "registries:\n"
        "  a.example.org: {auth: {username: u, password: {env: NOT_SET}}}\n"
        "  b.example.org: {auth: {username: u, password: {file: /none}}}\n"
    )

    config = read_native("f", text.encode(), folder=FOLDER, trust=Trust.PERSON)
    with pytest.raises(FaultsError) as caught:
        resolve_secrets(config, folder=FOLDER)

    assert [p.message for p in caught.value.problems] == [
        "registry a.example.org: the environment variable NOT_SET is not set",
        "registry b.example.org: the secret file /none cannot be read",
    ]


POLICY = "policies:\n  p: {image: a/b, semver: '*'}\n"

BAD = [
    # text, line:column, part of the message, part of the hint
    ("registies: {}", "1:1", "unknown key 'registies'", "'registries'"),
    ("server: {}", "1:1", "unknown key 'server'", "operator's file"),
    ("version: 2", "1:10", "version cannot be '2'", "version 1"),
    ("version: one", "1:10", "must be a whole number, and is 'one'", ""),
    ("- a", "1:1", "must be a mapping, and is a list", "version: 1"),
    ("just text", "1:1", "must be a mapping", "version: 1"),
    ("version: 1\nversion: 1", "2:1", "'version' stands at line 1 already", "Remove"),
    ("a: [", "2:1", "this is not YAML", "Mend"),
    ("\tx: 1", "1:1", "this is not YAML", "Mend"),
    ("version: 1\n---\nversion: 1", "3:1", "a second document", "Join"),
    ("limits: {open: many}", "1:16", "limits.open must be a whole number", ""),
    ("limits: {open: -1}", "1:16", "limits.open cannot be '-1'", "at least 0"),
    ("dashboard: maybe", "1:12", "dashboard must be true or false", ""),
    ("limits: [1]", "1:9", "limits must be a mapping, and is a list", "key: value"),
    ("namespace: Flux_System", "1:12", "is no namespace", "lower-case"),
    ("policies:\n  p:", "2:3", "policy 'p' says nothing", "image and rule"),
    ("policies:\n  p: {semver: '*'}", "2:6", "policies.p lacks 'image'", "'image'"),
    ("policies:\n  p: {image: a/b}", "2:6", "'p' has no rule", "exactly one of semver"),
    (
        "policies:\n  p: {image: a/b, semver: '*', numerical: asc}",
        "2:32",
        "has 'semver' and 'numerical'",
        "exactly one",
    ),
    ("policies:\n  p: {image: a/b, semvr: '*'}", "2:19", "unknown key 'semvr'", "'semver'"),
    ("policies:\n  p: {image: a/b, semver: '^^1'}", "2:27", "the range '^^1'", "look like"),
    (
        "policies:\n  p: {image: a/b, semver: '*', filter: '(?=x)'}",
        "2:40",
        "the pattern '(?=x)'",
        "RE2",
    ),
    ("policies:\n  p: {image: a/b, numerical: up}", "2:30", "the order 'up'", "asc or desc"),
    (
        "policies:\n  p: {image: a/b, semver: '*', min-age: soon}",
        "2:41",
        "the age 'soon'",
        "3d",
    ),
    ("policies:\n  p: {image: 'a/b:1', semver: '*'}", "2:14", "cannot be read", "repository alone"),
    ("policies:\n  'p:q': {image: a/b, semver: '*'}", "2:3", "'p:q' is no name", "letters"),
    ("defaults: {semver: '*'}", "1:12", "'semver' cannot be a default", "each policy"),
    ("defaults: {min-age: soon}", "1:21", "the age 'soon'", "3d"),
    ("defaults: {min-aeg: 3d}", "1:12", "unknown key 'min-aeg'", "'min-age'"),
    ("updates:\n  - {paths: [a]}", "2:5", "updates[0] lacks 'name'", "'name'"),
    ("updates:\n  - {name: x, paths: [../y]}", "2:23", "leads out of the repository", "relative"),
    ("updates:\n  - {name: x, paths: [/etc]}", "2:23", "leads out of the repository", "relative"),
    ("updates:\n  - {name: x, paths: y}", "2:22", "paths must be a list, and is a text", "[one"),
    (
        "updates:\n  - {name: x, deliver: pull_request}",
        "2:24",
        "cannot be 'pull_request'",
        "'pull-request'",
    ),
    ("updates:\n  - {name: x}\n  - {name: x}", "3:6", "stands at line 2 already", "of its own"),
    ("updates:\n  - {name: x, group: some}", "2:22", "group cannot be 'some'", "policy, all"),
    (POLICY + "updates:\n  - {name: x, group: {a: [q]}}", "4:27", "no policy 'q'", "Allowed: p"),
    (
        POLICY + "updates:\n  - {name: x, group: {a: [p], b: [p]}}",
        "4:35",
        "'p' is in group 'a' as well",
        "one group alone",
    ),
    (
        POLICY + "updates:\n  - {name: x, group: {a: [p, p]}}",
        "4:30",
        "'p' is twice",
        "one group alone",
    ),
    ("updates:\n  - {name: x, group: {a: [q]}}", "2:27", "no policy 'q'", "Define it"),
    ("updates:\n  - {name: x, group: {a: [[b]]}}", "2:27", "what is no policy's name", "Write"),
    ("updates:\n  - {name: x, group: {'a b': [c/d]}}", "2:23", "'a b' is no name", "letters"),
    ("updates:\n  - {name: x, group: [a]}", "2:22", "group cannot be a list", "policy, all"),
    ("updates:\n  - {name: x, schedule: {within: Mon, timezone: Zzzzzz}}", "2:49", "Zzz", "Zones"),
    ("updates:\n  - {name: x, group: {a: []}}", "2:23", "holds no list of policies", "Name some"),
    (
        "updates:\n  - {name: x, deliver: branch, open: after-checks}",
        "2:32",
        "open has no meaning with `deliver: branch`",
        "deliver: pull-request",
    ),
    ("updates:\n  - {name: x, open: aproval}", "2:21", "cannot be 'aproval'", "'approval'"),
    (
        "updates:\n  - {name: x, open: approval}",
        "2:15",
        "nobody could approve",
        "dashboard: true",
    ),
    (
        "dashboard: true\nforge: {kind: plain}\nupdates:\n  - {name: x, open: approval}",
        "4:15",
        "nobody could approve",
        "open: immediate",
    ),
    (
        "updates:\n  - {name: x, push-branch: y}",
        "2:15",
        "no meaning with `deliver: pull-request`",
        "deliver: branch",
    ),
    (
        "updates:\n  - {name: x, deliver: branch, push-branch: 'a b'}",
        "2:45",
        "is no branch name",
        "check-ref-format",
    ),
    (
        "updates:\n  - {name: x, schedule: {within: Mun}}",
        "2:34",
        "'Mun' is no day",
        "Mon-Fri 08:00-17:00",
    ),
    (
        "updates:\n  - {name: x, schedule: {within: Mon, timezone: Europe/Berln}}",
        "2:49",
        "no time zone 'Europe/Berln'",
        "'Europe/Berlin'",
    ),
    (
        "updates:\n  - {name: x, automerge: {patch: always}}",
        "2:34",
        "cannot be 'always'",
        "after-checks",
    ),
    ("registries:\n  https://x: {}", "2:3", "is no registry host", "ghcr.io"),
    ("registries:\n  x.org: {rate: fast}", "2:17", "'fast' is no rate", "20/s"),
    ("registries:\n  x.org: {insecure: maybe}", "2:21", "must be true or false", ""),
    ("registries:\n  x.org: {client-cert: a}", "2:10", "only one of client-cert", "both"),
    ("registries:\n  x.org:\n  X.org: {rate: 1/s}", "2:3", "says nothing", "Remove"),
    ("registries:\n  x.org: {ca: a}\n  X.org: {ca: a}", "3:3", "named twice", "Join"),
    (
        "registries:\n  x.org: {auth: {password: {env: A}}}",
        "2:28",
        "a password without a user name",
        "auth.username",
    ),
    (
        "registries:\n  x.org: {auth: {username: u, password: {env: A, file: b}}}",
        "2:41",
        "names env and file",
        "exactly one of",
    ),
    (
        "registries:\n  x.org: {auth: {docker-config: a, username: u, password: {env: A}}}",
        "2:33",
        "more than one place",
        "exactly one",
    ),
    ("registries:\n  x.org: {proxy: 'socks5://p:1'}", "2:18", "socks5 is not allowed", "http"),
    ("forge: {kind: gitee}", "1:15", "cannot be 'gitee'", "'gitea'"),
    ("forge: {url: 'http://git.example.org'}", "1:14", "http is not allowed", "https"),
    ("forge: {url: 'https://git.example.org?x'}", "1:14", "is no web address", "https://"),
    ("forge: {url: 'https://['}", "1:14", "no web address", "https://"),
    ("sources: {'app:1': 'https://a.b/c'}", "1:11", "the image 'app:1'", "alone"),
    ("sources: {app: 'git@github.com:a/b'}", "1:16", "is no web address", "https://"),
    ("sources: {app: 'ssh://github.com/a/b'}", "1:16", "ssh is not allowed", "https"),
    ("commit: {author: me}", "1:18", "'me' is no author", "name <name@"),
    ("commit: {sign: {}}", "1:16", "exactly one of ssh and gpg", "one"),
    ("commit: {sign: {gpg: {}}}", "1:22", "names no place", "env, file"),
    ("commit: {values: {a: [b]}}", "1:22", "must be a text, and is a list", ""),
]


@pytest.mark.parametrize(("text", "place", "message", "hint"), BAD)
def test_a_fault_has_its_place_and_advice(text: str, place: str, message: str, hint: str) -> None:
    problems = faults(text)

    assert (problems[0].where, len(problems)) == (f".pilotfish.yaml:{place}", 1)
    assert message in problems[0].message
    assert hint in problems[0].hint
    assert problems[0].hint


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = "\n".join(
        [
            "versoin: 1",
            "policies:",
            "  a: {image: 'x:1', semver: '^^1', min-age: soon, platforms: [moon]}",
            "updates:",
            "  - {name: x, deliver: mail, paths: [..]}",
            "forge: {kind: svn, token: hunter2}",
        ]
    )

    places = [(p.line, p.column) for p in faults(text)]

    assert places == sorted(places)
    assert [line for line, _ in places] == [1, 3, 3, 3, 3, 5, 5, 6, 6]


@pytest.mark.parametrize(
    "text",
    [
        "registries: {x.org: {auth: {username: u, password: canary-2718}}}",
        "registries: {x.org: {auth: canary-2718}}",
        "registries: {x.org: {proxy: 'https://u:canary-2718@p.example.org'}}",
        "forge: {token: canary-2718}",
        "forge: {url: 'https://u:canary-2718@git.example.org'}",
        "commit: {sign: {ssh: canary-2718}}",
        "commit: {sign: {gpg: {env: A}, passphrase: canary-2718}}",
    ],
)
def test_a_literal_secret_is_refused_and_never_repeated(text: str) -> None:
    (problem,) = faults(text)

    assert "canary" not in str(problem.as_json())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("registries: {x.org: {auth: {username: u, password: {env: A}}}}", "auth"),
        ("registries: {x.org: {auth: {username: u, password: {file: a}}}}", "auth"),
        ("registries: {x.org: {auth: {docker-config: a}}}", "auth"),
        ("registries: {x.org: {ca: a}}", "ca"),
        ("registries: {x.org: {proxy: 'http://p.example.org'}}", "proxy"),
        ("registries: {x.org: {insecure: true}}", "insecure"),
        ("registries: {x.org: {token-hosts: [y.org]}}", "token-hosts"),
        ("registries: {x.org: {<<: {ca: a}}}", "ca"),
        ("forge: {url: 'https://git.example.org'}", "url"),
        ("forge: {token: {env: A}}", "token"),
        ("commit: {sign: {ssh: {file: a}}}", "sign"),
        ("updates: [{name: x, commit: {sign: {ssh: {file: a}}}}]", "sign"),
        ("x: &c {sign: {ssh: {file: a}}}\ncommit: *c", "sign"),
    ],
)
def test_on_the_server_a_repository_cannot_reach_for_credentials(text: str, key: str) -> None:
    problems = faults(text, trust=Trust.SERVER)

    assert any(f".{key} does not count" in problem.message for problem in problems)


def test_on_the_server_the_harmless_rest_counts() -> None:
    config = read(POLICY + "registries: {x.org: {rate: 5/s}}", trust=Trust.SERVER)

    assert config.registries[0].rate_per_s == 5.0


def test_groups_may_hold_policies_of_other_sources() -> None:
    text = "updates: [{name: x, group: {a: [flux-system:app]}}]"

    assert read(text, elsewhere=("flux-system:app",)).updates[0].group.kind == "named"


def test_equal_branch_names_are_a_fault() -> None:
    text = (
        "policies:\n  a.b: {image: x, semver: '*'}\n  A.b: {image: x, semver: '*'}\n"
        "updates:\n  - {name: prod}\n"
    )

    (problem,) = faults(text)

    assert "would share the branch 'prod-a.b'" in problem.message
    assert problem.line == 5


def test_equal_branch_names_do_not_matter_without_proposals() -> None:
    text = (
        "policies:\n  a.b: {image: x, semver: '*'}\n  A.b: {image: x, semver: '*'}\n"
        "updates:\n  - {name: prod, deliver: commit}\n"
    )

    assert len(read(text).policies) == 2


def test_every_wrong_option_of_a_policy_is_told() -> None:
    text = (
        "policies:\n  p: {image: a/b, semver: '^^1', filter: '(', extract: $1, min-age: soon,\n"
        "    digest: sometimes, exclude: ['('], max-jump: far, variant: other}\n"
    )

    messages = " | ".join(problem.message for problem in faults(text))

    assert messages.count("policy 'p'") == 7
    assert "extract" not in messages


def test_a_default_that_another_option_rules_out_is_told_as_one() -> None:
    assert read("defaults: {max-jump: 2}\npolicies: {p: {image: a, numerical: asc}}").policies


@pytest.mark.parametrize("group", ["all", "policy"])
def test_groups_may_be_said_in_a_word(group: str) -> None:
    config = read(POLICY + f"updates: [{{name: x, group: {group}}}]")

    assert config.updates[0].group.kind == group


def test_a_wrong_default_is_told_once_not_with_every_policy() -> None:
    problems = faults("defaults: {min-age: soon}\n" + POLICY)

    assert len(problems) == 1


def test_numbers_keep_the_text_they_were_written_as() -> None:
    config = read("policies: {p: {image: a, semver: 1.10, deny: ['1.10']}}")

    assert next(iter(config.policies.values())).options["semver"] == "1.10"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 100_000, id="depth"),
        pytest.param(b"- - - " * 50_000, id="depth-block"),
        pytest.param(b"x: " + b"a" * 1_100_000, id="size"),
        pytest.param(b"x: [" + b"a," * 120_000 + b"]", id="nodes"),
        pytest.param(
            b"a0: &a0 [x]\n"
            + b"".join(
                b"a%d: &a%d [*a%d,*a%d,*a%d]\n" % (i, i, i - 1, i - 1, i - 1) for i in range(1, 40)
            ),
            id="alias-bomb",
        ),
        pytest.param(
            b"a0: &a0 [x]\n"
            + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 5000)),
            id="alias-chain",
        ),
        pytest.param(
            b"a: &a {" + b"".join(b"k%d: 1, " % i for i in range(10_000)) + b"}\n"
            b"b: {<<: [" + b"*a, " * 20_000 + b"]}",
            id="merge-bomb",
        ),
        pytest.param(b"a: &a [*a]", id="self-reference"),
        pytest.param(b"a: !!python/object/apply:os.system [x]", id="tag"),
        pytest.param(b"\xff\xfe\x00", id="utf-16"),
        pytest.param(b"a: \x00", id="control"),
        pytest.param(b"? [a]\n: b", id="key-that-is-a-list"),
        pytest.param(b"<<: x", id="merge-of-text"),
    ],
)
def test_malicious_yaml_is_a_fault_and_nothing_worse(text: bytes) -> None:
    with pytest.raises(FaultsError):
        read_native("f", text, folder=FOLDER, trust=Trust.PERSON)


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_a_configuration_or_faults(text: bytes) -> None:
    try:
        config = read_native("f", text, folder=FOLDER, trust=Trust.SERVER)
        problems: list[Problem] = []
    except FaultsError as fault:
        problems = fault.problems

    assert all(problem.message and problem.hint for problem in problems)
    assert problems or isinstance(config, Config)


_KEYS = st.sampled_from(
    ["version", "registries", "auth", "password", "env", "policies", "image", "semver", "filter",
     "deny", "tag", "updates", "name", "paths", "group", "schedule", "within", "forge", "url",
     "token", "limits", "open", "commit", "sign", "ssh", "values", "defaults", "min-age", "x.org",
     "exclude", "platforms", "automerge", "namespace", "<<", "push-branch", "token-hosts", "proxy"]
)  # fmt: skip
_LEAVES = st.sampled_from(
    ["", "1", "true", "x", "'*'", "[]", "{}", "~", "2d", "https://h", "asc", "a/b", "../x", "'('"]
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(_KEYS, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=15,
)


@given(st.lists(st.tuples(_KEYS, _TREES), max_size=5))
@settings(deadline=None, max_examples=300)
def test_any_keys_in_any_order_are_a_configuration_or_faults(pairs: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{key}: {value}" for key, value in pairs)
    try:
        config = read_native("f", text.encode(), folder=FOLDER, trust=Trust.PERSON)
        problems: list[Problem] = []
    except FaultsError as fault:
        problems = fault.problems

    assert all(problem.message and problem.hint and problem.line for problem in problems)
    assert problems or isinstance(config, Config)
