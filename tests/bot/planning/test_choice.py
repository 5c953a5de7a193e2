"""From tags and facts to new values, field by field."""

from bot.errors import Severity
from bot.planning.holds import HoldBook
from bot.planning.remembered import HoldRecord
from policies.policy import Fact, Facts
from tests.bot.planning.situations import NOW, ONE, TWO, bound, chosen, written

NAMED = "policies:\n  web: {image: ghcr.io/acme/web, semver: ^1%s}\n"
TAGS = ["1.0.0", "1.1.0", "2.0.0"]


def test_an_image_gets_its_tag_and_keeps_its_repository() -> None:
    made = chosen("image: acme/web:1.0.0 # pilotfish: semver ^1\n", TAGS)
    assert written(made) == ["acme/web:1.1.0"]
    (one,) = made.updates
    assert (one.from_tag, one.to_tag, one.update_type) == ("1.0.0", "1.1.0", "minor")


def test_a_flux_marker_writes_the_repository_of_its_policy() -> None:
    line = 'image: web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n'
    config = "policies:\n  web: {image: acme/web, semver: ^1}\n"
    assert written(chosen(line, TAGS, config=config)) == ["acme/web:1.1.0"]


def test_a_name_is_written_only_by_a_flux_marker() -> None:
    line = 'newName: old/web # {"$imagepolicy": "flux-system:web:name"}\n'
    config = "policies:\n  web: {image: acme/web, semver: ^1}\n"
    assert written(chosen(line, TAGS, config=config)) == ["acme/web"]


def test_a_tag_field_holds_the_tag_alone() -> None:
    made = chosen("tag: 1.0.0 # pilotfish: semver ^1 image=acme/web\n", TAGS)
    assert written(made) == ["1.1.0"]


def test_a_written_digest_is_asked_for_before_its_tag_moves() -> None:
    line = f"image: acme/web:1.0.0@{ONE} # pilotfish: semver ^1\n"
    first = chosen(line, TAGS)
    assert first.updates == []
    assert first.missing == {"1.1.0": frozenset({Fact.DIGEST})}
    assert written(chosen(line, TAGS, digests={"1.1.0": TWO})) == [f"acme/web:1.1.0@{TWO}"]


def test_tag_at_digest_gets_both() -> None:
    line = f"version: 1.0.0@{ONE} # pilotfish: semver ^1 image=acme/web field=tag@digest\n"
    assert written(chosen(line, TAGS, digests={"1.1.0": TWO})) == [f"1.1.0@{TWO}"]


def test_a_digest_beside_the_tag_is_written_with_it() -> None:
    text = f"""\
image:
  repository: acme/web
  tag: 1.0.0 # pilotfish: semver ^1
  digest: {ONE}
"""
    made = chosen(text, TAGS, digests={"1.1.0": TWO})
    assert sorted(written(made)) == ["1.1.0", TWO]


def test_a_digest_beside_the_tag_that_is_not_to_be_had_stops_both() -> None:
    text = f"""\
image:
  repository: acme/web
  tag: 1.0.0 # pilotfish: semver ^1
  digest: {ONE}
"""
    why = {"1.1.0": Facts(unavailable={Fact.DIGEST: "the registry gives none"})}
    made = chosen(text, TAGS, facts=why)
    assert made.updates == []
    assert any(one.severity is Severity.ERROR for one in made.problems) or made.held


def test_a_digest_policy_follows_the_very_tag() -> None:
    line = f"image: acme/web:1.0.0@{ONE} # pilotfish: digest\n"
    made = chosen(line, TAGS, digests={"1.0.0": TWO})
    assert written(made) == [f"acme/web:1.0.0@{TWO}"]
    assert made.updates[0].update_type == "digest"


def test_a_digest_that_did_not_move_is_no_update() -> None:
    line = f"image: acme/web:1.0.0@{ONE} # pilotfish: digest\n"
    assert chosen(line, TAGS, digests={"1.0.0": ONE}).updates == []


def test_if_not_present_leaves_a_digest_whose_tag_stays() -> None:
    line = f"image: acme/web:1.1.0@{ONE} # pilotfish: semver ^1 digest=if-not-present\n"
    assert chosen(line, TAGS, digests={"1.1.0": TWO}).updates == []


def test_if_not_present_adds_the_digest_to_a_new_tag() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver ^1 digest=if-not-present\n"
    assert written(chosen(line, TAGS, digests={"1.1.0": TWO})) == [f"acme/web:1.1.0@{TWO}"]


def test_always_writes_a_digest_that_moved_under_its_tag() -> None:
    line = f"image: acme/web:1.1.0@{ONE} # pilotfish: semver ^1 digest=always\n"
    assert written(chosen(line, TAGS, digests={"1.1.0": TWO})) == [f"acme/web:1.1.0@{TWO}"]


def test_a_digest_field_follows_the_tag_field_of_its_file() -> None:
    text = f"""\
a:
  tag: 1.0.0 # {{"$imagepolicy": "flux-system:web:tag"}}
b: {ONE} # {{"$imagepolicy": "flux-system:web:digest"}}
"""
    made = chosen(text, TAGS, config=NAMED % "", digests={"1.1.0": TWO})
    assert written(made) == ["1.1.0", TWO]


