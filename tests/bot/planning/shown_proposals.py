"""Four proposals as they come every day, made by the same steps as in a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.forges.forge import Links
from bot.planning.choice import Choice
from bot.planning.grouping import group_updates
from bot.planning.metadata import Metadata
from bot.planning.plan import PlannedProposal
from bot.planning.proposal_text import ProposalFacts, body, generation, with_metadata
from bot.planning.release_notes import NotesOf, ReleaseNote
from bot.planning.remembered import ChangeRecord
from policies.policy import Facts
from tests.bot.planning.situations import NOW, chosen

HEAD = "5b1e7c9f0a3d4e2b8c6f7a9d0e1f2a3b4c5d6e7f"
LINKS = Links(web="https://git.example.org/acme/fleet", style="github")
MAX_CHARS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A proposal with what its text is made from."""

    name: str
    planned: PlannedProposal
    facts: ProposalFacts

    def markdown(self) -> str:
        """Return the body as it is written to a forge."""
        return with_metadata(
            body(self.planned, self.facts), self.metadata(), max_chars=self.facts.max_chars
        )

    def metadata(self) -> Metadata:
        return Metadata(
            key=self.planned.key,
            base=self.facts.base,
            branch=self.planned.branch,
            head=self.facts.head,
            changes=frozenset(
                ChangeRecord(
                    file=one.file,
                    line=one.binding.field.line,
                    policy=one.binding.policy_name,
                    old=one.binding.field.value,
                    new=one.value,
                )
                for one in self.planned.updates
            ),
            generation=generation(self.planned, self.facts),
        )


def digest(letter: str) -> str:
    return "sha256:" + (letter * 64)


def dated(days: float, **more: object) -> Facts:
    """Return facts of a tag that was pushed so many days ago."""
    return Facts(pushed=NOW - timedelta(days=days), dated_by="registry", **more)  # type: ignore[arg-type]


def planned_of(*choices: Choice) -> PlannedProposal:
    updates = [one for choice in choices for one in choice.updates]
    (planned,), problems = group_updates(updates, base="main")
    assert not problems
    return planned


def facts_of(choices: tuple[Choice, ...] = (), **more: object) -> ProposalFacts:
    given: dict[str, object] = {
        "place": "acme/fleet (main)",
        "base": "main",
        "head": HEAD,
        "word": "pull request",
        "links": LINKS,
        "max_chars": MAX_CHARS,
        "held": tuple(held for choice in choices for held in choice.held),
    }
    return ProposalFacts(**(given | more))  # type: ignore[arg-type]


def release(version: str, text: str, *, name: str = "web", day: int = 1) -> ReleaseNote:
    return ReleaseNote(
        version=version,
        title=version,
        text=text,
        url=f"https://github.com/acme/{name}/releases/tag/{version}",
        published=datetime(2026, 2, day, 9, 30, tzinfo=UTC),
    )


def notes_of(name: str, old: str, new: str, *notes: ReleaseNote) -> NotesOf:
    source = f"https://github.com/acme/{name}"
    return NotesOf(
        image=f"ghcr.io/acme/{name}",
        source_url=source,
        compare_url=f"{source}/compare/{old}...{new}",
        notes=notes,
        looked_for="" if notes else f"12 releases of {source} were looked at, none lies between",
    )


def one_patch() -> Shown:
    line = f'image: ghcr.io/acme/web:1.4.1@{digest("a")} # {{"$imagepolicy": "flux-system:web"}}\n'
    config = (
        "policies:\n  web: {image: ghcr.io/acme/web, semver: ^1.4, min-age: 3d, "
        "platforms: [linux/amd64, linux/arm64]}\n"
    )
    choice = chosen(
        {"clusters/prod/web.yaml": "spec:\n  containers:\n    - " + line},
        ["1.3.9", "1.4.0", "1.4.1", "1.4.2", "1.5.0-rc.1", "2.0.0", "edge"],
        config=config,
        facts={
            "1.4.2": dated(
                4, digest=digest("b"), platforms=frozenset({"linux/amd64", "linux/arm64"})
            )
        },
    )
    text = (
        "## What's Changed\n"
        "* Close idle connections after 30 s by @octocat in "
        "https://github.com/acme/web/pull/812\n"
        "* Fixes #805: a header of 8 KiB is read again\n\n"
        "**Full Changelog**: https://github.com/acme/web/compare/v1.4.1...v1.4.2"
    )
    return Shown(
        name="one_patch",
        planned=planned_of(choice),
        facts=facts_of(
            (choice,),
            notes=(notes_of("web", "v1.4.1", "v1.4.2", release("v1.4.2", text, day=27)),),
            automerge="It is merged by the forge, by itself, once its required checks have passed.",
        ),
    )


