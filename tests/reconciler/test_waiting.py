"""Waiting for health by watch: what ends it, and what is said of a rollout that failed."""

import asyncio

from reconciler.health import Status
from tests.reconciler.applying import Applier, config_map, deployment, messages


async def test_a_set_is_waited_for_until_its_pods_are_ready(applier: Applier) -> None:
    outcome = await applier.apply(
        deployment("web", replicas=3), config_map("a"), wait=True, timeout_s=30
    )

    assert outcome.problems == ()
    assert outcome.health is Status.CURRENT
    assert applier.get("deployment", "web")["status"]["readyReplicas"] == 3


async def test_an_image_that_is_not_there_is_named_within_the_time_out(applier: Applier) -> None:
    await applier.must(deployment("web"), wait=True)
    began = asyncio.get_running_loop().time()

    outcome = await applier.apply(
        deployment("web", "registry.example/web:2.0.0-broken"), wait=True, timeout_s=3
    )

    assert asyncio.get_running_loop().time() - began < 6
    assert outcome.health is Status.IN_PROGRESS
    told = messages(outcome)
    assert "apps/Deployment" in told
    for part in ("container web", "ImagePullBackOff", "registry.example/web:2.0.0-broken"):
        assert part in told
    assert "there is no such tag" in told  # the event's words


async def test_a_container_that_keeps_ending_fails_at_once(applier: Applier) -> None:
    began = asyncio.get_running_loop().time()

    outcome = await applier.apply(
        deployment("web", "registry.example/web:1-crash"), wait=True, timeout_s=60
    )

    assert asyncio.get_running_loop().time() - began < 15
    assert outcome.health is Status.FAILED
    assert "CrashLoopBackOff" in messages(outcome)
    assert outcome.wrote


async def test_a_job_is_waited_for_until_its_end(applier: Applier) -> None:
    container = {"name": "run", "image": "registry.example/run:1"}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {
            "template": {"spec": {"containers": [container], "restartPolicy": "Never"}},
        },
    }

    outcome = await applier.apply(job, wait=True, timeout_s=30)

    assert outcome.problems == ()
    assert applier.get("job", "migrate")["status"]["succeeded"] == 1


async def test_without_waiting_health_is_a_snapshot_that_fails_nothing(applier: Applier) -> None:
    outcome = await applier.apply(deployment("web", "registry.example/web:1-broken"))

    assert outcome.problems == ()
    assert outcome.health is Status.IN_PROGRESS


async def test_a_deployment_deleted_meanwhile_is_told(applier: Applier) -> None:
    async def take_away() -> None:
        async with asyncio.timeout(10):
            while not applier.exists("deployment", "web"):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(applier.kubectl, "delete", "deployment", "web")

    async with asyncio.TaskGroup() as group:
        group.create_task(take_away())
        waiting = group.create_task(
            applier.apply(
                deployment("web", "registry.example/web:1-broken"), wait=True, timeout_s=3
            )
        )

    assert waiting.result().health is Status.NOT_FOUND
