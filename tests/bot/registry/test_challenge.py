"""Challenges read as registries write them, and token services confined to whom they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.registry.auth import token_address
from bot.registry.challenge import RealmTrust, preferred, read_challenges, trust_in_realm

CODEBERG = (
    'Bearer realm="https://codeberg.org/v2/token",service="container_registry",scope="*",'
    'Basic realm="https://codeberg.org/v2",service="container_registry",scope="*"'
)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            ['Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"'],
            [
                (
                    "bearer",
                    {"realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push"},
                )
            ],
            id="quoted-comma",
        ),
        pytest.param(
            [CODEBERG],
            [
                (
                    "bearer",
                    {
                        "realm": "https://codeberg.org/v2/token",
                        "service": "container_registry",
                        "scope": "*",
                    },
                ),
                (
                    "basic",
                    {
                        "realm": "https://codeberg.org/v2",
                        "service": "container_registry",
                        "scope": "*",
                    },
                ),
            ],
            id="two-in-one",
        ),
        pytest.param(
            ['Basic realm="r"', "Bearer realm=https://a/t"],
            [("basic", {"realm": "r"}), ("bearer", {"realm": "https://a/t"})],
            id="two-headers-and-no-quotes",
        ),
        pytest.param(
            [r'BASIC Realm = "a \"b\" c" , charset="UTF-8"'],
            [("basic", {"realm": 'a "b" c', "charset": "UTF-8"})],
            id="escapes-and-spaces",
        ),
        pytest.param(["Negotiate"], [("negotiate", {})], id="bare"),
        pytest.param(['realm="x"'], [], id="parameters-without-a-challenge"),
        pytest.param([""], [], id="nothing"),
    ],
)
def test_reads_challenges(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(c.scheme, dict(c.parameters)) for c in read_challenges(headers)] == expected


@given(st.text(max_size=80))
def test_any_text_is_read_without_failing(text: str) -> None:
    read_challenges([text])


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="r", Bearer realm="https://a/t"', "bearer"),
        ('Bearer service="no realm", Basic realm="r"', "basic"),
        ("Negotiate", None),
    ],
)
def test_bearer_with_a_realm_comes_first(header: str, scheme: str | None) -> None:
    chosen = preferred(read_challenges([header]))

    assert (chosen.scheme if chosen else None) == scheme


@pytest.mark.parametrize(
    ("realm", "scope", "service", "expected"),
    [
        (
            "https://my.local.registry/oauth2/token",
            "repository:repo:pull",
            "my.local.registry",
            "https://my.local.registry/oauth2/token"
            "?scope=repository:repo:pull&service=my.local.registry",
        ),
        (
            "https://codeberg.org/v2/token",
            "repository:my/node/prefix:pull",
            "container_registry",
            "https://codeberg.org/v2/token"
            "?scope=repository:my/node/prefix:pull&service=container_registry",
        ),
        ("https://a/t?x=1&scope=*#f", "s", "", "https://a/t?x=1&scope=s"),
    ],
)
def test_the_question_for_a_token(realm: str, scope: str, service: str, expected: str) -> None:
    assert token_address(realm, service=service, scope=scope) == expected


@pytest.mark.parametrize(
    ("registry", "scheme", "netloc", "trust"),
    [
        ("ghcr.io", "https", "ghcr.io", RealmTrust.CREDENTIALS),
        ("ghcr.io", "https", "ghcr.io:8443", RealmTrust.NOTHING),
        ("ghcr.io", "https", "ghcr.io.evil.example", RealmTrust.NOTHING),
        ("ghcr.io", "http", "ghcr.io", RealmTrust.REFUSED),
        ("registry-1.docker.io", "https", "auth.docker.io", RealmTrust.CREDENTIALS),
        ("registry.gitlab.com", "https", "gitlab.com", RealmTrust.CREDENTIALS),
        ("evil.example", "https", "auth.docker.io", RealmTrust.NOTHING),
        ("acme.example", "https", "tokens.acme.example", RealmTrust.CREDENTIALS),
        ("acme.example", "https", "other.acme.example", RealmTrust.NOTHING),
    ],
)
def test_credentials_go_to_the_registry_and_its_partners(
    registry: str, scheme: str, netloc: str, trust: RealmTrust
) -> None:
    found = trust_in_realm(
        scheme=scheme,
        netloc=netloc,
        loopback=False,
        registry_scheme="https",
        registry=registry,
        token_hosts=["Tokens.acme.example"],
    )

    assert found is trust
