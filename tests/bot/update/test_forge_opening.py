"""What is kept of a credential from one run to the next."""

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.update.forge_opening import ForgeCredential, Gates, app_token, open_forge
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
