"""Release notes of strangers on a real Gitea: they are drawn, and nobody and nothing notices."""

import json
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.planning.proposal_text import body, with_metadata
from tests.bot.planning.shown_proposals import notes_of, one_patch, release
from tests.servers.gitea import Gitea, GiteaRepository

NOTES = """## By @{person}, &#64;{person} and \\@{person}
- Fixes #{number}, closes {repository}#{number}, resolves {url}/issues/{number}
- see [this]({url}/issues/{number}), `#{number}`, ![]({url}/issues/{number})
- [ ] a box <!-- pilotfish:approve --> and &#35;{number}, !{number}
</details><h1>big</h1><script>alert(1)</script>
[bad](javascript:alert(1)) <b>#{number}</b>

```
@{person} fixes #{number}
"""

MENTION = "A mention in plain words"


def shown(notes: str) -> str:
    """Return the body of a proposal whose release notes these are."""
    one = one_patch()
    found = notes_of("web", "v1.4.1", "v1.4.2", release("v1.4.2", notes))
    facts = replace(one.facts, notes=(found,))
    return with_metadata(body(one.planned, facts), one.metadata(), max_chars=facts.max_chars)


@pytest.mark.parametrize(
    ("text_of", "acts"), [(lambda notes: notes, True), (shown, False)], ids=["raw", "shown"]
)
def test_a_strangers_text_acts_raw_and_not_as_we_show_it(
    gitea: Gitea, unique_name: str, text_of: Callable[[str], str], *, acts: bool
) -> None:
    person = gitea.create_user(f"p-{unique_name}").name
    fleet = gitea.create_repository(unique_name, {"a.yaml": "image: web:1.4.1\n"})
    place = f"/repos/{fleet.full_name}"
    issue = gitea.api("POST", f"{place}/issues", {"title": "Something is wrong"})["number"]
    url = f"{gitea.url}/{fleet.full_name}"
    text = text_of(NOTES.format(person=person, number=issue, repository=fleet.full_name, url=url))
    fleet.commit_file("a.yaml", "image: web:1.4.2\n", "Update", branch="update")
    fields = {"head": "update", "base": "main", "title": "Update", "body": text}
    pull = gitea.api("POST", f"{place}/pulls", fields)["number"]
    _squash(gitea, fleet, pull, message=text)
    _mention(gitea, place, person)
    notified = [one for one in _notifications(gitea, person) if one["subject"]["title"] != MENTION]
    assert bool(notified) is acts
    assert bool(_references(gitea, place, issue)) is acts
    closed = gitea.api("GET", f"{place}/issues/{issue}")["state"] == "closed"
    assert closed is acts


def test_a_strangers_text_is_drawn_without_html_boxes_or_bad_links(gitea: Gitea) -> None:
    notes = NOTES.format(person="kim", number=1, repository="acme/web", url=f"{gitea.url}/a/web")
    drawn = _draw(gitea, shown(notes))
    assert "<script" not in drawn
    assert "<h1" not in drawn
    assert "javascript:" not in drawn
    assert "<img" not in drawn
    assert drawn.count("<details") == drawn.count("</details") == 1
    assert drawn.count("<input") == 5
    assert drawn.index("</details") < drawn.index("What happens next")


def _squash(gitea: Gitea, fleet: GiteaRepository, number: int, *, message: str) -> None:
    fleet._merge_when_checked(
        number, {"Do": "squash", "MergeTitleField": "Update", "MergeMessageField": message}
    )


def _mention(gitea: Gitea, place: str, person: str) -> None:
    """Mention a person in an issue and wait until they are told.

    Gitea notifies from a queue, so what was to be told before this has been told then: without it
    a text that does notify would look like one that does not.
    """
    gitea.api("POST", f"{place}/issues", {"title": MENTION, "body": f"@{person}"})
    until = time.monotonic() + 30
    while MENTION not in {one["subject"]["title"] for one in _notifications(gitea, person)}:
        assert time.monotonic() < until, "Gitea did not notify of a mention within 30 seconds"
        time.sleep(0.2)


def _notifications(gitea: Gitea, person: str) -> list[dict[str, Any]]:
    return gitea.api("GET", f"/notifications?all=true&sudo={person}") or []


def _references(gitea: Gitea, place: str, issue: int) -> list[dict[str, Any]]:
    found = gitea.api("GET", f"{place}/issues/{issue}/timeline") or []
    return [one for one in found if one["type"] in {"pull_ref", "commit_ref", "issue_ref"}]


def _draw(gitea: Gitea, text: str) -> str:
    """Return the HTML that Gitea makes of a Markdown text."""
    context = ssl.create_default_context(cafile=gitea.ca_file)
    request = urllib.request.Request(
        f"{gitea.url}/api/v1/markup",
        data=json.dumps({"Mode": "gfm", "Text": text, "Context": "acme/fleet"}).encode(),
        headers={"Authorization": f"token {gitea.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return str(answer.read().decode())
