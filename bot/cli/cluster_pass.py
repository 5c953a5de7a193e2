"""What `apply` and `diff` share: the folder, the cluster, and one pass with a bar."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.build_command import ROOT_HELP, work_tree_of
from bot.cli.places import cache_root
from bot.clock import SystemClock
from bot.config.notation import Unreadable, read_duration
from reconciler.build.kustomize import build
from reconciler.connection import open_cluster
from reconciler.reconcile import Wish, reconcile

if TYPE_CHECKING:
    from bot.cli.options import Display
    from reconciler.changes import Outcome
    from reconciler.objects import KubernetesObject
    from reconciler.reconcile import Progress

_CACHE = "clusters"


def add_cluster_options(made: argparse.ArgumentParser) -> None:
    """Add the options that say which folder and which cluster."""
    made.add_argument("dir", metavar="DIR", help="a folder with or without a kustomization")
    made.add_argument(
        "--namespace",
        default="default",
        help="where the inventory is kept; also for objects that name none (default: default)",
    )
    made.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl")
    made.add_argument("--context", default="", help="of the kubeconfig; default: its current one")
    made.add_argument("--root", type=Path, metavar="ROOT", help=ROOT_HELP)


def read_timeout(text: str) -> float:
    """Return a duration such as `5m` in seconds."""
    try:
        return read_duration(text).total_seconds()
    except Unreadable as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def read_folder(given: argparse.Namespace) -> tuple[KubernetesObject, ...]:
    """Return the objects of the folder that the command was given."""
    folder = Path(given.dir)
    return asyncio.run(build(folder, root=given.root or work_tree_of(folder))).objects


def run_pass(given: argparse.Namespace, wish: Wish, display: Display, *, label: str) -> Outcome:
    """Carry out one pass over the cluster that the command was given."""
    from bot.cli.draw import progress

    async def go(told: Progress | None) -> Outcome:
        clock = SystemClock()
        async with open_cluster(
            clock=clock,
            kubeconfig=given.kubeconfig,
            context=given.context,
            cache_folder=cache_root() / _CACHE,
        ) as cluster:
            return await reconcile(cluster, wish, clock=clock, progress=told)

    with progress(label, display) as advance:
        if advance is None:
            return asyncio.run(go(None))
        move = advance
        return asyncio.run(go(lambda _, done, total: move(done, total)))
