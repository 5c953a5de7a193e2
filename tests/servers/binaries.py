"""The Go programs that tests run, each built once into the cache of the person.

A program stands in `<tools>/<name>-<version>/<name>` with whatever it reads beside it. A folder is
built under another name and moved in place whole, so that a folder that exists is complete; one
builder at a time holds the lock of that program, others wait for it.

`PILOTFISH_TEST_TOOLS` names another folder for all of them. `python -m tests.servers.binaries`
builds ahead, `--list` only tells what is there.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tests.servers.missing import Missing

# Read once: tests change HOME, and a build must still land where the next run looks for it.
_ENVIRONMENT = dict(os.environ)
_GO_FOLDER = "/usr/local/go/bin"
TOOLS = Path(
    _ENVIRONMENT.get("PILOTFISH_TEST_TOOLS")
    or Path(platformdirs.user_cache_dir("pilotfish")) / "tools"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program to build.

    `build_module` names a folder beside this file with a go.mod of our own, for a module whose
    `replace` lines forbid `go install`. `resources` are folders of the module `resources_of` that
    the program reads when it runs. `beside` are packages of the same module whose programs are
    built with it into the same folder, since what they share is then compiled once.
    """

    name: str
    version: str
    package: str
    build_module: str | None = None
    cgo: bool = False
    tags: str = ""
    linker_flags: str = ""
    resources_of: str | None = None
    resources: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the finished program stands."""
        return TOOLS / f"{self.name}-{self.version}"

    @property
    def path(self) -> Path:
        """The finished program."""
        return self.folder / self.name

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of all programs that this build brings."""
        return (self.name, *(package.rpartition("/")[2] for package in self.beside))


_KUBERNETES = "1.36.3"
_KUBERNETES_VERSION = "k8s.io/component-base/version."

PROGRAMS = (
    Program(
        name="crane",
        version="0.22.1",
        package="github.com/google/go-containerregistry/cmd/crane",
    ),
    Program(
        name="registry",
        version="3.1.2",
        package="github.com/distribution/distribution/v3/cmd/registry",
    ),
    Program(
        name="gitea",
        version="1.26.0",
        package="code.gitea.io/gitea",
        build_module="gitea_build",
        cgo=True,
        tags="sqlite sqlite_unlock_notify",
        linker_flags="-X main.Version=1.26.0",
        resources_of="code.gitea.io/gitea",
        resources=("options", "templates", "public"),
    ),
    Program(
        name="etcd",
        version="3.6.5",
        package="go.etcd.io/etcd/server/v3",
        build_module="control_plane/etcd",
    ),
    Program(
        name="kube-apiserver",
        version=_KUBERNETES,
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        beside=(
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-scheduler",
        ),
        build_module="control_plane/kubernetes",
        linker_flags=(
            f"-X {_KUBERNETES_VERSION}gitVersion=v{_KUBERNETES}"
            f" -X {_KUBERNETES_VERSION}gitMajor=1 -X {_KUBERNETES_VERSION}gitMinor=36"
        ),
    ),
    Program(name="kwok", version="0.8.0", package="sigs.k8s.io/kwok/cmd/kwok"),
)


def find(name: str) -> Path:
    """Return the path of the program called `name`, built first when it is not there.

    Raises:
        Missing: It cannot be built here; says why and what would help.
    """
    program = next(each for each in PROGRAMS if name in each.programs)
    if program.path.exists():
        return program.folder / name
    TOOLS.mkdir(parents=True, exist_ok=True)
    with _only_one(TOOLS / f".{program.name}-{program.version}.lock"):
        if not program.path.exists():
            _build_in_place(program)
    return program.folder / name


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build_in_place(program: Program) -> None:
    go = _find_go()
    if program.cgo and not any(_which(compiler) for compiler in ("cc", "gcc", "clang")):
        raise Missing(
            f"{program.name} {program.version} needs a C compiler to be built, and there is none",
            remedy="apt-get install gcc libc6-dev",
        )
    started = TOOLS / f".{program.name}-{program.version}.{os.getpid()}"
    shutil.rmtree(started, ignore_errors=True)
    started.mkdir()
    caches = _go_caches(program)
    try:
        if program.build_module is None:
            _install(program, go, started, caches)
        else:
            _build_from_our_module(program, go, started, caches)
        shutil.rmtree(program.folder, ignore_errors=True)
        started.rename(program.folder)
    finally:
        for folder in (started, _scratch(program)):
            shutil.rmtree(folder, ignore_errors=True)


