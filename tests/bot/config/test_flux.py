"""Flux's objects as files: what they mean, what is noted, what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.flux import NEEDLES, FluxReading, read_flux
from bot.config.model import Delivery, PolicyKey
from bot.errors import Severity

HERE = "https://git.example.org/acme/fleet"
REPOSITORY = """
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, interval: 5m}
"""
POLICY = """
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system, labels: {tier: web}}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: ">=1.0"}}
"""
SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: "ssh://git@git.example.org:22/acme/fleet.git", ref: {branch: main}}
"""
AUTOMATION = """
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata: {name: auto, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  git:
    commit: {author: {name: Bot, email: bot@example.org},
             messageTemplate: "x {{ .Values.a }}", messageTemplateValues: {a: b}}
  update: {path: ./clusters/prod, strategy: Setters}
"""


def read(*texts: str, url: str | None = HERE) -> FluxReading:
    files = [(f"{position}.yaml", text.encode()) for position, text in enumerate(texts)]
    return read_flux(files, repository_url=url)


def errors(reading: FluxReading) -> list[str]:
    return [f"{p.where} {p.message}" for p in reading.problems if p.severity is Severity.ERROR]


def test_a_policy_takes_its_image_from_its_repository() -> None:
    reading = read(REPOSITORY, POLICY)

    (policy,) = reading.policies
    assert policy.key == PolicyKey(namespace="flux-system", name="app")
    assert policy.image == "ghcr.io/acme/app"
    assert policy.options == {"semver": ">=1.0"}
    assert policy.labels == {"tier": "web"}
    assert policy.where == "1.yaml:2"
    assert reading.problems == ()
    assert reading.files == ("0.yaml", "1.yaml")


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_older_versions_are_read(version: str) -> None:
    assert len(read(REPOSITORY, POLICY.replace("io/v1", f"io/{version}")).policies) == 1


def test_an_unknown_version_is_a_warning() -> None:
    reading = read(REPOSITORY, POLICY.replace("io/v1", "io/v9"))

    assert reading.policies == ()
    assert "version 'v9'" in reading.problems[0].message


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("{alphabetical: {}}", {"alphabetical": "asc"}),
        ("{alphabetical: {order: desc}}", {"alphabetical": "desc"}),
        ("{numerical: {order: ASC}}", {"numerical": "asc"}),
        ("{numerical: {order: asc}, semver: {range: 1.10}}", {"semver": "1.10"}),
    ],
)
def test_the_first_rule_of_fluxs_order_counts(policy: str, options: dict[str, str]) -> None:
    text = POLICY.replace('{semver: {range: ">=1.0"}}', policy)

    assert read(REPOSITORY, text).policies[0].options == options


def test_filter_digest_and_exclusions_are_taken_over() -> None:
    repository = REPOSITORY.replace("interval: 5m", "exclusionList: ['^dev-'], suspend: true")
    policy = POLICY + "  filterTags: {pattern: '^(?P<v>.*)-x$', extract: $v}\n"
    policy += "  digestReflectionPolicy: IfNotPresent\n"

    (read_policy,) = read(repository, policy).policies

    assert read_policy.options == {
        "semver": ">=1.0",
        "filter": "^(?P<v>.*)-x$",
        "extract": "$v",
        "digest": "if-not-present",
        "exclude": ("^dev-",),
    }
    assert read_policy.suspended


