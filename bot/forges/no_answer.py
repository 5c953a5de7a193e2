"""What both forge libraries raise when no answer came, told in our kinds.

They send through the same client, whose errors tell whether a request went out at all, and which
takes the same file of authorities. Loaded with a forge's library alone.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import requests.exceptions
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bot.errors import AccessError, ConfigError
from bot.forges.sync_door import TIMEOUT_S, CutError

_HINT = "Check that the forge can be reached from here"


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn the client's errors into ours.

    Raises:
        CutError: There is no answer; `sent` says whether the request may have arrived.
        AccessError: The certificate of `where` is not trusted.
    """
    try:
        yield
    except requests.exceptions.SSLError as fault:
        if not _is_distrusted(fault):
            raise CutError("no TLS connection could be made", hint=_HINT) from fault
        raise AccessError(
            "its certificate is not trusted",
            where=where,
            hint="Name the authority that signed it with `ca`",
        ) from fault
    except requests.exceptions.Timeout as fault:
        raise CutError(
            f"no answer within {TIMEOUT_S} s",
            hint=_HINT,
            sent=not isinstance(fault, requests.exceptions.ConnectTimeout),
        ) from fault
    except requests.exceptions.RequestException as fault:
        sent = not _never_sent(fault)
        raise CutError(
            "the connection was cut" if sent else "it cannot be reached", hint=_HINT, sent=sent
        ) from fault


def checked_ca(ca: str | None) -> str | bool:
    """Return what the client verifies certificates by: a file, or the system's authorities.

    Raises:
        ConfigError: The file is not there, or holds no certificates.
    """
    if ca is None:
        return True
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as fault:  # what the TLS library raises is one as well
        raise ConfigError(
            "the file of certificate authorities cannot be used",
            where=ca,
            hint="Check that the file exists, may be read, and holds PEM",
        ) from fault
    return ca


def _is_distrusted(fault: Exception) -> bool:
    """Return whether a certificate was refused; TLS also fails when a connection is cut."""
    cause: object = fault
    while isinstance(cause, Exception):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.reason if isinstance(cause, MaxRetryError) else next(iter(cause.args), None)
    return False


def _never_sent(fault: Exception) -> bool:
    """Return whether the connection was never made: a name, a port, a proxy."""
    if isinstance(fault, requests.exceptions.ProxyError):
        return True
    cause = fault.args[0] if fault.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
