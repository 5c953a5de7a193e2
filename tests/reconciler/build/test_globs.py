"""Patterns that a value begins or ends with."""

import pytest

from reconciler.build.globs import matching_lengths


@pytest.mark.parametrize(
    ("pattern", "text", "lengths"),
    [
        ("a*", "abc", [1, 2, 3]),
        ("*c", "abcc", [3, 4]),
        ("**b", "ab", [2]),
        ("?", "/x", [1]),
        ("[a-c]", "b", [1]),
        ("[^a-c]", "b", []),
        ("[!x]", "b", [1]),
        ("[a\\-]", "-", [1]),
        ("\\*", "*", [1]),
        ("", "abc", []),
        ("abcd", "abc", []),
        ("[", "[", []),
        ("[]a]", "a", []),
        ("[a", "a", []),
        ("[a-", "a", []),
        ("[a-]", "a", []),
        ("[-a]", "a", []),
        ("a\\", "a", []),
        ("[\\", "a", []),
    ],
)
def test_beginnings_that_match(pattern: str, text: str, lengths: list[int]) -> None:
    assert matching_lengths(pattern, text) == lengths


def test_endings_that_match() -> None:
    assert matching_lengths(".*", "a.b.c", from_end=True) == [2, 4]
    assert matching_lengths("[b-c]c", "abc", from_end=True) == [2]
