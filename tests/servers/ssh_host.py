"""Bare repositories behind a real OpenSSH server on a high port.

The server has a host key and one authorised key of its own; nothing of the machine's SSH is read.
The person who logs in is the one who runs the tests.
"""

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.servers.missing import Missing
from tests.servers.process import ServerProcess, answers, free_port, plain_environment
from tests.servers.remote import Remote

_SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


class SshHost:
    """Serves the bare repositories under `folder` over SSH.

    `known_hosts` holds the right host key, `wrong_known_hosts` another one for the same address.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd", path=_SEARCH_PATH)
        if program is None or shutil.which("ssh-keygen", path=_SEARCH_PATH) is None:
            raise Missing(
                "the OpenSSH server is not installed",
                remedy="apt-get install openssh-server openssh-client",
            )
        if os.geteuid() == 0:  # the server wants it when root starts it; Debian makes it at boot
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self.user = getpass.getuser()
        self.port = free_port()
        self.private_key = _make_key(folder / "person-key")
        self.public_key = folder / "person-key.pub"
        self.host_key = _make_key(folder / "host-key")
        self.known_hosts = self._know(folder / "known-hosts", self.host_key)
        self.wrong_known_hosts = self._know(folder / "other-hosts", _make_key(folder / "other-key"))
        shutil.copy(self.public_key, folder / "authorized-keys")
        self._process = ServerProcess(
            [program, "-D", "-e", "-f", self._write_configuration()],
            folder=folder,
            environment=plain_environment(folder),
            ready=lambda: answers(self.port),
        )

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        self._process.stop()

    def log(self) -> str:
        return self._process.log()

    @property
    def url(self) -> str:
        """Return the address under which the repositories' names stand."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{self.folder}"

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
            url_ssh=f"{self.url}/{name}.git",
            allow_filter=allow_filter,
            branch=branch,
        )
        if files:
            remote.commit(files, "Begin", branch=branch, executable=executable)
        return remote

    def _know(self, path: Path, key: Path) -> Path:
        public = key.with_name(key.name + ".pub").read_text(encoding="utf-8").split()
        entry = f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n"
        path.write_text(entry, encoding="utf-8")
        return path

    def _write_configuration(self) -> Path:
        path = self.folder / "sshd.conf"
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"PidFile {self.folder / 'sshd.pid'}",
            f"AuthorizedKeysFile {self.folder / 'authorized-keys'}",
            "StrictModes no",  # folders of tests lie below /tmp
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "AcceptEnv GIT_PROTOCOL",
            "SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null",
            "PrintMotd no",
            "MaxStartups 100",
            "LogLevel VERBOSE",
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _make_key(path: Path) -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)],
        env={"PATH": _SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return path
