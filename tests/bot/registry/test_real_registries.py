"""The client against real registries: open, Basic, Bearer, private certificates."""

import logging
from pathlib import Path

import pytest

from bot.config.model import RegistrySettings
from bot.config.secret_refs import Secret
from bot.errors import AccessError, UnavailableError
from bot.http_client.exchange import UntrustedPeerError
from bot.registry.documents import Index, Manifest
from bot.registry.host import DeniedError, NotFoundError
from policies.reference import Repository, parse_repository
from tests.bot.registry.situations import MovedClock, open_client, write_docker_config
from tests.servers.distribution import Distribution
from tests.servers.gitea import Gitea
from tests.servers.pusher import Pusher


def at(server: Pusher, name: str) -> Repository:
    return parse_repository(f"{server.host}/{name}")


def trusting(server: Pusher, **more: object) -> RegistrySettings:
    return RegistrySettings(host=server.host, ca=str(server.ca_file), **more)  # type: ignore[arg-type]  # of the test's own making


async def test_head_gives_the_digest_of_a_tag(registry: Distribution, unique_name: str) -> None:
    digest = registry.push_image(unique_name, "1.0")

    async with open_client() as client:
        seen = await client.head(at(registry, unique_name), "1.0")

    assert seen.digest == digest


@pytest.mark.parametrize("media", ["oci", "docker"])
async def test_reads_images_of_both_families(
    registry: Distribution, unique_name: str, media: str
) -> None:
    digest = registry.push_image(unique_name, "1.0", media=media, labels={"a": "b"})  # type: ignore[arg-type]  # both are allowed

    async with open_client() as client:
        found = await client.manifest(at(registry, unique_name), "1.0")
        assert isinstance(found.document, Manifest)
        config, _ = await client.config(at(registry, unique_name), found.document.config.digest)

    assert found.document.digest == digest
    assert str(config.platform) == "linux/amd64"
    assert config.labels["a"] == "b"


@pytest.mark.parametrize("media", ["oci", "docker"])
async def test_reads_indexes_of_both_families(
    registry: Distribution, unique_name: str, media: str
) -> None:
    both = ("linux/amd64", "linux/arm64")
    registry.push_image(unique_name, "1.0", platform=both, media=media)  # type: ignore[arg-type]  # both are allowed

    async with open_client() as client:
        found = await client.manifest(at(registry, unique_name), "1.0")

    assert isinstance(found.document, Index)
    assert {str(each.platform) for each in found.document.images} == set(both)


async def test_a_tag_that_is_not_there_is_told_apart(
    registry: Distribution, unique_name: str
) -> None:
    registry.push_image(unique_name, "1.0")

    async with open_client() as client:
        with pytest.raises(NotFoundError, match="not found"):
            await client.head(at(registry, unique_name), "2.0")


async def test_attached_documents_are_found_by_tag_where_there_is_no_such_question(
    registry: Distribution, unique_name: str
) -> None:
    digest = registry.push_image(unique_name, "1.0")
    registry.push_image(unique_name, digest.replace(":", "-") + ".sig")

    async with open_client() as client:
        found = await client.referrers(at(registry, unique_name), digest)

    assert [each.artifact_type for each in found] == [
        "application/vnd.dev.cosign.simplesigning.v1+json"
    ]


async def test_basic_with_the_docker_configuration(
    registry_htpasswd: Distribution, unique_name: str, tmp_path: Path
) -> None:
    registry_htpasswd.push_tags(unique_name, ["1", "2"])
    folder = registry_htpasswd.docker_config(tmp_path)

    async with open_client(docker_config=folder.parent) as client:
        found = await client.list_tags(at(registry_htpasswd, unique_name))

    assert found.tags == ("1", "2")


async def test_no_login_says_how_to_log_in(
    registry_htpasswd: Distribution, unique_name: str
) -> None:
    async with open_client() as client:
        with pytest.raises(DeniedError, match="docker login") as caught:
            await client.list_tags(at(registry_htpasswd, unique_name))

    assert caught.value.where.startswith(registry_htpasswd.host)


