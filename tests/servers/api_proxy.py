"""Stands between a client and the API server: counts calls, and does harm at a chosen one.

Each call is passed on whole and answered whole, so a watch must not go through it. `harm` is run
at the `at`th call of those that `counts` picks, after the API server has carried it out and before
the client hears of it: between what is true and what is known, where a crash hurts most.
"""

import http.client
import ssl
import threading
from collections.abc import Callable

from tests.servers.cluster import ControlPlane
from tests.servers.http_thread import HttpThread, Response, SeenRequest

_PASSED_ON = ("authorization", "accept", "content-type", "user-agent")
_TIMEOUT_S = 30


def every_call(request: SeenRequest) -> bool:
    """Pick every call."""
    return True


class ApiProxy(HttpThread):
    """Passes calls on to a control plane over https, with a certificate of the same authority."""

    def __init__(self, cluster: ControlPlane) -> None:
        signed = cluster.authority.sign_server("proxy")
        super().__init__(certificate=signed.certificate, key=signed.key)
        self._cluster = cluster
        self._context = ssl.create_default_context(cafile=cluster.ca_file)
        self._lock = threading.Lock()
        self._answers: list[Response] = []
        self._action: Callable[[], object] | None = None
        self._precedes: Callable[[SeenRequest], bool] = every_call
        self.calls = 0
        self.at = 0
        self.counts: Callable[[SeenRequest], bool] = every_call
        self.harm: Callable[[], object] | None = None

    def answer(self, status: int, times: int = 1, *, retry_after: str | None = None) -> None:
        """Answer the next calls ourselves; the API server does not see them."""
        wait = [("Retry-After", retry_after)] if retry_after is not None else []
        self._answers += [Response(status=status, headers=wait, body=b"not now")] * times

    def forget_answers(self) -> None:
        """Pass every call on again."""
        with self._lock:
            self._answers.clear()

    def before(
        self, action: Callable[[], object], counts: Callable[[SeenRequest], bool] = every_call
    ) -> None:
        """Run `action` once, when such a call has arrived and before the API server sees it."""
        with self._lock:
            self._action, self._precedes = action, counts

    def plan_harm(
        self,
        harm: Callable[[], object],
        at: int,
        counts: Callable[[SeenRequest], bool] = every_call,
    ) -> None:
        """Run `harm` at the `at`th call from now, counted from one."""
        with self._lock:
            self.calls, self.at, self.harm, self.counts = 0, at, harm, counts

    def respond(self, request: SeenRequest) -> Response | None:
        assert "watch=" not in request.raw_query, "a watch cannot go through this proxy"
        with self._lock:
            if self._answers:
                return self._answers.pop(0)
            action = self._action if self._precedes(request) else None
            self._action = None if action else self._action
        if action:
            action()
        answer = self._pass_on(request)
        with self._lock:
            counted = self.counts(request)
            self.calls += counted
            harm = self.harm if counted and self.calls == self.at else None
        if harm is not None:
            harm()
            return None
        return answer

    def _pass_on(self, request: SeenRequest) -> Response:
        host = self._cluster.url.removeprefix("https://")
        connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT_S, context=self._context)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        path = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        try:
            connection.request(request.method, path, body=request.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        kept = [("Content-Type", answer.headers.get("Content-Type", "application/json"))]
        return Response(status=answer.status, headers=kept, body=body)
