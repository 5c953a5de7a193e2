"""`pilotfish serve`: the long-running bot."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bot.cli.options import parser
from bot.errors import ConfigError, FaultsError

_EXAMPLES = """\
  pilotfish serve --config /etc/pilotfish/serve.yaml
  kill -HUP PID                           reads the file again; a wrong one is refused whole
  curl http://127.0.0.1:8080/metrics      also /healthz and /readyz

a first file:
  version: 1
  repositories:
    - name: fleet
      url: https://git.example.org/team/fleet
      interval: 5m
      credentials: {token: {env: FLEET_TOKEN}}
"""


def run(arguments: list[str]) -> int:
    """Serve until a signal to stop; returns 0 then."""
    made = parser(
        "serve",
        "Looks after repositories on a schedule. The log goes to standard error, as JSON.",
        examples=_EXAMPLES,
    )
    made.add_argument("--config", required=True, metavar="FILE", type=Path)
    return _serve(made.parse_args(arguments))


def _serve(given: argparse.Namespace) -> int:
    from bot.cli.check_command import strangers
    from bot.cli.places import cache_root, state_root
    from bot.clock import SystemClock
    from bot.telemetry import set_up_json_logging

    try:
        from bot.serve.generation import load
        from bot.serve.server import Places, serve
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"the package {fault.name!r} of the server is not installed",
            where="pilotfish serve",
            hint="Install pilotfish with its extra: pilotfish[server]",
        ) from fault
    if mixed := strangers():
        raise FaultsError(mixed)
    load(given.config)  # faults of the first start are told as text, to the person who starts it
    lines = set_up_json_logging(verbosity=given.verbose)
    places = Places(file=given.config, cache=cache_root(), state=state_root())
    try:
        asyncio.run(serve(places, clock=SystemClock(), lines=lines))
    finally:
        lines.close()
    return 0
