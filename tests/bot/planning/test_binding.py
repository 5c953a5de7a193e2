"""Which policy decides for which field, under which update."""

import pytest

from bot.config.model import PolicySelector, UpdateRule
from bot.errors import Severity
from bot.planning.binding import bind_fields, covers
from bot.rewrite.tree import find_fields
from tests.bot.planning.situations import bind, bound, configured

WEB = "image: ghcr.io/acme/web:1.0.0 # pilotfish: semver ^1\n"
NAMED = """\
policies:
  web: {image: ghcr.io/acme/web, semver: ^1, min-age: 3d}
"""


def test_an_inline_rule_is_named_after_its_repository() -> None:
    (one,) = bound(WEB)
    assert (one.policy_name, one.group, one.inline) == ("ghcr.io/acme/web", "acme/web", True)


def test_an_official_image_groups_without_its_library() -> None:
    (one,) = bound("image: nginx:1.0.0 # pilotfish: semver ^1\n")
    assert (one.image, one.group) == ("nginx", "nginx")


def test_a_flux_marker_means_the_named_policy() -> None:
    line = 'image: ghcr.io/acme/web:1 # {"$imagepolicy": "flux-system:web"}\n'
    (one,) = bound(line, NAMED)
    assert (one.policy_name, one.group, one.image) == ("flux-system:web", "web", "ghcr.io/acme/web")


def test_the_line_is_stronger_than_the_named_policy() -> None:
    line = "image: ghcr.io/acme/web:1.0.0 # pilotfish: policy web min-age=1h\n"
    (one,) = bound(line, NAMED)
    assert one.policy.gates.min_age is not None
    assert one.policy.gates.min_age.total_seconds() == 3600


def test_the_named_policy_is_stronger_than_the_defaults() -> None:
    config = NAMED + "defaults: {min-age: 9d, digest: always}\n"
    (one,) = bound("image: ghcr.io/acme/web:1.0.0 # pilotfish: policy web\n", config)
    assert one.policy.gates.min_age is not None
    assert one.policy.gates.min_age.days == 3
    assert one.policy.digest.value == "always"


def test_the_defaults_count_for_inline_rules() -> None:
    (one,) = bound(WEB, "defaults: {digest: always}\n")
    assert one.policy.digest.value == "always"


def test_an_inline_policy_keeps_the_repository_that_is_written() -> None:
    (one,) = bound("image: mirror.example/web:1.0.0 # pilotfish: policy web\n", NAMED)
    assert one.image == "mirror.example/web"


def test_ignore_binds_nothing_and_is_no_fault() -> None:
    assert bind("image: a/b:1 # pilotfish: ignore 'frozen'\n") == ([], [])


def test_an_unknown_policy_is_a_warning_with_the_nearest_name() -> None:
    bindings, (problem,) = bind('image: x:1 # {"$imagepolicy": "flux-system:wbe"}\n', NAMED)
    assert bindings == []
    assert problem.severity is Severity.WARNING
    assert "flux-system:wbe" in problem.message
    assert "web" in problem.hint
    assert problem.where == "a.yaml:1:8"


def test_another_namespace_is_another_policy() -> None:
    bindings, problems = bind('image: x:1 # {"$imagepolicy": "apps:web"}\n', NAMED)
    assert bindings == []
    assert len(problems) == 1


def test_a_tag_without_a_repository_says_what_to_add() -> None:
    _, (problem,) = bind("tag: 1.0.0 # pilotfish: semver ^1\n")
    assert problem.severity is Severity.ERROR
    assert "image=REPOSITORY" in problem.hint


def test_an_unreadable_range_is_told_with_its_line() -> None:
    _, (problem,) = bind("a: 1\nimage: a/b:1.0.0 # pilotfish: semver >=one\n")
    assert (problem.severity, problem.line) == (Severity.ERROR, 2)


def test_two_updates_that_share_a_field_name_both_places() -> None:
    config = "updates:\n  - {name: all, paths: [.]}\n  - {name: apps, paths: [apps]}\n"
    made = configured(config)
    fields = find_fields([("apps/a.yaml", WEB.encode())]).fields
    bindings, (problem,) = bind_fields(fields, made, made.updates)
    assert bindings == []
    assert "all (.pilotfish.yaml:3" in problem.message
    assert "apps (.pilotfish.yaml:4" in problem.message


@pytest.mark.parametrize(
    ("path", "file", "inside"),
    [
        ("apps", "apps/a.yaml", True),
        ("./apps/", "apps/a.yaml", True),
        ("apps/a.yaml", "apps/a.yaml", True),
        ("app", "apps/a.yaml", False),
        (".", "a.yaml", True),
        ("./", "a.yaml", True),
    ],
)
def test_a_path_covers_what_lies_below_it(path: str, file: str, inside: bool) -> None:
    assert covers(UpdateRule(paths=(path,)), file) is inside


def test_a_field_outside_every_update_is_left_alone() -> None:
    config = "updates:\n  - {name: apps, paths: [apps]}\n"
    assert bind({"infra/a.yaml": WEB}, config) == ([], [])


def test_a_moved_registry_is_a_warning_and_bound_all_the_same() -> None:
    line = 'image: docker.io/acme/web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n'
    bindings, (problem,) = bind(line, NAMED)
    assert len(bindings) == 1
    assert problem.severity is Severity.WARNING
    assert "another registry" in problem.message


@pytest.mark.parametrize(
    ("selector", "admitted"),
    [
        (PolicySelector(labels={"team": "web"}), True),
        (PolicySelector(labels={"team": "api"}), False),
        (PolicySelector(expressions=(("team", "In", ("web", "api")),)), True),
        (PolicySelector(expressions=(("team", "In", ("api",)),)), False),
        (PolicySelector(expressions=(("team", "NotIn", ("web",)),)), False),
        (PolicySelector(expressions=(("tier", "NotIn", ("web",)),)), True),
        (PolicySelector(expressions=(("team", "Exists", ()),)), True),
        (PolicySelector(expressions=(("tier", "Exists", ()),)), False),
        (PolicySelector(expressions=(("team", "DoesNotExist", ()),)), False),
    ],
)
def test_a_selector_admits_by_labels(selector: PolicySelector, admitted: bool) -> None:
    flux = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: web, namespace: flux-system}
spec: {image: ghcr.io/acme/web}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: web, namespace: flux-system, labels: {team: web}}
spec:
  imageRepositoryRef: {name: web}
  policy: {semver: {range: ^1}}
"""
    config = configured(flux={"flux.yaml": flux})
    text = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "flux-system:web"}\n'
    rule = UpdateRule(selector=selector)
    bindings, problems = bind_fields(find_fields([("a.yaml", text)]).fields, config, [rule])
    assert (len(bindings), problems) == (int(admitted), [])


def test_an_update_of_one_namespace_passes_over_another() -> None:
    fields = find_fields([("a.yaml", b'image: x:1 # {"$imagepolicy": "flux-system:web"}\n')]).fields
    bindings, problems = bind_fields(fields, configured(NAMED), [UpdateRule(namespace="apps")])
    assert (bindings, problems) == ([], [])


def test_a_suspended_update_binds_nothing() -> None:
    fields = find_fields([("a.yaml", WEB.encode())]).fields
    assert bind_fields(fields, configured(), [UpdateRule(suspended=True)]) == ([], [])
