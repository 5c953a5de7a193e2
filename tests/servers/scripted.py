"""A server that answers what a test tells it to: what no real one can be made to say."""

import json
from collections.abc import Sequence

from tests.servers.http_thread import HttpThread, Response, SeenRequest


class Scripted(HttpThread):
    """Answers by method and path; the last of several answers stays. Others are 404."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[tuple[str, str], list[Response | None]] = {}

    def answer(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer with `body`: bytes as they are, everything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = Response(status=status, headers=headers, body=content)
        self._answers.setdefault((method, path), []).append(response)

    def drop(self, method: str, path: str) -> None:
        """Close the connection without a word."""
        self._answers.setdefault((method, path), []).append(None)

    def respond(self, request: SeenRequest) -> Response | None:
        answers = self._answers.get((request.method, request.path))
        if not answers:
            return Response(status=404, body=b'{"message":"not found"}')
        return answers.pop(0) if len(answers) > 1 else answers[0]
