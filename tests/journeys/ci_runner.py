"""Runs workflow steps as a forge's runner does: their own text, in bash, with the runner's files.

Nothing of a step is copied: `run:` texts come out of `action.yml` and the example workflows.
`uses: actions/checkout` is a clone with the login in a header, as that action leaves it behind;
`uses:` of the action itself runs its steps; other actions are named, with what was given to them.
What is printed is read for commands as the runner reads it.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
OWN_ACTION = "OWNER/pilotfish@COMMIT"
# Read once: tests change HOME, and packages must not be fetched anew.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "SSL_CERT_FILE", "UV_CACHE_DIR")
_MINE = {name: os.environ[name] for name in _INDEXES if name in os.environ}
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_COMMAND = re.compile(r"^\s*::(?P<word>[^ :]+)(?: (?P<properties>[^:]*))?::(?P<text>.*)$")
_UNESCAPED = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A command of the runner: an annotation, or what nobody should have been able to say."""

    word: str
    properties: dict[str, str]
    text: str


@dataclass(slots=True, kw_only=True)
class Ran:
    """What a job left behind; `seen` are the words of every process that ran meanwhile."""

    code: int = 0
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    marks: list[Mark] = field(default_factory=list)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set, repr=False)
    set_for_others: str = ""

    def json(self, name: str) -> Any:
        """Return an output that is JSON."""
        return json.loads(self.outputs[name])

    def everything(self) -> str:
        """Return every text that a job shows or hands on."""
        files = [self.outputs.get(name, "") for name in ("report", "sarif", "summary")]
        kept = "".join(Path(one).read_text() for one in files if one and Path(one).exists())
        return "".join([self.log, *self.outputs.values(), self.summary, kept, *self.seen])


def parse_commands(log: str) -> list[Mark]:
    """Return the commands in what was printed, with the pauses between which none counts."""
    marks: list[Mark] = []
    until = ""
    for line in log.splitlines():
        found = _COMMAND.match(line)
        if until:
            until = "" if line.strip() == f"::{until}::" else until
        elif "##[" in line and not found:
            marks.append(Mark(word="##[", properties={}, text=line))
        elif found and found["word"] == "stop-commands":
            until = found["text"]
        elif found:
            rows = [one.partition("=") for one in (found["properties"] or "").split(",") if one]
            marks.append(
                Mark(
                    word=found["word"],
                    properties={key: _unescaped(value) for key, _, value in rows},
                    text=_unescaped(found["text"]),
                )
            )
    return marks


def _unescaped(text: str) -> str:
    return re.sub("|".join(_UNESCAPED), lambda found: _UNESCAPED[found[0]], text)