_SIX: Mapping[str, tuple[str, str, str]] = {
    "web": ("1.4.1", "1.4.2", "^1.4"),
    "api": ("2.0.3", "2.1.0", "^2"),
    "worker": ("2.0.3", "2.1.0", "^2"),
    "cache": ("7.2.4", "7.2.5", "7.2.x"),
    "search": ("0.31.0", "0.32.1", "0.x"),
    "mail": ("3.9.0", "4.0.1", ">=3"),
}


def _line(name: str, old: str, span: str) -> str:
    return f"image: ghcr.io/acme/{name}:{old} # pilotfish: semver {span}\n"


def six_in_a_group() -> Shown:
    config = "updates:\n  - name: prod\n    paths: [clusters/prod]\n    group: all\n"
    config += "    schedule: {within: 'Mon-Fri 08:00-17:00', timezone: Europe/Berlin}\n"
    choices = tuple(
        chosen(
            {f"clusters/prod/{name}.yaml": _line(name, old, span)},
            [old, new, "9.0.0-rc.1", "edge"],
            config=config,
            facts={new: dated(number + 1.5)},
        )
        for number, (name, (old, new, span)) in enumerate(_SIX.items())
    )  # fmt: skip
    return Shown(
        name="six_in_a_group",
        planned=planned_of(*choices),
        facts=facts_of(
            choices,
            notes=(
                notes_of("web", "v1.4.1", "v1.4.2", release("v1.4.2", "- Close idle connections")),
                notes_of(
                    "api", "v2.0.3", "v2.1.0", release("v2.1.0", "- Pages of 100", name="api")
                ),
                notes_of("cache", "v7.2.4", "v7.2.5"),
                notes_of(
                    "mail",
                    "v3.9.0",
                    "v4.0.1",
                    release("v4.0.1", "- Read old queues again", name="mail", day=20),
                    release("v4.0.0", "### Breaking\n- The queue has a new form", name="mail"),
                ),
            ),
            schedule="It is opened and refreshed within Mon-Fri 08:00-17:00 (Europe/Berlin).",
        ),
    )


def one_digest() -> Shown:
    line = f"image: docker.io/library/redis:7.2@{digest('c')} # pilotfish: digest 7.2\n"
    choice = chosen(
        {"clusters/prod/cache.yaml": line, "clusters/stage/cache.yaml": line},
        ["7.0", "7.2", "7.4"],
        facts={"7.2": dated(1.2, digest=digest("d"))},
    )
    found = NotesOf(
        image="docker.io/library/redis",
        source_url="",
        compare_url="",
        notes=(),
        looked_for="a digest has no release of its own, and the image names no source",
    )
    return Shown(
        name="one_digest",
        planned=planned_of(choice),
        facts=facts_of((choice,), notes=(found,)),
    )


def major_beside_a_hold() -> Shown:
    line = "image: ghcr.io/acme/api:1.9.3 # pilotfish: semver >=1 min-age=7d\n"
    choice = chosen(
        {"clusters/prod/api.yaml": line},
        ["1.9.3", "1.9.4", "2.0.0", "2.4.1", "3.0.0", "3.1.0", "3.2.0-rc.2"],
        facts={"3.1.0": dated(2), "3.0.0": dated(19)},
    )
    return Shown(
        name="major_beside_a_hold",
        planned=planned_of(choice),
        facts=facts_of(
            (choice,),
            notes=(
                notes_of(
                    "api",
                    "v1.9.3",
                    "v3.0.0",
                    release("v3.0.0", "## Removed\n- `/v1` answers 410\n", name="api", day=13),
                    release("v2.0.0", "## Changed\n- Tokens end after an hour", name="api"),
                ),
            ),
            automerge="A person merges it: `automerge` of this update does not name major.",
            needs_up_to_date=True,
            ignored=("ghcr.io/acme/web 2.0.0",),
        ),
    )


def all_four() -> tuple[Shown, ...]:
    return one_patch(), six_in_a_group(), one_digest(), major_beside_a_hold()
