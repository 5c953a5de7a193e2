"""Every Flux image object of real repositories is read, and means what it says there."""

from __future__ import annotations

import json
import os
import tarfile
from collections import defaultdict
from pathlib import Path

import pytest

from bot.config.discover import merge
from bot.config.flux import NEEDLES, read_flux
from bot.config.lookup import policy_for_marker
from bot.errors import Severity

CORPUS = Path(os.environ.get("PILOTFISH_CORPUS", "../shared/corpus"))
pytestmark = pytest.mark.skipif(
    not (CORPUS / "corpus.tar.gz").exists(), reason="the corpus is not here"
)


@pytest.fixture(scope="module")
def repositories() -> dict[str, list[tuple[str, bytes]]]:
    """Return the files with Flux objects, by repository."""
    found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    with tarfile.open(CORPUS / "corpus.tar.gz") as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            text = opened.read() if opened is not None else b""
            if any(needle in text for needle in NEEDLES) and member.name.endswith(("yaml", "yml")):
                repository, _, file = member.name.removeprefix("./").partition("/")
                found[repository.replace("__", "/")].append((file, text))
    return found


def test_every_policy_is_found_with_its_image(
    repositories: dict[str, list[tuple[str, bytes]]],
) -> None:
    truth = json.loads((CORPUS / "truth.json").read_text())["policies"]
    images = {
        (o["repository"], o["namespace"], o["name"]): o["spec"]["image"]
        for o in truth
        if o["kind"] == "ImageRepository"
    }
    checked = 0
    for repository, files in repositories.items():
        config, problems = merge(None, read_flux(files, repository_url=None))
        assert [p.message for p in problems if p.severity is Severity.ERROR] == []
        for one in truth:
            if one["kind"] != "ImagePolicy" or one["repository"] != repository:
                continue
            policy = policy_for_marker(config, one["namespace"], one["name"])
            reference = one["spec"]["imageRepositoryRef"]
            wanted = (repository, reference.get("namespace", one["namespace"]), reference["name"])
            assert policy is not None
            assert policy.image == images[wanted]
            checked += 1

    assert checked >= 70


def test_automations_count_for_their_own_repository_alone(
    repositories: dict[str, list[tuple[str, bytes]]],
) -> None:
    files = repositories["wahooli/gitops-repo"]

    own = read_flux(files, repository_url="git@github.com:wahooli/gitops-repo.git")
    other = read_flux(files, repository_url="https://github.com/someone/else")

    assert {rule.push_branch for rule in own.updates} == {"flux-image-updates"}
    assert len(own.updates) == 4
    assert other.updates == ()
