"""Where GitHub's API is: at github.com, at a tenant of ghe.com, and at an Enterprise host.

Each has a place of its own, as GitHub documents them. Must not know what is asked there.
"""

from __future__ import annotations

import urllib.parse

TENANTS = ".ghe.com"  # GitHub Enterprise Cloud with data residency


def api_url_of(host_url: str) -> str:
    """Return where a host's API is; `host_url` is where its pages begin."""
    parts = urllib.parse.urlsplit(host_url)
    host = (parts.hostname or "").lower()
    if host in {"github.com", "www.github.com"}:
        return "https://api.github.com"
    if host.endswith(TENANTS):
        return f"https://api.{host.removeprefix('api.')}"
    return f"{host_url.rstrip('/')}/api/v3"
