"""`python -m tests.benchmarks.soak --minutes 10`: `serve` for as long as it is let.

200 images in ten repositories with their intervals shortened to a second: a registry and a Git
host of the tests, the server as a child process. Every so often a tag is pushed and its
proposal merged. A line each 100 errands: memory, descriptors, children. Ends with what was
found: whether memory stayed flat, whether every errand kept its turn, what is left behind.

Twelve hours at the usual five minutes are 144 cycles of each repository; `--cycles 144` runs
just as many.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.fleet import deployment
from tests.journeys.serving import Server, server_file
from tests.servers.distribution import Distribution
from tests.servers.git_host import GitHost
from tests.servers.remote import Remote

REPOSITORIES, IMAGES = 10, 20
TAGS = [f"1.{minor}.{patch}" for minor in range(4) for patch in range(5)]
EVERY = 100  # errands between two lines
_SETTLED = 2  # of these lines pass before memory is measured: caches fill first
_FLAT_MIB = 8.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the server looked like at one moment."""

    errands: int
    seconds: float
    rss_mib: float
    descriptors: int
    children: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.0f} s {self.errands:7d} errands {self.rss_mib:7.1f} MiB "
            f"{self.descriptors:4d} descriptors {self.children:3d} children"
        )


def main() -> int:
    """Run, print, and return 0 when all was well."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--minutes", type=float, default=10.0)
    given.add_argument("--cycles", type=int, default=0, help="stop after so many of each")
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        registry, host = Distribution(folder / "registry", mode="open"), GitHost(folder / "git")
        registry.start()
        host.start()
        (folder / "server").mkdir()
        server = Server(folder=folder / "server")
        try:
            os.environ["HOME"] = str(folder)
            remotes = [_fleet(host, registry, number) for number in range(REPOSITORIES)]
            server.write(server_file(*((one.name, str(one.url_http)) for one in remotes)))
            server.start()
            looks = _watch(server, remotes, registry, options.minutes * 60, options.cycles)
            return _judge(server, looks)
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()
            host.stop()
            registry.shut_down()


def _fleet(host: GitHost, registry: Distribution, number: int) -> Remote:
    files: dict[str, str | bytes] = {}
    for image in range(IMAGES):
        name = f"team-{number}/app-{image}"
        registry.push_tags(name, TAGS)
        files[f"apps/app-{image}.yaml"] = deployment(f"{registry.host}/{name}:{TAGS[-1]}")
    return host.create(f"fleet-{number}", files)


def _watch(
    server: Server, remotes: list[Remote], registry: Distribution, seconds: float, cycles: int
) -> list[Look]:
    began = time.monotonic()
    looks: list[Look] = []
    wanted = cycles * len(remotes)
    for turn in itertools.count(1):
        number = turn % len(remotes)
        registry.push_tags(f"team-{number}/app-{turn % IMAGES}", [f"1.9.{turn}"])
        for branch in remotes[number].branches():
            if branch.startswith("pilotfish/"):
                remotes[number].merge(branch)
        time.sleep(2)
        errands = _errands(server)
        if errands // EVERY > (looks[-1].errands // EVERY if looks else 0):
            looks.append(_look(server, errands, time.monotonic() - began))
            print(looks[-1], flush=True)
        if time.monotonic() - began > seconds or (wanted and errands >= wanted):
            looks.append(_look(server, errands, time.monotonic() - began))
            print(looks[-1], flush=True)
            return looks
    raise AssertionError("counting never ends")


def _errands(server: Server) -> int:
    return sum(one["event"] in {"errand ended", "errand failed"} for one in list(server.log))


def _look(server: Server, errands: int, seconds: float) -> Look:
    looks = [(server.descriptors(), len(server.children())) for _ in range(20)]
    return Look(
        errands=errands,
        seconds=seconds,
        rss_mib=server.metric("process_resident_memory_bytes") / 2**20,
        descriptors=min(one[0] for one in looks),
        children=min(one[1] for one in looks),
    )


def _judge(server: Server, looks: list[Look]) -> int:
    settled = looks[min(_SETTLED, len(looks) - 1)]
    grown = looks[-1].rss_mib - settled.rss_mib
    failed = [one for one in server.log if one["event"] == "errand failed"]
    opened = sum(one["event"] == "proposal opened" for one in server.log)
    cpu = server.metric("process_cpu_seconds_total")
    per_errand = [
        sum(
            one.get("where") == f"fleet-{n}" for one in server.log if one["event"] == "errand ended"
        )
        for n in range(REPOSITORIES)
    ]
    took = server.stop()
    print(f"errands of each repository: {min(per_errand)} to {max(per_errand)}")
    print(f"proposals opened: {opened}; errands failed: {len(failed)}")
    print(
        f"CPU of the server: {cpu:.0f} s, {1000 * cpu / max(1, looks[-1].errands):.0f} ms an errand"
    )
    print(f"memory since line {_SETTLED + 1}: {grown:+.1f} MiB; stopped within {took:.1f} s")
    well = grown < _FLAT_MIB and not failed and looks[-1].children == 0
    print("well" if well else "NOT well")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
