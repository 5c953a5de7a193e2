"""What a command means where it was said: what is kept, what is granted, what is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.planning.grouping import group_updates
from bot.planning.metadata import Metadata
from bot.planning.remembered import (
    ChangeRecord,
    HoldRecord,
    RegroupRecord,
    Remembered,
    UnholdRecord,
)
from bot.proposals.commands import Command, parse
from bot.proposals.effects import (
    WHO_TICKED,
    Effect,
    Scene,
    carried_into,
    effect_of,
    effects_of_boxes,
)
from bot.proposals.lifecycle import changes_of
from tests.bot.planning.situations import NOW, bound, chosen
from tests.bot.planning.situations import ONE as OLD_DIGEST
from tests.bot.planning.situations import TWO as NEW_DIGEST

HOUR = timedelta(hours=1)
WEB = "image: ghcr.io/acme/web:1.0.0 # pilotfish: semver ^1\n"
API = "image: ghcr.io/acme/api:1.0.0 # pilotfish: semver ^1\n"
BOTH = {"a.yaml": WEB, "b.yaml": API}
WEB_NAME, API_NAME = "ghcr.io/acme/web", "ghcr.io/acme/api"


def scene_of(*files: str) -> Scene:
    """Return a proposal that moves what is marked in `files`; web and api are followed."""
    updates = [u for file in files for u in chosen({file: BOTH[file]}, ["1.1.0"]).updates]
    changes = frozenset(
        change for one in group_updates(updates, base="main")[0] for change in changes_of(one)
    )
    metadata = Metadata(
        key="k",
        base="main",
        branch="pilotfish/k",
        head="h",
        changes=changes,
        pushed=(NOW - HOUR, NOW - 2 * HOUR),
    )
    return Scene(
        bindings=bound(BOTH),
        branch="pilotfish/k",
        metadata=metadata,
        opened=NOW - 2 * HOUR,
    )


ONE, TWO = scene_of("a.yaml"), scene_of("a.yaml", "b.yaml")
DASHBOARD = Scene(bindings=bound(BOTH))


def said(comment: str, scene: Scene = ONE) -> Effect:
    """Return what a comment by kim means now."""
    command = parse(comment)
    assert isinstance(command, Command)
    return effect_of(command, scene, who="kim", when=NOW)


def hold(**more: object) -> HoldRecord:
    """Return kim's hold of web."""
    row = {"policy": WEB_NAME, "reason": "held by a comment", "who": "kim", "when": NOW}
    return HoldRecord(**row | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comment", "record"),
    [
        ("/hold", hold(tag="1.1.0")),
        (
            "/hold until 2026-04-01",
            hold(tag="1.1.0", until=NOW.replace(month=4, day=1, hour=0, minute=0, second=0)),
        ),
        ("/hold @1.2.0", hold(tag="1.2.0")),
        ("/hold web@1.2.0 slow start", hold(tag="1.2.0", reason="slow start")),
        ("/hold ghcr.io/acme/web for 2d", hold(until=NOW + 48 * HOUR)),
        ("/hold major", hold(level="major")),
        ("/hold minor web", hold(level="minor")),
        ("/unhold", UnholdRecord(policy=WEB_NAME, who="kim", when=NOW)),
        ("/resume web@1.1.0", UnholdRecord(policy=WEB_NAME, who="kim", when=NOW, tag="1.1.0")),
        (
            "/group front",
            RegroupRecord(policy=WEB_NAME, group="front", who="kim", when=NOW, update="default"),
        ),
    ],
)
def test_a_command_is_kept_as_a_record(comment: str, record: object) -> None:
    effect = said(comment)
    assert effect.agreed
    assert effect.records == (record,)


def test_of_a_group_one_is_named_by_its_short_name() -> None:
    (record,) = said("/split api", TWO).records
    assert record == RegroupRecord(policy=API_NAME, group="", who="kim", when=NOW, update="default")


def test_what_is_alone_is_not_split_again() -> None:
    effect = said("/split web")
    assert effect.agreed
    assert effect.records == ()


@pytest.mark.parametrize(
    ("comment", "scene", "why"),
    [
        ("/hold", TWO, "say which one"),
        ("/split", DASHBOARD, "name an image"),
        ("/hold nothing@1", ONE, "nothing is followed here"),
        ("/hold web until 2001-01-01", ONE, "is past"),
        ("/hold web until soon", ONE, "neither a span nor a date"),
        ("/rebase", DASHBOARD, "on the proposal"),
    ],
)
def test_what_cannot_be_meant_is_refused(comment: str, scene: Scene, why: str) -> None:
    effect = said(comment, scene)
    assert not effect.agreed
    assert why in effect.answer
    assert (effect.records, effect.wish) == ((), "")


def test_two_images_of_one_short_name_are_told_apart() -> None:
    files = {"a.yaml": WEB, "b.yaml": API.replace("acme/api", "other/web")}
    effect = said("/hold web@1", Scene(bindings=bound(files)))
    assert not effect.agreed
    assert "`ghcr.io/acme/web`, `ghcr.io/other/web`" in effect.answer


