"""Runs the installed command as people do: another process, its streams apart, its exit code."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).parent / "pilotfish"
_TIME_LIMIT_S = 120


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return standard output as JSON, which must be all there is."""
        return json.loads(self.out)

    def operations(self) -> dict[str, str]:
        """Return branch and state of each proposal of `run -o json`."""
        return {one["branch"]: one["state"] for one in self.json["proposals"]}

    def moves(self) -> list[tuple[str, str, str]]:
        """Return file, old and new tag of each update of `run -o json`."""
        return [(one["file"], one["fromTag"], one["toTag"]) for one in self.json["updates"]]


@dataclass(kw_only=True)
class Pilotfish:
    """The command in one folder with one cache; `repository` is given to each call when set."""

    folder: Path
    cache: Path
    repository: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        """Return the whole argument list."""
        named = ["--repository", self.repository] if self.repository else []
        return [sys.executable, "-I", str(PROGRAM), *words, *named]

    def all_environment(self) -> dict[str, str]:
        """Return the environment the command gets."""
        return {**os.environ, "PILOTFISH_CACHE": str(self.cache), **self.environment}

    def __call__(self, *words: str, text: str | None = None) -> Answer:
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.all_environment(),
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIME_LIMIT_S,
            check=False,
        )
        assert "a fault of ours" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def json(self, *words: str, code: int = 0) -> Answer:
        """Run with `-o json` and hold it to its exit code."""
        answer = self(*words, "-o", "json")
        assert answer.code == code, f"exit {answer.code}\n{answer.err}\n{answer.out}"
        json.loads(answer.out)
        return answer
