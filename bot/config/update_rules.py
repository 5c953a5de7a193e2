"""The `updates` of `.pilotfish.yaml`: where, how and when changes are delivered.

Two proposals may never share a branch: groups that overlap and names whose slugs are equal
are faults (`product.md` 3.2 and 10.8).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.lookup import nearest
from bot.config.model import (
    DIGESTS,
    PAUSED_LABEL,
    CommitSettings,
    Delivery,
    DigestRefreshes,
    Grouping,
    Opening,
    Schedule,
    SigningSettings,
    UpdateRule,
)
from bot.config.nodes import Kind, Node
from bot.config.notation import read_author, read_branch, read_duration, read_name, read_path
from bot.config.registry_settings import read_secret_place
from bot.config.schedule import UnreadableSchedule, is_zone, read_windows
from bot.config.slugs import group_slug

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.config.faults import Faults
    from bot.config.shape import FileShape, UpdateShape

_DELIVERIES = {delivery.value: delivery for delivery in Delivery}
_OPENINGS = {opening.value: opening for opening in Opening}
_TYPES = ("major", "minor", "patch", "digest", "other")


def read_updates(
    root: Node, shape: FileShape | None, faults: Faults, *, policies: Collection[str]
) -> tuple[UpdateRule, ...]:
    """Return the rules in the order of the file, noting every fault.

    `policies` are the names that a group may hold, from whatever source.
    """
    section = root.get("updates")
    rules: list[UpdateRule] = []
    places: dict[str, tuple[int, int]] = {}
    branches: dict[str, str] = {}
    for position, node in enumerate(section.items if section is not None else []):
        if node.kind is not Kind.MAPPING:
            continue
        typed = shape.updates[position] if shape is not None else None
        rule = _read_one(node, typed, faults, policies=policies)
        first = places.setdefault(rule.name, node.place)
        if first != node.place:
            faults.add(
                node.key_place("name"),
                f"the update {rule.name!r} stands at line {first[0]} already",
                "Give each update a name of its own",
            )
        elif rule.deliver is Delivery.PULL_REQUEST:
            _check_slugs(rule, node, branches, faults, policies=policies)
        rules.append(rule)
    return tuple(rules)


def read_commit(section: Node | None, faults: Faults) -> CommitSettings | None:
    """Return what a `commit` mapping says, `None` when there is none."""
    if section is None or section.kind is not Kind.MAPPING:
        return None
    author = faults.read(section.get("author"), read_author) or ("", "")
    values = section.get("values")
    return CommitSettings(
        author_name=author[0],
        author_email=author[1],
        message=section.string("message"),
        prefix=section.string("prefix") if section.get("prefix") is not None else None,
        values=MappingProxyType(
            {entry.key: entry.value.text for entry in (values.entries if values else [])}
        ),
        signing=_read_signing(section.get("sign"), faults),
    )


def _read_signing(section: Node | None, faults: Faults) -> SigningSettings | None:
    if section is None or section.kind is not Kind.MAPPING:
        return None
    kinds = [kind for kind in ("ssh", "gpg") if section.get(kind) is not None]
    passphrase = read_secret_place(section.get("passphrase"), faults)
    if len(kinds) != 1:
        faults.add(section.place, "a signing key is exactly one of ssh and gpg", "Give one")
        return None
    key = read_secret_place(section.get(kinds[0]), faults)
    return SigningSettings(kind=kinds[0], key=key, passphrase=passphrase) if key else None


def _read_one(
    node: Node, typed: UpdateShape | None, faults: Faults, *, policies: Collection[str]
) -> UpdateRule:
    name = faults.read(node.get("name"), read_name) or ""
    deliver = _DELIVERIES.get(node.string("deliver"), Delivery.PULL_REQUEST)
    if node.get("push-branch") is not None and deliver is not Delivery.BRANCH:
        faults.add(
            node.key_place("push-branch"),
            f"push-branch has no meaning with `deliver: {deliver.value}`",
            "Write `deliver: branch`, or remove push-branch",
        )
    automerge = node.get("automerge")
    return UpdateRule(
        name=name,
        paths=_read_paths(node.get("paths"), faults),
        deliver=deliver,
        group=_read_group(node.get("group"), faults, policies=policies),
        open=_read_opening(node, deliver, faults),
        labels=_read_labels(node.get("labels"), typed, faults),
        automerge=MappingProxyType(
            {key: automerge.string(key) for key in _TYPES if automerge.get(key)}
            if automerge is not None
            else {}
        ),
        reviewers=_read_people(node.get("reviewers"), faults, teams=True),
        assignees=_read_people(node.get("assignees"), faults, teams=False),
        digests=_read_digests(node.get("digests"), faults),
        schedule=read_schedule(node.get("schedule"), faults),
        branch=faults.read(node.get("branch"), read_branch) or "",
        push_branch=faults.read(node.get("push-branch"), read_branch) or "",
        suspended=typed.suspend if typed else False,
        commit=read_commit(node.get("commit"), faults),
        where=f"{faults.file}:{node.place[0]}",
    )


def _read_opening(node: Node, deliver: Delivery, faults: Faults) -> Opening:
    written = node.string("open")
    if written and deliver is not Delivery.PULL_REQUEST:
        faults.add(
            node.key_place("open"),
            f"open has no meaning with `deliver: {deliver.value}`",
            "Write `deliver: pull-request`, or remove open",
        )
    return _OPENINGS.get(written, Opening.IMMEDIATE)


def _read_digests(section: Node | None, faults: Faults) -> DigestRefreshes:
    if section is None:
        return DigestRefreshes()
    every = faults.read(section.get("every"), read_duration)
    return DigestRefreshes(
        together=section.string("group") != "policy",
        every=DigestRefreshes().every if every is None else every,
    )


def _read_paths(section: Node | None, faults: Faults) -> tuple[str, ...]:
    found = [faults.read(item, read_path) for item in (section.items if section else [])]
    paths = tuple(dict.fromkeys(path for path in found if path is not None))
    return () if "" in paths else paths


def _read_labels(
    section: Node | None, typed: UpdateShape | None, faults: Faults
) -> tuple[str, ...]:
    for item in section.items if section else []:
        if item.text.casefold() == PAUSED_LABEL:
            says = f"the label {item.text!r} pauses a proposal, and only persons put it on"
            faults.add(item.place, says, "Write `suspend: true` to stop the update")
    return tuple(typed.labels) if typed else ()


def _read_people(section: Node | None, faults: Faults, *, teams: bool) -> tuple[str, ...]:
    """Return logins as the forge writes them; a mention's sign is taken off."""
    found: list[str] = []
    for item in section.items if section else []:
        if item.kind is not Kind.SCALAR:
            continue  # the shape told of it
        login = item.text.removeprefix("@")
        if not login:
            faults.add(item.place, "nobody is named here", "Write a login")
        elif "/" in login and not teams:
            faults.add(
                item.place, f"{login!r} is a team, and people alone are assigned", "Name a person"
            )
        else:
            found.append(login)
    return tuple(dict.fromkeys(found))


