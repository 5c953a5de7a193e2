"""How tests speak to the test GitHub: PyGithub without its pauses, and git."""

import subprocess
from pathlib import Path
from typing import Any

import github as library

from tests.servers.github import GitHub
from tests.servers.github_repository import GitHubRepository
from tests.servers.github_state import Account
from tests.servers.process import plain_environment

FILES = {"app.yaml": "image: app:1.0\n", "README.md": "Read me.\n"}


def client(host: GitHub, auth: Any, *, lazy: bool = False) -> library.Github:
    """Return a client; `auth` is a token or one of PyGithub's ways to log in."""
    return library.Github(
        base_url=host.api_url,
        auth=library.Auth.Token(auth) if isinstance(auth, str) else auth,
        timeout=10,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
        lazy=lazy,
    )


class Fleet:
    """One repository with a robot and a person who may write, seen from both sides.

    `here` is the server's repository, `api` the same through the robot's client.
    """

    def __init__(self, host: GitHub) -> None:
        self.host = host
        self.robot = host.create_account("robot")
        self.person = host.create_account("person")
        self.here = host.create_repository(
            "apps", FILES, roles={self.robot: "write", self.person: "write"}
        )
        self.api: Any = self.as_seen_by(self.robot.token)

    def as_seen_by(self, token: str, repository: GitHubRepository | None = None) -> Any:
        shown = repository or self.here
        return client(self.host, token, lazy=True).get_repo(shown.full_name)

    def push(self, branch: str = "update", version: str = "1.1") -> str:
        """Push a change of one line to a branch, which begins at main."""
        files = {"app.yaml": f"image: app:{version}\n"}
        return self.here.push(
            files, f"Update app to {version}", by=self.robot, branch=branch, start="main"
        )

    def open(self, branch: str = "update", version: str = "1.1", **more: Any) -> Any:
        """Push and open a pull request through the API."""
        self.push(branch, version)
        given = {"title": f"Update app to {version}", "body": "Why", "base": "main", **more}
        return self.api.create_pull(head=branch, **given)

    def git(self, folder: Path, *arguments: str, by: Account) -> subprocess.CompletedProcess[str]:
        """Run git in `folder`; `REMOTE` stands for the address with credentials."""
        url = self.here.git_url(by)
        return subprocess.run(
            ["git", *(url if each == "REMOTE" else each for each in arguments)],
            cwd=folder,
            env=plain_environment(folder, GIT_TERMINAL_PROMPT="0"),
            capture_output=True,
            text=True,
            check=False,
        )
