"""Commit messages from Flux's Go templates: what they see, and what they may not do."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config.removed_fields import removed_fields
from bot.errors import ConfigError, Severity
from bot.planning.template import MessageChange, MessageValues, render

CORPUS = Path(os.environ.get("PILOTFISH_CORPUS", "../shared/corpus")) / "corpus.tar.gz"


def change(file: str, name: str, new: str = "ghcr.io/acme/web:1.3.0") -> MessageChange:
    return MessageChange(
        file=file,
        old_value="ghcr.io/acme/web:1.2.0",
        new_value=new,
        setter="flux-system:web:tag",
        image=new,
        api_version="apps/v1",
        kind="Deployment",
        namespace="shop",
        name=name,
    )


VALUES = MessageValues(
    automation_name="fleet",
    automation_namespace="flux-system",
    values={"cluster": "prod"},
    changes=[change("b.yaml", "web"), change("a.yaml", "web"), change("a.yaml", "api")],
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("plain text", "plain text", id="text-stays"),
        pytest.param("{{ .AutomationObject }}", "flux-system/fleet", id="automation-prints"),
        pytest.param("{{ .AutomationObject.Name }}", "fleet", id="automation-has-a-name"),
        pytest.param("{{ .Values.cluster }}", "prod", id="values"),
        pytest.param("{{ .Values.nothing }}", "<no value>", id="missing-value-as-in-go"),
        pytest.param(
            "{{ range $f, $_ := .Changed.FileChanges }}{{ $f }} {{ end }}",
            "a.yaml b.yaml ",
            id="files-are-sorted",
        ),
        pytest.param(
            "{{ range $f, $o := .Changed.FileChanges }}{{ range $o, $_ := $o }}{{ $o.Name }} "
            "{{ end }}{{ end }}",
            "api web web ",
            id="objects-inside-files",
        ),
        pytest.param(
            "{{ range $o, $c := .Changed.Objects -}}\n{{ $o.Kind }} {{ $o.Namespace }}/{{ $o.Name"
            " }}{{ range $c }} {{ .OldValue }} -> {{ .NewValue }}{{ end }}\n{{ end -}}",
            "Deployment shop/api ghcr.io/acme/web:1.2.0 -> ghcr.io/acme/web:1.3.0\n"
            "Deployment shop/web ghcr.io/acme/web:1.2.0 -> ghcr.io/acme/web:1.3.0 "
            "ghcr.io/acme/web:1.2.0 -> ghcr.io/acme/web:1.3.0\n",
            id="objects-hold-changes-of-all-files",
        ),
        pytest.param(
            "{{ range .Changed.Changes }}{{ .Setter }}{{ end }}",
            "flux-system:web:tag",
            id="equal-changes-once",
        ),
        pytest.param('{{ "x" | upper | repeat 3 }}', "XXX", id="sprig"),
        pytest.param('{{ printf "%s-%d" "a" 3 }}', "a-3", id="printf"),
        pytest.param('{{ print 1 2 "a" 3 }}', "1 2a3", id="print-spaces-as-go"),
        pytest.param('{{ println "a" 1 }}', "a 1\n", id="println"),
        pytest.param("""{{ html "<'&\\">" }}""", "&lt;&#39;&amp;&#34;&gt;", id="html"),
        pytest.param("""{{ js "a'\\n=" }}""", "a\\'\\u000A\\u003D", id="js"),
        pytest.param('{{ urlquery "a b/c" }}', "a+b%2Fc", id="urlquery"),
        pytest.param("{{ len .Changed.Objects }}", "2", id="len"),
    ],
)
def test_renders(template: str, expected: str) -> None:
    assert render(template, VALUES) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ range .Updated.Images }}{{ . }}{{ end }}", "ghcr.io/acme/web:1.3.0"),
        (
            "{{ range .Updated.Images }}{{ .Repository }} {{ .Identifier }}{{ end }}",
            "acme/web 1.3.0",
        ),
        ("{{ range .Updated.Images }}{{ .Policy.Name }}{{ end }}", "web"),
        ("{{ range $f, $_ := .Updated.Files }}{{ $f }} {{ end }}", "a.yaml b.yaml "),
        ("{{ range $o, $_ := .Updated.Objects }}{{ $o.Name }} {{ end }}", "api web "),
        ("{{ range .Changed.ImageResult.Images }}{{ .Registry }}{{ end }}", "ghcr.io"),
    ],
)
def test_fields_that_flux_removed_still_render_and_are_noted(template: str, expected: str) -> None:
    assert render(template, VALUES) == expected

    (note,) = removed_fields(template, file="iua.yaml", line=7)
    assert note.severity is Severity.NOTE
    assert note.where == "iua.yaml:7"
    assert ".Changed" in note.hint