def parse_outputs(text: str) -> dict[str, str]:
    """Return the outputs in a runner's file."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, sign, mark = line.partition("<<")
        if not sign or "=" in name:
            name, _, found_value = line.partition("=")
            found[name] = found_value
            continue
        value: list[str] = []
        for inner in lines:
            if inner == mark:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


@dataclass(kw_only=True)
class Runner:
    """A runner for one repository: its folders, the event, the secrets of its token."""

    temporary: Path
    workspace: Path
    clone_url: str = ""
    server_url: str = "https://github.com"
    repository: str = "team/fleet"
    token: str = "ghs_canary0token0of0the0job0000000000000"
    event_name: str = "workflow_dispatch"
    event: dict[str, Any] = field(default_factory=dict)
    actor: str = "kim"
    environment: dict[str, str] = field(default_factory=dict)
    path: str = ""

    def use(self, **inputs: str) -> Ran:
        """Use the action in a job of one step; `_` in a name stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return self.job([{"uses": OWN_ACTION, "with": given}])

    def job(self, steps: list[dict[str, Any]], env: Mapping[str, str] | None = None) -> Ran:
        """Run steps one after the other, and stop at the first that fails."""
        ran = Ran()
        with watch_processes(ran.seen):
            for step in steps:
                if ran.code and "always()" not in str(step.get("if", "")):
                    continue
                ran.code = self._step(step, ran, dict(env or {})) or ran.code
        ran.marks = parse_commands(ran.log)
        return ran

    def _step(self, step: dict[str, Any], ran: Ran, env: dict[str, str]) -> int:
        named = step.get("uses", "")
        given = {key: self._expand(str(value), {}) for key, value in step.get("with", {}).items()}
        if named.startswith("actions/checkout@"):
            return self._check_out(persist=given.get("persist-credentials") != "false")
        if named == OWN_ACTION:
            unknown = set(given) - set(ACTION["inputs"])
            assert not unknown, f"the action has no input {unknown}"
            defaults = {name: str(one["default"]) for name, one in ACTION["inputs"].items()}
            inputs = {key: self._expand(text, {}) for key, text in (defaults | given).items()}
            for inner in ACTION["runs"]["steps"]:
                if inner["name"].startswith("Install") and self._is_installed(inputs):
                    continue
                if code := self._script(inner, ran, inputs, env):
                    return code
            return 0
        if named:
            texts = step.get("with", {}).items()
            ran.used.append((named, {key: self._expand(str(v), ran.outputs) for key, v in texts}))
            return 0
        return self._script(step, ran, {}, env)

    def _is_installed(self, inputs: Mapping[str, str]) -> bool:
        """Return whether an earlier job left what the first step would make again."""
        plain = inputs["runtime"] == "python" and not inputs["version"]
        return plain and (self.temporary / "pilotfish" / "bin" / "pilotfish").exists()

    def _script(
        self, step: dict[str, Any], ran: Ran, inputs: Mapping[str, str], env: dict[str, str]
    ) -> int:
        files = {
            name: self.temporary / "_runner_file_commands" / name
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        }
        (self.temporary / "_runner_file_commands").mkdir(parents=True, exist_ok=True)
        for file in files.values():
            file.write_text("")
        own = {
            key: self._expand(str(text), inputs)
            for key, text in (env | step.get("env", {})).items()
        }
        given = self._variables() | {key: str(file) for key, file in files.items()} | own
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=180,
        )
        ran.log += done.stdout
        ran.outputs |= parse_outputs(files["GITHUB_OUTPUT"].read_text())
        ran.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        ran.set_for_others += files["GITHUB_ENV"].read_text() + files["GITHUB_PATH"].read_text()
        return done.returncode

    def _variables(self) -> dict[str, str]:
        event = self.temporary / "event.json"
        event.write_text(json.dumps(self.event))
        return {
            "PATH": self.path or path_with_uv(),
            "HOME": os.environ["HOME"],
            "CI": "true",
            "UV_CACHE_DIR": str(_CACHE / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_ACTOR": self.actor,
            "GITHUB_API_URL": f"{self.server_url}/api/v3",
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_SHA": "0123456789012345678901234567890123456789",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temporary),
            **_MINE,
            **self.environment,
        }

    def _expand(self, text: str, inputs: Mapping[str, str]) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1], inputs), text)

    def _value(self, expression: str, inputs: Mapping[str, str]) -> str:
        for part in expression.split("||"):
            if value := self._name(part.strip(), inputs):
                return value
        return ""

    def _name(self, name: str, inputs: Mapping[str, str]) -> str:
        if name.startswith("'"):
            return name.strip("'")
        if name in {"github.token", "secrets.GITHUB_TOKEN"}:
            return self.token
        if name == "github.event_name":
            return self.event_name
        last = name.rpartition(".")[2]
        if name.startswith("github.event."):
            found: Any = self.event
            for key in name.split(".")[2:]:
                found = (found or {}).get(key)
            return str(found or "")
        if name.startswith("inputs."):
            chosen = self.event.get("inputs", {})
            return inputs.get(last, str(chosen.get(last, "")))
        if name.startswith("steps."):
            return inputs.get(last, "")
        assert name.startswith(("vars.", "secrets.")), f"the runner of the test knows no {name}"
        return self.environment.get(last, "")

    def _check_out(self, *, persist: bool = True) -> int:
        """Clone as actions/checkout does: one commit, the login in a header of the clone."""
        for one in self.workspace.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        login = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        header = f"AUTHORIZATION: basic {login}"
        origin = self.clone_url.partition("://")[2].partition("/")[0]
        scheme = self.clone_url.partition("://")[0]
        setting = f"http.{scheme}://{origin}/.extraheader"
        clone = ["git", "-c", f"{setting}={header}", "clone", "--quiet", "--depth=1"]
        subprocess.run([*clone, self.clone_url, str(self.workspace)], check=True)
        if persist:
            subprocess.run(
                ["git", "-C", str(self.workspace), "config", "--local", setting, header], check=True
            )
        return 0


@contextmanager
def watch_processes(seen: set[str]) -> Iterator[None]:
    """Gather the arguments of every process below this one, but the checkout's own."""
    done = threading.Event()
    here = os.getpid()

    def is_ours(process: int) -> bool:
        while process > 1 and process != here:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        return process == here

    def look() -> None:
        while not done.wait(0.01):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError, ValueError, IndexError):
                    if int(entry.parent.name) == here or not is_ours(int(entry.parent.name)):
                        continue
                    line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if "extraheader=" not in line:
                        seen.add(line)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def path_with_uv() -> str:
    """Return PATH with uv in it, which the first run of the tests brought."""
    if shutil.which("uv"):
        return os.environ["PATH"]
    found = sorted(_CACHE.glob("pilotfish/uv*/bin/uv"))
    return f"{found[-1].parent}{os.pathsep}{os.environ['PATH']}" if found else os.environ["PATH"]
