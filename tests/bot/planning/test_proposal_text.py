"""What a reviewer sees of a proposal: as it was looked at, in any size, from any values."""

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import RefusedError
from bot.planning.choice import Choice, choose
from bot.planning.controls import Control
from bot.planning.message import default_message
from bot.planning.metadata import read_metadata
from bot.planning.plan import HeldTag, PassedOver, PlannedProposal
from bot.planning.proposal_cuts import fit
from bot.planning.proposal_text import (
    CONTROLS,
    body,
    generation,
    labels,
    ticked,
    title,
    with_metadata,
)
from bot.planning.release_notes import ReleaseNote
from policies.policy import Facts
from tests.bot.planning.shown_proposals import (
    MAX_CHARS,
    Shown,
    all_four,
    digest,
    facts_of,
    major_beside_a_hold,
    notes_of,
    one_digest,
    one_patch,
    planned_of,
    release,
    six_in_a_group,
)
from tests.bot.planning.signs import NASTY, html_in, signs_in
from tests.bot.planning.situations import NOTHING_HELD, NOW, bind, chosen

GOLDEN = Path(__file__).parents[2] / "golden" / "proposals"
WEB = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
OUR_HTML = re.compile(r"<!-- pilotfish:[a-z0-9-]+ -->|</?(?:details|summary|b)>|<br>")


def first_line(one: Shown) -> str:
    return one.markdown().split("\n", 1)[0]


def unfolded(text: str) -> list[str]:
    """Return the lines that are seen while nothing is unfolded."""
    folded = re.sub(r"</summary>.*?</details>", "</summary></details>", text, flags=re.DOTALL)
    return [line for line in folded.splitlines() if "pilotfish:metadata" not in line]


@pytest.mark.parametrize("one", all_four(), ids=lambda one: one.name)
def test_the_text_is_the_one_that_was_looked_at(one: Shown) -> None:
    """To write the files anew: WRITE_GOLDEN=1 pytest, then look at the difference."""
    path = GOLDEN / f"{one.name}.md"
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(one.markdown(), encoding="utf-8")
    assert one.markdown() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("one", all_four(), ids=lambda one: one.name)
def test_the_first_line_says_where_it_goes(one: Shown) -> None:
    assert "`clusters/prod`" in first_line(one)
    assert "acme/fleet (main)" in first_line(one)


def test_the_first_line_names_image_versions_size_and_why_now() -> None:
    line = first_line(one_patch())
    assert line.startswith("Update **web** from `1.4.1` to `1.4.2`")
    assert "a patch update" in line
    assert "the best by `semver ^1.4` and past the 3d that its policy waits" in line


def test_the_first_line_of_a_group_names_every_move() -> None:
    line = first_line(six_in_a_group())
    assert line.count(" → ") == 6
    assert "1 **major**, 3 minor, 2 patch" in line


def test_the_first_line_of_a_refresh_names_both_digests() -> None:
    line = first_line(one_digest())
    assert "`sha256:cccccccccccc`" in line
    assert "`sha256:dddddddddddd`" in line
    assert "pushed again" in line


@pytest.mark.parametrize("one", [one_patch(), one_digest(), major_beside_a_hold()])
def test_one_image_fits_in_forty_lines_while_folded(one: Shown) -> None:
    assert len(unfolded(one.markdown())) <= 40


def test_a_column_without_values_is_left_out() -> None:
    choice = chosen(WEB, ["1.1.0"])
    text = body(planned_of(choice), facts_of((choice,)))
    assert "| Image | Change | Type | Files | Policy |" in text
    assert "Checked before" not in text
    assert "Release notes" not in text


def test_the_version_that_waits_is_shown_beside_the_chosen_one() -> None:
    text = major_beside_a_hold().markdown()
    assert "**Waits:** `3.1.0`, younger than 7d" in text
    assert "until 2026-03-09 05:06 UTC" in text
    assert "goes up 2 majors at once" in text


def test_closing_a_major_says_that_the_major_is_ignored() -> None:
    text = major_beside_a_hold().markdown()
    assert "nor is another tag of this major of api" in text
    assert "`/unhold ghcr.io/acme/api`" in text


