"""Plays one history: a registry that grows, our runs with what goes wrong in them, and persons."""

import asyncio
import contextlib
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.config.model import Config
from bot.config.secret_refs import Secret
from bot.errors import ProductError
from bot.forges.forge import CheckState
from bot.git.remote import open_remote
from bot.git.settings import GitAccess
from bot.update.forge_opening import ForgeCredential
from bot.update.journey import run_on_remote
from bot.update.report import Report, Request, World
from policies.policy import Fact, Facts
from tests.laws.histories.laws import Laws, Violation, tags_in
from tests.laws.histories.stage import CONFIG, FOREIGN, OTHER, PAUSED, SHOP, STORE, Seen, Stage
from tests.laws.histories.steps import IMAGES, Deed, Person, Plot, Publish, Run, Step
from tests.servers.gitea import GiteaRefused
from tests.servers.gitlab_project import Refusal

QUIET_WITHIN = 4  # runs, once nothing goes wrong any more
CHECKED_QUIET_WITHIN = 8  # the same where branches wait, one merges in a run, and all move on
_A_WHILE_S = 600.0
_NO_CHECK_COMES_S = 3_900.0
_REAPING_S = 0.02  # so long asyncio takes to let go of a child that was killed
_LINES = {
    SHOP: ("web:1.0.0 # pilotfish: semver >=1", "api:1.0.0 # pilotfish: semver ^1"),
    STORE: ("db:1.0.0 # pilotfish: semver ^1",),
}
_FILE_OF = {"web": SHOP, "api": SHOP, "db": STORE}
_ELSE: dict[Deed, Deed] = {  # what must come before
    "reopen": "close",
    "resume": "pause",
    "base-reverts": "merge",
}
_RULES = {
    "immediate": [],
    "after-checks": ["open: after-checks"],
    "quiet": ["automerge: {patch: quiet, minor: quiet, major: quiet}"],
}
_COMMANDS = {
    "hold": "/pilotfish hold",
    "unhold": "/pilotfish unhold",
    "rebase": "/pilotfish rebase",
    "recreate": "/pilotfish recreate",
    "explain": "/pilotfish explain",
}


def text_of(file: str) -> bytes:
    """Return a marked file as it begins."""
    rows = "".join(f"  - image: acme/{line}\n" for line in _LINES[file])
    return f"kind: Pod\ncontainers:\n{rows}".encode()


