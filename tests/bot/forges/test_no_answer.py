"""What a forge's library cannot get: authorities that are no file, a side that speaks no TLS."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from bot.config.secret_refs import Secret
from bot.errors import ConfigError
from bot.forges.github_library import GitHubLibrary
from bot.forges.gitlab_library import GitLabLibrary
from bot.forges.sync_door import Ask, CutError
from tests.servers.scripted import Scripted

Library: TypeAlias = GitHubLibrary | GitLabLibrary
ASK = Ask(method="GET", path="/user", authorization="Bearer canary-7f3a11")
LIBRARIES: dict[str, Callable[[str, str | None], Library]] = {
    "github": lambda url, ca: GitHubLibrary(f"{url}/api/v3", ca=ca),
    "gitlab": lambda url, ca: GitLabLibrary(url, Secret("canary-7f3a11"), job=False, ca=ca),
}


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("kind", LIBRARIES)
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_a_fault_of_the_configuration(
    kind: str, content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigError, match="authorities cannot be used") as caught:
        LIBRARIES[kind]("https://127.0.0.1:9", str(file))

    assert caught.value.where == str(file)


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_side_that_speaks_no_tls_is_not_taken_for_one_without_trust(
    kind: str, scripted: Scripted
) -> None:
    library = LIBRARIES[kind](scripted.url.replace("http://", "https://"), None)
    try:
        with pytest.raises(CutError, match="no TLS connection could be made"):
            library.send(ASK)
    finally:
        library.close()
