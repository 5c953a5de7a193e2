"""GitHub's own description of its REST API, brought once, and answers held to it.

The description is a file of an npm package. It is kept in the cache of the person by version and
checked by the digest below; what a server needs of it is written beside it in a small form, so
that a test process does not read 13 MB.
"""

import base64
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.servers.missing import Missing

PACKAGE = "@octokit/openapi"
VERSION = "23.0.2"
_INTEGRITY = (
    "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS"
    "4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
)
_FILE = "package/generated/api.github.com.json"
_FORM = 5  # of the small file; another number makes it anew
_LEFT_OUT = frozenset({"description", "discriminator", "example", "examples", "title", "x-github"})
_ENVIRONMENT = dict(os.environ)  # read once: tests change it
_TIMEOUT_S = 300


class Description:
    """What GitHub says that it answers, for the operations that a server has."""

    def __init__(self, digest: Mapping[str, Any]) -> None:
        self._operations: Mapping[str, Mapping[str, Any]] = digest["operations"]
        self._schemas: Mapping[str, Any] = digest["schemas"]
        self._validators: dict[str, Any] = {}
        self._sound: set[tuple[str, bytes]] = set()

    def fault(self, operation: str, status: int, body: object) -> str | None:
        """Return what is wrong with an answer, `None` where nothing is.

        `operation` is a method and a path as the description writes it. An error that is not
        described may be answered; a success may not. A `body` of `None` stands for no body.
        """
        answers = self._operations.get(operation)
        if answers is None:
            return f"{operation} is not described"
        if str(status) not in answers:
            return None if status >= 400 else f"{operation} never answers {status}"
        schema = answers[str(status)]
        if schema is None or body is None:
            nothing = schema is None and body is None
            return None if nothing or status >= 400 else f"{operation} {status}: body or none?"
        name = f"{operation} {status}"
        found = self._check(name, schema, body)
        return found and f"{name}: {found}"

    def _check(self, name: str, schema: Mapping[str, Any], body: object) -> str | None:
        if isinstance(body, list) and schema.get("type") == "array":
            items = (self._check(f"{name}[]", schema["items"], each) for each in body)
            return next((found for found in items if found), None)
        known = (name, hashlib.blake2b(_skeleton(body), digest_size=16).digest())
        if known in self._sound:
            return None
        for error in self._validator(name, schema).iter_errors(body):
            return f"at {error.json_path}: {error.message[:300]}"
        self._sound.add(known)
        return None

    def _validator(self, name: str, schema: Mapping[str, Any]) -> Any:
        if name not in self._validators:
            from openapi_schema_validator import OAS30Validator, oas30_format_checker

            self._validators[name] = OAS30Validator(
                schema, registry=self._registry, format_checker=oas30_format_checker
            )
        return self._validators[name]

    @functools.cached_property
    def _registry(self) -> Any:
        from referencing import Registry
        from referencing.jsonschema import DRAFT4

        found: Registry[Any] = Registry()
        return found.with_resources(
            (uri, DRAFT4.create_resource(schema)) for uri, schema in self._schemas.items()
        )


_FREE_TEXT = re.compile(rb'"(body|title|message|description)": "(?:[^"\\]|\\.)*"')
_FREE = re.compile(rb"(?<=\")[0-9a-f]{40}(?=\")|\d+")


def _skeleton(body: object) -> bytes:
    """Return a form that is equal for answers of which all are sound or none is.

    Prose, numbers and commit ids differ between answers, and no schema looks into them.
    """
    text = json.dumps(body, sort_keys=True).encode()
    return _FREE.sub(b"0", _FREE_TEXT.sub(rb'"\1": ""', text))


@functools.cache
def find(operations: tuple[str, ...]) -> Description:
    """Return the description of these operations.

    Raises:
        Missing: It cannot be had here.
        LookupError: GitHub has no such operation.
    """
    from tests.servers.binaries import TOOLS

    folder = TOOLS / f"octokit-openapi-{VERSION}"
    wanted = json.dumps([_FORM, *sorted(operations)]).encode()
    small = folder / f"digest-{hashlib.sha256(wanted).hexdigest()[:16]}.json"
    if not small.exists():
        whole = json.loads(bring().read_bytes())
        _write(small, json.dumps(_digest(whole, operations)).encode())
    return Description(json.loads(small.read_bytes()))


def published_example(operation: str, status: int) -> Any:
    """Return the answer that GitHub itself prints for an operation in its documentation.

    Raises:
        Missing: It cannot be had here.
        LookupError: GitHub prints none.
    """
    method, _, path = operation.partition(" ")
    whole = _whole()
    answer = whole["paths"][path][method.lower()]["responses"][str(status)]
    (found,) = answer["content"]["application/json"]["examples"].values()
    name = found.get("$ref", "").rpartition("/")[2]
    return (whole["components"]["examples"][name] if name else found)["value"]