def test_one_file_may_hold_documents_and_lists() -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        "- " + "\n  ".join(text.strip().splitlines()) + "\n" for text in (REPOSITORY, POLICY)
    )

    assert len(read(f"{REPOSITORY}---{POLICY}").policies) == 1
    assert len(read(listed).policies) == 1


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (POLICY.replace(">=1.0", "^^1"), "1.yaml:7:28", "range '^^1'"),
        (POLICY + "  filterTags: {pattern: '('}\n", "1.yaml:8:25", "pattern '('"),
        (POLICY + "  digestReflectionPolicy: Often\n", "1.yaml:8:27", "'Often'"),
        (
            POLICY.replace('semver: {range: ">=1.0"}', "numerical: {order: up}"),
            "1.yaml:7:31",
            "order 'up'",
        ),
        (
            POLICY.replace("namespace: flux-system", "namespace: other").replace(
                "Ref: {name: app}", "Ref: {name: app, namespace: flux-system}"
            ),
            "1.yaml:6:23",
            "does not let namespace 'other' use it",
        ),
    ],
)
def test_what_is_wrong_has_its_place(text: str, where: str, message: str) -> None:
    reading = read(REPOSITORY, text)

    assert reading.policies == ()
    (problem,) = reading.problems
    assert (problem.severity, problem.where) == (Severity.ERROR, where)
    assert message in problem.message
    assert problem.hint


def test_a_wrong_exclusion_is_told_at_the_repository() -> None:
    reading = read(REPOSITORY.replace("interval: 5m", "exclusionList: ['(']"), POLICY)

    assert [p.where for p in reading.problems] == ["0.yaml:5:48"]


@pytest.mark.parametrize("image", ["https://ghcr.io/a/b", "ghcr.io/a/b:1", "UPPER/b"])
def test_a_wrong_image_is_an_error_told_once(image: str) -> None:
    two = POLICY + "---" + POLICY.replace("name: app, n", "name: two, n")

    reading = read(REPOSITORY.replace("ghcr.io/acme/app", f"'{image}'"), two)

    assert reading.policies == ()
    assert len(errors(reading)) == 1


def test_equal_definitions_count_once() -> None:
    reading = read(REPOSITORY, POLICY, REPOSITORY, POLICY.replace("# x", ""))

    assert len(reading.policies) == 1
    assert reading.problems == ()


def test_unequal_definitions_are_an_error_that_names_both_places() -> None:
    reading = read(REPOSITORY, POLICY, POLICY.replace(">=1.0", ">=2.0"))

    assert reading.policies == ()
    assert reading.ambiguous == (PolicyKey(namespace="flux-system", name="app"),)
    (problem,) = reading.problems
    assert problem.where == "2.yaml:2"
    assert "1.yaml:2" in problem.message


def test_repositories_that_differ_are_an_error() -> None:
    reading = read(REPOSITORY, REPOSITORY.replace("acme/app", "acme/other"), POLICY)

    assert reading.policies == ()
    assert "0.yaml:2 and 1.yaml:2 differ" in errors(reading)[0]


@pytest.mark.parametrize(
    ("text", "severity", "message"),
    [
        (
            POLICY.replace('policy: {semver: {range: ">=1.0"}}', "policy: {}"),
            Severity.NOTE,
            "no rule of its own",
        ),
        (
            POLICY.replace("  imageRepositoryRef: {name: app}\n", ""),
            Severity.WARNING,
            "looks like a patch",
        ),
        (POLICY.replace("Ref: {name: app}", "Ref: {name: none}"), Severity.WARNING, "no ImageRepo"),
        (POLICY.replace(">=1.0", "${RANGE}"), Severity.WARNING, "variable"),
        (POLICY.replace("name: app, n", "name: '${APP}', n"), Severity.WARNING, "variables"),
        (POLICY.replace("name: app, n", "n"), Severity.WARNING, "no name"),
    ],
)
def test_what_files_cannot_say_is_told(text: str, severity: Severity, message: str) -> None:
    reading = read(REPOSITORY, text)

    assert reading.policies == ()
    (problem,) = reading.problems
    assert problem.severity is severity
    assert message in problem.message
    assert problem.hint


def test_secrets_of_the_cluster_are_noted_once_a_registry() -> None:
    secret = REPOSITORY.replace("interval: 5m", "secretRef: {name: s}")

    reading = read(secret, secret.replace("name: app", "name: two"), POLICY)

    assert len(reading.policies) == 1
    (note,) = reading.problems
    assert note.severity is Severity.NOTE
    assert "2 of the ImageRepository objects for ghcr.io use secretRef" in note.message
    assert "docker login ghcr.io" in note.hint


