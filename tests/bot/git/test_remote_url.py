"""Addresses of remotes: four forms are read, anything else is refused without showing secrets."""

import pytest

from bot.git.remote_url import InvalidRemoteUrl, Transport, parse_remote_url
from bot.telemetry import redact


@pytest.mark.parametrize(
    ("text", "kind", "host", "project", "web_host"),
    [
        ("https://git.acme.io/a/b.git", Transport.HTTPS, "git.acme.io", "a/b", "git.acme.io"),
        ("https://Git.acme.io:8443/a/b", Transport.HTTPS, "git.acme.io", "a/b", "git.acme.io:8443"),
        ("http://127.0.0.1:3000/a/b.git", Transport.HTTP, "127.0.0.1", "a/b", "127.0.0.1:3000"),
        ("http://[::1]:3000/a/b.git", Transport.HTTP, "[::1]", "a/b", "[::1]:3000"),
        ("ssh://git@git.acme.io:2222/a/b.git", Transport.SSH, "git.acme.io", "a/b", "git.acme.io"),
        ("git@git.acme.io:a/b.git", Transport.SSH, "git.acme.io", "a/b", "git.acme.io"),
        ("/srv/git/b.git", Transport.FILE, "", "srv/git/b", ""),
        ("./b", Transport.FILE, "", "./b", ""),
        ("../b.git", Transport.FILE, "", "../b", ""),
        ("file:///srv/b.git", Transport.FILE, "", "srv/b", ""),
    ],
)
def test_every_form_is_read(
    text: str, kind: Transport, host: str, project: str, web_host: str
) -> None:
    url = parse_remote_url(text)

    assert (url.kind, url.host, url.project, url.web_host) == (kind, host, project, web_host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "ext::sh -c id",
        "fd::17",
        "git://git.acme.io/a",
        "ftp://git.acme.io/a",
        "http://git.acme.io/a",
        "ssh://-oProxyCommand=x/a",
        "ssh://git@-x/a",
        "-x@git.acme.io:a",
        "git@git.acme.io:-x",
        "https:///a",
        "https://git.acme.io/",
        "https://git.acme.io/a b",
        "https://git.acme.io/a\nb",
        "https://git.acme.io/a\x00b",
        "https://git.acme.io/a?x=y",
        "https://git.acme.io/a#y",
        "https://git acme/a",
        "file://host/a",
        "ssh://git@git.acme.io",
        "https://a@b@git.acme.io/x y",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRemoteUrl):
        parse_remote_url(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://bot:canary-7f3a@git.acme.io/a/b", "canary-7f3a"),
        ("https://:canary-7f3a@git.acme.io/a/b", "canary-7f3a"),
        ("ssh://git:canary-7f3a@git.acme.io/a", "canary-7f3a"),
        ("https://ghp_canary-7f3a@github.com/a/b", "ghp_canary-7f3a"),
        ("ftp://bot:canary-7f3a@git.acme.io/a", "canary-7f3a"),
    ],
)
def test_an_address_with_a_secret_is_refused_without_showing_it(text: str, secret: str) -> None:
    with pytest.raises(InvalidRemoteUrl) as caught:
        parse_remote_url(text)

    assert "canary" not in str(caught.value)
    assert "PILOTFISH_FORGE_TOKEN" in caught.value.hint
    assert redact(f"it was {secret}.") == "it was ***."


def test_a_user_name_alone_is_kept_beside_the_address() -> None:
    url = parse_remote_url("https://alice@git.acme.io/a/b")

    assert (url.user, url.text) == ("alice", "https://git.acme.io/a/b")
