"""A major that a person closed stays closed; smaller steps, and the next major, still come."""

import pytest

from bot.planning.closed_majors import closed_majors
from bot.planning.holds import holds_in_force
from bot.planning.remembered import ChangeRecord, ClosedRecord, Remembered, UnholdRecord
from tests.bot.planning.situations import NOW, ONE, TWO, bound, chosen

LINE = "image: web:1.0.0 # pilotfish: semver >=1\n"
BOUND = [one.binding for one in chosen(LINE, ["2.0.0"]).updates]


def closed(new: str, *, policy: str = "web", old: str = "web:1.0.0") -> ClosedRecord:
    file = BOUND[0].field.file
    change = ChangeRecord(file=file, line=1, policy=policy, old=old, new=new)
    return ClosedRecord(key="web", when=NOW, changes=(change,))


def test_a_closed_major_is_held_from_then_on() -> None:
    (hold,) = closed_majors([closed("web:2.0.0")], BOUND)
    assert (hold.policy, hold.tag, hold.level, hold.when) == ("web", "2.0.0", "major", NOW)
    assert "closed" in hold.reason


@pytest.mark.parametrize("digest_first", [True, False])
def test_a_tag_that_stands_apart_from_its_digest_is_a_major_too(*, digest_first: bool) -> None:
    fields = [
        f'    digest: {ONE} # {{"$imagepolicy": "flux-system:web:digest"}}\n',
        '    newTag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}\n',
    ]
    text = "images:\n  - name: web\n" + "".join(fields if digest_first else reversed(fields))
    config = "policies:\n  web: {image: web, semver: '>=1', digest: always}\n"
    bindings = bound(text, config)
    changes = tuple(
        ChangeRecord(
            file=bindings[0].field.file, line=1, policy="flux-system:web", old=old, new=new
        )
        for old, new in ((ONE, TWO), ("1.0.0", "2.0.0"))
    )

    (hold,) = closed_majors([ClosedRecord(key="web", when=NOW, changes=changes)], bindings)

    assert (hold.tag, hold.level) == ("2.0.0", "major")


@pytest.mark.parametrize(
    "record",
    [closed("web:1.1.0"), closed("web:2.0.0", policy="api"), closed("web@sha256:" + "0" * 64)],
)
def test_what_is_no_major_or_not_bound_holds_nothing(record: ClosedRecord) -> None:
    assert closed_majors([record], BOUND) == []


def test_an_unhold_after_the_close_lifts_it() -> None:
    holds = closed_majors([closed("web:2.0.0")], BOUND)
    lifted = Remembered(unholds=(UnholdRecord(policy="web", who="ada", when=NOW),))
    assert holds_in_force(lifted, holds, NOW, bindings=BOUND).records == ()
    assert holds_in_force(Remembered(), holds, NOW, bindings=BOUND).records == tuple(holds)
