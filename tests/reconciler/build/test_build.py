"""From a folder to objects: against kubectl itself, and what never gets out of the folder."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from bot.errors import ConfigError, ProductError, RefusedError, UnavailableError
from reconciler.build.confined import (
    MAX_FILE_BYTES,
    MAX_FILES,
    ConfinedFolder,
    MissingFileError,
)
from reconciler.build.gather import MAX_DEPTH
from reconciler.build.kustomization import RefusedBuildError
from reconciler.build.kustomize import BuildError, build, find_kubectl
from reconciler.objects import MAX_OBJECTS, InvalidObjectError

GOLDEN = Path(__file__).parents[2] / "golden" / "build"
CANARY = "canary-of-another-tenant"
PLUGIN = """\
apiVersion: builtin
kind: ConfigMapGenerator
metadata: {name: x}
envs: [../secret.yaml]
"""
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def kubectl() -> str:
    try:
        return find_kubectl()
    except UnavailableError:
        pytest.skip("kubectl is missing; the extra `cluster` brings it")


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_yaml", ".yaml").replace("_yml", ".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


async def refusal(folder: Path, root: Path | None = None) -> ProductError:
    with pytest.raises(ProductError) as caught:
        await build(folder, root=root)
    return caught.value


@pytest.mark.parametrize("case", sorted(path.name for path in GOLDEN.iterdir()))
async def test_builds_what_kubectl_builds(case: str) -> None:
    folder = GOLDEN / case / "overlay"
    argv = [kubectl(), "kustomize", str(folder), "--load-restrictor=LoadRestrictionsNone"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)

    built = await build(folder, root=GOLDEN / case)

    assert built.text == done.stdout
    assert built.text.decode() == (GOLDEN / case / "built.yaml").read_text()
    assert len(built.objects) == done.stdout.count(b"\n---\n") + 1


async def test_plain_files_come_as_they_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    comment = f"# kept\n{OBJECT.rstrip()}"
    write(
        tmp_path,
        b_yaml=comment.replace("name: a", "name: b"),
        a_yml="\ufeff" + OBJECT,
        c__d_yaml="---\n" + OBJECT.replace("name: a", "name: c"),
    )
    write(tmp_path, **{".hidden_yaml": "no object", "notes.txt": "none", ".git__x_yaml": "none"})

    built = await build(tmp_path)

    assert built.text.decode() == (
        f"{OBJECT}---\n# kept\n{OBJECT.replace('name: a', 'name: b')}"
        f"---\n{OBJECT.replace('name: a', 'name: c')}"
    )
    assert [one.identity.name for one in built.objects] == ["a", "b", "c"]
    assert built.objects[1].source == "b.yaml:2"


async def test_a_folder_below_with_a_kustomization_is_built_as_one(tmp_path: Path) -> None:
    kubectl()
    write(
        tmp_path,
        a_yaml=OBJECT,
        k__kustomization_yaml="namePrefix: p-\nresources: [x.yaml]\n",
        k__x_yaml=OBJECT,
        k__not_named_yaml="no object at all",
    )

    built = await build(tmp_path)

    assert [one.identity.name for one in built.objects] == ["a", "p-a"]


async def test_one_file_is_built_by_itself(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=OBJECT, b_yaml="no object")

    assert (await build(tmp_path / "a.yaml")).text.decode() == OBJECT


async def test_more_objects_than_a_set_may_have_are_refused(tmp_path: Path) -> None:
    for half in "ab":
        items = [OBJECT.replace("name: a", f"name: {half}{n}") for n in range(MAX_OBJECTS // 2 + 1)]
        inline = ",".join("{" + ", ".join(one.strip().split("\n")) + "}" for one in items)
        write(tmp_path, **{f"{half}.yaml": f"{{apiVersion: v1, kind: List, items: [{inline}]}}"})

    assert "more than" in (await refusal(tmp_path)).what


async def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    built = await build(tmp_path)

    assert (built.text, built.objects) == (b"", ())


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert isinstance(await refusal(tmp_path / "nowhere"), ConfigError)


async def test_a_folder_outside_the_root_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a__x_yaml=OBJECT, b__x_yaml=OBJECT)

    assert isinstance(await refusal(tmp_path / "a", tmp_path / "b"), RefusedBuildError)


async def test_a_plain_file_that_is_no_object_is_named(tmp_path: Path) -> None:
    fault = await refusal(write(tmp_path, values_yaml="\nreplicas: 2\n"))

    assert isinstance(fault, InvalidObjectError)
    assert fault.where == "values.yaml:2"


async def test_an_object_in_two_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    fault = await refusal(write(tmp_path, a_yaml=OBJECT, b_yaml=OBJECT))

    assert fault.where == "b.yaml:1"
    assert "first at a.yaml:1" in fault.what


async def test_what_kustomize_rejects_is_told_in_its_words_and_our_paths(tmp_path: Path) -> None:
    kubectl()
    fault = await refusal(
        write(tmp_path, kustomization_yaml="resources: [a.yaml]\n", a_yaml="x: 1\n")
    )

    assert isinstance(fault, BuildError)
    assert str(tmp_path.resolve()) in fault.what or "missing" in fault.what
    assert "pilotfish-build" not in str(fault)


async def test_what_kustomize_warns_of_is_no_error(tmp_path: Path) -> None:
    kubectl()
    write(tmp_path, kustomization_yaml="resources: [a.yaml]\ncommonLabels: {a: b}\n", a_yaml=OBJECT)

    assert (await build(tmp_path)).objects[0].labels == {"a": "b"}


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: [../secret.yaml]",
        "resources: [a/../../secret.yaml]",
        "resources: [../outside]",
        "components: [../outside]",
        "configMapGenerator: [{name: x, files: [../secret.yaml]}]",
        "configMapGenerator: [{name: x, files: [k=../secret.yaml]}]",
        "secretGenerator: [{name: x, envs: [../secret.yaml]}]",
        "configurations: [../secret.yaml]",
        "crds: [../secret.yaml]",
        "openapi: {path: ../secret.yaml}",
        "patches: [{path: ../secret.yaml}]",
        "patchesStrategicMerge: [../secret.yaml]",
        "replacements: [{path: ../secret.yaml}]",
        "transformers: [../secret.yaml]",
        "generators: [g.yaml]",
        'generators: ["{apiVersion: builtin, kind: ConfigMapGenerator, files: [../secret.yaml]}"]',
        "resources: [link.yaml]",
        "resources: [links/secret.yaml]",
        "resources: [links]",
        "resources: [pipe]",
        "resources: [/etc/passwd]",
        "resources: [https://127.0.0.1:1/x.yaml]",
        "helmCharts: [{name: x}]",
    ],
)
async def test_nothing_outside_the_folder_is_ever_read(tmp_path: Path, kustomization: str) -> None:
    folder = tmp_path / "mine"
    secret = OBJECT.replace("name: a", f"name: {CANARY}")
    write(
        tmp_path,
        secret_yaml=secret,
        outside__kustomization_yaml="resources: [secret.yaml]\n",
        outside__secret_yaml=secret,
        mine__g_yaml=PLUGIN,
        mine__kustomization_yaml=kustomization + "\n",
    )
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "links").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe")

    fault = await refusal(folder)

    assert isinstance(fault, RefusedError)
    assert CANARY not in str(fault)
    assert fault.hint


async def test_a_link_among_plain_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, secret_yaml=OBJECT, mine__b_yaml=OBJECT)
    (tmp_path / "mine" / "a.yaml").symlink_to(tmp_path / "secret.yaml")

    assert isinstance(await refusal(tmp_path / "mine"), RefusedBuildError)


async def test_a_wider_root_lets_an_overlay_reach_its_base(tmp_path: Path) -> None:
    kubectl()
    write(
        tmp_path,
        base__kustomization_yaml="resources: [a.yaml]\n",
        base__a_yaml=OBJECT,
        overlay__kustomization_yaml="resources: [../base]\n",
    )

    assert isinstance(await refusal(tmp_path / "overlay"), RefusedBuildError)
    assert len((await build(tmp_path / "overlay", root=tmp_path)).objects) == 1


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"kustomization_yaml": "resources: [gone.yaml]"}, "'gone.yaml' is not there"),
        ({"kustomization_yaml": "components: [a.yaml]", "a_yaml": OBJECT}, "is not there"),
        ({"kustomization_yaml": "resources: [b]", "b__a_yaml": OBJECT}, "'b/kustomization.yaml'"),
        ({"kustomization_yaml": "a: ["}, "this is not YAML"),
        ({"kustomization_yaml": "[" * 200}, "nested deeper"),
        ({"kustomization_yaml": "- a"}, "no kustomization"),
        ({"kustomization_yaml": "a: 1\n---\nb: 2"}, "no kustomization"),
        ({"kustomization_yaml": "resources: []", "kustomization_yml": ""}, "side by side"),
        ({"kustomization_yaml": "resources: [a]\nresources: [b]"}, "stands twice"),
    ],
)
async def test_a_kustomization_that_cannot_be_followed_is_named(
    tmp_path: Path, files: dict[str, str], what: str
) -> None:
    assert what in (await refusal(write(tmp_path, **files))).what


async def test_bases_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    kubectl()
    write(
        tmp_path,
        a__kustomization_yaml="resources: [../b]\n",
        b__kustomization_yaml="resources: [../a]\n",
    )

    assert isinstance(await refusal(tmp_path / "a", tmp_path), BuildError)


async def test_bases_and_folders_nest_only_so_deep(tmp_path: Path) -> None:
    deep = "/".join(["d"] * (MAX_DEPTH + 2))
    write(tmp_path, **{f"plain/{deep}/a.yaml": OBJECT})
    for level in range(MAX_DEPTH + 2):
        write(tmp_path, **{f"b{level}/kustomization.yaml": f"resources: [../b{level + 1}]"})

    assert "nest deeper" in (await refusal(tmp_path / "plain")).what
    assert "nest deeper" in (await refusal(tmp_path / "b0", tmp_path)).what


def test_reading_has_its_bounds(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"\0" * (MAX_FILE_BYTES + 1))
    (tmp_path / "small").write_bytes(b"x")
    folder = ConfinedFolder(tmp_path)

    with pytest.raises(RefusedBuildError, match="at most"):
        folder.read("big")
    for _ in range(MAX_FILES - 1):
        folder.read("small")
    with pytest.raises(RefusedBuildError, match="at most"):
        folder.read("small")


def test_a_path_that_no_system_takes_is_an_error(tmp_path: Path) -> None:
    folder = ConfinedFolder(tmp_path)

    with pytest.raises(ConfigError, match="cannot be read"):
        folder.is_file("a\0b")
    with pytest.raises(MissingFileError):
        folder.read("small/x")
    with pytest.raises(ConfigError, match="cannot be read"):
        folder.names("nowhere")


def test_without_kubectl_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    if shutil.which("kubectl", path=sysconfig.get_path("scripts")):
        assert find_kubectl().startswith(sysconfig.get_path("scripts"))
        monkeypatch.setattr(sysconfig, "get_path", lambda _: "")

    with pytest.raises(UnavailableError, match="kubectl is missing") as caught:
        find_kubectl()

    assert "pilotfish[cluster]" in caught.value.hint
