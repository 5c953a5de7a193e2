"""What people asked by comments and boxes: read before the plan is made, answered after it.

Only comments that were made and never edited count, only from people who may push at this very
moment, never our own (`reliability-security.md` 1.3 B3, P1, P3). Each is answered once: a
reaction, and a row in our one comment. What was done and not answered, because a run ended in
between, is done again, which changes nothing. Where nothing is asked nothing is written.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import Problem, ProductError, Severity
from bot.planning.controls import ticked
from bot.planning.dashboard import ticked_on_dashboard
from bot.planning.explanation import explanation, holds_table
from bot.planning.markdown import code, plain
from bot.planning.remembered import UnholdRecord
from bot.proposals.answers import MARKER, Answer, Answers, read_answers, write_answers
from bot.proposals.commands import BadCommand, Command, list_of_commands, parse
from bot.proposals.effects import (
    WHO_TICKED,
    Effect,
    Scene,
    carried_into,
    effect_of,
    effects_of_boxes,
)
from bot.proposals.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from bot.forges.forge import Comment, Forge, Issue
    from bot.planning.plan import Binding, Considered
    from bot.planning.remembered import HoldRecord
    from bot.proposals.effects import Record
    from bot.proposals.notes import NoteBook
    from bot.proposals.standing import Known

_log = logging.getLogger(__name__)
_MOST_AT_ONCE = 30  # comments that one run answers on one proposal; the next run takes the rest
_DASHBOARD_READS = timedelta(days=7)  # how far back it is read; a run is due far more often


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One comment that is to be answered, and what follows from it."""

    comment: Comment
    said: str
    effect: Effect


