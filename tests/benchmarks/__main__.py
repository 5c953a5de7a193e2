"""`python -m tests.benchmarks [NAME …]`: our commands beside their references.

Prints a Markdown table and, with `--json FILE`, every figure. Exits 1 when a budget is not
kept. Needs ripgrep for `set`, and of `tests/servers` the registry for `oneshot` and the control
plane for `cluster`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import fleet
from tests.benchmarks.rounds import Result, Run, both, in_turn, run, table

COMMAND = [str(Path(sys.executable).with_name("pilotfish"))]
_MARKER = '"$imagepolicy"'


def start_help(folder: Path, rounds: int) -> list[Result]:
    """`pilotfish --help` beside the bare interpreter."""
    result = Result(
        name="start_help",
        what="`pilotfish --help`",
        reference="`python -I -c pass`",
        budget=3.0,
    )
    return [
        in_turn(
            result,
            lambda _: run([*COMMAND, "--help"]),
            lambda _: run([sys.executable, "-I", "-c", "pass"]),
            rounds=rounds * 4,
        )
    ]


def set_20k(folder: Path, rounds: int) -> list[Result]:
    """`set` over 20,000 files, 200 of them marked, beside ripgrep for the marker."""
    tree = folder / "files"
    fleet.write(tree, 20_000, marked=200, images=200, host="registry.example")
    given = [
        f"--image-policy=flux-system:app-{n}=registry.example/team/app-{n}:1.9.{n}"
        for n in range(200)
    ]
    search = ["rg", "-l", "-uu", "--fixed-strings", _MARKER, str(tree)]
    dry = Result(
        name="set_dry_20k",
        what="`set --dry-run`, 20,000 files, 200 marked",
        reference="`rg -l`",
        budget=5.0,
    )
    written = Result(
        name="set_write_20k",
        what="`set`, the same, 200 files written",
        reference="`rg -l` piped to `xargs sed -i`",
        budget=None,
    )
    in_turn(
        dry,
        lambda _: run([*COMMAND, "set", str(tree), *given, "--dry-run", "-o", "json"]),
        lambda _: run(search),
        rounds=rounds,
    )
    found = json.loads(dry.ours[-1].output)
    assert len(found["changes"]) == 200, found["problems"]
    quoted = " ".join(f"'{word}'" for word in search)
    edit = f"{quoted} | xargs sed -i 's/:1\\.0\\.0  #/:1.8.0  #/;s/:1\\.8\\.0  #/:1.0.0  #/'"

    def write_ours(number: int) -> Run:
        values = [f"{one[: one.rindex(':')]}:1.{10 + number}.0" for one in given]
        return run([*COMMAND, "set", str(tree), *values, "-o", "json"])

    in_turn(written, write_ours, lambda _: run(["sh", "-c", edit]), rounds=rounds)
    return [dry, written]


def oneshot(folder: Path, rounds: int) -> list[Result]:
    """A whole `run`: 500 images of 50 tags, 2,000 files, beside a bare clone and a push."""
    from tests.servers.distribution import Distribution
    from tests.servers.git_host import GitHost

    images = 500
    registry = Distribution(folder / "registry", mode="open")
    registry.start()
    host = GitHost(folder / "git")
    host.start()
    try:
        tags = [f"1.{minor}.{patch}" for minor in range(5) for patch in range(10)]
        for index in range(images):
            registry.push_tags(f"team/app-{index}", tags)
        texts = dict(fleet.files(2_000, marked=images, images=images, host=registry.host))
        texts[".pilotfish.yaml"] = fleet.policies(images, registry.host)
        seed = host.create("seed", texts)
        result = Result(
            name="oneshot_500x2k",
            what="`run`: 500 images x 50 tags, 2,000 files, one proposal, nothing cached",
            reference="`git clone --bare --depth 1` and `git push`",
            budget=6.0,
            rss_budget_mib=96.0,
        )

        def ours(number: int) -> Run:
            remote = host.create(f"ours-{number}", {"x": "y"})
            _copy(seed.folder, remote.folder)
            environment = _environment(folder / f"home-{number}")
            done = run([*COMMAND, "run", "--repository", remote.url_http], environment=environment)
            assert "pilotfish/all-all" in remote.branches(), done.output[-2000:]
            return done

        def theirs(number: int) -> Run:
            remote = host.create(f"theirs-{number}", {"x": "y"})
            _copy(seed.folder, remote.folder)
            environment = _environment(folder / f"bare-home-{number}")
            clone = folder / f"bare-{number}"
            cloned = run(
                ["git", "clone", "-q", "--bare", "--depth", "1", remote.url_http, str(clone)],
                environment=environment,
            )
            pushed = run(
                ["git", "-C", str(clone), "push", "-q", "origin", "HEAD:refs/heads/other"],
                environment=environment,
            )
            return both(cloned, pushed)

        return [in_turn(result, ours, theirs, rounds=rounds)]
    finally:
        host.stop()
        registry.shut_down()


def policy_50k(folder: Path, rounds: int) -> list[Result]:
    """A semver choice among 50,000 tags, whole process, beside `sort -V` of the same file."""
    tags = [
        f"{prefix}{major}.{minor}.{patch}"
        for prefix in ("", "v")
        for major in range(25)
        for minor in range(25)
        for patch in range(40)
    ]
    listing = folder / "tags.txt"
    listing.write_text("\n".join(tags) + "\n")
    result = Result(
        name="policy_50k",
        what="`policy test`, semver among 50,000 tags, JSON of every candidate",
        reference="`sort -V`",
        budget=None,
    )
    argv = [*COMMAND, "policy", "test", "--semver", ">=1 <25", "--tags", str(listing), "-o", "json"]
    return [
        in_turn(
            result,
            lambda _: run(argv),
            lambda _: run(["sh", "-c", f"LC_ALL=C sort -V '{listing}'"]),
            rounds=rounds,
        )
    ]


def cluster(folder: Path, rounds: int) -> list[Result]:
    """First apply, unchanged pass and difference of 300 objects, beside kubectl."""
    from tests.benchmarks.cluster import cluster_300

    return cluster_300(folder, rounds, COMMAND)


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target)
    shutil.copytree(source, target, symlinks=True)


def _environment(home: Path) -> dict[str, str]:
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PILOTFISH_CACHE": str(home / "cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


BENCHMARKS: dict[str, Callable[[Path, int], list[Result]]] = {
    "start_help": start_help,
    "set_20k": set_20k,
    "oneshot": oneshot,
    "policy_50k": policy_50k,
    "cluster": cluster,
}


def main() -> int:
    """Run the benchmarks that are named, all by default."""
    given = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    given.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--json", metavar="FILE")
    options = given.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        given.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    results: list[Result] = []
    for name in options.names or BENCHMARKS:
        sys.stderr.write(f"{name} …\n")
        with tempfile.TemporaryDirectory(prefix="pilotfish-bench-") as scratch:
            results += BENCHMARKS[name](Path(scratch), options.rounds)
    print(table(results))
    if options.json:
        Path(options.json).write_text(json.dumps([one.as_json() for one in results], indent=1))
    return 0 if all(one.kept for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
