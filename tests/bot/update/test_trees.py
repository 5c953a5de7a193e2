"""Trees: Flux's objects and marked fields are read together, once."""

from pathlib import Path

from bot.config.flux import NEEDLES as FLUX_NEEDLES
from bot.rewrite.tree import NEEDLES
from bot.update.trees import FolderTree

FLUX = b"apiVersion: image.toolkit.fluxcd.io/v1\n"
MARKED = b"image: web:1 # pilotfish: semver\n"


async def names(tree: FolderTree, needles: tuple[bytes, ...], *paths: str) -> list[str]:
    files, problems = await tree.containing(needles, paths)
    assert problems == []
    return [name for name, _ in files]


async def test_each_asker_gets_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "flux.yaml").write_bytes(FLUX)
    (tmp_path / "marked.yaml").write_bytes(MARKED)
    (tmp_path / "both.yaml").write_bytes(FLUX + MARKED)
    (tmp_path / "other.yaml").write_bytes(b"a: 1\n")
    tree = FolderTree(root=tmp_path)

    assert await names(tree, FLUX_NEEDLES) == ["both.yaml", "flux.yaml"]
    assert await names(tree, NEEDLES) == ["both.yaml", "marked.yaml"]


async def test_one_run_sees_one_state_and_the_next_another(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(MARKED)
    tree = FolderTree(root=tmp_path)
    await names(tree, FLUX_NEEDLES)
    (tmp_path / "b.yaml").write_bytes(MARKED)

    assert await names(tree, NEEDLES) == ["a.yaml"]
    assert await names(tree, NEEDLES) == ["a.yaml", "b.yaml"]


async def test_what_lies_below_a_path_is_read_by_itself(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yaml").write_bytes(MARKED)
    tree = FolderTree(root=tmp_path)
    await names(tree, FLUX_NEEDLES)

    assert await names(tree, NEEDLES, "two") == ["two/a.yaml"]
    assert await names(tree, NEEDLES) == ["one/a.yaml", "two/a.yaml"]
