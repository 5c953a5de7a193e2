"""The story goes on in a cluster: what was merged is applied, changed, and pruned.

The commands are those of a person who carries Git into a cluster by hand; each names the
context, so that nothing moves elsewhere when the current context is changed in the middle.

Must not know how it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.cluster_visit import SET
from bot.demo.commands import Command
from bot.demo.story import PROPOSAL, STORY, Chapter, Question

if TYPE_CHECKING:
    from bot.demo.cluster_visit import Visit

_DIFFERS = 3
_FOLDER = "apps"


def cluster_story(visit: Visit, *, ask: bool) -> tuple[Chapter, ...]:
    """Return the whole story with its chapters in the cluster; `ask` before the first of them."""
    return (*STORY, *_chapters(visit, ask=ask))


def _chapters(visit: Visit, *, ask: bool) -> tuple[Chapter, ...]:
    address = visit.address
    where = f"the context {address.context}, {address.server}"
    consent = Question(
        text=f"Go on in {address.context} at {address.server}? [y/N]", must_be_yes=True
    )
    apply = _in_cluster(visit, "apply", "--prune", "--wait", "--timeout", "1m")
    diff = _in_cluster(visit, "diff", codes=(0, _DIFFERS))
    return (
        Chapter(
            heading="What was merged goes into a cluster",
            prose=f"Into {where}; all of it into the namespace {visit.namespace}, which is deleted "
            "at the end. The cluster cannot pull from a registry on this computer, so every "
            "workload has zero replicas, and the job is suspended.",
            steps=(*((consent,) if ask else ()), apply),
        ),
        Chapter(
            heading="Nothing to do costs no write",
            prose="The same set once more: each object is compared, none is written.",
            steps=(apply,),
        ),
        Chapter(
            heading="A merged update rolls out",
            prose="You merge 1.5.1, which was proposed before. The difference is that one line.",
            steps=(
                _git("fetch", "--quiet"),
                _git("merge", "--quiet", f"origin/{PROPOSAL}"),
                _git("push", "--quiet"),
                diff,
                apply,
            ),
        ),
        Chapter(
            heading="What leaves Git leaves the cluster",
            prose="Only what this set made is ever pruned, by its inventory.",
            steps=(
                _git("rm", "--quiet", f"{_FOLDER}/job.yaml"),
                _git("commit", "--quiet", "--message", "Retire the job"),
                _git("push", "--quiet"),
                apply,
            ),
        ),
    )


def _git(*words: str) -> Command:
    return Command(words=("git", *words))


def _in_cluster(visit: Visit, verb: str, *more: str, codes: tuple[int, ...] = (0,)) -> Command:
    words = ("pilotfish", verb, _FOLDER, "--name", SET, *visit.options, *more)
    return Command(words=words, in_cluster=True, codes=codes)
