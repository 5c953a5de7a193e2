"""References to images are parsed, normalised and printed."""

import pytest

from policies import InvalidReference, is_digest, is_tag, parse_reference, parse_repository

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "name", "canonical", "tag", "digest"),
    [
        ("alpine", "alpine", "index.docker.io/library/alpine", None, None),
        ("alpine:3.19", "alpine", "index.docker.io/library/alpine", "3.19", None),
        ("docker.io/acme/api:1", "docker.io/acme/api", "index.docker.io/acme/api", "1", None),
        ("localhost:5000/app", "localhost:5000/app", "localhost:5000/app", None, None),
        ("localhost:5000/app:1", "localhost:5000/app", "localhost:5000/app", "1", None),
        (f"ghcr.io/a/b:1@{SHA}", "ghcr.io/a/b", "ghcr.io/a/b", "1", SHA),
        (f"ghcr.io/a/b@{SHA}", "ghcr.io/a/b", "ghcr.io/a/b", None, SHA),
        ("[::1]:5000/app:1", "[::1]:5000/app", "[::1]:5000/app", "1", None),
    ],
)
def test_takes_a_reference_apart(
    text: str, name: str, canonical: str, tag: str | None, digest: str | None
) -> None:
    reference = parse_reference(text)

    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)
    assert str(reference.repository) == canonical
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "a:",
        "a@",
        "a@sha256:abc",
        "UPPER",
        "ghcr.io/",
        "b@char/image",
        "gcr.io/project/bad:c@n'tuse",
        "-a",
        "a..b",
        "ex ample.com/a",
        "-host.io/a",
        "a/" * 140 + "b",
        "a:" + "x" * 129,
    ],
)
def test_refuses_what_names_no_image(text: str) -> None:
    with pytest.raises(InvalidReference) as failure:
        parse_reference(text)

    assert failure.value.kind == "invalid-reference"


def test_says_that_a_scheme_is_too_much() -> None:
    with pytest.raises(InvalidReference) as failure:
        parse_reference("https://ghcr.io/acme/api")

    assert failure.value.kind == "scheme-not-allowed"


@pytest.mark.parametrize("text", ["alpine:3", f"alpine@{SHA}", "localhost:5000/app:1"])
def test_a_repository_has_no_tag(text: str) -> None:
    with pytest.raises(InvalidReference) as failure:
        parse_repository(text)

    assert failure.value.kind == "tag-not-allowed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0.0", True),
        ("_x", True),
        (".x", False),
        ("1.0.0+b", False),
        ("", False),
        ("a" * 128, True),
        ("a" * 129, False),
        ("a\n", False),
        ("\u0661", False),
    ],
)
def test_tells_a_tag(text: str, expected: bool) -> None:
    assert is_tag(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SHA, True),
        ("sha512:" + "0" * 128, True),
        ("sha256:" + "A" * 64, False),
        ("sha256:" + "a" * 63, False),
        ("blake3+x:Ab_=", True),
        ("sha256", False),
        ("", False),
    ],
)
def test_tells_a_digest(text: str, expected: bool) -> None:
    assert is_digest(text) is expected