def test_a_template_of_todays_fields_has_no_note() -> None:
    assert removed_fields("{{ .Changed.Objects }}", file="f", line=1) == []


@pytest.mark.parametrize(
    "image",
    ["alpine:3.20", "localhost:5000/x:1", "ghcr.io/a/b@sha256:" + "a" * 64, "host:5000/x"],
)
def test_any_reference_has_parts(image: str) -> None:
    values = MessageValues(automation_name="x", changes=[change("a", "b", image)])

    assert render("{{ range .Updated.Images }}{{ .Name }}{{ end }}", values) == image
    assert render("{{ .AutomationObject }}", values) == "x"


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{{", id="unclosed"),
        pytest.param('{{ template "x" }}', id="unknown-template"),
        pytest.param('{{ env "HOME" }}', id="environment"),
        pytest.param("{{ now }}", id="clock"),
        pytest.param("{{ randInt 1 9 }}", id="chance"),
        pytest.param('{{ genPrivateKey "rsa" }}', id="keys"),
        pytest.param('{{ getHostByName "example.org" }}', id="network"),
        pytest.param("{{ .AutomationObject.__class__ }}", id="attribute-walk"),
        pytest.param("{{ .Changed.Changes.__len__ }}", id="method"),
        pytest.param('{{ fail "no" }}', id="fail"),
        pytest.param("{{ div 1 0 }}", id="division-by-zero"),
        pytest.param("{{ index .Changed.Changes 99 }}", id="index"),
        pytest.param('{{ repeat 100000000 "x" }}', id="repeat"),
        pytest.param('{{ repeat 9999 (repeat 9999 "x") }}', id="repeat-of-repeat"),
        pytest.param('{{ printf "%100000000d" 1 }}', id="width"),
        pytest.param("{{ range until 100000000 }}{{ end }}", id="until"),
        pytest.param(
            "{{ range until 9000 }}{{ range until 9000 }}{{ end }}{{ end }}", id="loops-in-loops"
        ),
        pytest.param("{{ indent 100000000 .Values.cluster }}", id="indent"),
        pytest.param(
            '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', id="recursion"
        ),
        pytest.param('{{ $x := "ab" }}{{ range until 60 }}{{ $x = cat $x $x }}{{ end }}', id="cat"),
        pytest.param('{{ $x := "<" }}{{ range until 60 }}{{ $x = js $x }}{{ end }}', id="js"),
        pytest.param(
            '{{ $x := "a" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}', id="print"
        ),
        pytest.param(
            "{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
            id="list-of-lists",
        ),
        pytest.param('{{ $d := dict "a" 1 }}{{ set $d "b" $d }}', id="self-containing"),
        pytest.param("{{" + "(" * 5000, id="parentheses"),
        pytest.param("{{ if true }}" * 3000, id="nesting"),
        pytest.param("x" * 70_000, id="length"),
        pytest.param("{{ range until 9000 }}xxxxxxxxxx{{ end }}", id="output"),
    ],
)
def test_refuses_what_a_message_cannot_need(template: str) -> None:
    with pytest.raises(ConfigError) as caught:
        render(template, VALUES, where="iua.yaml:9")

    assert caught.value.where == "iua.yaml:9"
    assert caught.value.hint


def test_secrets_of_the_environment_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-3141592")

    assert "canary" not in render("{{ . }} {{ .Changed }} {{ $ }}", VALUES)


_WORDS = st.sampled_from(
    ["{{", "}}", " ", ".", "Changed", "Values", "range", "end", "if", "with", "$x", ":=", "|", "(",
     ")", '"a"', "1", "-1", "1e9", "dict", "list", "index", "printf", "toJson", "set", "fromJson",
     "merge", "regexMatch", "substr", "trunc", "slice", "define", "template", "-", "\n",
     "nil", "not"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=25))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_template_gives_a_message_or_a_configuration_error(words: list[str]) -> None:
    try:
        made = render("{{ " + " ".join(words) + " }}", VALUES)
    except ConfigError:
        return

    assert isinstance(made, str)


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_templates_of_real_repositories_render() -> None:
    rendered = 0
    with tarfile.open(CORPUS) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            text = opened.read() if opened is not None else b""
            if b"kind: ImageUpdateAutomation" not in text or len(text) > 100_000:
                continue
            for document in yaml.safe_load_all(text):
                spec = (document or {}).get("spec", {})
                template = spec.get("git", {}).get("commit", {}).get("messageTemplate")
                if template:
                    assert "1.2.0 -> ghcr.io/acme/web:1.3.0" in render(template, VALUES)
                    rendered += 1

    assert rendered >= 6