@dataclass
class Shop:
    """Answers for a registry."""

    held: dict[str, list[str]] = field(default_factory=lambda: {one: ["1.0.0"] for one in IMAGES})

    async def tags(self, image: str) -> list[str]:
        """Return every tag."""
        return list(self.held[image.removeprefix("acme/")])

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return nothing: these images say nothing of themselves."""
        assert image != reference
        return {}, {}

    async def facts(self, image: str, wanted: Mapping[str, frozenset[Fact]]) -> Mapping[str, Facts]:
        """Return what no policy here asks for."""
        raise AssertionError((image, wanted))

    def publish(self, image: str, size: str) -> str:
        """Add a tag above all others, or above those of its major version 1."""
        tags = [tuple(int(part) for part in tag.split(".")) for tag in self.held[image]]
        follows_all = image == "web" or size == "major"
        major, minor, patch = max(one for one in tags if one[0] == 1 or follows_all)
        tag = {
            "major": f"{major + 1}.0.0",
            "minor": f"{major}.{minor + 1}.0",
            "patch": f"{major}.{minor}.{patch + 1}",
        }[size]
        self.held[image].append(tag)
        return tag


@dataclass
class Counts:
    """What was played, over all histories."""

    histories: int = 0
    steps: int = 0
    runs: int = 0
    crashed: int = 0
    faulted: int = 0
    requests: int = 0
    writes: int = 0
    proposals: int = 0
    deeds: Counter[str] = field(default_factory=Counter)


class Story:
    """One history on one stage."""

    def __init__(self, stage: Stage, plot: Plot, caches: Path, counts: Counts) -> None:
        self.stage, self.plot, self.counts = stage, plot, counts
        self.caches = caches
        self.shop = Shop()
        self.laws = Laws(stage)
        self.told: list[str] = []
        self._meanwhile: Person | None = None
        if stage.refuses_doubles:
            stage.wire.look = self.laws.look
        stage.wire.act = self._act_meanwhile
        self._write_files()

    def _write_files(self) -> None:
        lines = [
            "version: 1",
            f"forge: {self.stage.forge}",
            "limits: {open: 20, new-per-hour: 200, pushes-per-hour: 200}",
        ]
        lines += ["dashboard: true"] if self.plot.dashboard and self.stage.has_forge else []
        people = ["reviewers: [wanda]", "assignees: [wanda]"]
        rules = ["group: all", *people] if self.plot.grouped else []
        rules += _RULES[self.plot.opening] if self.stage.has_forge else []
        lines += ["updates:", f"  - {{{', '.join(['name: prod', *rules])}}}"] if rules else []
        files = {one: text_of(one) for one in _LINES}
        files[CONFIG] = "".join(f"{line}\n" for line in lines).encode()
        self.stage.people.commit("main", files, message="Follow images")
        self.stage.people.commit(OTHER, {"other.md": b"other\n"}, message="Another base")
        if self.plot.foreign:
            self.stage.people.commit(FOREIGN, {"mine.md": b"mine\n"}, message="Mine")

    def play(self) -> None:
        """Play the steps, then run until nothing is left to do, and twice more."""
        self.counts.histories += 1
        try:
            for step in self.plot.steps:
                self.counts.steps += 1
                self._do(step)
            self._come_to_rest()
        except Violation as fault:
            raise Violation(f"{fault}\n{self.telling()}") from None
        finally:
            self.counts.writes += len(self.stage.wire.wrote)
            self.counts.requests += self.stage.wire.requests
            self.counts.proposals += len(self.stage.ours())
            shutil.rmtree(self.caches, ignore_errors=True)

    def telling(self) -> str:
        """Return all that happened, a line each."""
        return "\n".join([f"{self.stage.kind}: {self.plot}", *self.told])

    def _do(self, step: Step) -> None:
        self.stage.pass_time(_A_WHILE_S)
        closes = len(self.laws.closed)
        match step:
            case Publish(image=image, size=size):
                self.told.append(f"published {image} {self.shop.publish(image, size)}")
                return
            case Person():
                self._act(step)
            case Run():
                self._run(step)
        self.laws.check(closes)

    # Persons

    def _act_meanwhile(self) -> None:
        if self._meanwhile is not None:
            one, self._meanwhile = self._meanwhile, None
            self._act(one)

    def _act(self, one: Person) -> None:
        try:
            done = self._deed(one)
            if done.startswith("nothing") and one.deed in _ELSE:
                one = replace(one, deed=_ELSE[one.deed])
                done = self._deed(one)
        except (AssertionError, RuntimeError, Refusal, GiteaRefused) as fault:
            done = f"could not: {str(fault)[:120]}"  # a person meets a conflict, and leaves it
        else:
            self.counts.deeds[one.deed] += not done.startswith("nothing")
        self.told.append(f"  person: {one.deed} {one.which} by {one.by}: {done}")

    def _deed(self, one: Person) -> str:
        if one.deed.startswith("base-"):
            return self._on_the_base(one)
        if one.deed == "squat":
            return self._squat(one)
        if one.deed in {"checks-pass", "checks-fail"}:
            return self._check(one)
        if one.deed == "open-own":
            self.stage.people.commit("feature", {"feature.md": b"x\n"})
            return str(self.stage.people.open("feature", "main", "A feature", "By hand."))
        found = [each for each in self.stage.ours() if each.is_open is (one.deed != "reopen")]
        found = [each for each in found if not each.merged]
        found = [each for each in found if each.paused or one.deed != "resume"]
        if not found:
            return "nothing there"
        seen = found[-1 - one.which % len(found)]
        if one.deed in _COMMANDS:
            return self._comment(one, seen)
        return self._to_a_proposal(one, seen)

    def _check(self, one: Person) -> str:
        heads = self.stage.bare.branches()
        branches = sorted(name for name in heads if name.startswith("pilotfish/"))
        if not branches:
            return "nothing there"
        branch = branches[one.which % len(branches)]
        passed = one.deed == "checks-pass"
        state = CheckState.PASSED if passed else CheckState.FAILED
        self.stage.people.set_check(heads[branch], "ci/test", state)
        (self.laws.passed.add if passed else self.laws.passed.discard)(heads[branch])
        return f"{branch} at {heads[branch]}"

    def _to_a_proposal(self, one: Person, seen: Seen) -> str:
        people, number = self.stage.people, seen.number
        stands = seen.branch in self.stage.bare.branches()
        match one.deed:
            case "merge" | "squash":
                people.merge(number, squash=one.deed == "squash")
            case "close":
                people.close(number)
                self.laws.note_close(seen)
            case "reopen":
                people.reopen(number)
                self.laws.note_reopen(number)
            case "push":
                return f"{number} {seen.branch} is at {self._push(seen.branch)}"
            case "delete-branch":
                self.stage.catch_up()  # it shows by now; else nothing at all would tell of it
                people.delete_branch(seen.branch)
                self.laws.note_close(seen, as_told=self.stage.has_forge)
            case "retarget":
                self.stage.retarget(number)
            case "pause" if not stands:
                return "nothing there: it ended with its branch"
            case "pause":
                self.stage.catch_up()  # where no listing shows it, none shows its label
                people.label(number, [PAUSED])
            case "resume":
                people.unlabel(number, PAUSED)
            case "damage-body":
                people.edit_body(number, "What is this?")
                if not stands:  # with the branch went the commit: nothing tells what was refused
                    self.laws.note_reopen(number)
            case "add-to-body":
                people.edit_body(number, f"Please look.\n\n{seen.body}")
        return f"{number} {seen.branch}"

    def _push(self, branch: str) -> str:
        """Let a person commit to a branch at this moment; what was said before does not mean it."""
        self.stage.pass_time(1)
        now = self.stage.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.stage.push(branch, {"mine.md": f"{len(self.told)}\n".encode()}, date=now)

    def _comment(self, one: Person, seen: Seen) -> str:
        says = _COMMANDS[one.deed]
        image = IMAGES[one.which % len(IMAGES)]
        if one.deed == "unhold":
            says = f"{says} acme/{image}"
        self.stage.people.comment(seen.number, says, by=one.by)
        if one.by == "writer" and one.deed == "unhold":
            self.laws.note_unhold(image)
        if one.by == "writer" and one.deed == "recreate":
            self.laws.given_back.add(self.stage.bare.branches().get(seen.branch, ""))
            self.laws.note_reopen(seen.number)
        return f"{seen.number} {says}"

    def _on_the_base(self, one: Person) -> str:
        image = IMAGES[one.which % len(IMAGES)]
        file = _FILE_OF[image]
        text = self.stage.bare.read(file)
        match one.deed:
            case "base-unrelated":
                file, text = "README.md", f"{len(self.told)}\n".encode()
            case "base-same-file":
                text = f"# {len(self.told)}\n".encode() + text
            case _:
                wanted = -1 if one.deed == "base-adopts" else 0
                here = tags_in({file: text})[image]
                tag = self.shop.held[image][wanted]
                text = text.replace(
                    f"acme/{image}:{here} ".encode(), f"acme/{image}:{tag} ".encode()
                )
                if here == tag:
                    return "nothing to change"
        return self.stage.people.commit("main", {file: text}, message="By hand")

    def _squat(self, one: Person) -> str:
        name = "prod-all" if self.plot.grouped else f"acme-{IMAGES[one.which % len(IMAGES)]}"
        branch = f"pilotfish/{name}"
        if branch in self.stage.bare.branches():
            return "it is there"
        self.stage.people.commit(branch, {"squat.md": b"mine\n"})
        return branch

    # Runs

    def _run(self, step: Run) -> None:
        self.stage.lag(step.lag)
        self._meanwhile = step.meanwhile
        self.stage.wire.plan(step.harm)
        before = len(self.stage.wire.wrote)
        told = asyncio.run(self._runs(2 if step.twice else 1))
        if step.harm and self.stage.wire.forget():
            self.counts.deeds[step.harm.kind] += 1
        self.counts.deeds["two runs"] += step.twice
        self.told.append(f"run {step}")
        self._tell(before, told)

    def _tell(self, before: int, told: list[str]) -> None:
        self.told += [f"    {line}" for line in self.stage.wire.wrote[before:]]
        self.told += [f"  {line}" for line in told]

    async def _runs(self, many: int) -> list[str]:
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self._one_run(f"cache-{number}")) for number in range(many)]
        self.stage.wire.crash = lambda: loop.call_soon_threadsafe(tasks[0].cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        if any(isinstance(one, asyncio.CancelledError) for one in results):
            await asyncio.sleep(_REAPING_S)
        told = []
        for result in results:
            match result:
                case Report():
                    told += told_of(result)
                case asyncio.CancelledError():
                    self.counts.crashed += 1
                    told.append("crashed")
                case ProductError():
                    self.counts.faulted += 1
                    told.append(f"failed: {type(result).__name__}: {result}")
                case BaseException():
                    raise result
        return told

    async def _one_run(self, cache: str) -> Report:
        self.counts.runs += 1
        token = self.stage.token
        access = GitAccess(username="pilotfish-bot", token=token) if token else GitAccess()
        async with open_remote(
            self.stage.url,
            access=access,
            cache_folder=self.caches / cache,
            allow_file=False,
            clock=self.stage.clock,
            import_person=False,
        ) as remote:
            return await run_on_remote(remote, Request(), self._world(token))

    def _world(self, token: Secret | None) -> World:
        @contextlib.asynccontextmanager
        async def asker_for(_: Config) -> AsyncIterator[Shop]:
            yield self.shop

        return World(
            asker_for=asker_for,
            credential_for=lambda _settings, _place: ForgeCredential(token=token),
            clock=self.stage.clock,
        )

    # The end

    def _come_to_rest(self) -> None:
        """Hold the end to I9: soon there is nothing to write, and the reports say so."""
        self.stage.lag(0)
        self.stage.catch_up()
        at_once = self.plot.opening == "immediate"
        for _ in range(QUIET_WITHIN if at_once else CHECKED_QUIET_WITHIN):
            if not self._quiet_run():
                break
        else:
            raise Violation("I9: still writing after many runs with nothing new")
        for _ in range(2):
            if wrote := self._quiet_run():
                raise Violation(f"I9: a run with nothing new wrote: {wrote}")

    def _quiet_run(self) -> list[str]:
        at_once = self.plot.opening == "immediate"
        self.stage.pass_time(_A_WHILE_S if at_once else _NO_CHECK_COMES_S)
        before, moved = len(self.stage.wire.wrote), len(self.stage.moves())
        closes = len(self.laws.closed)
        try:
            report = asyncio.run(self._one_run("cache-0"))
        except ProductError as fault:
            raise Violation(f"a run fails for no reason: {fault!r}") from fault
        wrote = self.stage.wire.wrote[before:]
        wrote += [str(one) for one in self.stage.moves()[moved:]]
        self.told.append("quiet run")
        self._tell(before, told_of(report))
        self.laws.check(closes)
        if report.wrote is not bool(wrote):
            raise Violation(f"I9: it says wrote={report.wrote}, and wrote {wrote}")
        return wrote


def told_of(report: Report) -> list[str]:
    """Return what a report says, a line each."""
    steps = [
        f"{one.step.operation.value} {one.step.branch} {one.number or ''}: {one.step.reason}"
        for one in report.steps
    ]
    return [*steps, *(f"problem: {one.message} [{one.hint}]" for one in report.problems)]
