"""Opens a cluster: which kubeconfig, which context, and where what is known of it is kept.

The kubeconfig is used as it is written, what it runs to log in included: it is a person's own
(`cli.md`, `apply`). Nothing is ever written back to it.

Must not know what is asked of the cluster.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError
from bot.telemetry import shown
from reconciler.cluster import Cluster
from reconciler.yaml_stream import UnreadableYamlError, read_stream

if TYPE_CHECKING:
    from bot.clock import Clock

_MAX_KUBECONFIG_BYTES = 4 << 20  # arbitrary; far above any that people keep


@contextlib.asynccontextmanager
async def open_cluster(
    *,
    clock: Clock,
    kubeconfig: Path | None = None,
    context: str = "",
    cache_folder: Path | None = None,
    patience_s: float = 30.0,
) -> AsyncIterator[Cluster]:
    """Open the cluster that a kubeconfig names; `$KUBECONFIG` or the usual file by default.

    Inside a pod, where there is no such file, its service account is used. What discovery finds
    is kept in `cache_folder`, one file a server.

    Raises:
        ConfigError: The file is missing or wrong, or the extra `cluster` is not installed.
    """
    configuration = await _read_kubeconfig(kubeconfig, context)
    from kubernetes.aio.client import ApiClient
    from kubernetes.aio.dynamic import DynamicClient

    api: Any = ApiClient(configuration)
    dynamic: Any = DynamicClient
    host = str(configuration.host).rstrip("/")
    try:
        yield Cluster(
            host=host,
            clock=clock,
            client=dynamic(api),
            cache_file=_cache_file(cache_folder, host),
            patience_s=patience_s,
        )
    finally:
        await api.close()


async def _read_kubeconfig(kubeconfig: Path | None, context: str) -> Any:
    try:
        from kubernetes.aio import config
        from kubernetes.aio.client import Configuration
    except ImportError as fault:
        raise ConfigError(
            "the Kubernetes client is not installed",
            where="kubernetes",
            hint="Install it with: pip install 'pilotfish[cluster]'",
        ) from fault
    load: Any = config  # its functions carry no types
    made = Configuration()
    given = _named_file(kubeconfig)
    try:
        if not given:
            load.load_incluster_config(client_configuration=made)
            return made
        if _exists(given):
            await load.load_kube_config(
                config_file=given,
                context=context or _current_context(given) or None,
                client_configuration=made,
                persist_config=False,
            )
            return made
    except Exception as fault:
        raise ConfigError(
            f"the kubeconfig cannot be used: {shown(str(fault))}",
            where=given or "service account",
            hint="Check the file, and `--context`; `kubectl config view` shows what it says",
        ) from fault
    raise ConfigError(
        "there is no kubeconfig",
        where=given,
        hint="Name one with --kubeconfig, or set KUBECONFIG",
    )


def _named_file(kubeconfig: Path | None) -> str:
    """Return the kubeconfig's path or paths; empty inside a pod that has none."""
    given = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")
    usual = Path.home() / ".kube" / "config"
    if not given and not usual.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return ""
    return given or str(usual)


def _exists(given: str) -> bool:
    return any(Path(part).exists() for part in given.split(os.pathsep))


def _current_context(given: str) -> str:
    """Return the context that kubectl would take: the first that any of several files names.

    The client library would take the last, which is another cluster.
    """
    for part in given.split(os.pathsep):
        try:
            documents = read_stream(Path(part).read_bytes()[:_MAX_KUBECONFIG_BYTES])
        except (OSError, UnreadableYamlError):
            continue  # the library says what is wrong with it
        value = documents[0].value if documents else None
        named = value.get("current-context") if isinstance(value, dict) else None
        if isinstance(named, str) and named:
            return named
    return ""


def _cache_file(folder: Path | None, host: str) -> Path | None:
    if folder is None:
        return None
    safe = "".join(char if char.isalnum() else "-" for char in host)
    return folder / f"kinds-{safe}.json"