def _go_caches(program: Program) -> dict[str, str]:
    """Return where Go keeps what it downloads and compiles meanwhile.

    That is gigabytes which nobody needs afterwards, so it goes where we can remove it; a person
    who has said where such things belong is heard.
    """
    scratch = _scratch(program)
    own = {"GOMODCACHE": str(scratch / "modules"), "GOCACHE": str(scratch / "compiled")}
    return {name: path for name, path in own.items() if name not in _ENVIRONMENT}


def _scratch(program: Program) -> Path:
    return TOOLS / f".{program.name}-{program.version}.go"


def _install(program: Program, go: str, folder: Path, caches: Mapping[str, str]) -> None:
    package = f"{program.package}@v{program.version}"
    arguments = [go, "install", *_flags(program), package]
    _run(program, arguments, folder=folder, environment={**caches, "GOBIN": str(folder)})


def _build_from_our_module(
    program: Program, go: str, folder: Path, caches: Mapping[str, str]
) -> None:
    module = Path(__file__).parent / str(program.build_module)
    output = f"{folder}/" if program.beside else str(folder / program.name)
    packages = (program.package, *program.beside)
    arguments = [go, "build", *_flags(program), "-o", output, *packages]
    _run(program, arguments, folder=module, environment=caches)
    if program.resources_of is None:
        return
    asking = [go, "list", "-m", "-json", program.resources_of]
    listing = _run(program, asking, folder=module, environment=caches)
    source = Path(json.loads(listing)["Dir"])
    for name in program.resources:
        shutil.copytree(source / name, folder / name, copy_function=shutil.copyfile)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():  # the module cache is read-only, and copytree keeps that
            path.chmod(0o755)


def _flags(program: Program) -> list[str]:
    flags = ["-trimpath", "-ldflags", f"-s -w {program.linker_flags}".strip()]
    return [*flags, "-tags", program.tags] if program.tags else flags


def _run(
    program: Program,
    arguments: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
) -> str:
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={
            **_ENVIRONMENT,
            "PATH": _search_path(),
            "HOME": _ENVIRONMENT.get("HOME") or str(Path.home()),
            "CGO_ENABLED": "1" if program.cgo else "0",
            "GOFLAGS": "-buildvcs=false -mod=readonly -modcacherw",
            "GOWORK": "off",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = " / ".join(done.stderr.strip().splitlines()[-4:])
        raise Missing(
            f"{program.name} {program.version} could not be built: {last}",
            remedy="python -m tests.servers.binaries   (in a checkout, with the package network)",
        )
    return done.stdout


def _find_go() -> str:
    go = _which("go")
    if go is None:
        raise Missing(
            "Go is not installed, and the test servers are built with it",
            remedy=f"install Go 1.26 or newer into {Path(_GO_FOLDER).parent}, or put it on PATH",
        )
    return go


def _which(name: str) -> str | None:
    return shutil.which(name, path=_search_path())


def _search_path() -> str:
    own = _ENVIRONMENT.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    return f"{own}:{_GO_FOLDER}"


def _bring_description() -> int:
    """Fetch GitHub's description of its API; 1 when it cannot be had."""
    from tests.servers import openapi

    try:
        print(f"test servers: GitHub's description is at {openapi.bring()}", flush=True)
    except Missing as missing:
        print(f"test servers: {missing}", flush=True)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Bring all that is not there yet and say so; 1 when something could not be had."""
    failed = 0 if "--list" in arguments else _bring_description()
    for program in PROGRAMS:
        label = f"{program.name} {program.version}"
        if program.path.exists():
            print(f"test servers: {label} is at {program.path}", flush=True)
            continue
        if "--list" in arguments:
            print(f"test servers: {label} is not built yet", flush=True)
            continue
        print(f"test servers: building {label} (once; takes minutes) ...", flush=True)
        began = time.monotonic()
        try:
            find(program.name)
        except Missing as missing:
            failed = 1
            print(f"test servers: {missing}", flush=True)
        else:
            print(f"test servers: built {label} in {time.monotonic() - began:.0f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