def test_of_two_images_of_one_short_name_the_proposals_own_is_meant() -> None:
    files = {"a.yaml": WEB, "b.yaml": API.replace("acme/api", "other/web")}
    (record,) = said("/hold web@1", replace(ONE, bindings=bound(files))).records
    assert record.policy == WEB_NAME


@pytest.mark.parametrize("word", ["rebase", "recreate", "approve"])
def test_a_wish_is_granted_to_the_proposal_it_is_said_on(word: str) -> None:
    effect = said(f"/{word}")
    assert (effect.wish, effect.agreed) == (word, True)


@pytest.mark.parametrize("word", ["rebase", "recreate", "approve"])
def test_a_wish_for_an_older_head_is_refused(word: str) -> None:
    pushed = replace(ONE.metadata, pushed=(NOW + HOUR,))  # type: ignore[type-var]  # it has some
    effect = said(f"/{word}", replace(ONE, metadata=pushed))
    assert (effect.wish, effect.agreed) == ("", False)
    assert "older head" in effect.answer


def test_a_wish_for_a_head_that_somebody_else_moved_since_is_refused() -> None:
    effect = said("/recreate", replace(ONE, edited=True, theirs=NOW + HOUR))
    assert (effect.wish, effect.agreed) == ("", False)
    assert "older head" in effect.answer


def test_a_wish_within_the_second_of_the_push_counts() -> None:
    pushed = replace(ONE.metadata, pushed=(NOW + timedelta(milliseconds=900),))  # type: ignore[type-var]  # it has some
    assert said("/rebase", replace(ONE, metadata=pushed)).wish == "rebase"


@pytest.mark.parametrize(
    ("word", "agreed"), [("rebase", False), ("approve", False), ("recreate", True)]
)
def test_where_a_person_pushed_only_recreate_is_granted(word: str, agreed: bool) -> None:
    assert said(f"/{word}", replace(ONE, edited=True)).agreed is agreed


def test_holds_and_explain_ask_for_what_the_run_knows() -> None:
    assert said("/holds").holds
    assert said("/explain").explain == WEB_NAME
    assert said("/explain api", DASHBOARD).explain == API_NAME


def test_records_are_kept_once_however_often_they_come() -> None:
    records = [r for c in ("/hold", "/unhold web@1.1.0", "/group x") for r in said(c).records]
    once = carried_into(Remembered(), records)
    assert carried_into(once, records) == once


def test_boxes_mean_what_commands_mean_for_every_image() -> None:
    effects = effects_of_boxes({"rebase", "hold", "hold-30d", "approve"}, TWO, now=NOW)
    assert {one.wish for one in effects} == {"", "rebase", "approve"}
    held = {
        (r.policy, r.what, r.until) for e in effects for r in e.records if isinstance(r, HoldRecord)
    }
    assert held == {
        (WEB_NAME, "1.1.0", None),
        (API_NAME, "1.1.0", None),
        (WEB_NAME, "everything", NOW + 30 * 24 * HOUR),
        (API_NAME, "everything", NOW + 30 * 24 * HOUR),
    }
    assert {r.who for e in effects for r in e.records} == {WHO_TICKED}


def test_boxes_on_what_a_person_pushed_grant_no_merge() -> None:
    (effect,) = effects_of_boxes({"approve"}, replace(ONE, edited=True), now=NOW)
    assert not effect.agreed


@pytest.mark.parametrize("word", ["rebase", "recreate", "approve"])
def test_a_paused_proposal_is_not_moved_and_the_answer_says_why(word: str) -> None:
    effect = said(f"/{word}", replace(ONE, paused=True))
    assert (effect.wish, effect.agreed) == ("", False)
    assert "pilotfish/paused" in effect.answer
    assert said("/hold", replace(ONE, paused=True)).records == said("/hold").records


def test_a_box_holds_the_tag_and_not_the_digest_beside_it() -> None:
    bindings = bound(
        'images:\n  - name: web\n    newTag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}\n'
        f'    digest: {OLD_DIGEST} # {{"$imagepolicy": "flux-system:web:digest"}}\n',
        "policies:\n  web: {image: web, semver: '>=1', digest: always}\n",
    )
    changes = frozenset(
        ChangeRecord(file="a.yaml", line=1, policy="flux-system:web", old=old, new=new)
        for old, new in (("1.0.0", "1.1.0"), (OLD_DIGEST, NEW_DIGEST))
    )
    assert ONE.metadata is not None
    scene = replace(ONE, bindings=bindings, metadata=replace(ONE.metadata, changes=changes))

    (effect,) = effects_of_boxes({"hold"}, scene, now=NOW)

    assert [one.tag for one in effect.records if isinstance(one, HoldRecord)] == ["1.1.0"]
