"""What lies between us and a server: counts what arrives, and does harm at a chosen request.

A crash cancels the run and closes the connection, so that nothing more of it reaches the server.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.git_host import is_push
from tests.servers.http_thread import Response, SeenRequest

Kind = Literal["lose-request", "lose-answer", "crash-before", "crash-after", "act-before"]
_REOPENED = (("state", "open"), ("state_event", "reopen"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What goes wrong at the `at`th request of a run, counted from one, or at its `at`th write."""

    kind: Kind
    at: int
    writes: bool = True


@dataclass(slots=True, kw_only=True)
class Wire:
    """`look` is called after every request that was carried out, with nothing locked.

    `crash` and `act` are what the harm of that name does. `wrote` tells every write in a line.
    """

    look: Callable[[], None] = lambda: None
    crash: Callable[[], object] = lambda: None
    act: Callable[[], None] = lambda: None
    wrote: list[str] = field(default_factory=list)
    reopened: list[str] = field(default_factory=list)
    requests: int = 0
    _harm: Harm | None = None
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, harm: Harm | None) -> None:
        """Do this harm to the run that begins now, and to no other."""
        with self._lock:
            self._harm, self._seen = harm, 0

    def forget(self) -> bool:
        """Pass everything on again, and return whether the harm was done."""
        with self._lock:
            done, self._harm = self._harm is None, None
        return done

    def carry(
        self, request: SeenRequest, serve: Callable[[SeenRequest], Response | None]
    ) -> Response | None:
        """Answer a request by `serve`, or do harm."""
        harm = self._due(request)
        kind = harm.kind if harm else ""
        if kind == "act-before":
            self.act()
        if kind == "crash-before":
            self.crash()
        if kind in {"crash-before", "lose-request"}:
            return Response(cut=True)
        answer = serve(request)
        self._write_down(request, answer)
        self.look()
        if kind == "crash-after":
            self.crash()
        return Response(cut=True) if kind in {"crash-after", "lose-answer"} else answer

    def _due(self, request: SeenRequest) -> Harm | None:
        with self._lock:
            self.requests += 1
            harm = self._harm
            if harm is None or (harm.writes and not is_write(request)):
                return None
            self._seen += 1
            if self._seen < harm.at:
                return None
            self._harm = None
            return harm

    def _write_down(self, request: SeenRequest, answer: Response | None) -> None:
        if not is_write(request):
            return
        told = f"{request.method} {request.path} -> {answer.status if answer else None}"
        with self._lock:
            self.wrote.append(told)
            if any(_fields(request).get(name) == word for name, word in _REOPENED):
                self.reopened.append(told)


def is_write(request: SeenRequest) -> bool:
    """Return whether a request may change something: a push, or a call that is no reading."""
    if "/git-" in request.path:
        return is_push(request)
    if request.path.endswith("/graphql"):
        return b"mutation" in request.body
    return request.method not in {"GET", "HEAD"}


def _fields(request: SeenRequest) -> dict[str, object]:
    try:
        found = json.loads(request.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
