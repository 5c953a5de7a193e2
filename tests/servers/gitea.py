"""A real Gitea over https: a forge, a Git host and a container registry in one server.

It keeps everything in a folder of the test run, knows one administrator from the start, and
speaks to nobody. Its registry names repositories `<owner>/<name>` and asks for Bearer or Basic.
"""

import base64
import contextlib
import getpass
import http.client
import json
import re
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.servers import binaries
from tests.servers.certificates import Authority
from tests.servers.process import ServerProcess, answers, free_port, plain_environment
from tests.servers.pusher import Pusher

_ADMIN = "fleet-admin"
_PASSWORD = "fleet-admin-secret"
_TIMEOUT_S = 30
_DATE = "2026-01-02T03:04:05Z"
_ACCESS = re.compile(r' - (?P<login>\S+) \[[^\]]*\] "(?P<method>[A-Z]+) (?P<path>[^ "?]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person on the forge; `token` may do what the person may."""

    name: str
    password: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeCommit:
    """One commit as Gitea's API tells it."""

    id: str
    parents: tuple[str, ...]
    author_name: str
    author_mail: str
    message: str

    @property
    def subject(self) -> str:
        return self.message.split("\n", 1)[0]


class GiteaRefused(Exception):
    """Gitea did not do what was asked."""


class Gitea(Pusher):
    """One Gitea on a free loopback port; the registry verbs log in as the administrator.

    Raises `Missing` when the program cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        self._program = binaries.find("gitea")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = free_port()
        authority = Authority(folder / "certificates")
        super().__init__(
            f"https://127.0.0.1:{self._port}",
            credentials=(_ADMIN, _PASSWORD),
            ca_file=authority.ca_file,
        )
        self.owner = _ADMIN
        self.password = _PASSWORD
        self.token = ""
        self._tokens = 0
        signed = authority.sign_server()
        self._settings = folder / "app.ini"
        self._settings.write_text(
            self._write_settings(signed.certificate, signed.key), encoding="utf-8"
        )
        self._environment = plain_environment(
            folder, GITEA_WORK_DIR=str(folder), USER=getpass.getuser()
        )
        self._process = ServerProcess(
            [self._program, "web", "--config", self._settings],
            folder=folder,
            environment=self._environment,
            ready=self._is_ready,
        )

    def start(self) -> None:
        """Start serving; the first time, make the database and the administrator as well."""
        if not self.token:
            self._run("migrate")
            self.token = self._make_person(_ADMIN, _PASSWORD, admin=True).token
        self._process.start()

    def stop(self) -> None:
        self.close()
        self._process.stop()

    def folder_of(self, full_name: str) -> Path:
        """Return the bare repository itself."""
        return self._folder / "repositories" / f"{full_name.lower()}.git"

    def log(self) -> str:
        return self._process.log()

    def writes(self, login: str) -> list[str]:
        """Return what an account asked that could have changed something: API calls, pushes."""
        found: list[str] = []
        for line in (self._folder / "access.log").read_text("utf-8").splitlines():
            request = _ACCESS.search(line)
            if request is None or request["login"] != login:
                continue
            path = request["path"]
            is_api = "/api/v1/" in path and request["method"] not in {"GET", "HEAD"}
            if is_api or path.endswith("/git-receive-pack"):
                found.append(f"{request['method']} {path}")
        return found

    def create_user(self, name: str) -> Account:
        """Make a person with a password and a token for everything that person may do."""
        return self._make_person(name, f"{name}-secret", admin=False)

    def create_repository(
        self, name: str, files: Mapping[str, str | bytes] | None = None
    ) -> "GiteaRepository":
        """Make a repository of the administrator, with one commit when there are `files`."""
        self.api("POST", "/user/repos", {"name": name, "default_branch": "main"})
        made = GiteaRepository(self, name)
        if files:
            made.commit_files(files, "Begin")
        return made

    def api(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Any:
        """Call Gitea's API as the administrator and return the decoded answer.

        Raises:
            GiteaRefused: The answer's status is 400 or more.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(self.host, timeout=_TIMEOUT_S, context=context)
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        body = json.dumps(fields) if fields is not None else None
        try:
            connection.request(method, f"/api/v1{path}", body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise GiteaRefused(f"{method} {path}: {response.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def _make_person(self, name: str, password: str, *, admin: bool) -> Account:
        login = ["--username", name, "--password", password]
        contact = ["--email", f"{name}@example.test", "--must-change-password=false"]
        self._run("admin", "user", "create", *login, *contact, *(["--admin"] if admin else []))
        return Account(name=name, password=password, token=self.make_token(name, ("all",)))

    def make_token(self, name: str, scopes: Sequence[str]) -> str:
        """Return a new token of a person that may do only this."""
        self._tokens += 1
        wish = ["--username", name, "--token-name", f"tests-{self._tokens}", "--raw"]
        said = self._run(
            "admin", "user", "generate-access-token", *wish, "--scopes", ",".join(scopes)
        )
        return said.strip().splitlines()[-1]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._program), *arguments, "--config", str(self._settings)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"gitea {' '.join(arguments[:3])}: {done.stdout}{done.stderr}")
        return done.stdout

    def _is_ready(self) -> bool:
        if not answers(self._port):
            return False
        try:
            self.api("GET", "/version")
        except (OSError, http.client.HTTPException, GiteaRefused):
            return False
        return True

    def _write_settings(self, certificate: Path, key: Path) -> str:
        sections: dict[str, dict[str, object]] = {
            "": {
                "RUN_USER": getpass.getuser(),
                "RUN_MODE": "prod",
                "WORK_PATH": self._folder,
                "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
            },
            "server": {
                "PROTOCOL": "https",
                "CERT_FILE": certificate,
                "KEY_FILE": key,
                "HTTP_ADDR": "127.0.0.1",
                "HTTP_PORT": self._port,
                "ROOT_URL": f"{self.url}/",
                "LOCAL_ROOT_URL": f"{self.url}/",
                "OFFLINE_MODE": "true",
                "DISABLE_SSH": "true",
                "STATIC_ROOT_PATH": self._program.parent,
                "APP_DATA_PATH": self._folder / "content",
            },
            "database": {
                "DB_TYPE": "sqlite3",
                "PATH": self._folder / "gitea.db",
                # A token that cannot be looked up in half a second, the default, is none: 401.
                "SQLITE_TIMEOUT": 30_000,
                "SQLITE_JOURNAL_MODE": "WAL",
            },
            "repository": {"ROOT": self._folder / "repositories", "DEFAULT_BRANCH": "main"},
            "security": {"INSTALL_LOCK": "true", "PASSWORD_HASH_ALGO": "pbkdf2$1$8"},
            "service": {"DISABLE_REGISTRATION": "true"},
            "packages": {"ENABLED": "true"},
            "webhook": {"ALLOWED_HOST_LIST": "loopback", "SKIP_TLS_VERIFY": "true"},
            "indexer": {"REPO_INDEXER_ENABLED": "false", "ISSUE_INDEXER_TYPE": "db"},
            "cron": {"ENABLED": "false"},
            "log": {
                "LEVEL": "Warn",
                "MODE": "console",
                "logger.access.MODE": "access",
            },
            "log.access": {
                "MODE": "file",
                "LEVEL": "Info",
                "FILE_NAME": self._folder / "access.log",
                "LOG_ROTATE": "false",
            },
        }
        lines = []
        for title, fields in sections.items():
            lines += [f"[{title}]"] if title else []
            lines += [f"{name} = {value}" for name, value in fields.items()]
        return "\n".join(lines) + "\n"


class GiteaRepository:
    """One Git repository on Gitea, and what people do to it through the forge."""

    def __init__(self, forge: Gitea, name: str) -> None:
        self.forge = forge
        self.name = name
        self.full_name = f"{forge.owner}/{name}"
        self.date = _DATE  # of commits that persons make

    @property
    def url(self) -> str:
        """Return the clone address without a login."""
        return f"{self.forge.url}/{self.full_name}.git"

    @property
    def url_with_token(self) -> str:
        login = f"{self.forge.owner}:{self.forge.token}"
        return f"https://{login}@{self.forge.host}/{self.full_name}.git"

    def read_file(self, path: str, branch: str = "main") -> bytes:
        place = f"/contents/{urllib.parse.quote(path)}?ref={urllib.parse.quote(branch)}"
        found = self._api("GET", place)
        return base64.b64decode(found["content"])

    def commit_file(
        self,
        path: str,
        text: str | bytes,
        message: str,
        *,
        branch: str = "main",
        author: tuple[str, str] = ("Some Person", "some@example.test"),
    ) -> str:
        """Commit one file on the forge and return the commit."""
        return self.commit_files({path: text}, message, branch=branch, author=author)

    def commit_files(
        self,
        files: Mapping[str, str | bytes],
        message: str,
        *,
        branch: str = "main",
        author: tuple[str, str] = ("Some Person", "some@example.test"),
    ) -> str:
        """Commit `files` in one commit; a branch that is missing begins at main."""
        known = self.branches()
        person = {"name": author[0], "email": author[1]}
        fields: dict[str, Any] = {
            "message": message,
            "author": person,
            "committer": person,
            "dates": {"author": self.date, "committer": self.date},
            "branch": branch if branch in known or not known else "main",
            "files": [self._file_change(each, files[each], branch, known) for each in files],
        }
        if known and branch not in known:
            fields["new_branch"] = branch
        return str(self._api("POST", "/contents", fields)["commit"]["sha"])

    def branches(self) -> dict[str, str]:
        """Return the commit of each branch."""
        found = self._api("GET", "/branches?limit=50") or []
        return {each["name"]: each["commit"]["id"] for each in found}

    def log(self, branch: str = "main") -> list[ForgeCommit]:
        """Return the newest fifty commits of `branch`, newest first."""
        place = f"/commits?sha={urllib.parse.quote(branch)}&stat=false&files=false&limit=50"
        return [
            ForgeCommit(
                id=each["sha"],
                parents=tuple(parent["sha"] for parent in each["parents"]),
                author_name=each["commit"]["author"]["name"],
                author_mail=each["commit"]["author"]["email"],
                message=each["commit"]["message"],
            )
            for each in self._api("GET", place)
        ]

    def merge_branch(
        self,
        branch: str,
        into: str = "main",
        *,
        style: Literal["merge", "squash", "rebase"] = "merge",
        delete_branch: bool = True,
    ) -> str:
        """Open a pull request and merge it, as people do, and return the new head of `into`."""
        opened = self._api(
            "POST", "/pulls", {"head": branch, "base": into, "title": f"Merge {branch}"}
        )
        number = opened["number"]
        wish = {"Do": style, "delete_branch_after_merge": delete_branch, "force_merge": True}
        self._merge_when_checked(number, wish)
        return self.branches()[into]

    def protect_branch(self, branch: str = "main") -> None:
        """Let nobody push to `branch`, not even the administrator."""
        fields = {"rule_name": branch, "enable_push": False, "block_admin_merge_override": True}
        self._api("POST", "/branch_protections", fields)

    def delete_branch(self, branch: str) -> None:
        self._api("DELETE", f"/branches/{urllib.parse.quote(branch, safe='')}")

    def _merge_when_checked(self, number: int, wish: Mapping[str, Any]) -> None:
        for _ in range(500):
            found = self._api("GET", f"/pulls/{number}")
            if found["mergeable"]:  # Gitea finds out by itself, a moment later
                break
            time.sleep(0.02)
        self._api("POST", f"/pulls/{number}/merge", wish)

    def _file_change(
        self, path: str, text: str | bytes, branch: str, known: Mapping[str, str]
    ) -> dict[str, str]:
        body = text.encode() if isinstance(text, str) else text
        change = {
            "operation": "create",
            "path": path,
            "content": base64.b64encode(body).decode(),
        }
        if known:
            start = branch if branch in known else "main"
            place = f"/contents/{urllib.parse.quote(path)}?ref={urllib.parse.quote(start)}"
            with contextlib.suppress(GiteaRefused):  # the file is new
                change |= {"operation": "update", "sha": self._api("GET", place)["sha"]}
        return change

    def _api(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Any:
        return self.forge.api(method, f"/repos/{self.full_name}{path}", fields)
