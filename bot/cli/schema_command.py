"""`pilotfish schema`: the JSON schema of `.pilotfish.yaml`."""

from __future__ import annotations

import json

from bot.cli.options import parser

_EXAMPLES = """\
  pilotfish schema > .pilotfish.schema.json
  # and as the first line of .pilotfish.yaml, for editors with the YAML language server:
  # yaml-language-server: $schema=.pilotfish.schema.json
"""


def run(arguments: list[str]) -> int:
    """Print the schema; it is JSON in either output form."""
    parser("schema", "Prints the JSON schema of .pilotfish.yaml.", examples=_EXAMPLES).parse_args(
        arguments
    )
    from bot.config.schema import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0
