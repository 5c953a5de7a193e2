"""A rollout failed: what is held for it, and what is not."""

from datetime import timedelta

import pytest

from bot.planning.plan import Binding
from bot.planning.remembered import ChangeRecord, HoldRecord, Remembered, UnholdRecord
from bot.planning.reverts import FieldMove, PastCommit
from bot.planning.rollouts import FailedRollout, holds_for, images_in, with_holds
from tests.bot.planning.situations import NOW, bound

IMAGE = "ghcr.io/acme/web"


def a_file(tag: str) -> str:
    return f"image: {IMAGE}:{tag}  # pilotfish: semver ^1\n"


def moved(old: str, new: str, *, by_us: bool) -> PastCommit:
    (before,), (after,) = bound(a_file(old)), bound(a_file(new))
    record = ChangeRecord(
        file="a.yaml", line=1, policy=IMAGE, old=before.field.value, new=after.field.value
    )
    return PastCommit(
        sha="a" * 40,
        author="somebody",
        when=NOW,
        moves=(FieldMove(file="a.yaml", old=before.field, new=after.field),),
        recorded=frozenset({record} if by_us else ()),
    )


def failed(*images: str) -> FailedRollout:
    return FailedRollout(
        object="Deployment/default/web", images=frozenset(images), cause="Failed: ImagePullBackOff"
    )


def held(
    binding: Binding,
    *past: PastCommit,
    failure: FailedRollout,
    remembered: Remembered | None = None,
) -> list[HoldRecord]:
    return holds_for([failure], [binding], past, remembered or Remembered(), now=NOW)


def test_a_tag_that_we_brought_and_that_fails_is_held_with_the_cause() -> None:
    (binding,) = bound(a_file("1.1.0"))
    (hold,) = held(binding, moved("1.0.0", "1.1.0", by_us=True), failure=failed(f"{IMAGE}:1.1.0"))

    assert (hold.policy, hold.tag, hold.who) == (IMAGE, "1.1.0", "pilotfish")
    assert "Deployment/default/web: Failed: ImagePullBackOff" in hold.reason


@pytest.mark.parametrize(
    ("past", "image"),
    [
        pytest.param((moved("1.0.0", "1.1.0", by_us=False),), f"{IMAGE}:1.1.0", id="a-persons"),
        pytest.param((), f"{IMAGE}:1.1.0", id="never-moved"),
        pytest.param((moved("1.0.0", "1.1.0", by_us=True),), f"{IMAGE}:1.0.0", id="the-one-before"),
        pytest.param(
            (moved("1.0.0", "1.1.0", by_us=True),), "ghcr.io/acme/api:1.1.0", id="another-image"
        ),
        pytest.param((moved("1.0.0", "1.1.0", by_us=True),), "web:${tag}", id="no-reference"),
        pytest.param(
            (moved("1.2.0", "1.1.0", by_us=False), moved("1.0.0", "1.1.0", by_us=True)),
            f"{IMAGE}:1.1.0",
            id="a-person-moved-it-last",
        ),
    ],
)
def test_a_failure_of_anything_else_holds_nothing(past: tuple[PastCommit, ...], image: str) -> None:
    (binding,) = bound(a_file("1.1.0"))

    assert held(binding, *past, failure=failed(image)) == []


def test_a_tag_is_held_once_and_a_person_who_lifts_it_is_obeyed() -> None:
    (binding,) = bound(a_file("1.1.0"))
    past, failure = moved("1.0.0", "1.1.0", by_us=True), failed(f"{IMAGE}:1.1.0")
    (hold,) = held(binding, past, failure=failure)
    once = with_holds(Remembered(), [hold])
    lifted = Remembered(
        unholds=(UnholdRecord(policy=IMAGE, who="kim", when=NOW + timedelta(hours=1), tag="1.1.0"),)
    )

    assert with_holds(once, [hold]) is once
    assert held(binding, past, failure=failure, remembered=once) == []
    assert held(binding, past, failure=failure, remembered=lifted) == []


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"template": {"spec": {"containers": [{"image": "a:1"}]}}}, id="deployment"),
        pytest.param({"containers": [{"image": "a:1"}]}, id="pod"),
        pytest.param(
            {
                "jobTemplate": {
                    "spec": {"template": {"spec": {"initContainers": [{"image": "a:1"}]}}}
                }
            },
            id="cron-job",
        ),
    ],
)
def test_images_are_found_wherever_pods_stand(spec: dict[str, object]) -> None:
    assert images_in({"spec": spec}) == {"a:1"}


@pytest.mark.parametrize("content", [{}, {"spec": None}, {"spec": {"containers": "x"}}])
def test_what_has_no_pods_asks_for_no_image(content: dict[str, object]) -> None:
    assert images_in(content) == frozenset()
