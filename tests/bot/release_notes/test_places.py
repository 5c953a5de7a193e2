"""Addresses in labels: which repository they mean, and that they never choose whom we ask."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.release_notes.places import PUBLIC, Place, find_place, fit_to_link, server_of

OWN = server_of("forgejo", "https://git.corp.example:3000/forge/")
assert OWN is not None
SERVERS = (OWN, *PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/acme/api",
        "https://github.com/acme/api.git",
        "https://www.github.com/acme/api/",
        "http://github.com/acme/api",
        "HTTPS://GitHub.com/acme/api",
        "https://github.com:443/acme/api",
        "https://github.com/acme/api/tree/v1.2.3/docker?plain=1#readme",
        "https://user:password@github.com/acme/api",
        "git+https://github.com/acme/api.git",
        "git://github.com/acme/api.git",
        "git@github.com:acme/api.git",
        "ssh://git@github.com/acme/api.git",
        "ssh://git@ssh.github.com:443/acme/api.git",
        "github.com/acme/api",
        "  github.com/acme/api  ",
    ],
)
def test_however_it_is_written_it_is_one_repository(text: str) -> None:
    place = find_place(text, SERVERS)

    assert place is not None
    assert (place.api, place.web) == (
        "https://api.github.com/repos/acme/api",
        "https://github.com/acme/api",
    )


def test_each_forge_has_its_own_addresses() -> None:
    gitlab = find_place("https://gitlab.com/acme/tools/api/-/tree/main", SERVERS)
    codeberg = find_place("https://codeberg.org/acme/api/src/branch/main", SERVERS)
    own = find_place("https://git.corp.example:3000/forge/acme/api", SERVERS)

    assert gitlab is not None
    assert gitlab.api == "https://gitlab.com/api/v4/projects/acme%2Ftools%2Fapi"
    assert gitlab.release("v1/2") == "https://gitlab.com/acme/tools/api/-/releases/v1%2F2"
    assert codeberg is not None
    assert codeberg.api == "https://codeberg.org/api/v1/repos/acme/api"
    assert own is not None
    assert own.api == "https://git.corp.example:3000/forge/api/v1/repos/acme/api"
    assert own.release("v1") == "https://git.corp.example:3000/forge/acme/api/releases/tag/v1"


@pytest.mark.parametrize(
    "text",
    [
        "ssh://git@git.corp.example:2222/acme/api.git",
        "git@git.corp.example:acme/api.git",
        "ssh://git@git.corp.example/forge/acme/api",
    ],
)
def test_the_own_forge_is_known_over_ssh_as_well(text: str) -> None:
    place = find_place(text, SERVERS)

    assert place is not None
    assert (place.server, place.path) == (OWN, "acme/api")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme/api",
        "https://github.com",
        "https://github.com/acme",
        "https://github.com/../api",
        "https://github.com/acme%2Fevil/api",
        "https://github.com:8443/acme/api",
        "https://github.com.evil.example/acme/api",
        "https://evil.example/github.com/acme/api",
        "https://github.com@evil.example/acme/api",
        "https://evil.example#@github.com/acme/api",
        "https://github.com\\@evil.example/acme/api",
        "https://git.corp.example/forge/acme/api",
        "https://git.corp.example:3000/elsewhere/acme/api",
        "http://127.0.0.1:3000/acme/api",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1/acme/api",
        "file:///etc/passwd",
        "https://github.com/acme/a pi",
        "https://github.com/acme/api\x00",
        "https://github.com/acme/" + "a" * 600,
    ],
)
def test_what_does_not_lead_to_a_known_forge_is_no_place(text: str) -> None:
    assert find_place(text, SERVERS) is None


@given(st.text(max_size=60), st.sampled_from(["", "https://github.com/", "git@gitlab.com:", "//"]))
def test_no_text_leads_to_an_address_that_is_not_ours(text: str, before: str) -> None:
    place = find_place(before + text, SERVERS)

    if place is not None:
        assert place.api.startswith(f"{place.server.api}/")
        assert place.server in SERVERS
        parts = urlsplit(place.api)
        assert not parts.query
        assert ".." not in parts.path.split("/")
        assert place.api.isascii()


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://bitbucket.org/acme/api", "https://bitbucket.org/acme/api"),
        ("https://git.sr.ht/~acme/api/", "https://git.sr.ht/~acme/api"),
        ("bitbucket.org/acme/api?a=b#c", "https://bitbucket.org/acme/api"),
        ("http://bitbucket.org/acme/api", ""),
        ("https://user:password@bitbucket.org/acme/api", ""),
        ("https://bitbucket.org:8443/acme/api", ""),
        ("https://127.0.0.1/acme/api", ""),
        ("https://169.254.169.254/acme/api", ""),
        ("https://localhost/acme/api", ""),
        ("https://git.corp.internal/acme/api", ""),
        ("https://bitbucket.org/a/../b", ""),
        ("https://bitbucket.org/a](https://evil.example", ""),
        ("https://bitbucket.org/<script>", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
    ],
)
def test_a_link_is_plain_https_to_a_public_name(text: str, link: str) -> None:
    assert fit_to_link(text) == link


def test_a_forge_without_releases_is_no_server() -> None:
    assert server_of("plain", "https://git.example.org") is None
    assert server_of("github", "https://github.com/") == PUBLIC[0]


@pytest.mark.parametrize(
    ("kind", "web", "api"),
    [
        ("github", "https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("github", "https://git.acme.example", "https://git.acme.example/api/v3"),
        ("gitlab", "https://acme.example/gitlab", "https://acme.example/gitlab/api/v4"),
        ("forgejo", "https://acme.example/git", "https://acme.example/git/api/v1"),
    ],
)
def test_each_kind_of_forge_has_its_api_in_a_place_of_its_own(
    kind: str, web: str, api: str
) -> None:
    found = server_of(kind, web)

    assert found is not None
    assert found.api == api


def test_owner_and_name_are_the_ends_of_the_path() -> None:
    place = Place(server=PUBLIC[1], path="acme/tools/api")

    assert (place.owner, place.name) == ("acme", "api")
