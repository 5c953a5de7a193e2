"""What registries do wrong: lies, refusals, foreign token services; and who does not suffer."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config.model import RegistrySettings
from bot.config.secret_refs import Secret
from bot.errors import AccessError, RefusedError, UnavailableError
from bot.registry.auth import TokenDeniedError
from bot.registry.documents import DocumentRefusedError, digest_of
from bot.registry.host import DeniedError
from policies.reference import Repository, parse_repository
from tests.bot.registry.situations import MovedClock, open_client
from tests.servers.http_thread import Response, SeenRequest
from tests.servers.odd_registry import OddRegistry

CANARY = "-".join(("canary", "16180"))


def at(server: OddRegistry) -> Repository:
    return parse_repository(f"{server.host}/app")


def login(server: OddRegistry, *token_hosts: str) -> RegistrySettings:
    return RegistrySettings(
        host=server.host, username="me", password=Secret(CANARY), token_hosts=token_hosts
    )


@pytest.fixture
def odd(odd_registry: OddRegistry) -> OddRegistry:
    odd_registry.push_image("app", "1.0")
    return odd_registry


async def test_a_body_that_differs_from_its_digest_is_refused(odd: OddRegistry) -> None:
    odd.corrupt("app", "1.0")

    async with open_client() as client:
        with pytest.raises(DocumentRefusedError, match="not what") as caught:
            await client.manifest(at(odd), "1.0")

    assert caught.value.where == f"{odd.host}/app:1.0"


async def test_a_header_that_lies_about_the_digest_is_refused(odd: OddRegistry) -> None:
    odd.claim_digest("app", "1.0", digest_of(b"another"))

    async with open_client() as client:
        with pytest.raises(DocumentRefusedError, match="not what"):
            await client.manifest(at(odd), "1.0")


async def test_a_digest_that_is_a_path_is_not_taken_for_one(odd: OddRegistry) -> None:
    odd.claim_digest("app", "1.0", "sha256:../../x")

    async with open_client() as client:
        with pytest.raises(RefusedError):
            await client.head(at(odd), "1.0")
        with pytest.raises(RefusedError):
            await client.config(at(odd), "sha256:../../x")


async def test_a_digest_without_a_header_is_computed(odd: OddRegistry) -> None:
    odd.digest_header = False
    digest = odd.push_image("app", "2.0")

    async with open_client() as client:
        seen = await client.head(at(odd), "2.0")

    assert seen.digest == digest
    assert odd.count("GET", "/manifests/") == 1


async def test_referrers_are_asked_for_where_they_can_be(odd: OddRegistry) -> None:
    odd.referrers_api = True
    digest = odd.push_image("app", "1.0")
    odd.push_artifact("app", subject_digest=digest, artifact_type="text/sbom")
    odd.push_artifact("app", subject_digest=digest, artifact_type="text/other")

    async with open_client() as client:
        found = await client.referrers(at(odd), digest, artifact_type="text/sbom")

    assert [each.artifact_type for each in found] == ["text/sbom"]


async def test_the_login_never_reaches_a_redirects_target(
    odd: OddRegistry, odd_registry_elsewhere: OddRegistry
) -> None:
    odd_registry_elsewhere.push_image("app", "1.0")
    odd.challenge('Basic realm="r"')
    odd.accepted = {"Basic bWU6Y2FuYXJ5LTE2MTgw"}
    odd.redirect(odd_registry_elsewhere.url)

    async with open_client(login(odd)) as client:
        await client.manifest(at(odd), "1.0")

    assert odd_registry_elsewhere.requests
    assert all("authorization" not in r.headers for r in odd_registry_elsewhere.requests)


async def test_a_foreign_token_service_never_sees_the_login(
    odd: OddRegistry, odd_registry_elsewhere: OddRegistry
) -> None:
    odd.require_bearer(realm=f"{odd_registry_elsewhere.url}/token")

    async with open_client(login(odd)) as client:
        found = await client.list_tags(at(odd))

    sent = odd_registry_elsewhere.requests[0]
    assert found.tags == ("1.0",)  # this one gives tokens to everyone
    assert "authorization" not in sent.headers
    assert CANARY not in f"{sent}"


async def test_a_token_service_that_was_named_sees_it(
    odd: OddRegistry, odd_registry_elsewhere: OddRegistry
) -> None:
    odd.require_bearer(realm=f"{odd_registry_elsewhere.url}/token")

    async with open_client(login(odd, odd_registry_elsewhere.host)) as client:
        await client.list_tags(at(odd))

    assert odd_registry_elsewhere.requests[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "realm", ["http://tokens.example/token", "ftp://127.0.0.1/token", "/token", "http://a@b/t"]
)
async def test_a_token_service_without_https_is_never_asked(odd: OddRegistry, realm: str) -> None:
    settings = RegistrySettings(host=odd.host, username="me", password=Secret(CANARY))
    odd.challenge(f'Bearer realm="{realm}",service="s"')

    async with open_client(settings) as client:
        with pytest.raises((AccessError, UnavailableError, RefusedError)) as caught:
            await client.list_tags(at(odd))

    assert CANARY not in str(caught.value)


async def test_a_token_service_that_redirects_is_not_followed(
    odd: OddRegistry, odd_registry_elsewhere: OddRegistry
) -> None:
    odd.require_bearer(realm=f"{odd.url}/v2/moved/token")
    odd.redirect(odd_registry_elsewhere.url, part="/moved/")
    odd.accepted.add("Basic bWU6Y2FuYXJ5LTE2MTgw")

    async with open_client(login(odd)) as client:
        with pytest.raises(UnavailableError, match="without a token"):
            await client.list_tags(at(odd))

    assert odd_registry_elsewhere.requests == []


@pytest.mark.parametrize(
    "answer", [{}, {"token": 7}, {"token": ""}, {"token": "a\nb"}, {"access_token": None}]
)
async def test_an_answer_without_a_token_is_told(
    odd: OddRegistry, answer: dict[str, object]
) -> None:
    odd.require_bearer()
    odd.token_answer = answer

    async with open_client() as client:
        with pytest.raises(UnavailableError, match="without a token"):
            await client.list_tags(at(odd))


async def test_a_token_that_is_refused_is_renewed_once_and_no_more(odd: OddRegistry) -> None:
    odd.require_bearer()
    odd.accepted = {"Bearer another"}

    async with open_client() as client:
        with pytest.raises(DeniedError, match="401"):
            await client.list_tags(at(odd))

    assert odd.count(path_part="/token") == 2


@pytest.mark.parametrize("life", [None, 0, -5, "long", 10**12])
async def test_a_strange_lifetime_still_gives_one_token_for_many_questions(
    odd: OddRegistry, life: object
) -> None:
    odd.require_bearer()
    odd.token_answer = {"access_token": "t", "expires_in": life}

    async with open_client() as client:
        for _ in range(3):
            await client.list_tags(at(odd))

    assert odd.count(path_part="/token") == 1


async def test_many_questions_at_once_share_one_token(odd: OddRegistry) -> None:
    import asyncio

    odd.require_bearer()

    async with open_client() as client, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(client.head(at(odd), "1.0"))

    assert odd.count(path_part="/token") == 1
    assert odd.count("HEAD") == 20


async def test_a_refusal_shows_the_registrys_words_and_no_escape_codes(odd: OddRegistry) -> None:
    odd.challenge('Basic realm="r"')

    async with open_client(login(odd)) as client:
        with pytest.raises(DeniedError, match="UNAUTHORIZED unauthorized"):
            await client.list_tags(at(odd))


async def test_being_told_to_wait_is_obeyed_and_then_answered(odd: OddRegistry) -> None:
    clock = MovedClock()

    async with open_client(clock=clock) as client:
        await client.list_tags(at(odd))
        odd.say_busy(times=2, retry_after="5")
        found = await client.list_tags(at(odd))

    assert found.tags == ("1.0",)
    assert clock.passed_s >= 10


async def test_the_login_is_in_no_error_log_or_step(
    odd: OddRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    odd.require_bearer()
    odd.token_answer = {"errors": [{"code": "DENIED", "message": f"no {CANARY}"}]}
    steps: list[str] = []

    async with open_client(login(odd), steps=steps) as client:
        with pytest.raises((TokenDeniedError, UnavailableError)) as caught:
            await client.list_tags(at(odd))

    assert CANARY not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {steps}"


async def test_a_ready_made_token_is_shown_as_it_is(odd: OddRegistry, tmp_path: Path) -> None:
    odd.require_bearer("ready-made")
    text = f'{{"auths": {{"{odd.host}": {{"registrytoken": "ready-made"}}}}}}'
    (tmp_path / "config.json").write_text(text, encoding="utf-8")

    async with open_client(docker_config=tmp_path) as client:
        found = await client.list_tags(at(odd))

    assert found.tags == ("1.0",)
    assert odd.count(path_part="/token") == 0


async def test_what_is_left_of_a_quota_and_warnings_are_kept(
    odd: OddRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    answer = odd.respond
    extra = [
        ("ratelimit-remaining", "20;w=21600"),
        ("ratelimit-limit", "100;w=21600"),
        ("Warning", '299 - "soon \x1b[31mgone"'),
    ]

    def dress(request: SeenRequest) -> Response | None:
        response = answer(request)
        assert response is not None
        return replace(response, headers=[*response.headers, *extra])

    odd.respond = dress  # type: ignore[method-assign]  # this server alone has a quota
    steps: list[str] = []
    async with open_client(steps=steps) as client:
        await client.list_tags(at(odd))
        host = client.host(odd.host)

    assert host.quota == "20;w=21600 left of 100;w=21600"
    assert any("soon \\x1b[31mgone" in step for step in steps)
    assert "registry warns" in caplog.text
