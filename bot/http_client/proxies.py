"""Which proxy leads to a host, read from the environment when someone asks for that.

The names and the rules of `NO_PROXY` are those that Go programs keep, since the clusters'
other tools read the same variables: suffixes, `.suffix`, addresses, ranges, `host:port`, `*`;
loopback is never asked through a proxy. The process's environment is not read behind
anyone's back (measurement E6).
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.http_client.addresses import address_of, is_loopback
from bot.telemetry import remember_secret

if TYPE_CHECKING:
    from bot.http_client.exchange import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies for http and https addresses, and the hosts that are asked without one."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Return what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in either letter case."""

        def read(name: str) -> str:
            return (environment.get(name) or environment.get(name.lower()) or "").strip()

        http = read("HTTP_PROXY") if "REQUEST_METHOD" not in environment else ""
        without = tuple(word.strip().lower() for word in read("NO_PROXY").split(","))
        return cls(http=http, https=read("HTTPS_PROXY"), no_proxy=tuple(w for w in without if w))

    def leading_to(self, origin: Origin) -> str:
        """Return the proxy for `origin`, empty when there is none."""
        proxy = self.https if origin.scheme == "https" else self.http
        if not proxy or is_loopback(origin.host):
            return ""
        return "" if any(_fits(word, origin) for word in self.no_proxy) else proxy


def checked_proxy(text: str) -> str:
    """Return `text` as a proxy's address; its password is a secret from now on.

    Raises:
        ConfigError: It is no address of an http proxy.
    """
    whole = text if "://" in text else f"http://{text}"
    parts = urllib.parse.urlsplit(whole)
    if parts.password:
        remember_secret(parts.password)
        remember_secret(urllib.parse.unquote(parts.password))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            "the proxy's address is not understood",
            where="proxy",
            hint="Write it as http://host:port",
        )
    return whole


def _fits(word: str, origin: Origin) -> bool:
    if word == "*":
        return True
    name, colon, port = word.rpartition(":")
    if colon and port.isdigit() and not name.endswith(":"):
        if int(port) != origin.port:
            return False
        word = name
    address = address_of(origin.host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(word.strip("[]"), strict=False)
        except ValueError:
            return False
    bare = word.removeprefix("*").removeprefix(".")
    return origin.host.endswith(f".{bare}") or (origin.host == bare and not word.startswith("."))
