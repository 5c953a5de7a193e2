"""Which forge a remote is on: plain Git by choice, never by falling back to it."""

import pytest

from bot.config.model import ForgeSettings
from bot.errors import ConfigError
from bot.update.forge_rule import ForgePlace, place_of_forge

GITHUB = "https://github.com/acme/fleet.git"
OWN = "https://git.acme.example/team/fleet.git"
FILE = "file:///srv/fleet.git"


@pytest.mark.parametrize("url", [GITHUB, OWN, FILE, "/srv/fleet.git", "git@git.acme.example:a/b"])
def test_plain_by_choice_is_taken_everywhere(url: str) -> None:
    assert place_of_forge(ForgeSettings(kind="plain"), url) is None


@pytest.mark.parametrize("url", [FILE, "/srv/fleet.git", "../fleet.git"])
def test_a_file_path_is_plain_git_by_itself(url: str) -> None:
    assert place_of_forge(ForgeSettings(), url) is None


@pytest.mark.parametrize(
    ("kind", "url", "found"),
    [
        ("", GITHUB, ("github", "https://github.com", "acme/fleet")),
        ("", "git@github.com:acme/fleet.git", ("github", "https://github.com", "acme/fleet")),
        (
            "",
            "ssh://git@ssh.github.com:443/acme/fleet.git",
            ("github", "https://github.com", "acme/fleet"),
        ),
        ("", "git@acme.ghe.com:a/fleet.git", ("github", "https://acme.ghe.com", "a/fleet")),
        (
            "",
            "https://gitlab.acme.example/a/b/fleet",
            ("gitlab", "https://gitlab.acme.example", "a/b/fleet"),
        ),
        ("", "https://codeberg.org/acme/fleet", ("forgejo", "https://codeberg.org", "acme/fleet")),
        ("gitea", OWN, ("gitea", "https://git.acme.example", "team/fleet")),
        (
            "gitea",
            "http://127.0.0.1:3000/team/fleet",
            ("gitea", "http://127.0.0.1:3000", "team/fleet"),
        ),
    ],
)
def test_the_forge_is_known_by_what_was_said_or_by_its_host(
    kind: str, url: str, found: tuple[str, str, str]
) -> None:
    place = place_of_forge(ForgeSettings(kind=kind), url)
    assert place == ForgePlace(kind=found[0], host_url=found[1], path=found[2])


def test_a_forge_served_below_a_path_keeps_it_out_of_the_repositorys_name() -> None:
    settings = ForgeSettings(kind="gitea", url="https://acme.example/git/")
    place = place_of_forge(settings, "https://acme.example/git/team/fleet.git")
    assert place == ForgePlace(kind="gitea", host_url="https://acme.example/git", path="team/fleet")


def test_what_the_surroundings_tell_of_a_host_counts() -> None:
    place = place_of_forge(ForgeSettings(), OWN, kinds={"git.acme.example": "github"})
    assert place is not None
    assert place.kind == "github"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://acme.example/gitlab/team/fleet.git", "https://acme.example/gitlab"),
        ("git@acme.example:team/fleet.git", "https://acme.example/gitlab"),
    ],
)
def test_the_path_at_which_a_server_around_is_served_is_known(url: str, found: str) -> None:
    place = place_of_forge(ForgeSettings(), url, kinds={"acme.example/gitlab": "gitlab"})
    assert place == ForgePlace(kind="gitlab", host_url=found, path="team/fleet")


def test_an_unknown_host_is_refused_with_every_way_out() -> None:
    with pytest.raises(ConfigError, match=r"git\.acme\.example") as refused:
        place_of_forge(ForgeSettings(), OWN)
    for way in ("forge: {kind: plain}", "--deliver branch", "--deliver commit"):
        assert way in refused.value.hint


def test_a_path_that_is_said_to_be_a_forge_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="tells no address"):
        place_of_forge(ForgeSettings(kind="github"), FILE)