@functools.cache
def _whole() -> Any:
    return json.loads(bring().read_bytes())


def bring(tools: Path | None = None, environment: Mapping[str, str] = _ENVIRONMENT) -> Path:
    """Return GitHub's description, fetched into the folder of tools when it is not there.

    `npm` of the `environment` fetches it; without npm, the registry that it names is asked.

    Raises:
        Missing: It cannot be fetched here.
    """
    from tests.servers.binaries import TOOLS

    whole = (tools or TOOLS) / f"octokit-openapi-{VERSION}" / Path(_FILE).name
    if whole.exists():
        return whole
    whole.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(whole.parent / ".lock"):
        if not whole.exists():
            _fetch(whole, environment)
    return whole


def _fetch(whole: Path, environment: Mapping[str, str]) -> None:
    package = whole.parent / f".{os.getpid()}.package"
    package.mkdir()
    try:
        npm = shutil.which("npm", path=environment.get("PATH"))
        archive = _pack(package, npm, environment) if npm else _download(package, environment)
        found = hashlib.sha512(archive.read_bytes()).digest()
        if f"sha512-{base64.b64encode(found).decode()}" != _INTEGRITY:
            raise _missing("what was fetched is not what was published")
        with tarfile.open(archive) as tar:
            member = tar.extractfile(_FILE)
            assert member is not None
            _write(whole, member.read())
    finally:
        shutil.rmtree(package, ignore_errors=True)


def _pack(folder: Path, npm: str, environment: Mapping[str, str]) -> Path:
    done = subprocess.run(
        [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or not archives:
        raise _missing(f"npm pack: {' / '.join(done.stderr.strip().splitlines()[-3:])}")
    return archives[0]


def _download(folder: Path, environment: Mapping[str, str]) -> Path:
    registry = _registry(environment)
    if registry is None:
        raise _missing("npm is not installed, and nothing names an npm registry")
    archive = folder / "package.tgz"
    url = f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE.rpartition('/')[2]}-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            archive.write_bytes(answer.read())
    except OSError as error:
        raise _missing(f"the package could not be fetched: {error}") from error
    return archive


def _registry(environment: Mapping[str, str]) -> str | None:
    """Return the registry that a person told npm to use."""
    named = environment.get("NPM_CONFIG_REGISTRY") or environment.get("npm_config_registry")
    settings = Path(environment.get("HOME") or "/") / ".npmrc"
    if named or not settings.is_file():
        return named
    lines = re.findall(r"(?m)^registry\s*=\s*(\S+)", settings.read_text(encoding="utf-8"))
    return lines[-1] if lines else None


def _missing(reason: str) -> Missing:
    return Missing(
        f"GitHub's API description cannot be had: {reason}",
        remedy="python -m tests.servers.binaries   (in a checkout, with npm and its registry)",
    )


def _digest(whole: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    for operation in operations:
        method, _, path = operation.partition(" ")
        try:
            answers = whole["paths"][path][method.lower()]["responses"]
        except KeyError:
            raise LookupError(f"GitHub has no {operation}") from None
        found[operation] = {
            status: _keep(_schema_of(whole, answer), whole, schemas)
            for status, answer in answers.items()
        }
    return {"operations": found, "schemas": schemas}


def _schema_of(whole: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
    if "$ref" in answer:
        answer = whole["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return answer.get("content", {}).get("application/json", {}).get("schema")


def _keep(node: Any, whole: Mapping[str, Any], schemas: dict[str, Any]) -> Any:
    """Return `node` without prose; schemas that it names are put into `schemas` likewise."""
    if isinstance(node, list):
        return [_keep(each, whole, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        uri = f"urn:github:{name}"
        if uri not in schemas:
            schemas[uri] = None  # a schema may name itself
            schemas[uri] = _keep(whole["components"]["schemas"][name], whole, schemas)
        return {"$ref": uri}
    kept = {key: value for key, value in node.items() if key not in _LEFT_OUT or _is_schema(value)}
    found = {key: _keep(value, whole, schemas) for key, value in kept.items()}
    return _with_null(found) if node.get("nullable") is True else found


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Let null in where GitHub says so: by the letter, that counts only beside a type."""
    if "enum" in schema and None not in schema["enum"]:
        schema = {**schema, "enum": [*schema["enum"], None]}
    if "type" in schema or not {"oneOf", "anyOf", "allOf"} & set(schema):
        return schema
    return {"anyOf": [{**schema, "nullable": False}, {"enum": [None]}]}


def _is_schema(value: object) -> bool:
    """Tell whether `value` is a property that happens to be called "title" or so."""
    return isinstance(value, dict) and bool(
        {"type", "$ref", "oneOf", "anyOf", "allOf"} & set(value)
    )


def _write(path: Path, content: bytes) -> None:
    started = path.with_name(f".{path.name}.{os.getpid()}")
    started.write_bytes(content)
    started.rename(path)


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
