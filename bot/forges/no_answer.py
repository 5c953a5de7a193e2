"""What both forge libraries raise when no answer came, told in our kinds.

They send through the same client, whose errors tell whether a request went out at all. Loaded
with a forge's library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests.exceptions
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bot.errors import AccessError
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


def _never_sent(fault: Exception) -> bool:
    """Return whether the connection was never made: a name, a port, a proxy."""
    if isinstance(fault, requests.exceptions.ProxyError):
        return True
    cause = fault.args[0] if fault.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
