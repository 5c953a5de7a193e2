"""Versions in tags of images and of releases, and what lies between two of them."""

from __future__ import annotations

import pytest

from bot.release_notes.tag_versions import TagVersion, read_tag


def version(tag: str) -> TagVersion:
    found = read_tag(tag)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("tag", "component", "numbers"),
    [
        ("1.2.3", "", (1, 2, 3)),
        ("v1.2.3", "", (1, 2, 3)),
        ("release-1.2.3", "", (1, 2, 3)),
        ("1.2.3-alpine", "", (1, 2, 3)),
        ("api-v1.2.3", "api", (1, 2, 3)),
        ("api/v1.2.3", "api", (1, 2, 3)),
        ("@acme/api@1.2.3", "api", (1, 2, 3)),
        ("helm-chart-1.2.3", "helm-chart", (1, 2, 3)),
        ("4.0.12.2823-ls250", "", (4, 0, 12, 2823)),
    ],
)
def test_a_component_stands_before_the_version(
    tag: str, component: str, numbers: tuple[int, ...]
) -> None:
    assert (version(tag).component, version(tag).numbers) == (component, numbers)


@pytest.mark.parametrize("tag", ["", "stable", "sha-abc1234", "RELEASE.2024-01-16T16-07-38Z"])
def test_what_is_no_version_is_not_taken_for_one(tag: str) -> None:
    assert read_tag(tag) is None


@pytest.mark.parametrize(
    ("release", "old", "new", "between"),
    [
        ("1.2.3", "1.2.2", "1.2.3", True),
        ("1.2.2", "1.2.2", "1.2.3", False),
        ("1.2.10", "1.2.9", "1.3.0", True),
        ("v1.3.1", "1.2.9", "1.3.0", False),
        ("1.2.3", "1.2.2-alpine", "1.2.3-alpine", True),
        ("1.2", "1.1.9", "1.2.0", True),
        ("1.26.7", "1.25", "1.26", True),
        ("1.25.9", "1.25", "1.26", False),
        ("1.27.0", "1.25", "1.26", False),
        ("2.0.0-rc.1", "1.9.0", "2.0.0", True),
        ("2.0.0", "1.9.0", "2.0.0-rc.1", False),
        ("1.4.0-ls12", "1.4.0-ls11", "1.4.0-ls12", True),
        ("1.4.0-ls11", "1.4.0-ls11", "1.4.0-ls12", False),
        ("1.4.0-ls13", "1.4.0-ls11", "1.4.0-ls12", False),
        ("1.4.0", "1.4.0-ls11", "1.4.0-ls12", False),
        ("4.0.12.2823", "4.0.11.2680", "4.0.12.2823-ls2", True),
    ],
)
def test_between_is_after_the_old_and_up_to_the_new(
    release: str, old: str, new: str, between: bool
) -> None:
    found = version(release)

    assert (found.is_after(version(old)) and found.is_within(version(new))) == between


def test_a_tag_that_moves_holds_its_releases() -> None:
    assert version("1.26.3").extends(version("1.26"))
    assert version("1.26.0").extends(version("1.26.0"))
    assert not version("1.27.0").extends(version("1.26"))
    assert not version("1.26.3.1").extends(version("1.26.3"))