def test_a_held_tag_is_told_and_the_next_best_is_chosen() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver >=1\n"
    book = HoldBook(
        records=(HoldRecord(policy="acme/web", tag="2.0.0", reason="no", who="Kim", when=NOW),)
    )
    made = chosen(line, TAGS, holds=book)
    assert written(made) == ["acme/web:1.1.0"]
    (held,) = made.held
    assert held.tag == "2.0.0"
    assert "Kim" in held.reason


def test_a_policy_hold_holds_everything() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver >=1\n"
    book = HoldBook(records=(HoldRecord(policy="acme/web", reason="no", who="Kim", when=NOW),))
    made = chosen(line, TAGS, holds=book)
    assert made.updates == []
    assert "2.0.0" in {one.tag for one in made.held}


def test_a_value_that_cannot_be_ordered_has_no_floor_and_that_is_said() -> None:
    made = chosen("image: acme/web:latest # pilotfish: semver ^1\n", TAGS)
    assert written(made) == ["acme/web:1.1.0"]
    assert "no floor" in made.considered[0].decision.floor


def test_never_below_what_stands_in_git() -> None:
    made = chosen("image: acme/web:1.9.0 # pilotfish: semver ^1\n", TAGS)
    assert made.updates == []


def test_no_candidate_is_a_warning_and_the_field_stays() -> None:
    made = chosen("image: acme/web:1.0.0 # pilotfish: semver ^3\n", TAGS)
    assert made.updates == []
    (problem,) = made.problems
    assert problem.severity is Severity.WARNING


def test_every_field_has_a_floor_of_its_own() -> None:
    text = (
        "a:\n  image: w:1.0.0 # pilotfish: semver ^1\nb:\n  image: w:1.9.0 # pilotfish: semver ^1\n"
    )
    made = chosen(text, TAGS)
    assert [one.binding.field.line for one in made.updates] == [2]
    assert len(bound(text)) == 2


DIGEST_FIELD = f'a: {ONE} # {{"$imagepolicy": "flux-system:web:digest"}}\n'


def test_a_digest_field_without_a_tag_beside_it_follows_the_best() -> None:
    made = chosen(DIGEST_FIELD, TAGS, config=NAMED % "", digests={"1.1.0": TWO})
    assert written(made) == [TWO]
    assert made.updates[0].update_type == "digest"


def test_a_digest_field_asks_for_its_digest_first() -> None:
    made = chosen(DIGEST_FIELD, TAGS, config=NAMED % "")
    assert (made.updates, made.missing) == ([], {"1.1.0": frozenset({Fact.DIGEST})})


def test_a_digest_that_is_not_to_be_had_is_told_with_the_reason() -> None:
    why = {"1.1.0": Facts(unavailable={Fact.DIGEST: "the registry gives none"})}
    made = chosen(DIGEST_FIELD, TAGS, config=NAMED % "", facts=why)
    assert made.updates == []
    assert "the registry gives none" in made.problems[0].message


def test_a_digest_field_without_any_candidate_stays() -> None:
    assert chosen(DIGEST_FIELD, ["3.0.0"], config=NAMED % "").updates == []


def test_a_digest_field_that_is_current_stays() -> None:
    made = chosen(DIGEST_FIELD, TAGS, config=NAMED % "", digests={"1.1.0": ONE})
    assert (made.updates, made.missing) == ([], {})


def test_a_value_that_is_no_reference_is_written_by_its_flux_marker() -> None:
    line = 'image: "{{ .Values.image }}" # {"$imagepolicy": "flux-system:web"}\n'
    assert written(chosen(line, TAGS, config=NAMED % "")) == ["ghcr.io/acme/web:1.1.0"]


def test_a_name_that_is_right_is_no_update() -> None:
    line = 'newName: ghcr.io/acme/web # {"$imagepolicy": "flux-system:web:name"}\n'
    assert chosen(line, TAGS, config=NAMED % "").updates == []


def test_an_update_says_why_higher_tags_were_passed_over() -> None:
    choice = chosen(
        "image: web:1.0.0 # pilotfish: semver ^1\n",
        ["1.0.0", "1.1.0", "2.0.0", "1.2.0-rc.1", "0.9"],
    )

    (update,) = choice.updates
    assert update.to_tag == "1.1.0"
    assert {one.tag: one.reason for one in update.passed_over} == {
        "2.0.0": "outside semver ^1",
        "1.2.0-rc.1": "a pre-release, and semver ^1 admits releases only",
    }


def test_fields_that_nothing_tells_apart_share_a_selection() -> None:
    text = "a:\n  image: acme/web:1.0.0 # pilotfish: semver ^1\n"
    text += "b:\n  image: acme/web:1.1.0 # pilotfish: semver ^1\n"
    first, second = chosen(text, TAGS).considered
    assert first.selection is second.selection


def test_fields_of_other_policies_and_other_kept_variants_do_not() -> None:
    rules = ["semver ^1", "semver ^2", "semver * variant=keep", "semver * variant=keep"]
    tags = ["1.0.0", "1.0.0", "1.0.0-alpine", "1.0.0"]
    text = "".join(
        f"{key}:\n  image: acme/web:{tag} # pilotfish: {rule}\n"
        for key, tag, rule in zip("abcd", tags, rules, strict=True)
    )
    made = chosen(text, ["1.1.0", "2.0.0", "1.1.0-alpine", "1.0.0"])
    assert [one.value.removeprefix("acme/web:") for one in made.updates] == [
        "1.1.0",
        "2.0.0",
        "1.1.0-alpine",
        "2.0.0",
    ]
    assert len({id(one.selection) for one in made.considered}) == 4
