"""What an update carries as evidence: facts that were looked at, and nothing else."""

from datetime import timedelta

from policies.policy import Facts
from tests.bot.planning.situations import NOW, ONE, TWO, chosen

PLATFORMS = frozenset({"linux/amd64", "linux/arm64"})


def test_an_update_counts_its_candidates_and_those_admitted() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
    (update,) = chosen(line, ["1.0.0", "1.1.0", "2.0.0", "edge"]).updates
    assert (update.evidence.candidates, update.evidence.admitted) == (4, 2)


def test_what_no_gate_asked_for_is_no_check() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
    known = {"1.1.0": Facts(pushed=NOW - timedelta(days=9), digest=TWO, platforms=PLATFORMS)}
    (update,) = chosen(line, ["1.1.0"], facts=known).updates
    assert update.evidence.checks == ()
    assert update.evidence.dated is not None


def test_gates_that_passed_are_checks() -> None:
    line = (
        f"image: acme/web:1.0.0@{ONE} # pilotfish: semver ^1 min-age=3d "
        "platforms=linux/amd64,linux/arm64\n"
    )
    known = {"1.1.0": Facts(pushed=NOW - timedelta(days=9), digest=TWO, platforms=PLATFORMS)}
    (update,) = chosen(line, ["1.1.0"], facts=known).updates
    assert update.from_digest == ONE
    assert update.evidence.checks == (
        "older than 3d: 2026-02-23 05:06 UTC, push date",
        "linux/amd64 and linux/arm64 are there",
        f"digest {TWO} read from the registry",
    )


def test_evidence_is_part_of_the_json() -> None:
    line = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
    known = {"1.1.0": Facts(pushed=NOW, dated_by="the registry")}
    row = chosen(line, ["1.1.0"], facts=known).updates[0].as_json()
    assert row["candidates"] == row["admitted"] == 1
    assert row["dated"] == "2026-03-04T05:06:07+00:00"
    assert row["datedBy"] == "the registry"
    assert row["checks"] == []


def test_a_digest_beside_a_tag_knows_what_stood_there() -> None:
    lines = f"tag: 1.0.0 # pilotfish: semver ^1 image=acme/web\ndigest: {ONE}\n"
    updates = chosen(lines, ["1.1.0"], digests={"1.1.0": TWO}).updates
    assert [one.from_digest for one in updates] == [ONE, ONE]
