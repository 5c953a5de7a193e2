"""From a tree to a plan: every image asked once, and what fails stays where it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.config.model import Config, UpdateRule
from bot.errors import Severity, UnavailableError
from bot.planning.holds import HoldBook
from bot.update.survey import Survey, read_bindings, survey
from bot.update.trees import FolderTree
from policies.policy import Fact, Facts
from tests.bot.planning.situations import NOW, ONE


@dataclass
class Shop:
    """Answers for a registry; `down` names images that cannot be asked."""

    down: frozenset[str] = frozenset()
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    async def tags(self, image: str) -> list[str]:
        """Return two releases."""
        self.asked.append(image)
        if image in self.down:
            raise UnavailableError("it does not answer", where=image, hint="Try again later")
        return ["1.0.0", "1.1.0"]

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return nothing: these images say nothing of themselves."""
        self.asked.append(f"{image}@{reference}")
        return {}, {}

    async def facts(self, image: str, wanted: Mapping[str, frozenset[Fact]]) -> Mapping[str, Facts]:
        """Return a digest for each tag, or nothing at all."""
        self.asked.append(f"{image} {sorted(wanted)}")
        return {} if self.silent else {tag: Facts(digest=ONE) for tag in wanted}


async def surveyed(folder: Path, files: Mapping[str, str], shop: Shop, only: str = "") -> Survey:
    """Survey a folder of `files`."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    bound = await read_bindings(FolderTree(root=folder), Config(), [UpdateRule()], only=only)
    return await survey(bound, shop, HoldBook(records=()), now=NOW, base="main")


WEB = "image: web:1.0.0 # pilotfish: semver ^1\n"
API = "image: api:1.0.0 # pilotfish: semver ^1\n"


async def test_an_image_in_many_files_is_asked_once(tmp_path: Path) -> None:
    shop = Shop()
    found = await surveyed(tmp_path, {"a.yaml": WEB, "b.yaml": WEB}, shop)
    assert shop.asked == ["web"]
    assert len(found.plan.updates) == 2
    assert len(found.plan.proposals) == 1


async def test_an_image_that_fails_leaves_the_others(tmp_path: Path) -> None:
    found = await surveyed(tmp_path, {"a.yaml": WEB, "b.yaml": API}, Shop(down=frozenset({"api"})))
    assert [one.value for one in found.plan.updates] == ["web:1.1.0"]
    assert (found.failed, found.asked) == (1, 2)
    assert found.unknown_keys == {"api"}
    assert found.unknown_updates == {"default"}
    (problem,) = found.plan.problems
    assert problem.severity is Severity.ERROR
    assert "b.yaml:1" in problem.message
    assert (problem.cause, problem.fields) == ("it does not answer", 1)


async def test_facts_are_asked_for_only_where_a_policy_needs_them(tmp_path: Path) -> None:
    shop = Shop()
    pinned = WEB.replace("semver ^1", "semver ^1 digest=always")
    found = await surveyed(tmp_path, {"a.yaml": pinned}, shop)
    assert shop.asked == ["web", "web ['1.1.0']"]
    assert [one.value for one in found.plan.updates] == [f"web:1.1.0@{ONE}"]


async def test_a_registry_that_never_gives_its_facts_is_an_error_not_a_loop(tmp_path: Path) -> None:
    shop = Shop(silent=True)
    pinned = WEB.replace("semver ^1", "semver ^1 digest=always")
    found = await surveyed(tmp_path, {"a.yaml": pinned}, shop)
    assert found.failed == 1
    assert "never became complete" in found.plan.problems[0].message


async def test_only_keeps_what_people_call_by_that_name(tmp_path: Path) -> None:
    shop = Shop()
    await surveyed(tmp_path, {"a.yaml": WEB, "b.yaml": API}, shop, only="api")
    assert shop.asked == ["api"]
