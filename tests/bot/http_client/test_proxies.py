"""Which proxy leads to a host, by the environment's rules."""

import pytest

from bot.errors import ConfigError
from bot.http_client.exchange import origin_of
from bot.http_client.proxies import Proxies, checked_proxy
from bot.telemetry import redact


@pytest.mark.parametrize(
    ("no_proxy", "url", "proxied"),
    [
        ("", "https://a.example/", True),
        ("", "http://a.example/", False),
        ("*", "https://a.example/", False),
        ("a.example", "https://a.example/", False),
        ("a.example", "https://b.a.example/", False),
        (".a.example", "https://a.example/", True),
        (".a.example", "https://b.a.example/", False),
        ("a.example", "https://ba.example/", True),
        ("a.example:8443", "https://a.example/", True),
        ("a.example:8443", "https://a.example:8443/", False),
        ("10.0.0.0/8", "https://10.1.2.3/", False),
        ("10.0.0.0/8", "https://11.1.2.3/", True),
        ("nonsense/8", "https://11.1.2.3/", True),
        ("", "https://127.0.0.1/", False),
        ("", "https://localhost:5000/", False),
    ],
)
def test_no_proxy_is_read_as_go_programs_read_it(no_proxy: str, url: str, *, proxied: bool) -> None:
    proxies = Proxies.from_environment({"https_proxy": "proxy:3128", "no_proxy": no_proxy})

    assert bool(proxies.leading_to(origin_of(url))) is proxied


def test_a_proxys_password_is_a_secret() -> None:
    text = checked_proxy("http://me:canary-27182@proxy:3128")

    assert "canary-27182" not in redact(text)


@pytest.mark.parametrize("text", ["socks5://proxy:1080", "http://"])
def test_other_proxies_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not understood"):
        checked_proxy(text)