def read_schedule(section: Node | None, faults: Faults) -> Schedule | None:
    """Return what a `schedule` mapping says, `None` when there is none."""
    if section is None or not section.string("within"):
        return None
    within, timezone = section.string("within"), section.string("timezone") or "UTC"
    try:
        read_windows(within)
    except UnreadableSchedule as fault:
        place = (section.get("within") or section).place
        faults.add(place, f"the schedule cannot be read: {fault}", "Write 'Mon-Fri 08:00-17:00'")
    if not is_zone(timezone):
        place = (section.get("timezone") or section).place
        faults.add(place, f"there is no time zone {timezone!r}", _nearest_zone(timezone))
    return Schedule(within=within, timezone=timezone)


def _nearest_zone(name: str) -> str:
    import zoneinfo

    close = nearest(name, (zone.lower() for zone in zoneinfo.available_timezones()))
    for zone in zoneinfo.available_timezones():
        if close == f"Did you mean {zone.lower()!r}?":
            return f"Did you mean {zone!r}?"
    return "Zones are named like Europe/Berlin"


def _read_group(section: Node | None, faults: Faults, *, policies: Collection[str]) -> Grouping:
    if section is None:
        return Grouping()
    if section.kind is Kind.SCALAR and section.text in {"policy", "all", "type"}:
        return Grouping(kind=section.text)
    if section.kind is not Kind.MAPPING:
        written = repr(section.text) if section.kind is Kind.SCALAR else section.kind.value
        faults.add(
            section.place,
            f"group cannot be {written}",
            "Write policy, all, type, or {name: [policy, policy]}",
        )
        return Grouping()
    named: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    for entry in section.entries:
        if faults.read(entry.key_node, read_name) is None:
            continue
        if entry.value.kind is not Kind.LIST or not entry.value.items:
            faults.add(entry.place, f"group {entry.key!r} holds no list of policies", "Name some")
            continue
        for item in entry.value.items:
            _check_member(item, entry.key, first, faults, policies)
        named[entry.key] = tuple(dict.fromkeys(item.text for item in entry.value.items))
    return Grouping(kind="named", named=MappingProxyType(named))


def _check_member(
    item: Node, group: str, first: dict[str, str], faults: Faults, policies: Collection[str]
) -> None:
    """Note a member that is no policy, or in a group already; repositories hold a slash."""
    near = nearest(item.text, policies)
    if item.kind is not Kind.SCALAR or not item.text:
        faults.add(item.place, f"group {group!r} holds what is no policy's name", "Write a name")
    elif item.text in first:
        where = "twice" if first[item.text] == group else f"in group {first[item.text]!r} as well"
        faults.add(item.place, f"policy {item.text!r} is {where}", "Name it in one group alone")
    elif item.text not in policies and "/" not in item.text:
        faults.add(item.place, f"there is no policy {item.text!r}", near or "Define it")
    first.setdefault(item.text, group)


def _check_slugs(
    rule: UpdateRule,
    node: Node,
    branches: dict[str, str],
    faults: Faults,
    *,
    policies: Collection[str],
) -> None:
    """Note two proposals whose branches would have one name."""
    if rule.group.kind == "all":
        keys = ["all"]
    elif rule.group.kind == "type":
        keys = list(_TYPES)
    else:
        grouped = {name for names in rule.group.named.values() for name in names}
        own = [DIGESTS] if rule.digests.together else []
        keys = [*own, *rule.group.named, *sorted(set(policies) - grouped)]
    for key in keys:
        made, mine = group_slug(rule.name, key), f"{key!r} of update {rule.name!r}"
        other = branches.setdefault(made, mine)
        if other != mine:
            faults.add(
                node.place,
                f"{mine} and {other} would share the branch {made!r}",
                "Rename one of them",
            )