def test_what_a_person_closed_before_is_named() -> None:
    assert "closed it before: `ghcr.io/acme/web 2.0.0`" in major_beside_a_hold().markdown()


def test_places_of_one_move_share_a_row() -> None:
    files = {f"clusters/{name}/web.yaml": WEB for name in ("a", "b", "c", "d", "e", "f", "g")}
    choice = chosen(files, ["1.1.0"])
    text = body(planned_of(choice), facts_of((choice,)))
    assert text.count("| `1.0.0`") == 1
    assert "clusters/e/web.yaml:1" in text
    assert "and 2 more" in text
    assert "in `clusters` of" in text


def test_a_digest_beside_its_tag_shares_its_row() -> None:
    lines = f"tag: 1.0.0 # pilotfish: semver ^1 image=acme/web\ndigest: {digest('a')}\n"
    choice = chosen(lines, ["1.1.0"], digests={"1.1.0": digest("b")})
    text = body(planned_of(choice), facts_of((choice,)))
    assert text.count("| `acme/web` |") == 1
    assert "a.yaml:2" in text


def test_a_downgrade_and_another_repository_are_warned_of() -> None:
    policies = "policies:\n  web: {image: new.example/web, semver: ^1, allow-downgrade: true}\n"
    line = 'image: old.example/web:1.9.0 # {"$imagepolicy": "flux-system:web"}\n'
    made = planned_of(_moved(line, policies))
    text = body(made, facts_of())
    assert "comes from another repository than before, old.example/web" in text
    assert "goes down from 1.9.0 to 1.1.0, which its policy allows" in text


def _moved(line: str, policies: str) -> Choice:
    bindings, _ = bind(line, policies)
    return choose(bindings, tags=["1.1.0"], facts={}, holds=NOTHING_HELD, now=NOW)


def test_without_controls_the_ways_are_commands_of_the_terminal() -> None:
    one = one_patch()
    text = body(one.planned, replace(one.facts, controls=False))
    assert "### Controls" not in text
    assert "/unhold" not in text
    assert "`pilotfish unhold flux-system:web`" in text


# Boxes


def test_no_box_is_ticked_at_first() -> None:
    for one in all_four():
        assert ticked(one.markdown()) == frozenset()


@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: one.marker)
@pytest.mark.parametrize("tick", ["x", "X"])
def test_a_ticked_box_is_found(control: Control, tick: str) -> None:
    marker = control.marker
    text = one_patch().markdown()
    made = text.replace(
        f"- [ ] <!-- pilotfish:{marker} -->", f"- [{tick}] <!-- pilotfish:{marker} -->"
    )
    assert ticked(made) == {marker}
    assert ticked(made.replace("\n", "\r\n")) == {marker}


@pytest.mark.parametrize(
    "text",
    [
        "- [x] <!-- pilotfish:rebase -->",
        "### Controls\n```\n- [x] <!-- pilotfish:rebase -->\n```",
        "### Controls\n~~~\n- [x] <!-- pilotfish:rebase -->",
        "### Controls\n    - [x] <!-- pilotfish:rebase -->",
        "### Controls\n> - [x] <!-- pilotfish:rebase -->",
        "### Controls\n- [x] Rebase <!-- pilotfish:rebase -->",
        "### Controls\n- [x] <!-- pilotfish:other -->",
        "### Controls\n### Notes\n- [x] <!-- pilotfish:rebase -->",
    ],
)
def test_a_box_elsewhere_or_of_another_kind_counts_for_nothing(text: str) -> None:
    assert ticked(text) == frozenset()


# Sizes


@settings(max_examples=30)
@given(st.integers(4_000, 9_000))
def test_notes_are_cut_before_anything_else(room: int) -> None:
    one = six_in_a_group()
    long = tuple(
        notes_of("web", "v1", f"v{n}", release(f"v{n}", f"- line {n}\n" * 150)) for n in range(5)
    )
    facts = replace(one.facts, notes=long, max_chars=65_536)
    text = with_metadata(body(one.planned, facts), one.metadata(), max_chars=room + 3_000)
    assert len(text) <= room + 3_000
    assert "| Image | Change |" in text
    assert text.count("- [ ] <!-- pilotfish:") == 4
    assert read_metadata(text) == one.metadata()
    assert "pilotfish:cut" not in text
    if "Not `9.0.0-rc.1`" not in text:  # what is folded goes only after every note
        assert "- line" not in text


