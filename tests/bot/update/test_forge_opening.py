"""Opening a forge: what is kept of a credential, and what release notes get of it."""

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.http_client.client import HttpClient
from bot.release_notes.forge_releases import ForgeReleases
from bot.release_notes.places import Place, server_of
from bot.update.forge_opening import ForgeCredential, Gates, app_token, open_forge, own_forge
from bot.update.forge_rule import ForgePlace
from tests.servers.github import GitHub

GRANTED = {"contents": "write", "pull_requests": "write", "metadata": "read"}
FILES = {"app.yaml": "image: app:1.0\n"}


def place_of(host: GitHub, name: str) -> ForgePlace:
    path = host.create_repository(name, FILES).full_name
    return ForgePlace(kind="github", host_url=host.url, path=path)


async def test_git_and_the_runs_of_an_hour_share_an_apps_token(github: GitHub) -> None:
    app = github.create_app(permissions=GRANTED)
    credential = ForgeCredential(app_id=str(app.id), app_key=Secret(app.private_key))
    first, other = place_of(github, "apps"), place_of(github, "other")
    clock, gates = SystemClock(), Gates()

    for place in (first, first, other):
        token = await app_token(place, credential, clock=clock, gates=gates)
        async with open_forge(place, credential, clock=clock, gates=gates) as forge:
            assert (await forge.listing()).proposals == ()
        assert github.tokens[token.reveal()].repositories == frozenset({place.path})

    made = [one for one in github.api_requests() if one.path.endswith("/access_tokens")]
    assert len(made) == 2


async def test_release_notes_are_asked_for_with_the_apps_token(github: GitHub) -> None:
    app = github.create_app(permissions=GRANTED)
    credential = ForgeCredential(app_id=str(app.id), app_key=Secret(app.private_key))
    repository = github.create_repository("web", FILES, roles={app.account: "write"}, private=True)
    repository.release("v1.1.0")
    place = ForgePlace(kind="github", host_url=github.url, path=repository.full_name)
    clock = SystemClock()
    server = server_of("github", github.url)
    assert server is not None

    own = await own_forge(place, credential, clock=clock, gates=Gates())
    async with HttpClient(clock=clock) as http:
        page = await ForgeReleases(http, own=own).page(Place(server=server, path=place.path), 1)

    assert [one.tag for one in page.releases] == ["v1.1.0"]


async def test_release_notes_go_without_a_token_that_cannot_be_had(github: GitHub) -> None:
    credential = ForgeCredential(app_id="1", app_key=Secret("no key at all"))

    own = await own_forge(place_of(github, "apps"), credential, clock=SystemClock(), gates=Gates())

    assert own.headers == {}
