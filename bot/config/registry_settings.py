"""The `registries` of `.pilotfish.yaml`: what the machine's docker configuration does not know.

Secrets are named here and read later, by `bot.config.native.resolve_secrets`. Paths are made
absolute against the folder of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.config.model import RegistrySettings
from bot.config.nodes import Kind, Node
from bot.config.notation import read_address, read_host, read_rate
from bot.config.secret_refs import SecretRef

if TYPE_CHECKING:
    from pathlib import Path

    from bot.config.faults import Faults
    from bot.config.nodes import Entry
    from bot.config.server_shape import ServerFileShape
    from bot.config.shape import FileShape

    Shapes = FileShape | ServerFileShape | None

_PROXY_SCHEMES = ("http", "https")


def read_registries(
    root: Node, shape: Shapes, faults: Faults, *, folder: Path
) -> tuple[RegistrySettings, ...]:
    """Return the settings by host, noting every fault; numbers come from `shape`."""
    found: dict[str, RegistrySettings] = {}
    section = root.get("registries")
    for entry in section.entries if section is not None else []:
        if entry.value.is_null:
            faults.add(entry.place, f"registry {entry.key!r} says nothing", "Remove the key")
            continue
        host = faults.read(entry.key_node, read_host)
        if host in found:
            faults.add(entry.place, f"registry {host!r} is named twice", "Join the two")
        if host is not None and entry.value.kind is Kind.MAPPING:
            found[host] = _read_one(host, entry, shape, faults, folder)
    return tuple(found.values())


def _read_one(
    host: str, entry: Entry, shape: Shapes, faults: Faults, folder: Path
) -> RegistrySettings:
    section = entry.value
    password = section.at("auth", "password")
    reference = read_secret_place(password, faults, others=("docker-config",))
    named = (section.at("auth", "docker-config"), section.at("auth", "password", "docker-config"))
    configs = [node for node in named if node is not None]
    if len(configs) > 1 or (configs and reference):
        faults.add(
            configs[0].place,
            f"registry {host!r} names more than one place for its credential",
            "Keep exactly one",
        )
    if reference is not None and not section.string("auth", "username"):
        faults.add(
            password.place if password else section.place,
            f"registry {host!r} has a password without a user name",
            "Add auth.username",
        )
    if (section.get("client-cert") is None) != (section.get("client-key") is None):
        faults.add(
            section.place,
            f"registry {host!r} has only one of client-cert and client-key",
            "Give both",
        )
    for position, _ in enumerate(getattr(section.get("token-hosts"), "items", [])):
        faults.read(section.at("token-hosts", position), read_host)
    proxy = faults.read(
        section.get("proxy"), lambda text: read_address(text, schemes=_PROXY_SCHEMES)
    )
    rate = faults.read(section.get("rate"), read_rate)
    typed = shape.registries.get(entry.key) if shape is not None else None

    def path(key: str) -> str | None:
        text = section.string(key)
        return str(folder / text) if text else None

    return RegistrySettings(
        host=host,
        username=section.string("auth", "username") or None,
        password_from=reference,
        docker_config=str(folder / configs[0].text) if configs else None,
        ca=path("ca"),
        client_cert=path("client-cert"),
        client_key=path("client-key"),
        proxy=proxy,
        insecure=typed.insecure if typed else False,
        rate_per_s=rate,
        concurrency=typed.concurrency if typed else 1,
        page_size=typed.page_size if typed else None,
        token_hosts=tuple(host.lower() for host in typed.token_hosts) if typed else (),
    )


def read_secret_place(
    node: Node | None, faults: Faults, *, others: tuple[str, ...] = ()
) -> SecretRef | None:
    """Return where a secret is kept: exactly one of `env`, `file` and the keys in `others`.

    `None` when nothing is said, when it is one of `others`, or after noting a fault.
    """
    if node is None or node.kind is not Kind.MAPPING:
        return None  # a literal secret is a fault that the shape reports
    ways = ("env", "file", *others)
    given = [key for key in ways if node.get(key) is not None]
    if len(given) != 1:
        said = f"names {' and '.join(given)}" if given else "names no place"
        faults.add(node.place, f"a secret {said}", f"Give exactly one of {', '.join(ways)}")
        return None
    env, file = node.string("env"), node.string("file")
    return SecretRef(env=env, file=file) if env or file else None
