"""What a kustomization refers to, and what it may not ask for."""

from typing import Any

import pytest

from reconciler.build.kustomization import (
    RefusedBuildError,
    Use,
    plugin_references,
    references_of,
)

INLINE = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n"


def paths(**content: Any) -> list[tuple[str, Use]]:
    return [(one.path, one.use) for one in references_of(content, where="kustomization.yaml")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"resources": ["a.yaml", "../base"]}, [("a.yaml", Use.OBJECTS), ("../base", Use.OBJECTS)]),
        ({"bases": ["../b"]}, [("../b", Use.OBJECTS)]),
        ({"components": ["../c"]}, [("../c", Use.COMPONENT)]),
        (
            {"crds": ["c.yaml"], "configurations": ["d.yaml"]},
            [("c.yaml", Use.FILE), ("d.yaml", Use.FILE)],
        ),
        (
            {"patches": [{"path": "p.yaml"}, {"patch": "a: b"}, {"path": ""}]},
            [("p.yaml", Use.FILE)],
        ),
        ({"patchesJson6902": [{"path": "p.json"}]}, [("p.json", Use.FILE)]),
        ({"patchesStrategicMerge": ["p.yaml", "a: b\n", "{a: b}"]}, [("p.yaml", Use.FILE)]),
        ({"replacements": [{"path": "r.yaml"}, {"source": {}}]}, [("r.yaml", Use.FILE)]),
        ({"openapi": {"path": "s.json"}}, [("s.json", Use.FILE)]),
        (
            {"configMapGenerator": [{"files": ["a", "k=b"], "envs": ["c"], "env": "d"}]},
            [("a", Use.FILE), ("b", Use.FILE), ("c", Use.FILE), ("d", Use.FILE)],
        ),
        ({"secretGenerator": [{"name": "s", "literals": ["a=b"]}]}, []),
        ({"transformers": ["t.yaml"], "validators": []}, [("t.yaml", Use.PLUGIN)]),
        ({"generators": [INLINE + "path: p.yaml\n"]}, [("p.yaml", Use.FILE)]),
        ({"namespace": "x", "images": [], "labels": [], "resources": None}, []),
    ],
)
def test_every_path_is_found_with_its_use(
    content: dict[str, Any], expected: list[tuple[str, Use]]
) -> None:
    assert paths(**content) == expected


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a.yaml",
        "HTTP://example.com/a.yaml",
        "file:///etc/passwd",
        "git::https://example.com/x",
        "git@example.com:org/app",
        "user@example.com/org/app",
        "github.com/org/app?ref=main",
        "GitHub.com:org/app",
        "gh:org/app",
        "example.com/org/app//deploy",
        "example.com/org/app.git",
        "example.com/_git/app",
        "deploy?ref=v1",
        "example.com:org/app",
    ],
)
def test_a_remote_base_is_refused(address: str) -> None:
    with pytest.raises(RefusedBuildError, match="is remote") as caught:
        paths(resources=[address])

    assert caught.value.where == "kustomization.yaml: resources[0]"


@pytest.mark.parametrize("path", ["/etc/passwd", "~/.ssh", "a\\b", "a\0b", ""])
def test_an_absolute_or_odd_path_is_refused(path: str) -> None:
    with pytest.raises(RefusedBuildError, match="no path within"):
        paths(resources=[path])


@pytest.mark.parametrize("field", ["helmCharts", "helmChartInflationGenerator", "helmGlobals"])
def test_helm_charts_are_refused(field: str) -> None:
    with pytest.raises(RefusedBuildError, match="Helm charts"):
        paths(**{field: []})


def test_a_field_that_is_not_known_is_refused() -> None:
    with pytest.raises(RefusedBuildError, match="'Resources' is not known"):
        paths(Resources=["../../x"])


@pytest.mark.parametrize(
    "content",
    [
        {"resources": "a.yaml"},
        {"resources": [{"a": 1}]},
        {"patches": ["p.yaml"]},
        {"patches": [{"path": ["a"]}]},
        {"configMapGenerator": ["x"]},
        {"configMapGenerator": [{"env": ["a"]}]},
        {"openapi": "s.json"},
    ],
)
def test_a_field_of_another_shape_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(RefusedBuildError, match="unexpected shape"):
        paths(**content)


def test_the_paths_of_a_plugin_that_kustomize_brings_are_found() -> None:
    text = (
        INLINE
        + "path: a\nfiles: [k=b]\nenvs: [c]\npaths: [d, '{x: y}']\nreplacements: [{path: e}]\n"
        + "---\napiVersion: builtin\nkind: LabelTransformer\nmetadata: {annotations: {a: b}}\n"
    )

    found = plugin_references(text.encode(), where="t.yaml")

    assert [one.path for one in found] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("apiVersion: someteam.io/v1\nkind: PatchTransformer", id="exec"),
        pytest.param("apiVersion: builtin\nkind: HelmChartInflationGenerator", id="helm"),
        pytest.param("apiVersion: builtin\nkind: [a]", id="kind"),
        pytest.param(
            INLINE.replace("{name: x}", "{annotations: {config.kubernetes.io/function: x}}"),
            id="function",
        ),
        pytest.param("a", id="text"),
        pytest.param("a: [", id="no-yaml"),
        pytest.param(INLINE + "path: /etc/passwd\n", id="absolute"),
    ],
)
def test_a_plugin_that_runs_code_or_leaves_is_refused(text: str) -> None:
    with pytest.raises(RefusedBuildError):
        plugin_references(text.encode(), where="t.yaml")
    with pytest.raises(RefusedBuildError):
        paths(generators=[text + "\n"])
