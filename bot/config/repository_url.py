"""Whether two addresses name one Git repository, however each is written.

`https://host/path.git`, `ssh://git@host:22/path` and `git@host:path` are the same place:
scheme, user, port, case of the host and a final `.git` do not count.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.+)")
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}


def same_repository(one: str, other: str) -> bool:
    """Return whether both addresses lead to one repository."""
    return _identity(one) == _identity(other)


def _identity(url: str) -> tuple[str, str]:
    text = url.strip()
    scp = _SCP.fullmatch(text)
    if "://" not in text and scp is not None:
        host, path = scp[1], scp[2]
    else:
        try:
            parts = urlsplit(text)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            host, path = "", text
    host = host.lower()
    host = _SSH_HOSTS.get(host, host)
    path = unquote(path).strip("/").removesuffix(".git").strip("/")
    return host, path.lower() if host in {"github.com", "gitlab.com"} else path
