"""What an API server's refusal means: each answer as one of our kinds of error, in three parts.

The taxonomy is `reliability-security.md` 2.6 (FK4 to FK8, FK12, FK32), measured in E11 to E13. The
server repeats values of the object in its messages; of a Secret only the reason and the names of
the fields are told (M12).

Must not know how the server is asked.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import AccessError, ConfigError, ConflictError, ProductError, UnavailableError
from bot.telemetry import shown

_UNAUTHORISED, _FORBIDDEN, _MISSING = 401, 403, 404
_CONFLICT, _EXPIRED, _TOO_LARGE, _BUSY = 409, 410, 413, 429
_SERVER_FAULT = 500
_LONGEST = 600  # characters of the server's own words, arbitrary
_LONGEST_WAIT_S = 60.0
# What the server answers 500 to, though the object is at fault.
_UNTYPED = (
    "typed patch object",
    "typed live object",
    "field not declared in schema",
    "illegal base64 data",
)
_IMMUTABLE = (
    "immutable",
    "may not change once set",
    "are forbidden",
    "may not be changed",
    "cannot change",
)
_IMMUTABLE_REASONS = frozenset({"FieldValueForbidden", "FieldValueInvalid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause that the server named: its reason, the field, its words."""

    reason: str
    field: str
    message: str


class ApiRefusedError(ConfigError):
    """The server will not have this object as it is: invalid, too large, or not allowed by policy.

    `immutable` tells that a field which may never change would have to.
    """

    def __init__(self, what: str, *, where: str, hint: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(what, where=where, hint=hint)
        self.causes = causes
        self.immutable = _is_immutable(what, causes)


class NoRightError(AccessError):
    """We may not do that here, or the server does not know us."""


def is_about_object(fault: ProductError) -> bool:
    """Return whether a failure is one object's alone, so that others can be gone on with."""
    if isinstance(fault, ServerBusyError):
        return fault.status == _SERVER_FAULT
    return isinstance(fault, NamespaceEndingError) or not isinstance(fault, UnavailableError)


class NamespaceEndingError(UnavailableError):
    """The namespace is being deleted; nothing new is taken until it is gone."""


class GoneError(ConflictError):
    """There is no such object, or no such kind."""


class ChangedError(ConflictError):
    """The object is another one, or in another state, than the one we looked at.

    `causes` names the fields when another field manager owns them.
    """

    def __init__(self, what: str, *, where: str, hint: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(what, where=where, hint=hint)
        self.causes = causes


class ExpiredError(ConflictError):
    """What we knew is too old for the server; list again."""


class ServerBusyError(UnavailableError):
    """The server is overloaded, starting or broken; `status` is 0 when it gave no answer."""

    def __init__(
        self, what: str, *, where: str, hint: str, status: int = 0, wait_s: float | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint, wait_s=wait_s)
        self.status = status


def error_of(
    status: int, body: bytes, *, where: str, masked: bool = False, retry_after: str = ""
) -> ProductError:
    """Return the error for an answer of `status`; `masked` keeps the server's own words back."""
    told = _read_status(body)
    causes = _causes(told, masked=masked)
    reason = str(told.get("reason") or f"status {status}")
    message = str(told.get("message") or "")
    words = "" if masked else shown(message, max_chars=_LONGEST)
    fields = ", ".join(sorted({cause.field for cause in causes if cause.field}))
    what = words or (f"{reason} ({fields})" if fields else reason)
    ending = any(cause.reason == "NamespaceTerminating" for cause in causes)
    if ending:
        return NamespaceEndingError(
            "its namespace is being deleted", where=where, hint="Wait until it is gone"
        )
    if status in {_UNAUTHORISED, _FORBIDDEN}:
        who = "it does not know us" if status == _UNAUTHORISED else "not allowed"
        return NoRightError(f"{who}: {what}", where=where, hint="Check the rights of this account")
    if status == _MISSING:
        return GoneError(what, where=where, hint="Check that the kind and the namespace exist")
    if status == _CONFLICT:
        return ChangedError(what, where=where, hint="Look again and try once more", causes=causes)
    if status == _EXPIRED:
        return ExpiredError(what, where=where, hint="List again")
    is_wrong = status == _SERVER_FAULT and any(text in message for text in _UNTYPED)
    if status == _BUSY or (status >= _SERVER_FAULT and not is_wrong):
        return ServerBusyError(
            f"it answered {status}: {what}",
            where=where,
            hint="Try again later; nothing was decided on its silence",
            status=status,
            wait_s=_seconds(retry_after),
        )
    size = "the object is too large: " if status == _TOO_LARGE else ""
    return ApiRefusedError(f"{size}{what}", where=where, hint="Correct the object", causes=causes)


def _read_status(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {"message": body[:_LONGEST].decode("utf-8", "replace")}
    return told if isinstance(told, dict) else {}


def _causes(told: Mapping[str, Any], *, masked: bool) -> tuple[Cause, ...]:
    details = told.get("details")
    raw = details.get("causes") if isinstance(details, dict) else None
    return tuple(
        Cause(
            reason=str(each.get("reason", "")),
            field=str(each.get("field", "")),
            message=_kept(str(each.get("message", "")), masked=masked),
        )
        for each in raw or []
        if isinstance(each, dict)
    )


def _kept(message: str, *, masked: bool) -> str:
    """Return a cause's words; of a masked one only whether they speak of what never changes."""
    if masked:
        return "field is immutable" if "immutable" in message else ""
    return shown(message, max_chars=_LONGEST)


def _is_immutable(what: str, causes: tuple[Cause, ...]) -> bool:
    """Tell whether the refusal is about a field that may not change (`reconciler.md` 2.7, force).

    A cause must say so; any other fault beside it, and the object itself is wrong: then a new
    one would be refused as well.
    """
    if not causes:
        return "immutable" in what
    return all(
        cause.reason in _IMMUTABLE_REASONS and any(text in cause.message for text in _IMMUTABLE)
        for cause in causes
    )


def _seconds(retry_after: str) -> float | None:
    try:
        return min(max(float(retry_after), 0.0), _LONGEST_WAIT_S)
    except ValueError:
        return None


@contextlib.asynccontextmanager
async def translated(host: str, path: str, *, masked: bool = False) -> AsyncIterator[None]:
    """Turn what the client library raises inside into our kinds; `path` is what was asked."""
    import aiohttp
    from kubernetes.aio.client.exceptions import ApiException

    try:
        yield
    except ApiException as fault:
        body = fault.body if fault.body is not None else b""
        raise error_of(
            int(fault.status or 0),
            body.encode() if isinstance(body, str) else body,
            where=f"{host}{path}",
            masked=masked,
            retry_after=str((fault.headers or {}).get("Retry-After", "")),
        ) from None
    except aiohttp.ClientConnectorCertificateError as fault:
        raise ConfigError(
            f"its certificate is not trusted: {shown(str(fault))}",
            where=host,
            hint="Check the cluster's certificate authority in the kubeconfig",
        ) from fault
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        raise ServerBusyError(
            f"the API server cannot be reached ({shown(str(fault)) or type(fault).__name__})",
            where=host,
            hint="Check that it is up, and the address in the kubeconfig",
        ) from fault
