"""The small texts inside a configuration: each is read, or refused with advice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.notation import (
    Unreadable,
    is_loopback,
    read_address,
    read_author,
    read_branch,
    read_host,
    read_name,
    read_namespace,
    read_path,
    read_rate,
)
from bot.config.repository_url import same_repository

READERS = [read_address, read_author, read_branch, read_host, read_name, read_path, read_rate]


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        (read_rate, "20/s", 20.0),
        (read_rate, "30 / m", 0.5),
        (read_rate, "2.5", 2.5),
        (read_author, "A B <a@b.org>", ("A B", "a@b.org")),
        (read_author, "<a@b.org>", ("", "a@b.org")),
        (read_path, "./a//b/../c/", "a/c"),
        (read_path, ".", ""),
        (read_path, "", ""),
        (read_branch, "feature/x-1", "feature/x-1"),
        (read_host, "GHCR.io", "ghcr.io"),
        (read_host, "localhost:5000", "localhost:5000"),
        (read_host, "[::1]:5000", "[::1]:5000"),
        (read_address, "https://h.org/x/", "https://h.org/x"),
        (read_address, "http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        (read_address, "http://git.localhost", "http://git.localhost"),
        (read_namespace, "flux-system", "flux-system"),
    ],
)
def test_reads(reader: Callable[[str], object], text: str, expected: object) -> None:
    assert reader(text) == expected


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (read_rate, "0/s"),
        (read_rate, "fast"),
        (read_author, "a@b.org"),
        (read_author, "a <b>\n"),
        (read_path, "a/../../b"),
        (read_path, "/a"),
        (read_path, "a\x00"),
        (read_branch, "a..b"),
        (read_branch, "-x"),
        (read_branch, "x.lock"),
        (read_branch, ""),
        (read_host, "ghcr.io/acme"),
        (read_host, "h:99999"),
        (read_host, "https://h"),
        (read_address, "h.org"),
        (read_address, "http://h.org"),
        (read_address, "https://u:p@h.org"),
        (read_address, "https://h.org/#x"),
        (read_address, "https://h:port"),
        (read_namespace, "a.b"),
        (read_name, "a:b"),
    ],
)
def test_refuses(reader: Callable[[str], object], text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        reader(text)

    assert caught.value.hint


@given(st.sampled_from(READERS), st.text(max_size=60))
def test_any_text_is_read_or_refused(reader: Callable[[str], object], text: str) -> None:
    try:
        made = reader(text)
    except Unreadable:
        return

    assert made is not None


@pytest.mark.parametrize(("host", "is_own"), [("::1", True), ("10.0.0.1", False), ("x", False)])
def test_loopback_is_this_computer(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://github.com/Acme/fleet", "git@github.com:acme/fleet.git", True),
        ("ssh://git@ssh.github.com:443/acme/fleet.git", "https://github.com/acme/fleet", True),
        ("https://git.example.org/Acme/x", "https://git.example.org/acme/x", False),
        ("https://a.org/x", "https://b.org/x", False),
        ("/srv/git/x.git", "/srv/git/x", True),
        ("https://[", "https://a.org/x", False),
    ],
)
def test_addresses_of_one_repository(one: str, other: str, same: bool) -> None:
    assert same_repository(one, other) is same