@dataclass(slots=True, kw_only=True)
class Page:
    """A proposal, or the dashboard, as far as comments go: `ours` is our comment that answers."""

    number: int
    scene: Scene
    answers: Answers = field(default_factory=Answers)
    ours: Comment | None = None
    asked: list[Asked] = field(default_factory=list)
    created: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Requests:
    """All that was asked: what the life cycle is told, and the pages that wait for an answer."""

    wishes: Wishes = field(default_factory=Wishes)
    pages: list[Page] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many comments were read that wait for an answer."""
        return sum(len(page.asked) for page in self.pages)


async def read_requests(
    forge: Forge,
    notes: NoteBook,
    proposals: Iterable[Known],
    bindings: Sequence[Binding],
    *,
    now: datetime,
    dashboard: Issue | None = None,
    theirs: Mapping[str, datetime] = MappingProxyType({}),
) -> Requests:
    """Return what is asked on these open proposals and the dashboard, its records kept already.

    `proposals` are ours and open, `bindings` all that is followed on their base. One listing
    of comments serves them all where the forge has one. `theirs` is when the newest commit of
    somebody else was made, by branch. A forge that does not answer is a
    problem of the result, never an error: the run goes on without the wishes.
    """
    opened = list(proposals)
    requests = Requests()
    if not opened and dashboard is None:
        return requests
    try:
        scenes = [_scene(one, bindings, theirs.get(one.proposal.branch)) for one in opened]
        pages = await _read_pages(
            forge, opened, scenes, bindings=bindings, now=now, dashboard=dashboard
        )
        await _judge(forge, pages)
        records = [r for page in pages for one in page.asked for r in one.effect.records]
        granted = {
            one.proposal.branch: _box_effects(one, bindings, now)
            for one in opened
            if not one.paused  # its text stays as it is, ticks included, and counts later
        }
        records += [r for effects in granted.values() for one in effects for r in one.records]
        if dashboard is not None:
            records += _dashboard_records(dashboard, now)
        if records:
            await notes.change(
                lambda known: carried_into(known, records), message="Remember what people asked"
            )
    except ProductError as fault:
        requests.problems.append(_unread(fault))
        return requests
    requests.pages = [page for page in pages if page.asked]
    requests.wishes = _wishes(requests.pages, granted, dashboard)
    return requests


async def _read_pages(
    forge: Forge,
    opened: Sequence[Known],
    scenes: Sequence[Scene],
    *,
    bindings: Sequence[Binding],
    now: datetime,
    dashboard: Issue | None,
) -> list[Page]:
    pages = {
        one.proposal.number: Page(number=one.proposal.number, scene=scene)
        for one, scene in zip(opened, scenes, strict=True)
    }
    since = [one.proposal.opened for one in opened]
    if dashboard is not None:
        pages[dashboard.number] = Page(number=dashboard.number, scene=Scene(bindings=bindings))
        since.append(now - _DASHBOARD_READS)
    for comment in await forge.comments(since=min(since), numbers=sorted(pages)):
        page = pages.get(comment.number)
        if page is None:
            continue
        page.created[comment.id] = comment.created
        if comment.ours:
            _take_ours(page, comment)
        elif not comment.edited and (command := parse(comment.body)) is not None:
            page.asked.append(_asked(comment, command, page.scene))
    for page in pages.values():
        if page.asked and page.ours is None:  # it may be older than what the listing has
            for comment in await forge.comments_on(page.number):
                if comment.ours:
                    _take_ours(page, comment)
        left = [
            o for o in page.asked if not page.answers.has_answered(o.comment.id, o.comment.created)
        ]
        page.asked = left[:_MOST_AT_ONCE]
    return list(pages.values())


def _take_ours(page: Page, comment: Comment) -> None:
    if page.ours is None and comment.body.lstrip().startswith(MARKER):
        page.ours, page.answers = comment, read_answers(comment.body)


def _scene(known: Known, bindings: Sequence[Binding], theirs: datetime | None = None) -> Scene:
    one = known.proposal
    return Scene(
        bindings=bindings,
        branch=one.branch,
        metadata=known.metadata,
        opened=one.opened,
        edited=known.metadata is None or known.metadata.head != one.head,
        theirs=theirs,
        paused=known.paused,
    )


def _asked(comment: Comment, command: Command | BadCommand, scene: Scene) -> Asked:
    if isinstance(command, BadCommand):
        effect = Effect(answer=f"not done: {command.why}", agreed=False, commands=True)
        return Asked(comment=comment, said=f"/{command.word}", effect=effect)
    effect = effect_of(command, scene, who=comment.author, when=comment.created)
    return Asked(comment=comment, said=command.text, effect=effect)


_MAY_NOT = Effect(
    answer="not done: only who may push to this repository may ask for this", agreed=False
)


async def _judge(forge: Forge, pages: Iterable[Page]) -> None:
    """Take every effect from what was asked by people who may not push now (P1)."""
    may: dict[str, bool] = {}
    for page in pages:
        judged: list[Asked] = []
        for one in page.asked:
            login = one.comment.author
            if login not in may:
                may[login] = bool(login) and await forge.can_write(login)
            judged.append(one if may[login] else replace(one, effect=_MAY_NOT))
        page.asked = judged


# Boxes


def _box_effects(known: Known, bindings: Sequence[Binding], now: datetime) -> list[Effect]:
    return effects_of_boxes(ticked(known.proposal.body), _scene(known, bindings), now=now)


def _dashboard_records(dashboard: Issue, now: datetime) -> list[Record]:
    return [
        UnholdRecord(policy=policy, tag=tag, who=WHO_TICKED, when=now)
        for policy, tag in ticked_on_dashboard(dashboard.body).unhold
    ]


def _wishes(
    pages: Iterable[Page], granted: Mapping[str, list[Effect]], dashboard: Issue | None
) -> Wishes:
    wanted: dict[str, set[str]] = {"rebase": set(), "recreate": set(), "approve": set()}
    by_comment = [(page.scene.branch, one.effect.wish) for page in pages for one in page.asked]
    by_box = [(branch, one.wish) for branch, effects in granted.items() for one in effects]
    for branch, wish in [*by_comment, *by_box]:
        if wish:
            wanted[wish].add(branch)
    boxes = ticked_on_dashboard(dashboard.body) if dashboard is not None else None
    return Wishes(
        rebase=frozenset(wanted["rebase"]),
        recreate=frozenset(wanted["recreate"]),
        approve=frozenset(wanted["approve"]) | (boxes.approve if boxes else frozenset()),
        open=boxes.open if boxes else frozenset(),
        open_all=bool(boxes and boxes.open_all),
        ticked=frozenset(branch for branch, effects in granted.items() if effects),
    )


# Answers


async def answer_requests(
    forge: Forge,
    requests: Requests,
    *,
    considered: Sequence[Considered],
    holds: Sequence[HoldRecord],
    waiting: frozenset[str] = frozenset(),
) -> list[Problem]:
    """Answer every comment that was read: our one comment per page first, then reactions.

    `considered` is what the run decided, `holds` what is held, `waiting` the branches whose
    step waits for its turn: a wish for those is told so, and is asked again by the next run.
    """
    problems: list[Problem] = []
    for page in requests.pages:
        try:
            await _answer_page(forge, page, considered, holds, waiting)
        except ProductError as fault:
            problems.append(_unanswered(page, forge, fault))
    return problems


async def _answer_page(
    forge: Forge,
    page: Page,
    considered: Sequence[Considered],
    holds: Sequence[HoldRecord],
    waiting: frozenset[str],
) -> None:
    waits = page.scene.branch in waiting
    new = [_answer(one, waits=waits and bool(one.effect.wish)) for one in page.asked]
    answers = page.answers.with_answers(new, page.created)
    folded = _folded(page.asked, considered, holds)
    answers = replace(answers, folded=folded or page.answers.folded)
    text = write_answers(answers, max_chars=forge.abilities.max_body_chars)
    if page.ours is None:
        await forge.comment(page.number, text)
    elif answers != page.answers:
        await forge.edit_comment(page.ours, text)
    if not forge.abilities.reactions:
        return
    settled = {one.id for one in new if not one.waits}
    for one in page.asked:
        if one.comment.id in settled:
            await forge.react(one.comment, agreed=one.effect.agreed)


def _answer(one: Asked, *, waits: bool) -> Answer:
    says = "it waits for its turn, by the schedule and the limits" if waits else one.effect.answer
    who = plain(one.comment.author) or "somebody"
    return Answer(id=one.comment.id, text=f"{code(one.said)} by {who}: {says}", waits=waits)


def _folded(
    asked: Iterable[Asked], considered: Sequence[Considered], holds: Sequence[HoldRecord]
) -> str:
    """Return what unfolds below the answers: candidates, holds, the list of commands."""
    effects = [one.effect for one in asked]
    parts = [
        explanation(considered, policy)
        for policy in dict.fromkeys(one.explain for one in effects if one.explain)
    ]
    if any(one.holds for one in effects):
        parts.append(holds_table(holds))
    if any(one.commands for one in effects):
        summary = "<summary>Commands</summary>"
        parts.append(f"<details>\n{summary}\n\n{list_of_commands()}\n\n</details>\n")
    return "\n".join(part for part in parts if part)


def _unread(fault: ProductError) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        message=f"what people asked by comments could not be read: {fault.what}",
        file=fault.where,
        hint=fault.hint or "It is read again by the next run",
    )


def _unanswered(page: Page, forge: Forge, fault: ProductError) -> Problem:
    _log.warning("comments could not be answered", extra={"number": page.number})
    return Problem(
        severity=Severity.WARNING,
        message=f"what people asked could not be answered: {fault.what}",
        file=forge.links.proposal(page.number),
        hint=fault.hint or "It is answered by the next run",
    )