async def test_a_wrong_password_names_the_entry_and_never_the_password(
    registry_htpasswd: Distribution,
    unique_name: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    steps: list[str] = []
    canary = "-".join(("canary", "31415"))
    write_docker_config(tmp_path, [(registry_htpasswd.host, "person", canary)])

    async with open_client(docker_config=tmp_path, steps=steps) as client:
        with pytest.raises(DeniedError) as caught:
            await client.list_tags(at(registry_htpasswd, unique_name))

    assert f"auths[{registry_htpasswd.host}]" in str(caught.value)
    assert canary not in f"{caught.value!r}{caught.getrepr()}{caplog.text}{steps}"


async def test_the_next_entry_is_tried_when_the_first_is_refused(
    registry_htpasswd: Distribution, unique_name: str, tmp_path: Path
) -> None:
    registry_htpasswd.push_tags(unique_name, ["1"])
    host = registry_htpasswd.host
    auths = [(f"{host}/{unique_name}", "person", "expired"), (host, "person", "secret")]
    write_docker_config(tmp_path, auths)

    async with open_client(docker_config=tmp_path) as client:
        found = await client.list_tags(at(registry_htpasswd, unique_name))

    assert found.tags == ("1",)


def bearer_settings(server: Distribution) -> RegistrySettings:
    return RegistrySettings(
        host=server.host,
        username="person",
        password=Secret("secret"),
        token_hosts=(server.tokens.host,),
    )


async def test_bearer_with_one_token_for_each_repository(
    registry_bearer: Distribution, unique_name: str
) -> None:
    registry_bearer.push_tags(unique_name, ["1", "2"])
    before = len(registry_bearer.tokens.asked)

    async with open_client(bearer_settings(registry_bearer)) as client:
        repository = at(registry_bearer, unique_name)
        found = await client.list_tags(repository)
        await client.head(repository, "1")
        await client.manifest(repository, "2")

    assert found.tags == ("1", "2")
    assert [each["scope"] for each in registry_bearer.tokens.asked[before:]] == [
        f"repository:{unique_name}:pull"
    ]


async def test_bearer_asks_anew_before_the_token_ends(
    registry_bearer: Distribution, unique_name: str
) -> None:
    registry_bearer.push_tags(unique_name, ["1"])
    clock = MovedClock()

    async with open_client(bearer_settings(registry_bearer), clock=clock) as client:
        await client.list_tags(at(registry_bearer, unique_name))
        before = len(registry_bearer.tokens.asked)
        clock.passed_s += registry_bearer.tokens.lifetime_s * 0.9
        await client.list_tags(at(registry_bearer, unique_name))

    assert len(registry_bearer.tokens.asked) == before + 1


async def test_public_repositories_need_no_login(
    registry_bearer: Distribution, unique_name: str
) -> None:
    registry_bearer.push_tags(unique_name, ["1"])
    registry_bearer.tokens.public.add(unique_name)

    async with open_client() as client:
        found = await client.list_tags(at(registry_bearer, unique_name))

    assert found.tags == ("1",)


async def test_an_identity_token_is_traded_by_post(
    registry_bearer: Distribution, unique_name: str, tmp_path: Path
) -> None:
    registry_bearer.push_tags(unique_name, ["1"])
    token = registry_bearer.tokens.identity_token
    text = f'{{"auths": {{"{registry_bearer.host}": {{"identitytoken": "{token}"}}}}}}'
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    settings = RegistrySettings(
        host=registry_bearer.host, token_hosts=(registry_bearer.tokens.host,)
    )

    async with open_client(settings, docker_config=tmp_path) as client:
        found = await client.list_tags(at(registry_bearer, unique_name))

    assert found.tags == ("1",)
    assert registry_bearer.tokens.asked[-1]["grant_type"] == "refresh_token"


async def test_a_token_service_on_another_port_gets_no_credentials_unless_named(
    registry_bearer: Distribution, unique_name: str, tmp_path: Path
) -> None:
    registry_bearer.push_tags(unique_name, ["1"])
    folder = registry_bearer.docker_config(tmp_path)
    before = len(registry_bearer.tokens.requests)
    steps: list[str] = []

    async with open_client(docker_config=folder.parent, steps=steps) as client:
        with pytest.raises(AccessError):
            await client.list_tags(at(registry_bearer, unique_name))

    asked = registry_bearer.tokens.requests[before:]
    assert asked
    assert all("authorization" not in each.headers for each in asked)
    assert "token-hosts" in " ".join(steps)


async def test_a_private_authority_is_trusted_when_named(
    registry_tls: Distribution, unique_name: str
) -> None:
    registry_tls.push_tags(unique_name, ["1"])

    async with open_client(trusting(registry_tls)) as client:
        found = await client.list_tags(at(registry_tls, unique_name))

    assert found.tags == ("1",)


async def test_an_unknown_authority_is_refused_with_a_reason(
    registry_tls: Distribution, unique_name: str
) -> None:
    async with open_client() as client:
        with pytest.raises(UntrustedPeerError, match="`ca:`"):
            await client.list_tags(at(registry_tls, unique_name))


async def test_a_client_certificate_is_shown(registry_mtls: Distribution, unique_name: str) -> None:
    registry_mtls.push_tags(unique_name, ["1"])
    settings = trusting(
        registry_mtls,
        client_cert=str(registry_mtls.client_certificate),
        client_key=str(registry_mtls.client_key),
    )

    async with open_client(settings) as client:
        found = await client.list_tags(at(registry_mtls, unique_name))

    assert found.tags == ("1",)


async def test_giteas_registry_answers_with_its_own_tokens(gitea: Gitea, unique_name: str) -> None:
    name = f"{gitea.owner}/{unique_name}"
    gitea.push_tags(name, [f"1.{n}" for n in range(7)])
    settings = trusting(gitea, username=gitea.owner, password=Secret(gitea.password), page_size=3)

    async with open_client(settings) as client:
        found = await client.list_tags(at(gitea, name))
        seen = await client.head(at(gitea, name), "1.3")

    assert len(found.tags) == 7
    assert seen.digest == gitea.digest(name, "1.3")


async def test_a_registry_that_is_down_says_so_and_comes_back(
    registry_to_stop: Distribution, unique_name: str
) -> None:
    registry_to_stop.push_tags(unique_name, ["1"])
    registry_to_stop.stop()
    clock = MovedClock()

    async with open_client(clock=clock) as client:
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await client.list_tags(at(registry_to_stop, unique_name))
        registry_to_stop.start()
        with pytest.raises(UnavailableError, match="not asked again for"):
            await client.list_tags(at(registry_to_stop, unique_name))
        clock.passed_s += 31
        found = await client.list_tags(at(registry_to_stop, unique_name))

    assert found.tags == ("1",)
