"""What a command means where it was said: records to keep, wishes to grant, an answer.

Every record is a function of the command, who said it and when, so that doing it twice is
doing it once. `/rebase`, `/recreate` and `/approve` count for the head that they were written
against, and only advance a proposal in the queue (`reliability-security.md` 1.3 B3, P4).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.config.model import PAUSED_LABEL
from bot.errors import ConfigError
from bot.planning.grouping import with_regroup
from bot.planning.holds import names_of, read_until, with_hold, with_unhold
from bot.planning.markdown import code, plain
from bot.planning.message import short_name
from bot.planning.remembered import HoldRecord, RegroupRecord, UnholdRecord
from bot.planning.reverts import tags_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.planning.metadata import Metadata
    from bot.planning.plan import Binding
    from bot.planning.remembered import Remembered
    from bot.proposals.commands import Command
    from bot.rewrite.marker import Part

Record = HoldRecord | UnholdRecord | RegroupRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a command was said: a proposal with what its body recorded, or the dashboard.

    `edited`: somebody else pushed to its branch; `theirs` is when the newest of those commits was
    made, where that is known. `opened` is when it was, `bindings` all that is followed on its
    base. `paused`: it stands as it is until a person takes a label off.
    """

    bindings: Sequence[Binding]
    branch: str = ""
    metadata: Metadata | None = None
    opened: datetime | None = None
    edited: bool = False
    theirs: datetime | None = None
    paused: bool = False

    @property
    def policies(self) -> tuple[str, ...]:
        """Return the policies that the proposal moves."""
        changes = self.metadata.changes if self.metadata else frozenset()
        return tuple(sorted({one.policy for one in changes}))

    @property
    def pushed(self) -> datetime | None:
        """Return when its head was made, to the second, as forges date comments."""
        moments = [*(self.metadata.pushed if self.metadata else ())]
        moments += [one for one in (self.opened, self.theirs) if one is not None]
        return max(moments).replace(microsecond=0) if moments else None

    def tags_of(self, policy: str) -> tuple[str, ...]:
        """Return the tags that the proposal moves a policy's fields to."""
        changes = self.metadata.changes if self.metadata else frozenset()
        tags = {
            tag
            for change in changes
            if change.policy == policy
            for tag in tags_in(change.new, self._parts_in(change.file, policy))
        }
        return tuple(sorted(tags))

    def _parts_in(self, file: str, policy: str) -> set[Part]:
        return {
            one.field.part
            for one in self.bindings
            if (one.field.file, one.policy_name) == (file, policy)
        }

    def update_of(self, policy: str) -> str:
        """Return the update that the proposal is of, empty where that is not one."""
        files = {one.file for one in (self.metadata.changes if self.metadata else ())}
        names = {
            one.update.name
            for one in self.bindings
            if one.policy_name == policy and one.field.file in files
        }
        return names.pop() if len(names) == 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What follows from a command: one line of Markdown in answer, and what is to be done.

    `wish` is `rebase`, `recreate` or `approve`, granted to the proposal; `explain` names the
    policy to be explained; `holds` asks for all that is held, `commands` for the list of
    commands.
    """

    answer: str
    agreed: bool = True
    records: tuple[Record, ...] = ()
    wish: str = ""
    explain: str = ""
    holds: bool = False
    commands: bool = False


def effect_of(command: Command, scene: Scene, *, who: str, when: datetime) -> Effect:
    """Return what a command means; `when` is the moment at which it was said."""
    match command.word:
        case "holds":
            return Effect(answer="what is held stands below", holds=True)
        case "rebase" | "recreate" | "approve":
            return _wish(command.word, scene, when)
        case _:
            policy = _policy(command, scene)
            if isinstance(policy, Effect):
                return policy
            return _ABOUT_A_POLICY[command.word](policy, command, scene, who, when)


def carried_into(known: Remembered, records: Iterable[Record]) -> Remembered:
    """Return the memory with `records` in it; safe to repeat, in any order."""
    for one in records:
        match one:
            case HoldRecord():
                known = with_hold(known, one)
            case UnholdRecord():
                known = with_unhold(known, one)
            case RegroupRecord():
                known = with_regroup(known, one)
    return known


def _refused(why: str) -> Effect:
    return Effect(answer=f"not done: {why}", agreed=False)


# Proposals


_GRANTED = {
    "rebase": "it is made on the base as it is now",
    "recreate": "it is made anew on the base as it is now, without what others pushed",
    "approve": "it is merged by itself once its checks have passed",
}


def _wish(word: str, scene: Scene, when: datetime) -> Effect:
    if not scene.branch:
        return _refused("it is said on the proposal that is meant")
    if scene.paused:
        return _refused(f"it is paused; take the label {code(PAUSED_LABEL)} off and say it again")
    if scene.pushed is not None and when < scene.pushed:
        return _refused("it was written against an older head; say it again if it still holds")
    if scene.edited and word == "rebase":
        return _refused(
            "somebody pushed to this branch; `/recreate` makes it anew without their commits"
        )
    if scene.edited and word == "approve":
        return _refused("somebody pushed to this branch, so that a person merges it")
    return Effect(answer=_GRANTED[word], wish=word)


# Policies


def _policy(command: Command, scene: Scene) -> str | Effect:
    """Return the policy that a command is about, or the refusal of one that names none."""
    if not command.image:
        if len(scene.policies) == 1:
            return scene.policies[0]
        return _refused(f"say which one: {_listed(scene.policies)}")
    meant = [one for one in scene.bindings if command.image in names_of(one)]
    meant = meant or [one for one in scene.bindings if short_name(one.image) == command.image]
    here = {one.policy_name for one in meant} & set(scene.policies)
    found = here or {one.policy_name for one in meant}
    if len(found) == 1:
        return found.pop()
    if command.image in scene.policies:
        return command.image
    if not found:
        return _refused(f"nothing is followed here under the name {code(command.image)}")
    if all(command.image in names_of(one) for one in meant):
        return command.image
    return _refused(f"{code(command.image)} may mean {_listed(sorted(found))}")


_MOST_LISTED = 10


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "name an image"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(code(one) for one in names[:_MOST_LISTED]) + more


def _hold(policy: str, command: Command, scene: Scene, who: str, when: datetime) -> Effect:
    try:
        until = read_until(command.until, when)
    except ConfigError as fault:
        return _refused(plain(fault.what))
    tags = tuple(one for one in (command.version,) if one)
    if not (tags or command.level or command.image):
        tags = scene.tags_of(policy)
        if not tags:
            return _refused("say which version: `/hold IMAGE@VERSION`")
    record = HoldRecord(
        policy=policy,
        reason=command.reason or "held by a comment",
        who=who,
        when=when,
        level=command.level,
        until=until,
    )
    records = tuple(replace(record, tag=tag) for tag in tags) or (record,)
    what = ", ".join(code(one.what) if one.tag else one.what for one in records)
    end = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    answer = f"{what} of {code(policy)} is held{end}; `/unhold` lifts it"
    return Effect(answer=answer, records=records)


def _unhold(policy: str, command: Command, scene: Scene, who: str, when: datetime) -> Effect:
    del scene
    record = UnholdRecord(policy=policy, who=who, when=when, tag=command.version)
    which = f"{code(command.version)} of " if command.version else ""
    return Effect(
        answer=f"nothing that was held or closed of {which}{code(policy)} is in force any more",
        records=(record,),
    )


def _explain(policy: str, command: Command, scene: Scene, who: str, when: datetime) -> Effect:
    del command, scene, who, when
    return Effect(answer=f"the candidates of {code(policy)} stand below", explain=policy)


def _split(policy: str, command: Command, scene: Scene, who: str, when: datetime) -> Effect:
    del command
    if scene.policies == (policy,):
        return Effect(answer=f"{code(policy)} is alone in this proposal already")
    return Effect(
        answer=f"{code(policy)} gets a proposal of its own",
        records=(_regroup(policy, "", scene, who, when),),
    )


def _group(policy: str, command: Command, scene: Scene, who: str, when: datetime) -> Effect:
    return Effect(
        answer=f"{code(policy)} moves to the proposal {code(command.group)}",
        records=(_regroup(policy, command.group, scene, who, when),),
    )


def _regroup(policy: str, group: str, scene: Scene, who: str, when: datetime) -> RegroupRecord:
    update = scene.update_of(policy)
    return RegroupRecord(policy=policy, group=group, who=who, when=when, update=update)


_ABOUT_A_POLICY = {
    "hold": _hold,
    "unhold": _unhold,
    "explain": _explain,
    "split": _split,
    "group": _group,
}


# Boxes

WHO_TICKED = "a tick"
_BOX_DAYS = "30d"


def effects_of_boxes(ticked: Iterable[str], scene: Scene, *, now: datetime) -> list[Effect]:
    """Return what ticked boxes mean: the same as commands, for every image of the proposal."""
    effects: list[Effect] = []
    for box in sorted(ticked):
        match box:
            case "rebase" | "recreate" | "approve":
                effects.append(_wish(box, replace(scene, opened=None, metadata=None), now))
            case "hold":
                effects += [_hold_box(one, scene, now, "") for one in scene.policies]
            case "hold-30d":
                effects += [_hold_box(one, scene, now, _BOX_DAYS) for one in scene.policies]
    return effects


def _hold_box(policy: str, scene: Scene, now: datetime, span: str) -> Effect:
    tags = () if span else scene.tags_of(policy)
    record = HoldRecord(
        policy=policy,
        reason="the box in the text of its proposal",
        who=WHO_TICKED,
        when=now,
        until=None if tags else read_until(_BOX_DAYS, now),
    )
    return Effect(
        answer="held", records=tuple(replace(record, tag=tag) for tag in tags) or (record,)
    )
