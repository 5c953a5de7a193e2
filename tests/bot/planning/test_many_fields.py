"""What a fleet of thousands of fields costs in planning: time that grows with it and no faster."""

import time
from dataclasses import replace

from bot.planning.grouping import group_updates
from bot.planning.holds import holds_in_force
from bot.planning.remembered import HoldRecord, Remembered, UnholdRecord
from bot.rewrite.marker import Part
from tests.bot.planning.situations import NOW, bound, chosen

LINE = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
ENOUGH_S = 2.0  # hundreds of times what it takes; pairs of all would take minutes


def test_holds_and_what_lifts_them_are_matched_by_name() -> None:
    (one,) = bound(LINE)
    bindings = [
        replace(one, policy_name=f"acme/web-{n}", image=f"acme/web-{n}", group=f"web-{n}")
        for n in range(3_000)
    ]
    holds = [
        HoldRecord(policy=f"acme/web-{n}", tag="1.1.0", reason="slow", who="kim", when=NOW)
        for n in range(200)
    ]
    unholds = [UnholdRecord(policy=f"web-{n}", who="kim", when=NOW) for n in range(100, 600)]
    known = Remembered(holds=tuple(holds), unholds=tuple(unholds))
    start = time.process_time()

    left = holds_in_force(known, (), NOW, bindings=bindings).records

    assert left == tuple(holds[:100])
    assert time.process_time() - start < ENOUGH_S


def test_digests_find_the_tag_beside_them() -> None:
    (one,) = chosen(LINE, ["1.1.0"]).updates
    field = one.binding.field
    updates = []
    for n in range(3_000):
        file = f"apps/{n}.yaml"
        digest = replace(field, file=file, part=Part.DIGEST)
        tag = replace(field, file=file)
        updates += [
            replace(one, update_type="digest", binding=replace(one.binding, field=digest)),
            replace(one, binding=replace(one.binding, field=tag)),
        ]
    start = time.process_time()

    proposals, _ = group_updates(updates, base="main")

    assert [one.key for one in proposals] == ["acme/web"]
    assert time.process_time() - start < ENOUGH_S
