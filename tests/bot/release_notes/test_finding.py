"""Release notes of real images: found by their labels, asked for where that is safe, or a line."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from bot.config.secret_refs import Secret
from bot.http_client.client import HttpClient
from bot.http_client.exchange import Access
from bot.planning.release_notes import NotesOf
from bot.registry.scan import Scanner
from bot.release_notes.finding import ReleaseNotes
from bot.release_notes.forge_releases import OwnForge
from tests.bot.registry.situations import MovedClock, open_client
from tests.servers.distribution import Distribution
from tests.servers.gitea import Gitea
from tests.servers.http_thread import Response
from tests.servers.images import build_image, build_index
from tests.servers.odd_registry import OddRegistry
from tests.servers.release_lists import ReleaseLists

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
BASE_NAME = "org.opencontainers.image.base.name"
OLD_COMMIT, NEW_COMMIT = "a" * 40, "b" * 40
CANARY = "canary-3f9c2d"


@pytest.fixture
def lists() -> Iterator[ReleaseLists]:
    server = ReleaseLists(token=CANARY)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stranger() -> Iterator[ReleaseLists]:
    server = ReleaseLists()
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def opened(
    forge: OwnForge | None = None,
    *,
    sources: dict[str, str] | None = None,
    names: list[str] | None = None,
    patience_s: float = 5.0,
) -> AsyncIterator[ReleaseNotes]:
    """Open a finder; `names` takes the host names that it looked up to ask a forge."""

    async def look_up(host: str, port: int) -> list[str]:
        if names is not None:
            names.append(host)
        raise OSError("there is no network in tests")

    clock = MovedClock()
    async with open_client(clock=clock) as client, HttpClient(clock=clock, lookup=look_up) as http:
        scanner = Scanner(client, clock)
        yield ReleaseNotes(http, scanner, sources=sources, forge=forge, patience_s=patience_s)


async def find(notes: ReleaseNotes, image: str, old: str = "1.0.0", new: str = "1.1.0") -> NotesOf:
    return await notes.find(image=image, old_tag=old, old_digest="", new_tag=new, new_digest="")


def push(
    registry: Distribution | OddRegistry, name: str, source: str, **more: str
) -> tuple[str, str, str]:
    """Push 1.0.0 and 1.1.0 and return the image and both digests."""
    labels = {SOURCE: source, **more} if source else more
    old = registry.push_image(name, "1.0.0", labels=labels | {REVISION: OLD_COMMIT})
    new = registry.push_image(name, "1.1.0", labels=labels | {REVISION: NEW_COMMIT})
    return f"{registry.host}/{name}", old, new


def github(server: ReleaseLists, owner: str = "acme", *, private: bool = True) -> OwnForge:
    """Return the forge of proposals to a repository of `owner`."""
    server.hold(f"{owner}/apps", private=private)
    return OwnForge(kind="github", url=server.url, path=f"{owner}/apps", token=Secret(CANARY))


async def test_a_gitea_tells_what_lies_between_two_images(
    registry: Distribution, gitea: Gitea, unique_name: str
) -> None:
    repository = gitea.create_repository(unique_name, {"README.md": "hello\n"})
    for tag in ("v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0"):
        fields = {"tag_name": tag, "name": f"Release {tag}", "body": f"* thing of {tag}"}
        gitea.api("POST", f"/repos/{repository.full_name}/releases", fields)
    gitea.api(
        "POST",
        f"/repos/{repository.full_name}/releases",
        {"tag_name": "v1.0.9", "name": "unready", "draft": True},
    )
    image, old, new = push(registry, unique_name, repository.url)
    forge = OwnForge(
        kind="gitea",
        url=gitea.url,
        path=f"{gitea.owner}/{unique_name}",
        token=Secret(gitea.token),
        access=Access(ca=str(gitea.ca_file)),
    )

    async with opened(forge) as notes:
        found = await notes.find(
            image=image, old_tag="1.0.0", old_digest=old, new_tag="1.1.0", new_digest=new
        )

    web = repository.url.removesuffix(".git")
    assert [one.version for one in found.notes] == ["v1.1.0", "v1.0.1"]
    assert found.notes[0].title == "Release v1.1.0"
    assert found.notes[0].text == "* thing of v1.1.0"
    assert found.notes[0].url == f"{web}/releases/tag/v1.1.0"
    assert found.notes[0].published is not None
    assert found.source_url == web
    assert found.compare_url == f"{web}/compare/{OLD_COMMIT}...{NEW_COMMIT}"
    assert (found.image, found.looked_for) == (image, "")


async def test_a_gitea_keeps_private_notes_of_another_owner(
    registry: Distribution, gitea: Gitea, unique_name: str
) -> None:
    gitea.api("POST", "/user/repos", {"name": unique_name, "private": True, "auto_init": True})
    place = f"{gitea.owner}/{unique_name}"
    gitea.api("POST", f"/repos/{place}/releases", {"tag_name": "v1.1.0", "name": "secret"})
    image, _, _ = push(registry, unique_name, f"{gitea.url}/{place}")
    access = Access(ca=str(gitea.ca_file))
    token = Secret(gitea.token)

    found = []
    for path in (place, "somebody-else/apps"):
        forge = OwnForge(kind="gitea", url=gitea.url, path=path, token=token, access=access)
        async with opened(forge) as notes:
            found.append(await find(notes, image))

    assert [one.title for one in found[0].notes] == ["secret"]
    assert found[1].notes == ()
    assert "not there, or not for everybody" in found[1].looked_for


async def test_pages_of_a_gitea_are_followed(
    registry: Distribution, gitea: Gitea, unique_name: str
) -> None:
    repository = gitea.create_repository(unique_name, {"README.md": "hello\n"})
    for tag in ("v1.0.0", "v1.1.0", *(f"v2.0.{number}" for number in range(50))):
        fields = {"tag_name": tag, "name": "x"}
        gitea.api("POST", f"/repos/{repository.full_name}/releases", fields)
    image, _, _ = push(registry, unique_name, repository.url)
    forge = OwnForge(kind="gitea", url=gitea.url, access=Access(ca=str(gitea.ca_file)))

    async with opened(forge) as notes:
        found = await find(notes, image)

    assert [one.version for one in found.notes] == ["v1.1.0"]


async def test_github_is_asked_once_for_all_images_of_a_source(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/fleet", "v1.0.0")
    lists.release("acme/fleet", "v1.1.0", "See @someone and #12")
    images = [
        push(registry, f"{unique_name}/fleet/{name}", f"{lists.url}/acme/fleet")[0]
        for name in ("api", "web", "job")
    ]

    async with opened(github(lists)) as notes:
        found = await asyncio.gather(*(find(notes, image) for image in images))

    assert {one.notes[0].text for one in found} == {"See @someone and #12"}
    assert found[0].notes[0].url == f"{lists.url}/acme/fleet/releases/tag/v1.1.0"
    assert len(lists.asked()) == 1
    assert lists.requests[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_gitlab_is_asked_in_its_own_way(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/tools/api", "v1.0.0")
    lists.release("acme/tools/api", "v1.1.0")
    lists.release("acme/tools/api", "v1.0.5", draft=True)
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/tools/api")
    forge = OwnForge(
        kind="gitlab",
        url=lists.url,
        path="acme/tools/api",
        token=Secret(CANARY),
        token_header="JOB-TOKEN",
    )

    async with opened(forge) as notes:
        found = await find(notes, image)

    (note,) = found.notes
    assert note.text == "What changed in v1.1.0."
    assert note.url == f"{lists.url}/acme/tools/api/-/releases/v1.1.0"
    compare = f"{lists.url}/acme/tools/api/-/compare/{OLD_COMMIT}...{NEW_COMMIT}"
    assert found.compare_url == compare
    assert lists.requests[0].headers["job-token"] == CANARY


async def test_without_commits_the_tags_of_two_releases_are_compared(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.0.0")
    lists.release("acme/api", "v1.1.0")
    for tag in ("1.0.0", "1.1.0"):
        registry.push_image(f"{unique_name}/api", tag, labels={SOURCE: f"{lists.url}/acme/api"})

    async with opened(github(lists)) as notes:
        found = await find(notes, f"{registry.host}/{unique_name}/api")

    assert found.compare_url == f"{lists.url}/acme/api/compare/v1.0.0...v1.1.0"


async def test_an_image_that_is_gone_leaves_the_new_one_to_ask(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists)) as notes:
        found = await find(notes, image, old="0.9.0")

    assert [one.version for one in found.notes] == ["v1.1.0"]
    assert found.compare_url == ""


async def test_an_index_speaks_for_its_images(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.0.0")
    lists.release("acme/api", "v1.1.0")
    for tag in ("1.0.0", "1.1.0"):
        child = build_image(labels={SOURCE: "https://github.com/stranger/tool"}, content=tag)
        index = build_index([child], annotations={SOURCE: f"{lists.url}/acme/api"})
        registry.push(unique_name, tag, index)

    async with opened(github(lists)) as notes:
        found = await find(notes, f"{registry.host}/{unique_name}")

    assert [one.version for one in found.notes] == ["v1.1.0"]


async def test_the_notes_of_the_base_image_are_never_told(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("stranger/tool", "v1.0.0")
    lists.release("stranger/tool", "v1.1.0")
    source = f"{lists.url}/stranger/tool"
    registry.push_image(f"{unique_name}/base", "3", labels={SOURCE: source, REVISION: NEW_COMMIT})
    base = f"{registry.host}/{unique_name}/base:3"
    image, _, _ = push(registry, f"{unique_name}/api", source, **{BASE_NAME: base})

    async with opened(github(lists)) as notes:
        found = await find(notes, image)

    assert (found.notes, found.source_url, found.compare_url) == ((), "", "")
    assert "those of its base image" in found.looked_for
    assert "sources" in found.looked_for
    assert lists.requests == []


async def test_a_base_elsewhere_is_not_asked(
    registry: Distribution, odd_registry: OddRegistry, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    base = f"{odd_registry.host}/base:3"
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api", **{BASE_NAME: base})

    async with opened(github(lists)) as notes:
        found = await find(notes, image)

    assert len(found.notes) == 1
    assert odd_registry.requests == []


async def test_a_doubtful_source_counts_only_with_releases_for_both_tags(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("corp/backend", "v1.0.5")
    lists.release("corp/backend", "v1.1.0")
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/corp/backend")

    async with opened(github(lists, "corp")) as notes:
        doubted = await find(notes, image)
    lists.release("corp/backend", "v1.0.0")
    async with opened(github(lists, "corp")) as notes:
        believed = await find(notes, image)

    assert (doubted.notes, doubted.compare_url) == ((), "")
    assert doubted.looked_for.endswith(
        "/corp/backend has no releases for both 1.0.0 and 1.1.0; 2 releases were looked at"
    )
    assert [one.version for one in believed.notes] == ["v1.1.0", "v1.0.5"]
    assert believed.compare_url.endswith(f"/compare/{OLD_COMMIT}...{NEW_COMMIT}")


async def test_what_a_person_wrote_is_asked_instead(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/other", "v1.1.0")
    image, _, _ = push(registry, unique_name, "")

    async with opened(github(lists), sources={image: f"{lists.url}/acme/other"}) as notes:
        found = await find(notes, image)

    assert [one.version for one in found.notes] == ["v1.1.0"]


async def test_an_unreachable_registry_does_not_matter_where_the_source_is_written(
    lists: ReleaseLists,
) -> None:
    lists.release("acme/api", "v1.1.0")
    image = "127.0.0.1:1/acme/api"

    async with opened(github(lists), sources={image: f"{lists.url}/acme/api"}) as notes:
        found = await find(notes, image)
    async with opened(github(lists)) as notes:
        lost = await find(notes, image)

    assert [one.version for one in found.notes] == ["v1.1.0"]
    assert lost.looked_for.startswith("its labels could not be read: ")


@pytest.mark.parametrize(
    "source",
    [
        "{stranger}/acme/api",
        "http://{host}/acme/api",
        "git+http://{host}/acme/api",
        "http://localhost:{port}/acme/api",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/acme/api",
        "https://registry.example.test/acme/api",
        "https://github.com.example.test/acme/api",
        "https://github.com@{host}/acme/api",
        "http://{own}@{host}/acme/api",
        "http://{host}/{own}/acme/api",
    ],
)
async def test_a_label_never_says_whom_we_ask(
    registry: Distribution,
    lists: ReleaseLists,
    stranger: ReleaseLists,
    unique_name: str,
    source: str,
) -> None:
    names: list[str] = []
    text = source.format(
        stranger=stranger.url,
        host=stranger.host,
        port=stranger.host.partition(":")[2],
        own=lists.host,
    )
    image, _, _ = push(registry, f"{unique_name}/api", text)

    async with opened(github(lists), names=names) as notes:
        found = await find(notes, image)

    assert (stranger.requests, lists.requests, names) == ([], [], [])
    assert found.notes == ()
    assert found.looked_for


async def test_well_known_forges_are_asked_without_the_token_of_ours(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    names: list[str] = []
    images = [
        push(registry, f"{unique_name}/{number}/api", f"https://{host}/acme/api")[0]
        for number, host in enumerate(("github.com", "gitlab.com", "codeberg.org"))
    ]

    async with opened(github(lists), names=names) as notes:
        found = [await find(notes, image) for image in images]

    assert set(names) == {"api.github.com", "gitlab.com", "codeberg.org"}
    assert lists.requests == []
    assert (
        found[0].compare_url == f"https://github.com/acme/api/compare/{OLD_COMMIT}...{NEW_COMMIT}"
    )
    assert all("could not be read" in one.looked_for for one in found)


async def test_private_notes_of_another_owner_stay_private(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0", "the plan")
    lists.private.add("acme/api")
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists, "acme")) as notes:
        own = await find(notes, image)
    async with opened(github(lists, "mallory")) as notes:
        foreign = await find(notes, image)

    assert own.notes[0].text == "the plan"
    assert foreign.notes == ()
    assert CANARY not in str(foreign)


async def test_a_public_repositorys_proposals_show_nothing_private_of_its_owner(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    for name in ("api", "web"):
        lists.release(f"acme/{name}", "v1.1.0", f"the plan of {name}")
    lists.private.add("acme/api")
    images = [
        push(registry, f"{unique_name}/{name}", f"{lists.url}/acme/{name}")[0]
        for name in ("api", "web")
    ]

    async with opened(github(lists, "acme", private=False)) as notes:
        hidden, shown = [await find(notes, image) for image in images]

    assert hidden.notes == ()
    assert shown.notes[0].text == "the plan of web"
    assert len([one for one in lists.requests if one.path.endswith("/acme/apps")]) == 1


async def test_public_notes_of_another_owner_are_read_with_the_token(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists, "corp")) as notes:
        found = await find(notes, image)

    assert len(found.notes) == 1
    assert [one.headers.get("authorization") for one in lists.requests] == [f"Bearer {CANARY}"] * 2


@pytest.mark.parametrize(("private", "count"), [(False, 1), (True, 0)])
async def test_on_gitlab_too_what_not_everybody_may_read_stays_private(
    registry: Distribution, lists: ReleaseLists, unique_name: str, private: bool, count: int
) -> None:
    lists.release("acme/api", "v1.1.0")
    lists.private |= {"acme/api"} if private else set()
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")
    forge = OwnForge(kind="gitlab", url=lists.url, path="corp/apps", token=Secret(CANARY))

    async with opened(forge) as notes:
        found = await find(notes, image)

    assert len(found.notes) == count
    assert len(lists.requests) == 2


async def test_a_moved_repository_is_followed_on_its_own_forge_alone(
    registry: Distribution, lists: ReleaseLists, stranger: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    stranger.release("acme/api", "v1.1.0")
    lists.moved = {
        "acme/old-api": f"{lists.url}/api/v3/repos/acme/api",
        "acme/new-api": f"{stranger.url}/api/v3/repos/acme/api",
    }
    images = [
        push(registry, f"{unique_name}/{name}", f"{lists.url}/acme/{name}")[0]
        for name in ("old-api", "new-api")
    ]

    async with opened(github(lists)) as notes:
        moved, gone = [await find(notes, image) for image in images]

    assert len(moved.notes) == 1
    assert gone.notes == ()
    assert "sends us to another place" in gone.looked_for
    assert stranger.requests == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Response(status=404, body=b"{}"), "not there, or not for everybody"),
        (Response(status=500), "it answered 500"),
        (Response(status=200, body=b"<html>sign in</html>"), "no list of releases"),
        (Response(status=200, body=b'{"message": "x"}'), "no list of releases"),
        (Response(status=200, body=b"[" * 5000), "no list of releases"),
        (Response(body=b"[]", cut=True), "the connection broke off"),
        (Response(body=b"[" + b" " * 3000, chunk_bytes=10, delay_s=0.1), "no whole answer within"),
    ],
)
async def test_whatever_goes_wrong_is_a_line_and_no_error(
    registry: Distribution, lists: ReleaseLists, unique_name: str, answer: Response, says: str
) -> None:
    lists.answers = [answer]
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists), patience_s=0.5) as notes:
        found = await find(notes, image)

    assert says in found.looked_for
    assert found.source_url == f"{lists.url}/acme/api"
    assert len(lists.asked()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=429, headers=[("Retry-After", "60")]),
        Response(status=403, headers=[("X-RateLimit-Remaining", "0")]),
        Response(status=403, headers=[("Retry-After", "60")], body=b"secondary rate limit"),
    ],
)
async def test_a_forge_that_had_enough_is_left_alone_for_the_run(
    registry: Distribution, lists: ReleaseLists, unique_name: str, answer: Response
) -> None:
    lists.answers = [answer]
    images = [
        push(registry, f"{unique_name}/{name}", f"{lists.url}/acme/{name}")[0]
        for name in ("api", "web")
    ]

    async with opened(github(lists)) as notes:
        found = [await find(notes, image) for image in images]

    assert len(lists.asked()) == 1
    assert all("could not be read" in one.looked_for for one in found)


async def test_a_page_that_is_too_large_is_asked_for_in_parts(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    for tag in ("v1.0.0", "v1.1.0", *(f"v2.0.{number}" for number in range(30))):
        lists.release("acme/api", tag)
    lists.answers = [Response(body=b" " * (9 << 20))]
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists)) as notes:
        found = await find(notes, image)

    assert [one.query["per_page"] for one in lists.asked()] == ["100", "20", "20"]
    assert [one.version for one in found.notes] == ["v1.1.0"]


async def test_nothing_between_says_what_was_looked_at(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v0.9.0")
    image, _, _ = push(registry, f"{unique_name}/api", f"{lists.url}/acme/api")

    async with opened(github(lists)) as notes:
        found = await find(notes, image)

    assert found.looked_for == (
        f"{lists.url}/acme/api has no release after 1.0.0 and up to 1.1.0; 1 release was looked at"
    )


async def test_a_tag_that_was_built_anew_says_from_which_commit(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    labels = {SOURCE: f"{lists.url}/acme/api", REVISION: NEW_COMMIT}
    name = f"{unique_name}/api"
    digests = [
        registry.push_image(name, "1.1.0", labels=labels, content=each) for each in ("one", "two")
    ]

    async with opened(github(lists)) as notes:
        found = await notes.find(
            image=f"{registry.host}/{name}",
            old_tag="1.1.0",
            old_digest=digests[0],
            new_tag="1.1.0",
            new_digest=digests[1],
        )

    assert (found.notes, found.compare_url) == ((), "")
    assert "were built from one commit" in found.looked_for
    assert NEW_COMMIT[:12] in found.looked_for


async def test_a_tag_that_was_built_anew_without_a_commit_says_so(
    registry: Distribution, lists: ReleaseLists, unique_name: str
) -> None:
    lists.release("acme/api", "v1.1.0")
    name = f"{unique_name}/api"
    registry.push_image(name, "1.1.0", labels={SOURCE: f"{lists.url}/acme/api"})

    async with opened(github(lists)) as notes:
        found = await find(notes, f"{registry.host}/{name}", "1.1.0", "1.1.0")

    assert found.looked_for.startswith("both images are 1.1.0; ")


async def test_a_registry_that_hangs_is_not_waited_for(
    odd_registry: OddRegistry, lists: ReleaseLists
) -> None:
    image, _, _ = push(odd_registry, "acme/api", f"{lists.url}/acme/api")
    odd_registry.hang()

    async with opened(github(lists), patience_s=0.1) as notes:
        found = await find(notes, image)

    assert found.looked_for == "its labels could not be read in time"


async def test_a_name_that_is_none_is_said() -> None:
    async with opened() as notes:
        found = await find(notes, "Not An Image")

    assert found.looked_for == "its name cannot be read"