def test_a_cut_text_is_the_same_each_time() -> None:
    one = one_patch()
    whole = body(one.planned, one.facts)
    assert fit(whole, 2_000) == fit(whole, 2_000)
    assert "Left out" in fit(whole, 2_000)


def test_a_table_that_is_too_long_is_shortened_at_its_end() -> None:
    choices = [
        chosen({f"apps/{n:04}.yaml": WEB.replace("web", f"web-{n:04}")}, ["1.1.0"], config=ALL)
        for n in range(200)
    ]
    text = fit(body(planned_of(*choices), facts_of(max_chars=16_000)), 12_000)
    assert len(text) < 12_000
    assert re.search(r"and \d+ more rows, which the difference shows", text)


ALL = "updates:\n  - {name: all, group: all}\n"


def test_what_cannot_fit_is_refused_with_the_way_out() -> None:
    one = six_in_a_group()
    with pytest.raises(RefusedError) as caught:
        with_metadata(body(one.planned, one.facts), one.metadata(), max_chars=1_500)
    assert "smaller groups" in caught.value.hint


def test_a_long_note_is_cut_with_the_way_to_its_rest() -> None:
    one = one_patch()
    notes = notes_of("web", "v1", "v2", release("v2", "- a line of a release\n" * 400))
    text = body(one.planned, replace(one.facts, notes=(notes,)))
    assert "[the rest](https://github.com/acme/web/releases/tag/v2)" in text


def test_images_that_are_released_together_share_their_notes() -> None:
    one = six_in_a_group()
    shared = release("v2.1.0", "- Pages of 100")
    notes = (
        notes_of("api", "v2.0.3", "v2.1.0", shared),
        notes_of("worker", "v2.0.3", "v2.1.0", shared),
    )
    text = body(one.planned, replace(one.facts, notes=notes))
    assert "<b>api, worker</b>: v2.1.0" in text
    assert text.count("- Pages of 100") == 1


# When it is written again


def test_nothing_that_only_ages_changes_the_generation() -> None:
    one = major_beside_a_hold()
    updates = tuple(
        replace(
            update,
            passed_over=(*update.passed_over, PassedOver(tag="9", reason="new and out of range")),
            evidence=replace(update.evidence, candidates=99, admitted=98, dated=None),
        )
        for update in one.planned.updates
    )
    waits = HeldTag(
        policy="x", tag="9", reason="r", until=NOW, needs="to have been seen for 3d",
        update="default", where="a.yaml:1",
    )  # fmt: skip
    later = replace(waits, until=NOW + timedelta(hours=1))
    changed = replace(one.planned, updates=updates)
    facts, after = (replace(one.facts, held=(held,)) for held in (waits, later))
    assert generation(changed, after) == generation(one.planned, facts)
    assert generation(one.planned, replace(one.facts, notes=())) == generation(
        one.planned, one.facts
    )


