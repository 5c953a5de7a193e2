"""What the test GitHub can be made to do wrong, each at a chosen request.

A fault is used up by the requests whose method and path it fits, in the order in which the faults
were planned. Paths are regular expressions over the whole path, so that `/git-receive-pack$` is
as good as `/pulls$`.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.servers.http_thread import Response, SeenRequest

Moment = Literal["before", "after"]
_PAGE = b"<!DOCTYPE html><html><head><title>Unicorn!</title></head><body>Down for a while</body>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong: `answer` instead of the deed (`before`) or following it (`after`).

    `answer` of None changes nothing; `act` runs first, with no lock held; `spoil` changes the
    answer that the deed gave.
    """

    moment: Moment = "before"
    answer: Response | None = None
    act: Callable[[], object] | None = None
    spoil: Callable[[Response], Response] | None = None


@dataclass(slots=True, kw_only=True)
class _Planned:
    method: re.Pattern[str]
    path: re.Pattern[str]
    fault: Callable[[], Fault]
    left: int


@dataclass(slots=True, kw_only=True)
class Faults:
    """The plan. `listings_behind`: how many listings a pull request opened now is missing from.

    `chooser`, where set, is asked about every request that no planned fault fits.
    """

    now_s: Callable[[], float]
    wait: Callable[[float], None]
    listings_behind: int = 0
    chooser: Callable[[SeenRequest], Fault | None] | None = None
    _planned: list[_Planned] = field(default_factory=list)

    def drop_answer(self, method: str = ".*", path: str = ".*", times: int = 1) -> None:
        """Do the deed, then cut the connection in the middle of the answer."""
        self._plan(method, path, times, lambda: Fault(moment="after", answer=Response(cut=True)))

    def drop_request(self, method: str = ".*", path: str = ".*", times: int = 1) -> None:
        """Cut the connection; the deed is not done."""
        self._plan(method, path, times, lambda: Fault(answer=Response(cut=True)))

    def fail(
        self,
        status: int = 502,
        method: str = ".*",
        path: str = ".*",
        times: int = 1,
        *,
        moment: Moment = "before",
        message: str = "Server Error",
    ) -> None:
        """Answer `status` instead of the deed, or after it was done."""
        answer = _say(status, message)
        self._plan(method, path, times, lambda: Fault(moment=moment, answer=answer))

    def exhaust(
        self, method: str = ".*", path: str = ".*", times: int = 1, *, reset_in_s: float = 30
    ) -> None:
        """Say that the primary limit is used up; a negative `reset_in_s` names the past."""

        def limited() -> Fault:
            headers = (
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-used", "5000"),
                ("x-ratelimit-reset", str(int(self.now_s() + reset_in_s))),
                ("x-ratelimit-resource", "core"),
            )
            said = "API rate limit exceeded for user ID 1."
            return Fault(answer=_say(403, said, headers))

        self._plan(method, path, times, limited)

    def tire(
        self,
        method: str = ".*",
        path: str = ".*",
        times: int = 1,
        *,
        status: Literal[403, 429] = 403,
        retry_after: str | None = None,
    ) -> None:
        """Say that a secondary limit was hit, with or without how long to wait."""
        headers = (("retry-after", retry_after),) if retry_after is not None else ()
        said = (
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try"
            " again."
        )
        answer = _say(status, said, headers)
        self._plan(method, path, times, lambda: Fault(answer=answer))

    def show_page(self, method: str = ".*", path: str = ".*", times: int = 1) -> None:
        """Answer 200 with a page of HTML."""
        kind = [("Content-Type", "text/html; charset=utf-8")]
        answer = Response(headers=kind, body=_PAGE)
        self._plan(method, path, times, lambda: Fault(answer=answer))

    def leave_out(self, name: str, method: str = ".*", path: str = ".*", times: int = 1) -> None:
        """Do the deed and leave the property `name` out of the answer (of each of a list)."""
        self.change(lambda found: _without(found, name), method, path, times)

    def change(
        self,
        how: Callable[[Any], Any],
        method: str = ".*",
        path: str = ".*",
        times: int = 1,
    ) -> None:
        """Do the deed and let `how` make another document of the answer's."""

        def spoil(answer: Response) -> Response:
            return replace(answer, body=json.dumps(how(json.loads(answer.body))).encode())

        self._plan(method, path, times, lambda: Fault(spoil=spoil))

    def slow_down(
        self, seconds: float, method: str = ".*", path: str = ".*", times: int = 1
    ) -> None:
        self._plan(method, path, times, lambda: Fault(act=lambda: self.wait(seconds)))

    def before(
        self, act: Callable[[], object], method: str = ".*", path: str = ".*", times: int = 1
    ) -> None:
        """Run `act` when such a request has arrived and before it is carried out."""
        self._plan(method, path, times, lambda: Fault(act=act))

    def after(
        self, act: Callable[[], object], method: str = ".*", path: str = ".*", times: int = 1
    ) -> None:
        """Run `act` once such a request is carried out and before it is answered."""
        self._plan(method, path, times, lambda: Fault(moment="after", act=act))

    def clear(self) -> None:
        self._planned.clear()
        self.listings_behind = 0
        self.chooser = None

    def next(self, request: SeenRequest) -> Fault | None:
        for each in self._planned:
            if each.method.fullmatch(request.method) and each.path.search(request.path):
                each.left -= 1
                if each.left <= 0:
                    self._planned.remove(each)
                return each.fault()
        return self.chooser(request) if self.chooser else None

    def _plan(self, method: str, path: str, times: int, fault: Callable[[], Fault]) -> None:
        planned = _Planned(
            method=re.compile(method), path=re.compile(path), fault=fault, left=times
        )
        self._planned.append(planned)


def cut_after() -> Fault:
    """Return the fault of a lost answer, for a chooser."""
    return Fault(moment="after", answer=Response(cut=True))


def cut_before() -> Fault:
    """Return the fault of a lost request, for a chooser."""
    return Fault(answer=Response(cut=True))


def _say(status: int, message: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    body = {"message": message, "documentation_url": "https://docs.example.test/rest"}
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Response(status=status, headers=[kind, *headers], body=json.dumps(body).encode())


def _without(found: Any, name: str) -> Any:
    if isinstance(found, list):
        return [_without(each, name) for each in found]
    return {key: value for key, value in found.items() if key != name}
