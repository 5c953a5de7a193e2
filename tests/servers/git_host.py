"""Bare repositories behind git's own smart HTTP server, with faults on demand.

`git http-backend` answers; this module is the web server around it. Basic auth and https are
optional. Faults are used up in the order in which they were set, each by the next request it fits.
"""

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.certificates import Authority
from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.missing import Missing
from tests.servers.process import plain_environment
from tests.servers.remote import Remote

CREDENTIALS = ("person", "secret")
_PUSH = "/git-receive-pack"
_PUSH_RESULT = [("Content-Type", "application/x-git-receive-pack-result")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    kind: Literal["cut-after", "cut-before", "answer", "slow", "call"]
    pushes_only: bool
    status: int = 0
    retry_after: str | None = None
    delay_s: float = 0.0
    action: Callable[[], object] | None = None


class GitHost(HttpThread):
    """Serves the bare repositories under `folder`."""

    def __init__(
        self, folder: Path, *, credentials: tuple[str, str] | None = None, tls: bool = False
    ) -> None:
        if shutil.which("git") is None:
            raise Missing("git is not installed", remedy="apt-get install git")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.credentials = credentials
        self.ca_file: Path | None = None
        self._faults: list[_Fault] = []
        if tls:
            authority = Authority(folder / ".certificates")
            signed = authority.sign_server()
            self.ca_file = authority.ca_file
            super().__init__(certificate=signed.certificate, key=signed.key)
        else:
            super().__init__()

    def create(
        self,
        name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        branch: str = "main",
        allow_filter: bool = True,
        executable: Iterable[str] = (),
    ) -> Remote:
        """Make a repository, with one commit when there are `files`."""
        remote = Remote(
            self.folder / f"{name}.git",
            url_http=f"{self.url}/{name}.git",
            allow_filter=allow_filter,
            branch=branch,
        )
        if files:
            remote.commit(files, "Begin", branch=branch, executable=executable)
        return remote

    def cut_after_push(self, times: int = 1) -> None:
        """Take the next pushes whole, then close the connection instead of an answer."""
        self._plan(_Fault(kind="cut-after", pushes_only=True), times)

    def cut_before_push(self, times: int = 1) -> None:
        """Close the connection of the next pushes before git sees them."""
        self._plan(_Fault(kind="cut-before", pushes_only=True), times)

    def answer(self, status: int, times: int = 1, *, retry_after: str | None = None) -> None:
        """Answer the next requests of any kind with `status`."""
        fault = _Fault(kind="answer", pushes_only=False, status=status, retry_after=retry_after)
        self._plan(fault, times)

    def answer_pushes(self, status: int, times: int = 1) -> None:
        """Answer the next pushes with `status`; git does not see them."""
        self._plan(_Fault(kind="answer", pushes_only=True, status=status), times)

    def slow_down(self, delay_s: float, times: int = 1) -> None:
        """Let the next requests wait this long before they are answered."""
        self._plan(_Fault(kind="slow", pushes_only=False, delay_s=delay_s), times)

    def before_push(self, action: Callable[[], object]) -> None:
        """Run `action` once, when the next push has arrived and before git sees it."""
        self._plan(_Fault(kind="call", pushes_only=True, action=action), 1)

    def clear_faults(self) -> None:
        self._faults.clear()

    def pushes(self) -> int:
        """Return how many pushes arrived, answered or not."""
        return sum(1 for each in self.requests if is_push(each))

    def respond(self, request: SeenRequest) -> Response | None:
        if self.credentials and request.headers.get("authorization") != _basic(self.credentials):
            login = [("WWW-Authenticate", 'Basic realm="pilotfish tests"')]
            return Response(status=401, headers=login, body=b"who are you?\n")
        fault = self._next_fault(request)
        if fault is None:
            return self._run_git(request)
        if fault.kind == "cut-before":
            return Response(headers=_PUSH_RESULT, cut=True)
        if fault.kind == "answer":
            wait = [("Retry-After", fault.retry_after)] if fault.retry_after is not None else []
            return Response(status=fault.status, headers=wait, body=b"not now\n")
        if fault.kind == "slow":
            self.pause(fault.delay_s)
        if fault.action:
            fault.action()
        answer = self._run_git(request)
        return Response(headers=_PUSH_RESULT, cut=True) if fault.kind == "cut-after" else answer

    def _plan(self, fault: _Fault, times: int) -> None:
        self._faults += [fault] * times

    def _next_fault(self, request: SeenRequest) -> _Fault | None:
        for fault in self._faults:
            if is_push(request) or not fault.pushes_only:
                self._faults.remove(fault)
                return fault
        return None

    def _run_git(self, request: SeenRequest) -> Response:
        user = self.credentials[0] if self.credentials else ""
        return run_backend(self.folder, request, user=user)


def run_backend(folder: Path, request: SeenRequest, *, user: str = "") -> Response:
    """Let git answer a request for a bare repository under `folder`."""
    headers = request.headers
    environment = plain_environment(
        folder,
        GIT_PROJECT_ROOT=str(folder),
        GIT_HTTP_EXPORT_ALL="1",
        GIT_HTTP_MAX_REQUEST_BUFFER="1G",
        GIT_CONFIG_GLOBAL="/dev/null",
        PATH_INFO=request.path,
        QUERY_STRING=request.raw_query,
        REQUEST_METHOD=request.method,
        CONTENT_TYPE=headers.get("content-type", ""),
        CONTENT_LENGTH=str(len(request.body)),
        HTTP_CONTENT_ENCODING=headers.get("content-encoding", ""),
        GIT_PROTOCOL=headers.get("git-protocol", ""),
        REMOTE_USER=user,
        REMOTE_ADDR="127.0.0.1",
    )
    done = subprocess.run(
        ["git", "http-backend"],
        env=environment,
        input=request.body,
        capture_output=True,
        check=False,
    )
    return _parse_cgi(done.stdout)


def is_push(request: SeenRequest) -> bool:
    """Tell whether a request brings commits."""
    # Before a push too large for one buffer, git asks with four bytes whether it may.
    here = request.method == "POST" and request.path.endswith(_PUSH)
    return here and len(request.body) > len("0000")


def _parse_cgi(output: bytes) -> Response:
    head, _, body = output.partition(b"\r\n\r\n")
    status = 200
    headers = []
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "status":
            status = int(value.split(" ")[0])
        elif name:
            headers.append((name, value))
    return Response(status=status, headers=headers, body=body)


def _basic(credentials: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()
