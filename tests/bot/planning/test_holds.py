"""Which holds are in force, and whom they concern."""

from datetime import timedelta

import pytest

from bot.errors import ConfigError
from bot.planning.holds import ends_by, holds_in_force, read_until, with_hold, with_unhold
from bot.planning.remembered import HoldRecord, Remembered, UnholdRecord
from tests.bot.planning.situations import NOW, bound

HOUR = timedelta(hours=1)
FLUX = 'image: ghcr.io/acme/web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n'
CONFIG = "policies:\n  web: {image: ghcr.io/acme/web, semver: ^1}\n"
REVERT = HoldRecord(
    policy="flux-system:web", above="1.0.0", up_to="1.1.0", reason="x", who="Kim", when=NOW - HOUR
)


def hold(policy: str = "web", **more: object) -> HoldRecord:
    """Return a person's hold of an hour ago."""
    return HoldRecord(**{"policy": policy, "reason": "", "who": "Kim", "when": NOW - HOUR} | more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["web", "flux-system:web", "ghcr.io/acme/web"])
def test_a_policy_is_held_by_every_name_people_use(name: str) -> None:
    (one,) = bound(FLUX, CONFIG)
    book = holds_in_force(Remembered(holds=(hold(name),)), [], NOW, bindings=[one])
    assert len(book.for_binding(one)) == 1


def test_another_policy_is_not_concerned() -> None:
    (one,) = bound(FLUX, CONFIG)
    book = holds_in_force(Remembered(holds=(hold("api"),)), [], NOW, bindings=[one])
    assert book.for_binding(one) == ()


def test_a_hold_of_one_update_spares_the_others() -> None:
    (one,) = bound(FLUX, CONFIG)
    book = holds_in_force(Remembered(holds=(hold(update="prod"),)), [], NOW, bindings=[one])
    assert book.for_binding(one) == ()


@pytest.mark.parametrize(("until", "held"), [(NOW + HOUR, 1), (NOW, 0), (NOW - HOUR, 0)])
def test_a_hold_ends_at_its_moment(until: object, held: int) -> None:
    book = holds_in_force(Remembered(holds=(hold(until=until),)), [], NOW)
    assert len(book.records) == held


@pytest.mark.parametrize("name", ["web", "flux-system:web", "ghcr.io/acme/web"])
def test_what_a_revert_holds_is_lifted_by_every_name_people_use(name: str) -> None:
    (one,) = bound(FLUX, CONFIG)
    lifted = Remembered(unholds=(UnholdRecord(policy=name, who="Kim", when=NOW),))
    assert holds_in_force(lifted, [REVERT], NOW, bindings=[one]).records == ()


def test_an_unhold_lifts_only_what_came_before_it() -> None:
    early = UnholdRecord(policy="web", who="Kim", when=NOW - 2 * HOUR)
    assert len(holds_in_force(Remembered(unholds=(early,)), [REVERT], NOW).records) == 1


@pytest.mark.parametrize(("tag", "held"), [("1.1.0", 0), ("1.0.5", 1)])
def test_an_unhold_of_one_tag_lifts_the_revert_of_that_tag(tag: str, held: int) -> None:
    lift = UnholdRecord(policy="flux-system:web", who="Kim", when=NOW, tag=tag)
    assert len(holds_in_force(Remembered(unholds=(lift,)), [REVERT], NOW).records) == held


def test_an_unhold_of_one_tag_leaves_a_hold_of_everything() -> None:
    lift = UnholdRecord(policy="web", who="Kim", when=NOW, tag="1.1.0")
    assert len(holds_in_force(Remembered(holds=(hold(),), unholds=(lift,)), [], NOW).records) == 1


def test_a_hold_by_level_holds_steps_of_that_size_alone() -> None:
    (one,) = bound(FLUX, CONFIG)
    record = hold(level="major")
    book = holds_in_force(Remembered(holds=(record,)), [], NOW, bindings=[one])
    (held,) = book.for_binding(one)
    assert (held.level, held.all) == ("major", False)
    assert record.what == "every major step"


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (("1.5.0", "", ""), "something newer, or unhold"),
        (("", "1.5.0", ""), "something newer, or unhold"),
        (("", "", "major"), "unhold"),
        (("2.0.0", "", "major"), "unhold"),
        (("", "", ""), "unhold"),
    ],
)
def test_only_a_hold_of_versions_ends_with_something_newer(
    said: tuple[str, str, str], end: str
) -> None:
    tag, up_to, level = said
    record = HoldRecord(
        policy="web", reason="no", who="wanda", when=NOW, tag=tag, up_to=up_to, level=level
    )
    assert ends_by(record, lift="unhold") == end


def test_a_later_word_about_the_same_replaces_the_earlier_one() -> None:
    early, late = hold(tag="1.1.0"), hold(tag="1.1.0", when=NOW, reason="slow")
    for order in ([early, late], [late, early]):
        known = Remembered()
        for one in order:
            known = with_hold(known, one)
        assert known.holds == (late,)


def test_a_hold_and_its_unhold_end_alike_in_any_order_and_number() -> None:
    said = hold(tag="1.1.0")
    lift = UnholdRecord(policy="web", who="Kim", when=NOW)
    again = hold(tag="1.1.0", when=NOW + HOUR)
    for order in ([said, lift, again], [again, lift, said], [said, again, lift, lift, said]):
        known = Remembered()
        for one in order:
            known = with_hold(known, one) if one is not lift else with_unhold(known, lift)  # type: ignore[arg-type]  # of the two kinds
        assert holds_in_force(known, [], NOW + 2 * HOUR).records == (again,)


def test_an_unhold_keeps_holds_of_other_tags() -> None:
    known = Remembered(holds=(hold(tag="1.1.0"), hold(tag="1.2.0"), hold(level="major")))
    lift = UnholdRecord(policy="web", who="Kim", when=NOW, tag="1.1.0")
    assert [one.what for one in with_unhold(known, lift).holds] == ["1.2.0", "every major step"]


@pytest.mark.parametrize(
    ("text", "end"),
    [("", None), ("36h", NOW + 36 * HOUR), ("2w", NOW + 14 * 24 * HOUR)],
)
def test_an_end_is_a_span_or_nothing(text: str, end: object) -> None:
    assert read_until(text, NOW) == end


@pytest.mark.parametrize("text", ["soon", "2020-01-01", "999999w", "1d2h", "-1d"])
def test_an_end_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="until"):
        read_until(text, NOW)