@pytest.mark.parametrize(
    "change",
    [
        {"head": "0" * 40},
        {"base": "trunk"},
        {"held": ()},
        {"automerge": "It is merged by itself."},
        {"schedule": "Mondays."},
        {"ignored": ()},
        {"needs_up_to_date": False},
        {"controls": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_decision_changes_the_generation(change: dict[str, object]) -> None:
    one = major_beside_a_hold()
    facts = replace(one.facts, **change)  # type: ignore[arg-type]
    assert generation(one.planned, facts) != generation(one.planned, one.facts)


def test_another_version_changes_the_generation() -> None:
    first, second = (planned_of(chosen(WEB, [tag])) for tag in ("1.1.0", "1.2.0"))
    facts = facts_of()
    assert generation(first, facts) != generation(second, facts)


# Title and labels


def test_the_title_is_the_commits_subject() -> None:
    for one in all_four():
        message = default_message(one.planned.title_name, one.planned.updates)
        assert message.startswith(title(one.planned) + "\n")


def test_a_title_takes_another_prefix_or_none() -> None:
    assert title(one_patch().planned, prefix="images") == "images: web 1.4.1 → 1.4.2"
    assert title(one_patch().planned, prefix="") == "web 1.4.1 → 1.4.2"


def test_a_long_title_names_the_new_version_alone() -> None:
    old, new = (f"1.{n}.0-{'x' * 40}" for n in (0, 1))
    line = f"image: acme/web:{old} # pilotfish: alphabetical asc\n"
    made = title(planned_of(chosen(line, [old, new])))
    assert made == f"chore(images): web → {new}"


def test_a_title_is_one_line_of_at_most_255() -> None:
    line = f"image: acme/web:{'1' * 128} # pilotfish: alphabetical asc\n"
    made = title(planned_of(chosen(line, ["2" * 128])), prefix="p" * 300)
    assert len(made) == 255


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (one_patch(), ("images", "patch")),
        (six_in_a_group(), ("images", "major")),
        (one_digest(), ("images", "digest")),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_labels_name_the_most_severe_type(one: Shown, names: tuple[str, ...]) -> None:
    assert labels(one.planned) == names


def test_configured_labels_follow_ours() -> None:
    config = "updates:\n  - {name: prod, labels: [prod, images]}\n"
    assert labels(planned_of(chosen(WEB, ["1.1.0"], config=config))) == ("images", "minor", "prod")


# Foreign values


@settings(max_examples=100, deadline=None)
@given(NASTY, NASTY, NASTY)
def test_no_foreign_value_acts_in_a_body(one: str, other: str, third: str) -> None:
    shown = one_patch()
    update = shown.planned.updates[0]
    binding = replace(
        update.binding, policy_name=one, field=replace(update.binding.field, file=other)
    )
    nasty = replace(
        update,
        binding=binding,
        from_tag=third,
        reason=one,
        passed_over=(PassedOver(tag=one, reason=other),),
        evidence=replace(update.evidence, checks=(third,)),
    )
    held = HeldTag(
        policy=one, tag=other, reason=third, until=None, needs=other, update="", where=""
    )
    note = ReleaseNote(version=one, title=other, text=third, url=other, published=None)
    notes = replace(notes_of("web", one, other, note), source_url=one, compare_url=third)
    empty = replace(notes, notes=(), looked_for=third)
    facts = replace(shown.facts, held=(held,), notes=(notes, empty), ignored=(one, other))
    planned: PlannedProposal = replace(shown.planned, updates=(nasty,), title_name=other)
    text = body(planned, facts)
    assert ticked(text) == frozenset()
    ends = re.findall(r"^(?:<details>|</details>)", text, re.MULTILINE)
    assert ends == ["<details>", "</details>"]
    ours = fit(text, MAX_CHARS)
    assert len(re.findall(r"<!-- pilotfish:(?!rebase|recreate|hold|approve)", ours)) == 0
    assert ours.count("\n### ") == len(re.findall(r"^### ", ours, re.MULTILINE))
    assert all("<" not in OUR_HTML.sub("", html) for html in html_in(ours))
    expected = {"raw comment", "raw our marker", "raw box", "html_block", "html_inline"}
    assert set(signs_in(ours)) <= expected
    foreign = re.sub(r"^- \[ \] <!-- pilotfish:[a-z0-9-]+ -->", "", ours, flags=re.MULTILINE)
    assert set(signs_in(foreign)) <= {"html_block", "html_inline"}
    assert "\n" not in title(planned)


def test_a_tag_of_no_known_size_is_said_to_be_one() -> None:
    line = "image: acme/web:main-a1 # pilotfish: alphabetical asc\n"
    choice = chosen(line, ["main-a1", "main-b2"], facts={"main-b2": Facts()})
    text = body(planned_of(choice), facts_of())
    assert "an update whose size its tags do not tell" in text
