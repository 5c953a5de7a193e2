"""May a proposal be merged without a person, by whom, and what switches it off."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.forges.forge import Abilities, BaseRules, Check, CheckState, Proposal, State
from bot.planning.grouping import group_updates
from bot.planning.metadata import Metadata
from bot.planning.plan import PlannedProposal
from bot.planning.remembered import ChangeRecord, HoldRecord
from bot.proposals.automerge import (
    Circumstance,
    Verdict,
    checks_passed,
    is_approved,
    is_asked,
    may_merge,
    merges_quietly,
    merges_taken_back,
    with_word,
    without_word,
)
from bot.proposals.lifecycle import changes_of
from bot.proposals.standing import Known
from tests.bot.planning.situations import NOW, ONE, TWO, bound, chosen

HOUR = timedelta(hours=1)
ANY = "updates:\n  - {name: all, automerge: {patch: after-checks, minor: after-checks}}\n"
EVERY = (
    "updates:\n  - name: all\n    automerge: {patch: after-checks, minor: after-checks, "
    "major: after-checks, digest: after-checks, other: after-checks}\n"
)
CHECKED = BaseRules(requires_checks=True, may_automerge=True)
FREE = BaseRules()


def plan(
    line: str = "image: web:1.0.0 # pilotfish: semver >=1\n",
    tags: tuple[str, ...] = ("1.0.1",),
    config: str = ANY,
    digests: dict[str, str] | None = None,
) -> PlannedProposal:
    """Return the proposal for one file."""
    made = chosen(line, list(tags), config=config, digests=digests)
    assert made.updates
    (one,), _ = group_updates(made.updates, base="main")
    return one


def verdict(
    planned: PlannedProposal,
    rules: BaseRules = FREE,
    abilities: Abilities | None = None,
    around: Circumstance | None = None,
) -> Verdict:
    """Return the verdict; what is not named is as usual."""
    return may_merge(planned, rules, abilities or Abilities(), around or Circumstance())


@pytest.mark.parametrize(
    ("tag", "config", "allowed"),
    [
        ("1.0.1", ANY, True),
        ("1.1.0", ANY, True),
        ("2.0.0", ANY, False),
        ("2.0.0", EVERY, True),
        ("1.0.1", "", False),
        ("1.0.1", "updates:\n  - {name: all, automerge: {patch: never}}\n", False),
        ("1.0.1", "updates:\n  - {name: all, automerge: {minor: after-checks}}\n", False),
    ],
)
def test_only_an_explicit_rule_for_its_type_merges(tag: str, config: str, allowed: bool) -> None:
    found = verdict(plan(tags=(tag,), config=config))
    assert found.allowed is allowed
    assert found.how == ("bot" if allowed else "")
    assert found.reason.endswith(".")


BACK = HoldRecord(
    policy="web", reason="taken back", who="kim", when=NOW, above="1.0.0", up_to="1.0.1"
)
SILENT = "updates:\n  - {name: all, automerge: {patch: quiet}}\n"


@pytest.mark.parametrize(
    ("tag", "config", "rules", "reverts", "quiet"),
    [
        ("1.0.1", SILENT, FREE, [], True),
        ("1.0.1", ANY, FREE, [], False),
        ("1.1.0", SILENT, FREE, [], False),
        ("1.0.1", SILENT, CHECKED, [], True),
        ("1.0.1", SILENT, BaseRules(required_approvals=1), [], False),
        ("1.0.1", SILENT, BaseRules(merge_queue=True), [], False),
        ("1.0.2", SILENT, FREE, [BACK], False),
        ("1.0.2", SILENT, FREE, [replace(BACK, above="0.9.0", up_to="0.9.1")], True),
        ("1.0.2", SILENT, FREE, [replace(BACK, policy="api")], True),
    ],
)
def test_it_merges_quietly_by_rule_where_nothing_asks_for_a_proposal(
    tag: str, config: str, rules: BaseRules, reverts: list[HoldRecord], quiet: bool
) -> None:
    planned = plan(tags=(tag,), config=config)
    reverts = [
        replace(one, policy=planned.updates[0].binding.policy_name) if one.policy == "web" else one
        for one in reverts
    ]
    assert merges_quietly(planned, rules, reverts) is quiet


def test_what_was_opened_after_all_merges_like_any_other() -> None:
    assert verdict(plan(config=SILENT)).how == "bot"


def test_every_item_of_a_group_must_be_allowed() -> None:
    config = ANY.replace("name: all,", "name: all, group: all,")
    made = chosen("image: web:1.0.0 # pilotfish: semver >=1\n", ["1.0.1"], config=config).updates
    made += chosen("image: api:1.0.0 # pilotfish: semver >=1\n", ["2.0.0"], config=config).updates
    (one,), _ = group_updates(made, base="main")
    found = verdict(one)
    assert not found.allowed
    assert "does not allow major updates" in found.reason


def test_an_approval_stands_in_for_the_rule_alone() -> None:
    assert verdict(plan(config=""), around=Circumstance(approved=True)).allowed
    assert not verdict(plan(config=""), around=Circumstance(approved=True, ours=False)).allowed


def test_a_downgrade_is_never_merged_by_itself() -> None:
    line = "image: web:1.5.0 # pilotfish: semver >=1 allow-downgrade=true\n"
    for approved in (False, True):
        found = verdict(plan(line, ("1.4.9",), EVERY), around=Circumstance(approved=approved))
        assert not found.allowed
        assert "may fall" in found.reason


def test_what_cannot_be_ordered_is_taken_for_a_fall() -> None:
    line = "image: web:main # pilotfish: semver >=1\n"
    assert not verdict(plan(line, ("1.4.9",), EVERY)).allowed


def test_another_repository_is_never_merged_by_itself() -> None:
    config = "policies:\n  web: {image: ghcr.io/new/web, semver: '>=1'}\n" + EVERY
    line = 'image: ghcr.io/old/web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n'
    found = verdict(plan(line, ("1.0.1",), config), around=Circumstance(approved=True))
    assert "another repository" in found.reason


def test_a_digest_that_no_tag_names_is_never_merged_by_itself() -> None:
    config = "policies:\n  web: {image: acme/web, semver: '>=1'}\n" + EVERY
    line = "digest: " + ONE + ' # {"$imagepolicy": "flux-system:web:digest"}\n'
    found = verdict(plan(line, ("1.0.1",), config, {"1.0.1": TWO}))
    assert "no tag says" in found.reason


def test_a_digest_of_a_written_tag_merges_by_its_own_rule() -> None:
    line = f"image: web:1.0.0@{ONE} # pilotfish: semver >=1 digest=always\n"
    one = plan(line, ("1.0.0",), EVERY, {"1.0.0": TWO})
    assert one.updates[0].update_type == "digest"
    assert verdict(one).allowed
    assert not verdict(plan(line, ("1.0.0",), ANY, {"1.0.0": TWO})).allowed


@pytest.mark.parametrize(
    ("around", "why"),
    [
        (Circumstance(draft=True), "draft"),
        (Circumstance(ours=False), "Somebody else"),
        (Circumstance(off=frozenset({"web"})), "taken back"),
    ],
)
def test_what_a_person_did_stops_it(around: Circumstance, why: str) -> None:
    found = verdict(plan(), around=around)
    assert not found.allowed
    assert why in found.reason


QUEUE = BaseRules(merge_queue=True, may_automerge=True)
APPROVAL = BaseRules(required_approvals=1, may_automerge=True)


@pytest.mark.parametrize(
    ("rules", "abilities", "how"),
    [
        (FREE, Abilities(), "bot"),
        (BaseRules(may_automerge=True), Abilities(), "bot"),
        (BaseRules(known=False), Abilities(), "bot"),
        (CHECKED, Abilities(), "forge"),
        (CHECKED, Abilities(own_automerge=False), "bot"),
        (replace(CHECKED, may_automerge=False), Abilities(), "bot"),
        (QUEUE, Abilities(), "forge"),
        (replace(QUEUE, may_automerge=False), Abilities(), ""),
        (APPROVAL, Abilities(), "forge"),
        (replace(APPROVAL, may_automerge=False), Abilities(), ""),
        (APPROVAL, Abilities(own_automerge=False), ""),
    ],
)
def test_the_forges_own_way_comes_first(rules: BaseRules, abilities: Abilities, how: str) -> None:
    found = verdict(plan(), rules, abilities)
    assert (found.how, found.allowed) == (how, bool(how))


def check(name: str, state: CheckState) -> Check:
    """Return one check."""
    return Check(name=name, state=state)


PASSED, PENDING, FAILED = CheckState.PASSED, CheckState.PENDING, CheckState.FAILED


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ([], PENDING),
        ([check("pilotfish/cool-down", PASSED)], PENDING),
        ([check("ci", PASSED)], PASSED),
        ([check("ci", PASSED), check("lint", PENDING)], PENDING),
        ([check("ci", FAILED), check("lint", PENDING)], FAILED),
        ([check("ci", PASSED), check("pilotfish/cool-down", FAILED)], PASSED),
    ],
)
def test_all_checks_must_have_passed_and_one_must_be_there(
    checks: list[Check], state: CheckState
) -> None:
    assert checks_passed(checks) is state


def test_words_of_the_metadata_stand_beside_each_other() -> None:
    both = with_word(with_word("", "asked"), "approved")
    recorded = Metadata(key="", base="", branch="", head="", changes=frozenset(), automerge=both)
    assert (both, is_asked(recorded), is_approved(recorded)) == ("approved asked", True, True)
    assert without_word(both, "asked") == "approved"
    assert not is_asked(None)


def merged(automerge: str, *, hours: int, tag: str = "1.0.1") -> Known:
    """Return a merged proposal of web, `hours` from now."""
    one = plan(tags=(tag,))
    recorded = Metadata(
        key="web",
        base="main",
        branch="pilotfish/web",
        head="h",
        changes=changes_of(one),
        automerge=automerge,
    )
    when = NOW + hours * HOUR
    found = Proposal(
        number=1,
        url="",
        state=State.MERGED,
        title="",
        body="",
        branch="pilotfish/web",
        head="h",
        base="main",
        author="bot",
        ours=True,
        own_repository=True,
        opened=when - HOUR,
        closed=when,
    )
    return Known(proposal=found, metadata=recorded)


FALL = HoldRecord(policy="web", above="1.0.0", up_to="1.0.1", reason="", who="kim", when=NOW)


@pytest.mark.parametrize(
    ("ended", "off"),
    [
        ([merged("asked", hours=-2)], True),
        ([merged("approved asked", hours=-2)], True),
        ([merged("", hours=-2)], False),
        ([merged("asked", hours=-2, tag="1.0.2")], False),
        ([merged("asked", hours=-2), merged("", hours=2)], False),
        ([merged("asked", hours=-2), merged("asked", hours=2)], True),
        ([], False),
    ],
)
def test_a_merge_that_was_taken_back_switches_it_off_until_a_person_merges(
    ended: list[Known], off: bool
) -> None:
    bindings = bound("image: web:1.0.0 # pilotfish: semver >=1\n")
    found = merges_taken_back(ended, [FALL], bindings)
    assert found == (frozenset({"web"}) if off else frozenset())


@pytest.mark.parametrize(("tag", "off"), [("1.0.1", True), ("1.0.2", False)])
def test_a_tag_that_stands_apart_from_its_digest_was_taken_back_too(*, tag: str, off: bool) -> None:
    bindings = bound(
        'images:\n  - name: web\n    newTag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}\n'
        f'    digest: {ONE} # {{"$imagepolicy": "flux-system:web:digest"}}\n',
        "policies:\n  web: {image: web, semver: '>=1', digest: always}\n",
    )
    changes = frozenset(
        ChangeRecord(file="a.yaml", line=1, policy="flux-system:web", old=old, new=new)
        for old, new in (("1.0.0", tag), (ONE, TWO))
    )
    known = merged("asked", hours=-2)
    assert known.metadata is not None
    known = replace(known, metadata=replace(known.metadata, changes=changes))
    fall = replace(FALL, policy="flux-system:web")
    assert merges_taken_back([known], [fall], bindings) == (
        frozenset({"flux-system:web"}) if off else frozenset()
    )