@pytest.mark.parametrize("field", ["provider: aws", "insecure: true", "certSecretRef: {name: s}"])
def test_what_else_the_cluster_gives_is_noted(field: str) -> None:
    reading = read(REPOSITORY.replace("interval: 5m", field), POLICY)

    assert [p.severity for p in reading.problems] == [Severity.NOTE]
    assert field.partition(":")[0] in reading.problems[0].message


def test_an_image_with_a_variable_is_told() -> None:
    reading = read(REPOSITORY.replace("ghcr.io/acme/app", "'${HOST}/app'"), POLICY)

    assert reading.policies == ()
    assert any("variable" in problem.message for problem in reading.problems)


def test_a_patch_of_an_automation_is_noted() -> None:
    text = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\n"

    reading = read(text + "metadata: {name: a, namespace: b}\nspec: {interval: 1m}\n")

    assert reading.updates == ()
    assert "patch" in reading.problems[0].message


def test_automations_that_differ_in_little_get_names_of_their_own() -> None:
    quiet = AUTOMATION.replace("  git:\n", "  suspend: true\n  git:\n")

    names = [rule.name for rule in read(SOURCE, AUTOMATION, quiet).updates]

    assert len(set(names)) == 2


def test_a_policy_without_a_namespace_finds_its_repository() -> None:
    reading = read(REPOSITORY, POLICY.replace(", namespace: flux-system", ""))

    assert reading.policies[0].key == PolicyKey(namespace="", name="app")


def test_pushing_to_the_base_is_a_commit() -> None:
    reading = read(SOURCE, AUTOMATION)

    (rule,) = reading.updates
    assert (rule.name, rule.deliver, rule.branch) == ("auto", Delivery.COMMIT, "main")
    assert rule.paths == ("clusters/prod",)
    assert rule.namespace == "flux-system"
    assert rule.commit is not None
    assert (rule.commit.author_name, rule.commit.author_email) == ("Bot", "bot@example.org")
    assert (rule.commit.message, rule.commit.values) == ("x {{ .Values.a }}", {"a": "b"})
    assert reading.problems == ()


@pytest.mark.parametrize(
    ("git", "deliver", "base", "push"),
    [
        ("push: {branch: images}", Delivery.BRANCH, "main", "images"),
        ("push: {branch: main}", Delivery.COMMIT, "main", ""),
        ("checkout: {ref: {branch: dev}}", Delivery.COMMIT, "dev", ""),
        (
            "checkout: {ref: {branch: dev}}\n    push: {branch: main}",
            Delivery.BRANCH,
            "dev",
            "main",
        ),
        ("checkout: {ref: {name: refs/heads/dev}}", Delivery.COMMIT, "dev", ""),
    ],
)
def test_branches_decide_the_delivery(git: str, deliver: Delivery, base: str, push: str) -> None:
    reading = read(SOURCE, AUTOMATION.replace("  git:\n", f"  git:\n    {git}\n"))

    (rule,) = reading.updates
    assert (rule.deliver, rule.branch, rule.push_branch) == (deliver, base, push)


@pytest.mark.parametrize(
    ("old", "new", "severity", "message"),
    [
        ("./clusters/prod", "'${CLUSTER}/apps'", Severity.WARNING, "variable"),
        ("./clusters/prod", "../../etc", Severity.ERROR, "leads out"),
        ("Setters", "Magic", Severity.ERROR, "'Magic'"),
        ("  git:\n", "  git:\n    checkout: {ref: {tag: v1}}\n", Severity.WARNING, "tag or commit"),
        ("  git:\n", "  git:\n    push: {branch: 'a b'}\n", Severity.ERROR, "no branch name"),
        ("  git:\n", "  git:\n    push: {branch: '${B}'}\n", Severity.WARNING, "variable"),
        (
            "  git:\n",
            "  policySelector: {matchExpressions: [{key: a, operator: In}]}\n  git:\n",
            Severity.ERROR,
            "policySelector",
        ),
    ],
)
def test_an_automation_that_cannot_be_carried_out_is_left_out(
    old: str, new: str, severity: Severity, message: str
) -> None:
    reading = read(SOURCE, AUTOMATION.replace(old, new))

    assert reading.updates == ()
    (problem,) = reading.problems
    assert problem.severity is severity
    assert message in problem.message


