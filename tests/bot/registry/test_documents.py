"""Registry documents: digests verified, contradictions refused, platforms and times in one form."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.registry.documents import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    DocumentRefusedError,
    Index,
    Manifest,
    digest_of,
    is_digest,
    is_tag,
    normal_platform,
    read_config,
    read_document,
    read_error,
    read_platform,
    read_tag_page,
    read_time,
    verify_digest,
)

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"c")}
MANIFEST: dict[str, Any] = {"schemaVersion": 2, "config": CONFIG, "layers": []}
INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": digest_of(b"m"), "size": 1, "platform": platform}
        for platform in (
            {"os": "linux", "architecture": "arm64", "variant": "v8"},
            {"os": "unknown", "architecture": "unknown"},
            None,
        )
    ],
}


def as_bytes(fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_reads_a_manifest(media_type: str) -> None:
    body = as_bytes(MANIFEST | {"mediaType": media_type, "annotations": {"a": "b", "c": 1}})

    read = read_document(body, content_type=f"{media_type}; charset=utf-8")

    assert isinstance(read, Manifest)
    assert read.digest == digest_of(body)
    assert read.config.digest == CONFIG["digest"]
    assert read.annotations == {"a": "b"}


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_of_an_index_only_entries_with_a_platform_are_images(media_type: str) -> None:
    read = read_document(as_bytes(INDEX), content_type=media_type)

    assert isinstance(read, Index)
    assert len(read.entries) == 3
    assert [str(each.platform) for each in read.images] == ["linux/arm64"]


def test_the_documents_own_kind_counts_when_no_header_came() -> None:
    read = read_document(as_bytes(MANIFEST | {"mediaType": OCI_MANIFEST}), content_type="")

    assert read.media_type == OCI_MANIFEST


@pytest.mark.parametrize(
    ("fields", "header", "what"),
    [
        pytest.param(MANIFEST | {"mediaType": OCI_INDEX}, OCI_MANIFEST, "contradicts", id="field"),
        pytest.param(MANIFEST | {"mediaType": 7}, OCI_MANIFEST, "contradicts", id="no-text"),
        pytest.param(MANIFEST | INDEX, OCI_INDEX, "as an index and as a manifest", id="both"),
        pytest.param(MANIFEST | INDEX, OCI_MANIFEST, "as an index and", id="both-as-manifest"),
        pytest.param(MANIFEST, OCI_INDEX, "as an index and", id="manifest-as-index"),
        pytest.param(
            MANIFEST, "application/vnd.docker.distribution.manifest.v1+json", "kind", id="schema-1"
        ),
        pytest.param(MANIFEST, "text/html", "kind 'text/html'", id="page"),
        pytest.param(MANIFEST, "", "kind 'unknown'", id="nothing-stated"),
        pytest.param(
            MANIFEST | {"config": {"digest": "../../x"}}, OCI_MANIFEST, "proper digest", id="path"
        ),
        pytest.param(MANIFEST | {"config": None}, OCI_MANIFEST, "proper digest", id="no-config"),
        pytest.param({"manifests": {}}, OCI_INDEX, "lists nothing", id="no-list"),
        pytest.param([], OCI_INDEX, "no JSON object", id="array"),
        pytest.param(
            MANIFEST | {"annotations": json.loads("[" * 40 + "]" * 40)},
            OCI_MANIFEST,
            "sensible depth",
            id="deep",
        ),
    ],
)
def test_refuses_what_could_be_read_in_two_ways(fields: object, header: str, what: str) -> None:
    with pytest.raises(DocumentRefusedError, match=what):
        read_document(as_bytes(fields), content_type=header)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_refuses_what_is_no_plain_json(body: bytes) -> None:
    with pytest.raises(DocumentRefusedError, match="not plain JSON"):
        read_document(body, content_type=OCI_MANIFEST)


@pytest.mark.parametrize("algorithm", ["sha256:", "sha512:"])
def test_verifies_both_kinds_of_digest(algorithm: str) -> None:
    body = as_bytes(MANIFEST)
    digest = digest_of(body, like=algorithm)

    assert read_document(body, content_type=OCI_MANIFEST, digest=digest).digest == digest
    with pytest.raises(DocumentRefusedError, match="not what"):
        verify_digest(body + b"\n", digest)


@pytest.mark.parametrize("text", ["md5:" + "0" * 32, "sha256:" + "A" * 64, "sha256:../x", ""])
def test_other_digests_are_none(text: str) -> None:
    assert not is_digest(text)
    with pytest.raises(DocumentRefusedError, match="unknown kind"):
        verify_digest(b"", text)


def test_an_artifact_names_its_subject() -> None:
    body = as_bytes(MANIFEST | {"subject": {"digest": digest_of(b"s")}, "artifactType": "a/b"})

    read = read_document(body, content_type=OCI_MANIFEST)

    assert isinstance(read, Manifest)
    assert (read.subject, read.artifact_type) == (digest_of(b"s"), "a/b")


def test_reads_what_an_image_says_of_itself() -> None:
    body = as_bytes(
        {
            "os": "linux",
            "architecture": "arm",
            "created": "2026-01-02T03:04:05.123456789Z",
            "config": {"Labels": {"a": "b"}},
        }
    )

    read = read_config(body, digest=digest_of(body))

    assert str(read.platform) == "linux/arm/v7"
    assert read.created == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert read.labels == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armel", "linux/arm/v6"),
        ("Linux/AMD64", "linux/amd64"),
        ("unknown/unknown", "None"),
        ("linux", "None"),
        ("a/b/c/d", "None"),
        ("linux/", "None"),
    ],
)
def test_a_platform_has_one_spelling(text: str, expected: str) -> None:
    assert str(read_platform(text)) == expected


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_a_normal_platform_stays_as_it_is(system: str, architecture: str, variant: str) -> None:
    once = normal_platform(system, architecture, variant)

    assert once is None or normal_platform(once.os, once.architecture, once.variant) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05.5z", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-13-02T03:04:05Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_utc_or_unknown(text: str, expected: datetime | None) -> None:
    assert read_time(text) == expected


@pytest.mark.parametrize(
    ("body", "tags", "dropped"),
    [
        (b'{"name": "a", "tags": ["1", "v2"]}', ("1", "v2"), 0),
        (b'{"name": "a", "tags": null}', (), 0),
        (b'{"name": "a"}', (), 0),
        (b'{"tags": ["ok", "../x", "", 7, "a b", "-x"]}', ("ok",), 5),
    ],
)
def test_a_page_holds_tags_and_drops_what_is_none(
    body: bytes, tags: tuple[str, ...], dropped: int
) -> None:
    page = read_tag_page(body)

    assert (page.tags, page.dropped) == (tags, dropped)


def test_a_page_of_many_tags_is_read_alike() -> None:
    names = [f"t{n}" for n in range(6000)]

    assert read_tag_page(as_bytes({"tags": [*names, "a\nb"]})).tags == tuple(names)


def test_two_tags_in_one_name_are_no_tag() -> None:
    page = read_tag_page(as_bytes({"tags": ["1", "a\nb"]}))

    assert (page.tags, page.dropped) == (("1",), 1)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"tags": {}}', b'{"tags": ["1"', b""])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentRefusedError, match="tag list"):
        read_tag_page(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_refused(body: bytes) -> None:
    for read in (
        lambda: read_document(body, content_type=OCI_INDEX),
        lambda: read_config(body, digest=digest_of(body)),
        lambda: read_tag_page(body),
    ):
        with contextlib.suppress(DocumentRefusedError):
            read()
    assert len(read_error(body)) == 2


def test_error_answers_are_code_and_message() -> None:
    assert read_error(b'{"errors": [{"code": "DENIED", "message": "no"}]}') == ("DENIED", "no")
    assert read_error(b'{"errors": []}') == ("", "")
    assert read_error(b'{"errors": [7]}') == ("", "")


@pytest.mark.parametrize(("text", "good"), [("1.0-a_b", True), ("", False), ("a" * 129, False)])
def test_tags_have_a_grammar(text: str, *, good: bool) -> None:
    assert is_tag(text) is good
