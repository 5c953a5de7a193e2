"""`pilotfish build`: the objects of a folder, as they would be applied, without a cluster.

Prints what `kubectl kustomize` gives, or the plain files where there is no kustomization.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.options import parser, read_display
from reconciler.build.kustomize import build

if TYPE_CHECKING:
    import argparse

_DONE = 0
_EXAMPLES = """\
  pilotfish build clusters/prod
  pilotfish build overlays/prod --root . | kubectl diff -f -
"""


def run(argv: list[str]) -> int:
    """Print the objects of one folder."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    folder = Path(given.dir)
    built = asyncio.run(build(folder, root=given.root or work_tree_of(folder)))
    if display.json:
        items = [one.content for one in built.objects]
        whole = {"apiVersion": "v1", "kind": "List", "items": items}
        print(json.dumps(whole, ensure_ascii=False))
        return _DONE
    sys.stdout.flush()
    sys.stdout.buffer.write(built.text)
    return _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser("build", "Print the objects that would be applied.", examples=_EXAMPLES)
    made.add_argument("dir", metavar="DIR")
    made.add_argument("--root", type=Path, metavar="ROOT", help=ROOT_HELP)
    return made


ROOT_HELP = "nothing outside is read; by default the Git work tree around DIR, else DIR itself"


def work_tree_of(folder: Path) -> Path | None:
    """Return the Git work tree that a folder lies in; `None` when it lies in none."""
    here = folder.resolve()
    return next((one for one in (here, *here.parents) if (one / ".git").exists()), None)
