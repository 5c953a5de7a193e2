"""Brings refs, history and blobs from the remote into the cache.

Where the server can leave blobs out, all history comes without them, and those that are
needed are asked for in one request; where it cannot, one commit deep, and deeper on demand
within bounds (`DEEPEN_STEPS`). The server's names never become names here: refs are kept
under the hash of their name (G6). git is told that blobs may be fetched only in the commands
of this module, so that no reading command fetches behind our back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.git.faults import (
    CorruptCacheError,
    GitUnavailableError,
    UnsafeObjectsError,
    translate_network,
)
from bot.git.names import RefName, Sha, is_branch_name

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.errors import ProductError
    from bot.git.cache import Cache
    from bot.git.command import Git
    from bot.process import Completed

# Together the furthest that history is followed on a server that cannot leave blobs out.
DEEPEN_STEPS = (50, 200, 1000)

_PAUSES_S = (0.5, 2.0)  # before a second and a third try; arbitrary
_FILTER_OFFERED = re.compile(
    rb"packet:\s+\S+< (?:fetch=|[0-9a-f]{40,64} [^ ]+\\0).*\bfilter\b"  # protocol 2, or 0 and 1
)


def _settings(pairs: Mapping[str, str]) -> dict[str, str]:
    environment = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


_PROMISOR = {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none"}
_LEAVES_OUT = _settings(_PROMISOR)
_JUST_THESE = _settings(_PROMISOR | {"fetch.negotiationalgorithm": "noop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """What the remote shows: its default branch, and the commits of refs by full name.

    `default` is None where it names none, or one outside our grammar.
    """

    default: RefName | None
    commits: Mapping[str, Sha]

    def heads(self, prefix: str = "") -> dict[str, Sha]:
        """Return the branches whose names begin with `prefix` and fit our grammar."""
        start = f"refs/heads/{prefix}"
        return {
            name.removeprefix("refs/heads/"): sha
            for name, sha in self.commits.items()
            if name.startswith(start) and is_branch_name(name.removeprefix("refs/heads/"))
        }


async def list_refs(git: Git, cache: Cache, clock: Clock) -> Refs:
    """Return the remote's refs as they are now; learns whether it can leave blobs out."""
    trace = git.private / "packets"
    learns = cache.can_filter is None
    more = {"GIT_TRACE_PACKET": str(trace)} if learns else {}
    result = await with_patience(
        git, clock, "ls-remote", "--symref", "--end-of-options", "origin", more=more
    )
    if learns:
        said = trace.read_bytes() if trace.exists() else b""
        trace.unlink(missing_ok=True)
        cache.remember_filter(offers_filter(said))
    return parse_refs(result.stdout)


def offers_filter(trace: bytes) -> bool:
    """Tell from git's packet trace whether the server can leave blobs out."""
    return _FILTER_OFFERED.search(trace) is not None


def parse_refs(listing: bytes) -> Refs:
    """Return what `git ls-remote --symref` listed; lines that cannot be read are skipped."""
    default: RefName | None = None
    commits: dict[str, Sha] = {}
    for line in listing.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        target = value.removeprefix("ref: refs/heads/")
        if name == "HEAD" and target != value:
            default = RefName(target) if is_branch_name(target) else None
        elif name.startswith("refs/") and re.fullmatch(r"[0-9a-f]{40,64}", value):
            commits[name] = Sha(value)
    return Refs(default=default, commits=commits)


async def fetch_refs(git: Git, cache: Cache, clock: Clock, refs: Iterable[str]) -> dict[str, Sha]:
    """Fetch refs by their full names and return their commits.

    Raises:
        CorruptCacheError: The cache must begin anew, without leaving blobs out: before 2.46
            git does not excuse harmless old faults in a history that comes without blobs.
        UnsafeObjectsError: The objects are refused either way.
        MovedError: One of them is gone.
        ProductError: It failed.
    """
    names = list(refs)
    options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--force", "--no-auto-maintenance"]
    more: Mapping[str, str] = {}
    if cache.can_filter:
        options.append("--filter=blob:none")
        more = _LEAVES_OUT
    elif not any((cache.git / "objects" / "pack").glob("*.pack")):
        options.append("--depth=1")
    specs = [f"+{name}:{_kept(name)}" for name in names]
    try:
        await with_patience(
            git, clock, "fetch", *options, "--end-of-options", "origin", *specs, more=more
        )
    except UnsafeObjectsError as fault:
        if not cache.can_filter:
            raise
        cache.remember_filter(False)
        raise CorruptCacheError(fault.what, where=git.where, hint=fault.hint) from fault
    return await kept_commits(git, names)


async def kept_commits(git: Git, refs: Sequence[str]) -> dict[str, Sha]:
    """Return the commits of those of `refs` that were fetched before."""
    result = await git.local(
        "for-each-ref", "--format=%(objectname) %(refname)", "refs/pilotfish/of/"
    )
    kept = {
        name: sha
        for sha, name in (line.split(" ", 1) for line in result.stdout.decode().splitlines())
    }
    return {name: Sha(kept[_kept(name)]) for name in refs if _kept(name) in kept}


async def fetch_blobs(git: Git, clock: Clock, blobs: Sequence[Sha]) -> None:
    """Fetch blobs that were left out, in one request."""
    await with_patience(
        git, clock, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
        "--no-auto-maintenance", "--filter=blob:none", "--stdin", "--end-of-options", "origin",
        stdin="".join(f"{blob}\n" for blob in blobs).encode("ascii"), more=_JUST_THESE,
    )  # fmt: skip


async def deepen(git: Git, clock: Clock, refs: Iterable[str], *, by: int) -> None:
    """Fetch `by` more commits of history behind each place where it ends."""
    specs = [f"+{name}:{_kept(name)}" for name in refs]
    await with_patience(
        git, clock, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--force",
        "--no-auto-maintenance", f"--deepen={by}", "--end-of-options", "origin", *specs,
    )  # fmt: skip


async def with_patience(
    git: Git,
    clock: Clock,
    *arguments: str,
    stdin: bytes | None = None,
    more: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command that only reads from the remote, up to three times while it is down."""
    for pause_s in (*_PAUSES_S, None):
        result = await git.network(*arguments, stdin=stdin, more=more)
        if result.code == 0:
            return result
        fault: ProductError = translate_network(result, where=git.where)
        if pause_s is None or not isinstance(fault, GitUnavailableError):
            raise fault
        await clock.sleep(pause_s)
    raise AssertionError("unreachable")


def _kept(name: str) -> str:
    return f"refs/pilotfish/of/{hashlib.sha256(name.encode()).hexdigest()[:40]}"
