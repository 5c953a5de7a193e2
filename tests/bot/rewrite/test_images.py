"""Images that files name: by shape, by kind, with their places."""

from __future__ import annotations

import pytest

from bot.errors import Severity
from bot.rewrite.dockerfile import is_dockerfile
from bot.rewrite.images import find_images

D = "sha256:" + "a" * 64


def found(file: str, text: str) -> list[tuple[int, str, str, str | None, str | None]]:
    uses, _ = find_images(file, text.encode())
    return [(use.line, use.kind, use.image, use.tag, use.digest) for use in uses]


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
spec:
  containers:
  - image: ghcr.io/acme/api:1.4.2
  - image: adservice
  - image: ${IMAGE}:1
"""


def test_workloads_name_images_with_and_without_tag() -> None:
    assert found("a.yaml", DEPLOYMENT) == [
        (5, "kubernetes", "ghcr.io/acme/api", "1.4.2", None),
        (6, "kubernetes", "adservice", None, None),
    ]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "kustomization.yaml",
            f"images:\n- name: a\n  newName: b/c\n  newTag: 1.0\n  digest: {D}\n",
            (4, "kustomize", "b/c", "1.0", D),
        ),
        (
            "kustomization.yaml",
            "images:\n- name: a\n  newTag: v1\n",
            (3, "kustomize", "a", "v1", None),
        ),
        (
            "kustomization.yaml",
            "images:\n- name: a\n  newName: b\n",
            (3, "kustomize", "b", None, None),
        ),
        (
            "values.yaml",
            "image:\n  registry: q.io\n  repository: a/b\n  tag: 41\n",
            (4, "helm-values", "q.io/a/b", "41", None),
        ),
        ("values.yaml", "image:\n  repository: a/b\n", (2, "helm-values", "a/b", None, None)),
        (
            "values.yaml",
            f"image:\n  repository: a/b\n  tag: v1@{D}\n",
            (3, "helm-values", "a/b", "v1", D),
        ),
        (
            "values.yaml",
            "image:\n  repository: a/b\n  tag:\n  digest: " + "a" * 64,
            (4, "helm-values", "a/b", None, D),
        ),
        ("values.yaml", "sidecarImage: a/b:1\n", (1, "helm-values", "a/b", "1", None)),
        (
            "r.yaml",
            "kind: HelmRelease\nspec:\n  values: {image: {repository: a, tag: v1}}",
            (3, "helm-release", "a", "v1", None),
        ),
        (
            "compose.yml",
            "services:\n  db:\n    image: postgres\n",
            (3, "compose", "postgres", None, None),
        ),
        (
            "o.yaml",
            "kind: OCIRepository\nspec:\n  url: oci://q.io/c\n  ref: {tag: 1.0.0}\n",
            (4, "flux-source", "q.io/c", "1.0.0", None),
        ),
        ("t.yaml", "{{ if x }}\nimage: 'a/b:1'\n", (2, "other", "a/b", "1", None)),
        ("c.yaml", "data:\n  f: |\n    image: a/b:1\n", (3, "other", "a/b", "1", None)),
        ("Dockerfile", f"FROM --platform=x a/b:1@{D} AS base\n", (1, "dockerfile", "a/b", "1", D)),
        (
            "x.Dockerfile",
            "# syntax=docker/dockerfile:1\n",
            (1, "dockerfile", "docker/dockerfile", "1", None),
        ),
    ],
)
def test_each_kind_of_file_is_known_by_its_shape(
    file: str, text: str, expected: tuple[int, str, str, str | None, str | None]
) -> None:
    assert found(file, text) == [expected]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "a.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nspec: {image: a/b}",
        ),
        ("a.yaml", "# image: a/b:1\n"),
        ("a.yaml", "image: {{ .x }}\n"),
        ("a.yaml", "image: logo\n"),
        (
            "a.yaml",
            "apiVersion: s/v1\nkind: OCIRepository\nspec: {url: 'oci://a', ref: {semver: 1.x}}",
        ),
        ("Dockerfile", "FROM scratch\nFROM $BASE\nCOPY --from=0 a b\nRUN <<EOF\nFROM a:1\nEOF\n"),
        ("Dockerfile", "RUN a \\\n  FROM b:1\n"),
    ],
)
def test_what_names_no_image_is_passed_over(file: str, text: str) -> None:
    assert found(file, text) == []


def test_stages_are_no_images() -> None:
    text = "FROM a:1 AS base\nFROM base\nCOPY --from=base x y\nCOPY --from=b:2 x y\n"

    assert [one[2:4] for one in found("Dockerfile", text)] == [("a", "1"), ("b", "2")]


def test_place_and_marker_are_those_of_the_scalar() -> None:
    content = '\ufeffé: 1\nimage: "a/b:1" # pilotfish: semver 1\n'.encode()
    (use,), problems = find_images("a.yaml", content)

    assert content[use.start : use.end] == b'"a/b:1"'
    assert use.as_json() == {
        "file": "a.yaml",
        "line": 2,
        "column": 8,
        "kind": "other",
        "image": "a/b",
        "tag": "1",
        "digest": None,
        "policy": "pilotfish: semver 1",
    }
    assert problems == []


@pytest.mark.parametrize(
    ("content", "severity"),
    [
        (b"\xff\xfea", Severity.ERROR),
        (b"a: \xe9", Severity.ERROR),
        (b"a: [", Severity.NOTE),
    ],
)
def test_what_cannot_be_read_is_reported(content: bytes, severity: Severity) -> None:
    uses, problems = find_images("a.yaml", content)

    assert uses == []
    assert [problem.severity for problem in problems] == [severity]


def test_our_own_configuration_runs_no_image() -> None:
    text = b"version: 1\npolicies:\n  web: {image: shop/web, semver: ^1}\n"

    assert find_images(".pilotfish.yaml", text) == ([], [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dockerfile", True),
        ("Dockerfile.alpine", True),
        ("web.dockerfile", True),
        ("Containerfile", True),
        ("dockerfile.py", False),
        ("dockerfile.cpython-311.pyc", False),
        ("Dockerfile.md", False),
    ],
)
def test_knows_a_dockerfile_by_its_name(name: str, expected: bool) -> None:
    assert is_dockerfile(name) is expected
