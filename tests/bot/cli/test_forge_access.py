"""Which credential is shown to which forge: no job's token leaves the server it was made for."""

from pathlib import Path

import pytest

from bot.cli.forge_access import credential_for, kinds_around
from bot.config.model import ForgeSettings
from bot.update.forge_rule import ForgePlace

TOKEN = "glcbt-one-job"


def token_for(host_url: str) -> str:
    place = ForgePlace(kind="gitlab", host_url=host_url, path="team/web")
    found = credential_for(ForgeSettings(), place, folder=Path())
    assert found.job is bool(found.token)
    return found.token.reveal() if found.token else ""


@pytest.mark.parametrize(
    ("settings", "ca"),
    [
        (ForgeSettings(), "/etc/git-ca.pem"),
        (ForgeSettings(ca="/etc/forge-ca.pem"), "/etc/forge-ca.pem"),
        (ForgeSettings(url="https://api.example.test"), None),
    ],
)
def test_the_authority_for_git_counts_for_the_forge_on_its_host(
    monkeypatch: pytest.MonkeyPatch, settings: ForgeSettings, ca: str | None
) -> None:
    monkeypatch.setenv("PILOTFISH_GIT_CA", "/etc/git-ca.pem")
    place = ForgePlace(kind="gitea", host_url="https://git.example.test", path="team/web")
    assert credential_for(settings, place, folder=Path()).ca == ca


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a job of one GitLab with no token but its own."""
    for name in ("PILOTFISH_FORGE_TOKEN", "GITLAB_TOKEN", "GITHUB_TOKEN", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI_SERVER_URL", "https://Git.example.test/gitlab")
    monkeypatch.setenv("CI_JOB_TOKEN", TOKEN)


@pytest.mark.usefixtures("job")
def test_a_jobs_server_is_known_with_the_path_at_which_it_is_served() -> None:
    assert kinds_around() == {"git.example.test/gitlab": "gitlab"}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("host_url", "shown"),
    [
        ("https://git.example.test", TOKEN),
        ("https://git.example.test/gitlab", TOKEN),
        ("https://gitlab.com", ""),
        ("https://git.example.test:8443", ""),
    ],
)
def test_a_jobs_own_token_goes_to_the_server_of_that_job_alone(host_url: str, shown: str) -> None:
    assert token_for(host_url) == shown
