"""`pilotfish demo --cluster` goes on in a real cluster, where it was let, and leaves nothing."""

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.cluster import ControlPlane

pytestmark = pytest.mark.journey

DEMO = [
    sys.executable, "-I", str(Path(sys.executable).with_name("pilotfish")), "demo", "--cluster",
]  # fmt: skip
CONTEXT = "pilotfish-tests"
PREFIX = "pilotfish-demo-"


@dataclass(frozen=True, kw_only=True)
class Stay:
    """A demo in the shared cluster, from a mark in its audit log on."""

    cluster: ControlPlane
    folder: Path
    since: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "KUBECONFIG": str(self.cluster.kubeconfig),
        }

    def start(self, *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*DEMO, *options],
            env=self.environment,
            cwd=self.folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def namespaces(self) -> set[str]:
        return {one for one in self.cluster.names("namespace") if one.startswith(PREFIX)}

    def leftovers(self) -> list[str]:
        return [*sorted(self.namespaces()), *map(str, self.folder.iterdir())]


def _stay(cluster: ControlPlane, folder: Path) -> Stay:
    return Stay(cluster=cluster, folder=folder, since=cluster.mark())


@pytest.fixture
def stay(cluster: ControlPlane, tmp_path: Path) -> Stay:
    return _stay(cluster, tmp_path)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A demo that was told to its end."""

    stay: Stay
    summary: dict[str, Any]

    @property
    def namespace(self) -> str:
        name: str = self.summary["cluster"]["namespace"]
        return name

    def answers(self, verb: str) -> list[str]:
        """Return what each command of ours in the cluster printed, in order."""
        return [
            command["output"]
            for chapter in self.summary["chapters"]
            for command in chapter["commands"]
            if command["typed"].startswith(f"pilotfish {verb} apps ")
        ]


@pytest.fixture(scope="module")
def told(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Told:
    stay = _stay(cluster, tmp_path_factory.mktemp("told"))
    demo = stay.start("--context", CONTEXT, "-o", "json")
    printed, errors = demo.communicate(timeout=240)
    assert (demo.returncode, errors) == (0, "")
    return Told(stay=stay, summary=json.loads(printed))


def test_each_apply_says_what_became_of_the_fleet(told: Told) -> None:
    first, again, merged, pruned = told.answers("apply")

    assert "5 created; health Current" in first
    assert "5 unchanged; health Current" in again
    assert re.search(r"configured +apps/Deployment/\S+/web", merged)
    assert "1 configured, 4 unchanged; health Current" in merged
    assert re.search(r"deleted +batch/CronJob/\S+/job", pruned)
    assert "4 unchanged, 1 deleted; health Current" in pruned


def test_the_difference_is_the_merged_tag_alone(told: Told) -> None:
    (printed,) = told.answers("diff")

    changed = [line for line in printed.splitlines() if re.match(r"[+-] ", line)]
    assert len(changed) == 2
    assert changed[0].replace("1.4.0", "1.5.1")[1:] == changed[1][1:]


def test_everything_made_is_gone_and_the_summary_says_so(told: Told) -> None:
    assert told.summary["complete"] is True
    assert told.summary["cluster"] == {
        "context": CONTEXT,
        "server": told.stay.cluster.url,
        "namespace": told.namespace,
        "removed": True,
    }
    assert told.stay.leftovers() == []


def test_nothing_is_written_outside_the_namespace_of_its_own(told: Told) -> None:
    writes = told.stay.cluster.writes(told.stay.since)

    assert re.fullmatch(PREFIX + "[0-9a-f]{10}", told.namespace)
    assert {one.namespace or one.name for one in writes} == {told.namespace}
    deleted = [(one.resource, one.name) for one in writes if one.verb == "delete"]
    assert deleted == [("cronjobs.batch", "job"), ("namespaces", told.namespace)]


def test_no_workload_ever_asks_for_a_pod(told: Told) -> None:
    rest = [
        (one.resource, one.body["spec"].get("replicas"), one.body["spec"].get("suspend"))
        for one in told.stay.cluster.writes(told.stay.since)
        if one.verb == "patch" and one.resource.endswith((".apps", ".batch"))
    ]

    assert set(rest) == {
        ("deployments.apps", 0, None),
        ("statefulsets.apps", 0, None),
        ("cronjobs.batch", None, True),
    }


def test_commands_run_as_they_are_typed_and_name_the_context(told: Told) -> None:
    commands = [
        command
        for chapter in told.summary["chapters"]
        for command in chapter["commands"]
        if command["typed"].startswith("pilotfish ")
    ]
    there = [one for one in commands if "--context" in one["argv"]]

    assert len(there) == 5
    for one in commands:
        assert one["argv"] == [*DEMO[:3], *shlex.split(one["typed"])[1:]]
    for one in there:
        assert one["argv"][one["argv"].index("--context") + 1] == CONTEXT


@pytest.mark.parametrize("options", [[], ["--yes"], ["-o", "json"]])
def test_where_nobody_can_be_asked_and_no_context_is_named_it_refuses(
    stay: Stay, options: list[str]
) -> None:
    demo = stay.start(*options)
    printed, errors = demo.communicate(timeout=60)

    assert (demo.returncode, printed) == (2, "")
    assert f"nobody can be asked whether to go into {CONTEXT} at {stay.cluster.url}" in errors
    assert f"--context {CONTEXT}" in errors
    assert stay.cluster.calls(stay.since) == []


def test_a_context_that_is_not_there_is_refused_with_those_that_are(stay: Stay) -> None:
    demo = stay.start("--context", "production")
    _, errors = demo.communicate(timeout=60)

    assert demo.returncode == 2
    assert "there is no context 'production'" in errors
    assert f"there are: {CONTEXT}" in errors


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_stopping_it_in_the_cluster_cleans_up(stay: Stay, number: int, code: int) -> None:
    demo = stay.start("--context", CONTEXT)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("  created"):
            break
    assert len(stay.namespaces()) == 1
    demo.send_signal(number)
    demo.communicate(timeout=120)

    assert demo.returncode == code
    assert stay.leftovers() == []


def test_a_reader_that_goes_away_leaves_nothing_in_the_cluster(stay: Stay) -> None:
    demo = stay.start("--context", CONTEXT)
    assert demo.stdout is not None
    assert demo.stderr is not None
    for line in demo.stdout:
        if line.startswith("  created"):
            break
    demo.stdout.close()
    errors = demo.stderr.read()
    demo.stderr.close()

    assert (demo.wait(timeout=120), errors) == (0, "")
    assert stay.leftovers() == []


def test_a_cluster_that_refuses_says_why_and_nothing_is_left(stay: Stay, unique_name: str) -> None:
    nobody = stay.cluster.user(unique_name)
    demo = stay.start("--context", CONTEXT, "--kubeconfig", str(nobody))
    _, errors = demo.communicate(timeout=120)

    assert demo.returncode == 1
    assert "pilotfish apply apps" in errors
    assert "forbidden" in errors.lower()
    assert stay.leftovers() == []


def test_the_story_stops_at_a_failed_apply_and_what_it_made_goes(
    stay: Stay, unique_name: str
) -> None:
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": unique_name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["batch"],
                        "apiVersions": ["v1"],
                        "operations": ["DELETE"],
                        "resources": ["cronjobs"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": "!request.namespace.startsWith('pilotfish-demo-')"
                    " || request.userInfo.username != 'person'",
                    "message": "jobs stay here",
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": unique_name},
        "spec": {"policyName": unique_name, "validationActions": ["Deny"]},
    }
    stay.cluster.apply(hook, binding)
    try:
        demo = stay.start("--context", CONTEXT)
        printed, errors = demo.communicate(timeout=240)
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            stay.cluster.kubectl("delete", kind, unique_name)

    assert demo.returncode == 1
    assert "jobs stay here" in errors
    assert "it is gone" in printed
    assert stay.leftovers() == []


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    for end in (ours, theirs):
        os.close(end)


def _read_until(ours: int, words: bytes) -> bytes:
    printed = b""
    while words not in printed:
        assert select.select([ours], [], [], 120)[0], printed.decode()
        printed += os.read(ours, 65536)
    return printed


@pytest.mark.parametrize(("key", "goes"), [(b"\r", False), (b"n", False), (b"y", True)])
def test_a_terminal_is_asked_even_with_yes_and_only_a_yes_goes_in(
    stay: Stay, terminal: tuple[int, int], key: bytes, goes: bool
) -> None:
    ours, theirs = terminal
    demo = subprocess.Popen(
        [*DEMO, "--yes"],
        env=stay.environment | {"TERM": "xterm", "COLUMNS": "100"},
        cwd=stay.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    question = f"Go on in {CONTEXT} at {stay.cluster.url}? [y/N]".encode()
    _read_until(ours, question)
    assert stay.cluster.calls(stay.since) == []
    os.write(ours, key)
    _read_until(ours, b"it is gone" if goes else b"The cluster was not touched.")
    if goes:
        _read_until(ours, b" commands")
    _, errors = demo.communicate(timeout=60)

    assert (demo.returncode, errors) == (0, b"")
    assert bool(stay.cluster.writes(stay.since)) is goes
    assert stay.leftovers() == []
