"""What a registry asks of us: `WWW-Authenticate` read, and whom a token service belongs to.

RFC 9110, 11.6.1, read leniently: several challenges in one header or in several, quoted commas,
parameters without a challenge ignored. The address of the token service is chosen by the
registry, so it is confined (threat R1): https, or http on loopback and where plain http was
allowed; credentials go to the registry's own origin, to a partner named here, or to one that
the operator named, and to nobody else.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PIECE = re.compile(
    rf"""[\s,]*(?:
        (?P<name>{_WORD})[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))
        |(?P<scheme>{_WORD})(?=[\s,]|$)
        |(?P<other>[^\s,]+)
    )""",
    re.VERBOSE,
)
_LONGEST_HEADER = 8192

# who gives tokens for whom, known from the registries' own challenges
PARTNERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "registry-1.docker.io": frozenset({"auth.docker.io"}),
        "docker.elastic.co": frozenset({"docker-auth.elastic.co"}),
        "lscr.io": frozenset({"ghcr.io"}),
        "registry.gitlab.com": frozenset({"gitlab.com"}),
        "registry.connect.redhat.com": frozenset({"sso.redhat.com"}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to prove who we are: `scheme` in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


class RealmTrust(Enum):
    """What may be sent to a token service."""

    CREDENTIALS = "credentials"
    NOTHING = "nothing but the question"
    REFUSED = "not asked at all"


def read_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Return every challenge of these `WWW-Authenticate` headers, in their order."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for piece in _PIECE.finditer(header[:_LONGEST_HEADER]):
            if piece["scheme"]:
                found.append((piece["scheme"].lower(), {}))
            elif piece["name"] and found:
                text = piece["plain"]
                if text is None:
                    text = re.sub(r"\\(.)", r"\1", piece["quoted"])
                found[-1][1].setdefault(piece["name"].lower(), text)
    return tuple(
        Challenge(scheme=scheme, parameters=MappingProxyType(parameters))
        for scheme, parameters in found
    )


def preferred(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: Bearer with a realm first, then Basic."""
    known = list(challenges)
    for each in known:
        if each.scheme == "bearer" and each.parameters.get("realm"):
            return each
    return next((each for each in known if each.scheme == "basic"), None)


def trust_in_realm(
    *,
    scheme: str,
    netloc: str,
    loopback: bool,
    registry_scheme: str,
    registry: str,
    token_hosts: Iterable[str] = (),
) -> RealmTrust:
    """Return what may be sent to the token service at `scheme://netloc`.

    `netloc` and `registry` are canonical `host[:port]`; `loopback` says whether the realm's host
    is this machine. A token service on another port is another party, unless it is named.
    """
    if scheme != "https" and not (loopback or registry_scheme == "http"):
        return RealmTrust.REFUSED
    own = netloc == registry and scheme == registry_scheme
    named = {host.strip().lower() for host in token_hosts}
    partner = scheme == "https" and netloc in PARTNERS.get(registry, frozenset())
    if own or partner or netloc in named:
        return RealmTrust.CREDENTIALS
    return RealmTrust.NOTHING
