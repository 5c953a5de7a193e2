"""Where proposals may be opened: plain Git by choice, never by falling back to it."""

import pytest

from bot.config.model import ForgeSettings
from bot.update.forge_rule import no_proposals_here

GITHUB = "https://github.com/acme/fleet.git"
OWN = "https://git.acme.example/team/fleet.git"
FILE = "file:///srv/fleet.git"


@pytest.mark.parametrize("url", [GITHUB, OWN, FILE, "/srv/fleet.git", "git@git.acme.example:a/b"])
def test_plain_by_choice_is_taken_everywhere(url: str) -> None:
    assert no_proposals_here(ForgeSettings(kind="plain"), url) is None


@pytest.mark.parametrize("url", [FILE, "/srv/fleet.git", "../fleet.git"])
def test_a_file_path_is_plain_git_by_itself(url: str) -> None:
    assert no_proposals_here(ForgeSettings(), url) is None


@pytest.mark.parametrize(
    ("kind", "url", "named"),
    [
        ("", GITHUB, "github"),
        ("", "git@github.com:acme/fleet.git", "github"),
        ("", "https://gitlab.com/acme/fleet", "gitlab"),
        ("", "https://gitlab.acme.example/acme/fleet", "gitlab"),
        ("", "https://codeberg.org/acme/fleet", "forgejo"),
        ("gitea", OWN, "gitea"),
        ("github", FILE, "github"),
    ],
)
def test_a_known_forge_is_refused_by_its_name(kind: str, url: str, named: str) -> None:
    fault = no_proposals_here(ForgeSettings(kind=kind), url)
    assert fault is not None
    assert named in fault.what
    assert "plain Git only" in fault.what


def test_an_unknown_host_is_refused_with_every_way_out() -> None:
    fault = no_proposals_here(ForgeSettings(), OWN)
    assert fault is not None
    assert "git.acme.example" in fault.what
    for way in ("forge: {kind: plain}", "--deliver branch", "--deliver commit"):
        assert way in fault.hint
