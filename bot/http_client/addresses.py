"""Which network addresses may be asked at all (threat R4).

A name is resolved once per connection, every answer is checked, and the connection goes to a
checked address. Link-local and metadata addresses are never asked. Where another host sent us
(redirects, token services), private addresses are refused as well, unless that host is
private itself.

Must not know why something is asked.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.http_client.exchange import AddressRefusedError

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]

# addresses of clouds' metadata services that no range names
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@functools.lru_cache(maxsize=1024)
def address_of(host: str) -> Address | None:
    """Return `host` as an address, unwrapped when it holds an IPv4 one; `None` for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_forbidden(address: Address) -> bool:
    """Answer whether nobody may send us to `address`."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
    )


def is_loopback(host: str) -> bool:
    """Answer whether `host` is this machine by its very spelling."""
    address = address_of(host)
    return host == "localhost" or bool(address and address.is_loopback)


class AddressGuard:
    """Checks addresses and names; remembers which names turned out to be private."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._lookup = lookup or _look_up
        self._private: set[str] = set()

    def is_private(self, host: str) -> bool:
        """Answer whether `host` is private, as far as it was looked up already."""
        address = address_of(host)
        return host in self._private or bool(address and not address.is_global)

    def check_literal(self, host: str, *, private_too: bool) -> None:
        """Refuse `host` when it is an address that must not be asked; names pass.

        Raises:
            AddressRefusedError: It is such an address.
        """
        address = address_of(host)
        if address is not None:
            self._check(host, address, private_too=private_too)

    async def resolve(
        self, host: str, port: int, family: int, *, private_too: bool
    ) -> list[ResolveResult]:
        """Return the addresses of `host`, every one of them checked.

        Raises:
            AddressRefusedError: One of them must not be asked.
            OSError: The name cannot be resolved.
        """
        found = await self._lookup(host, port)
        if not found:
            raise OSError(f"no address for {host}")
        results: list[ResolveResult] = []
        for text in found:
            address = address_of(text)
            if address is None:
                raise OSError(f"no address for {host}")
            self._check(host, address, private_too=private_too)
            if not address.is_global:
                self._private.add(host)
            results.append(
                {
                    "hostname": host,
                    "host": text,
                    "port": port,
                    "family": socket.AF_INET6 if ":" in text else socket.AF_INET,
                    "proto": 0,
                    "flags": socket.AI_NUMERICHOST,
                }
            )
        return [each for each in results if family in {socket.AF_UNSPEC, each["family"]}]

    def _check(self, host: str, address: Address, *, private_too: bool) -> None:
        if is_forbidden(address) or not (private_too or address.is_global):
            kind = "a link-local or metadata" if is_forbidden(address) else "a private"
            raise AddressRefusedError(
                f"{host} leads to {kind} address, {address}",
                where=host,
                hint="Nothing was sent there; check who names this host",
            )


async def _look_up(host: str, port: int) -> list[str]:
    import asyncio

    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
