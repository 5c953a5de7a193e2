"""Which repository an image comes from: labels of its own, and those of its base image."""

from __future__ import annotations

import pytest

from bot.release_notes.labels import Image, Said, is_named_like
from bot.release_notes.places import PUBLIC
from bot.release_notes.source import Source, find_source, versions

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"
API = "https://github.com/acme/api"
BASE = "https://github.com/stranger/tool"
OLD_COMMIT, NEW_COMMIT = "a" * 40, "b" * 40


def image(tag: str = "1.1.0", path: str = "acme/api", **said: str) -> Image:
    names = {"source": SOURCE, "revision": REVISION, "version": VERSION}
    return Image(path=path, tag=tag, said=Said(labels={names[k]: v for k, v in said.items()}))


def source(
    new: Image, old: Image | None = None, *, mapped: str = "", base: Said | None = None
) -> Source:
    return find_source(new, old, mapped=mapped, base=base, servers=PUBLIC)


@pytest.mark.parametrize(
    ("repository", "path", "alike"),
    [
        ("acme/api", "acme/api", True),
        ("acme/docker-api", "team/api", True),
        ("acme/api-container", "api", True),
        ("redis/redis", "library/redis", True),
        ("acme/fleet", "acme/fleet/api", True),
        ("acme/api-server", "acme/api", True),
        ("kubernetes/ingress-nginx", "ingress-nginx/controller", True),
        ("nginx/docker-nginx", "jwilder/nginx-proxy", False),
        ("linuxserver/docker-baseimage-alpine", "linuxserver/bazarr", False),
        ("acme/backend", "acme/api", False),
        ("stranger/tool", "acme/api", False),
    ],
)
def test_names_are_alike_or_not(repository: str, path: str, alike: bool) -> None:
    assert is_named_like(repository, path) == alike


def test_a_label_names_source_and_commits() -> None:
    old = image("1.0.0", source=API, revision=OLD_COMMIT)

    found = source(image(source=API + ".git", revision=NEW_COMMIT), old)

    assert (found.link, found.sure) == (API, True)
    assert found.revisions == (OLD_COMMIT, NEW_COMMIT)


def test_labels_of_old_times_count_as_well() -> None:
    labels = {"org.label-schema.vcs-url": API, "org.label-schema.vcs-ref": "abc1234"}
    new = Image(path="acme/api", tag="1", said=Said(labels=labels))

    assert source(new, new).link == API
    assert source(new, new).revisions == ("abc1234", "abc1234")


def test_a_home_page_is_no_source_but_a_repository_is() -> None:
    labels = {"org.opencontainers.image.url": API}

    assert source(Image(path="acme/api", tag="1", said=Said(labels=labels))).link == API


def test_an_annotation_is_stronger_than_a_label_and_never_inherited() -> None:
    said = Said(annotations={SOURCE: API}, labels={SOURCE: BASE, VERSION: "24.04"})

    found = source(Image(path="corp/thing", tag="1.1.0", said=said))

    assert (found.link, found.sure) == (API, True)


def test_what_the_base_image_says_too_is_inherited() -> None:
    base = Said(labels={SOURCE: BASE, REVISION: NEW_COMMIT})
    old = image("1.0.0", source=BASE, revision=NEW_COMMIT)

    found = source(image(source=BASE, revision=NEW_COMMIT), old, base=base)

    assert found.place is None
    assert "those of its base image" in found.why
    assert found.revisions == ("", "")


def test_a_label_behind_an_inherited_one_counts() -> None:
    labels = {SOURCE: BASE, "org.label-schema.vcs-url": API}
    new = Image(path="acme/api", tag="1.1.0", said=Said(labels=labels))

    assert source(new, base=Said(labels={SOURCE: BASE})).link == API


def test_base_and_image_of_one_repository_keep_it() -> None:
    fleet = "https://github.com/acme/fleet"
    new = image(path="acme/fleet/api", source=fleet)

    assert source(new, base=Said(labels={SOURCE: fleet})).link == fleet


def test_a_source_that_the_base_does_not_have_is_sure() -> None:
    found = source(image(source=BASE), base=Said(labels={SOURCE: "https://github.com/x/y"}))

    assert (found.link, found.sure) == (BASE, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (image("1.0.0", source=BASE), image(source=BASE, version="24.04")),
        (
            image("1.0.0", source=BASE, revision=OLD_COMMIT),
            image(source=BASE, revision=OLD_COMMIT),
        ),
        (None, image(source="https://github.com/acme/docker-baseimage-alpine")),
    ],
)
def test_without_a_known_base_what_cannot_be_the_images_own_is_inherited(
    old: Image | None, new: Image
) -> None:
    found = source(new, old)

    assert found.place is None
    assert "looks like that of a base image" in found.why


@pytest.mark.parametrize(
    ("old", "new", "sure"),
    [
        (image("1.0.0", source=API), image(source=API, version="24.04"), True),
        (image("1.0.0", source=BASE), image(source=BASE, version="v1.1.0"), True),
        (image("1.0.0", source=BASE), image(source=BASE), False),
        (image("1.0.0", source=API), image(source=BASE, version="24.04"), False),
        (image("1.1.0", source=BASE, revision="abc1234"),) * 2 + (False,),
    ],
)
def test_what_may_be_its_own_is_kept_and_doubted_where_nothing_speaks_for_it(
    old: Image, new: Image, sure: bool
) -> None:
    found = source(new, old)

    assert (found.place is not None, found.sure) == (True, sure)


def test_what_a_person_wrote_is_stronger_than_any_label() -> None:
    old = image("1.0.0", source=BASE, revision=OLD_COMMIT)
    new = image(source=BASE, revision=NEW_COMMIT)

    found = source(new, old, mapped=API)

    assert (found.link, found.sure) == (API, True)
    assert found.revisions == ("", ""), "they are commits of another repository"


@pytest.mark.parametrize("text", ["HEAD", "v1.0.0", "abc", "a" * 65, "../..", "g" * 40])
def test_a_revision_is_a_commit_or_nothing(text: str) -> None:
    new = image(source=API, revision=text)

    assert source(new, image(source=API, revision=NEW_COMMIT)).revisions == ("", "")


def test_an_unknown_host_is_linked_and_said() -> None:
    found = source(image(source="https://bitbucket.org/acme/api"))

    assert (found.place, found.link) == (None, "https://bitbucket.org/acme/api")
    assert found.why == "bitbucket.org is none of the forges that are asked for releases"


def test_without_labels_it_is_said_which_one_was_looked_for() -> None:
    assert SOURCE in source(image()).why


@pytest.mark.parametrize(
    ("old", "new", "span"),
    [
        (image("1.0.0", version="9"), image("1.1.0", version="9"), ("1.0.0", "1.1.0")),
        (image("1.25", version="1.25.3"), image("1.25", version="1.25.4"), ("1.25.3", "1.25.4")),
        (image("stable", version="v1"), image("stable", version="v2"), ("v1", "v2")),
        (image("1.25", version="24.04"), image("1.26", version="24.04"), ("1.25", "1.26")),
        (image("stable"), image("stable"), ("stable", "stable")),
    ],
)
def test_a_version_label_helps_where_the_tag_says_too_little(
    old: Image, new: Image, span: tuple[str, str]
) -> None:
    assert versions(new, old, old.tag) == span