def test_a_selector_is_taken_over() -> None:
    expression = "{key: c, operator: In, values: [d]}"
    selector = f"policySelector: {{matchLabels: {{a: b}}, matchExpressions: [{expression}]}}"

    (rule,) = read(SOURCE, AUTOMATION.replace("  git:\n", f"  {selector}\n  git:\n")).updates

    assert rule.selector is not None
    assert rule.selector.labels == {"a": "b"}
    assert rule.selector.expressions == (("c", "In", ("d",)),)


def test_what_only_the_cluster_has_is_noted() -> None:
    git = "    push: {refspec: a:b, options: {c: d}}\n"
    text = AUTOMATION.replace("  git:\n", "  git:\n" + git).replace(
        "commit: {", "commit: {signingKey: {secretRef: {name: k}}, "
    )

    reading = read(SOURCE, text.replace("x {{", "${ZONE} {{"))

    assert len(reading.updates) == 1
    assert [p.severity for p in reading.problems] == [Severity.NOTE] * 4


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/acme/fleet",
        "https://git.example.org/acme/fleet.git/",
        "git@git.example.org:acme/fleet.git",
        "ssh://git@GIT.example.org/acme/fleet",
    ],
)
def test_an_address_may_be_written_in_many_ways(url: str) -> None:
    reading = read(SOURCE, AUTOMATION, url=url)

    assert len(reading.updates) == 1
    assert reading.problems == ()


def test_an_automation_of_another_repository_does_not_count() -> None:
    reading = read(SOURCE, AUTOMATION, url="https://git.example.org/acme/other")

    assert reading.updates == ()
    assert reading.problems[0].severity is Severity.NOTE


@pytest.mark.parametrize(("texts", "url"), [((AUTOMATION,), HERE), ((SOURCE, AUTOMATION), None)])
def test_an_automation_whose_repository_cannot_be_told_counts(
    texts: tuple[str, ...], url: str | None
) -> None:
    reading = read(*texts, url=url)

    assert len(reading.updates) == 1
    assert "cannot be told" in reading.problems[0].message


def test_automations_of_one_name_get_names_of_their_own() -> None:
    other = AUTOMATION.replace("./clusters/prod", "./auto/test")

    names = [rule.name for rule in read(SOURCE, AUTOMATION, other, AUTOMATION).updates]

    assert names == ["auto-clusters-prod", "auto-test"]


def test_files_that_are_no_yaml_are_told_and_the_others_go_on() -> None:
    reading = read("apiVersion: image.toolkit.fluxcd.io/v1\n{{ helm }}: [", REPOSITORY, POLICY)

    assert len(reading.policies) == 1
    assert reading.problems[0].file == "0.yaml"


def test_definitions_of_the_kinds_are_no_objects() -> None:
    text = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "spec: {group: image.toolkit.fluxcd.io}"
    )

    assert any(needle in text.encode() for needle in NEEDLES)
    assert read(text) == FluxReading()


_PARTS = st.sampled_from([REPOSITORY, POLICY, SOURCE, AUTOMATION])
_EDITS = st.sampled_from(
    ["", "[]", "{}", "~", "${X}", "1", "a: b", "- x", "'", "&a", "*a", "flux-system", "\n", ": "]
)


@given(st.lists(_PARTS, max_size=4), st.lists(st.tuples(st.integers(0, 400), _EDITS), max_size=3))
@settings(deadline=None, max_examples=300)
def test_any_damage_gives_problems_and_never_a_crash(
    parts: list[str], edits: list[tuple[int, str]]
) -> None:
    text = "---".join(parts)
    for place, new in edits:
        text = text[:place] + new + text[place + len(new) :]

    reading = read(text)

    assert all(problem.message and problem.hint for problem in reading.problems)
