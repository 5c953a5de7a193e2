"""The CNCF distribution registry, version 3, as a child process.

Modes: `open`; `htpasswd` (Basic); `bearer` (tokens from a service of ours, checked by the registry
itself); `tls` (https by a private authority); `mtls` (the same, and clients must show a
certificate). Deleting is allowed. Content lies in memory, or on disk where it must outlive a stop.
"""

import json
from pathlib import Path
from typing import Any, Literal

import bcrypt

from tests.servers import binaries
from tests.servers.certificates import Authority
from tests.servers.process import ServerProcess, answers, free_port, plain_environment
from tests.servers.pusher import Pusher
from tests.servers.token_service import TokenService

Mode = Literal["open", "htpasswd", "bearer", "tls", "mtls"]
CREDENTIALS = ("person", "secret")


class Distribution(Pusher):
    """One registry on a free loopback port; `start` and `stop` as often as needed.

    Raises `Missing` when the program cannot be had.
    """

    def __init__(self, folder: Path, *, mode: Mode = "open", on_disk: bool = False) -> None:
        program = binaries.find("registry")
        folder.mkdir(parents=True, exist_ok=True)
        self.mode = mode
        self._on_disk = on_disk
        self._folder = folder
        self._port = free_port()
        self._tokens = TokenService({CREDENTIALS[0]: CREDENTIALS[1]}) if mode == "bearer" else None
        scheme = "https" if mode in {"tls", "mtls"} else "http"
        super().__init__(
            f"{scheme}://127.0.0.1:{self._port}",
            credentials=CREDENTIALS if mode in {"htpasswd", "bearer"} else None,
        )
        self._process = ServerProcess(
            [program, "serve", folder / "config.yml"],
            folder=folder,
            environment=plain_environment(folder, OTEL_TRACES_EXPORTER="none"),
            ready=lambda: answers(self._port),
        )
        if self._tokens:
            self._tokens.start()  # its port stands in the registry's configuration
        self._write_configuration()

    @property
    def tokens(self) -> TokenService:
        """Return the token service of a `bearer` registry."""
        assert self._tokens is not None
        return self._tokens

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        """Stop the registry; its token service answers on."""
        self.close()
        self._process.stop()

    def shut_down(self) -> None:
        """Stop the registry and all that belongs to it."""
        self.stop()
        if self._tokens:
            self._tokens.stop()

    def log(self) -> str:
        return self._process.log()

    def _write_configuration(self) -> None:
        listen: dict[str, Any] = {"addr": f"127.0.0.1:{self._port}", "secret": "only for tests"}
        content = str(self._folder / "content")
        storage = {"filesystem": {"rootdirectory": content}} if self._on_disk else {"inmemory": {}}
        fields: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                **storage,
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": listen,
        }
        if self.mode == "htpasswd":
            fields["auth"] = {"htpasswd": self._write_passwords()}
        if self._tokens:
            fields["auth"] = {"token": self._token_check(self._tokens)}
        if self.mode in {"tls", "mtls"}:
            listen["tls"] = self._certificates()
        # JSON is YAML
        (self._folder / "config.yml").write_text(json.dumps(fields, indent=2), encoding="utf-8")

    def _write_passwords(self) -> dict[str, str]:
        path = self._folder / "htpasswd"
        name, password = CREDENTIALS
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
        path.write_text(f"{name}:{hashed}\n", encoding="utf-8")
        return {"realm": "pilotfish tests", "path": str(path)}

    def _token_check(self, tokens: TokenService) -> dict[str, Any]:
        keys = self._folder / "keys.json"
        tokens.write_key_set(keys)
        return {
            "realm": tokens.realm,
            "service": tokens.service,
            "issuer": tokens.issuer,
            "jwks": str(keys),
            "signingalgorithms": ["ES256"],
        }

    def _certificates(self) -> dict[str, Any]:
        authority = Authority(self._folder / "certificates")
        server = authority.sign_server()
        self.ca_file = authority.ca_file
        fields: dict[str, Any] = {"certificate": str(server.certificate), "key": str(server.key)}
        if self.mode == "mtls":
            client = authority.sign_client()
            self.client_certificate, self.client_key = client.certificate, client.key
            fields["clientcas"] = [str(authority.ca_file)]
        return fields
