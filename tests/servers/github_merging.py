"""How the test GitHub merges: what stands in the way, and the commits that a merge makes.

Merges are real commits of the bare repository; what GitHub itself commits counts as signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.github_standing import StandingRepository
    from tests.servers.github_state import Account, Pull

FORGE = ("GitHub", "noreply@github.com")
_PASSED = frozenset({"success", "neutral", "skipped"})
_WAITING = frozenset({"pending", "queued", "in_progress"})


def obstacle(
    repository: StandingRepository,
    pull: Pull,
    *,
    by: Account | None = None,
    method: str = "squash",
) -> str | None:
    """Return what GitHub says when it will not merge, `None` where it would.

    `by` who may administer passes classic protection that is not enforced for admins.
    """
    if pull.draft:
        return "Pull Request is still a draft"
    if not mergeable(repository, pull):
        return "Pull Request is not mergeable"
    demand = repository.demand(pull.base_branch)
    if demand.passable and by is not None and repository.may(by, "admin"):
        return None
    said = repository.checks_on(pull.head)
    for name in demand.checks:
        state = said.get(name)
        if state not in _PASSED:
            word = "expected" if state is None else "pending" if state in _WAITING else "failing"
            return f'Required status check "{name}" is {word}.'
    if demand.signatures and method != "squash":
        brought = commits_of(repository, pull)
        if any(commit not in repository.verified for commit in brought):
            return "Commits must have valid signatures."
    if demand.strict and not repository.contains(pull.head, pull.base):
        return "Head branch is not up to date with the base branch"
    if len([each for each in pull.approvals() if repository.may(each, "write")]) < demand.approvals:
        noun = "review is" if demand.approvals == 1 else "reviews are"
        return (
            f"At least {demand.approvals} approving {noun} required by reviewers with write access."
        )
    return None


def state_of(repository: StandingRepository, pull: Pull) -> str:
    """Return the `mergeable_state` that the API shows."""
    if not mergeable(repository, pull):
        return "dirty"
    said = obstacle(repository, pull)
    if pull.draft:
        return "draft"
    if said is not None:
        return "behind" if said.startswith("Head branch") else "blocked"
    bad = any(state not in _PASSED for state in repository.checks_on(pull.head).values())
    return "unstable" if bad else "clean"


def mergeable(repository: StandingRepository, pull: Pull) -> bool:
    """Tell whether git can merge the two without a person."""
    if repository.contains(pull.head, pull.base):
        return True
    known = repository.host.merge_trees
    pair = (pull.base, pull.head)
    if pair not in known:
        try:
            known[pair] = repository.bare.merged_tree(pull.base, pull.head)
        except RuntimeError:
            known[pair] = ""
    return bool(known[pair])


def merge(
    repository: StandingRepository,
    pull: Pull,
    *,
    by: Account,
    method: str = "merge",
    title: str | None = None,
    message: str | None = None,
) -> str:
    """Put the pull request on its base by `method` and return the base's new commit."""
    if method == "rebase":
        made = _rebase(repository, pull)
    elif method == "squash":
        text = _squash_text(repository, pull, title, message)
        made = _commit(repository, pull, [pull.base], text, by=by)
    else:
        owner = pull.head_repository.owner.login
        first = title or f"Merge pull request #{pull.number} from {owner}/{pull.branch}"
        rest = pull.title if message is None else message
        text = f"{first}\n\n{rest}".rstrip()
        made = _commit(repository, pull, [pull.base, pull.head], text, by=by)
    repository.bare.git("update-ref", f"refs/heads/{pull.base_branch}", made, pull.base)
    return made


def commits_of(repository: StandingRepository, pull: Pull) -> list[str]:
    """Return the commits that the pull request brings, oldest first."""
    spread = f"{pull.base}..{pull.head}"
    if pull.merged:
        fork = repository.bare.git("merge-base", pull.base, pull.head).strip()
        spread = f"{fork}..{pull.head}"
    return repository.bare.git("rev-list", "--reverse", spread).split()


def measure(repository: StandingRepository, pull: Pull) -> dict[str, int]:
    """Return the sizes that the API tells of one pull request."""
    rows = repository.bare.git("diff", "--numstat", f"{pull.base}...{pull.head}").splitlines()
    counts = [[int(part) for part in row.split("\t")[:2] if part.isdigit()] for row in rows]
    return {
        "commits": len(commits_of(repository, pull)),
        "additions": sum(pair[0] for pair in counts if pair),
        "deletions": sum(pair[-1] for pair in counts if pair),
        "changed_files": len(rows),
    }


def write_commit(
    repository: StandingRepository, tree: str, parents: list[str], message: str, *, by: Account
) -> str:
    """Make a commit of GitHub's own hand, which counts as signed; no ref moves."""
    made = repository.bare.write_commit(
        tree,
        parents,
        message,
        author=(by.login, by.mail),
        committer=FORGE,
        date=repository.host.now().isoformat(),
    )
    repository.verified.add(made)
    return made


def _commit(
    repository: StandingRepository, pull: Pull, parents: list[str], text: str, *, by: Account
) -> str:
    return write_commit(repository, _tree(repository, pull), parents, text, by=by)


def _tree(repository: StandingRepository, pull: Pull) -> str:
    if repository.contains(pull.head, pull.base):
        return repository.bare.git("rev-parse", f"{pull.head}^{{tree}}").strip()
    return repository.bare.merged_tree(pull.base, pull.head)


def _rebase(repository: StandingRepository, pull: Pull) -> str:
    """Write every commit anew, as GitHub does even where nothing would have to move."""
    bare, tip = repository.bare, pull.base
    for commit in commits_of(repository, pull):
        tree = bare.merged_tree(tip, commit, base=f"{commit}^")
        fields = bare.git("show", "-s", "--format=%an%x00%ae%x00%B", commit).split("\0")
        tip = bare.write_commit(
            tree,
            [tip],
            fields[2].strip("\n"),
            author=(fields[0], fields[1]),
            committer=FORGE,
            date=repository.host.now().isoformat(),
        )
    return tip


def _squash_text(
    repository: StandingRepository, pull: Pull, title: str | None, message: str | None
) -> str:
    settings = repository.settings
    messages = [
        repository.bare.git("show", "-s", "--format=%B", commit).strip()
        for commit in commits_of(repository, pull)
    ]
    one = messages[0].partition("\n") if len(messages) == 1 else None
    by_commit = one is not None and settings.squash_title == "COMMIT_OR_PR_TITLE"
    first = f"{one[0] if one and by_commit else pull.title} (#{pull.number})"
    if settings.squash_message == "BLANK":
        rest = ""
    elif settings.squash_message == "PR_BODY":
        rest = pull.body
    elif one is not None:
        rest = one[2].strip()
    else:
        rest = "\n\n".join(f"* {each}" for each in messages)
    chosen = rest if message is None else message
    return f"{title or first}\n\n{chosen}".rstrip()
