"""Folders and registries of a stated size, the same from run to run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

_SEED = 20261121
_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")


def manifest(number: int, image: str, marker: str) -> str:
    """Return one Deployment with a Service and a ConfigMap, about 130 lines."""
    noise = random.Random(_SEED + number)
    settings = "\n".join(
        f"  key-{line}: {noise.choice(_WORDS)}-{noise.randrange(10**6)}" for line in range(70)
    )
    tail = f"  # {marker}" if marker else ""
    return f"""\
# generated object {number}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{number}
  labels:
    app: app-{number}

spec:
  replicas: {noise.randrange(1, 9)}
  selector:
    matchLabels: {{app: app-{number}}}
  template:
    metadata:
      labels:
        app: app-{number}
    spec:
      containers:
        - name: app
          image: {image}{tail}
          args:
            - --level=info
            - --name={noise.choice(_WORDS)}
          resources:
            limits: {{cpu: 100m, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata:
  name: app-{number}
spec:
  selector:
    app: app-{number}
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-{number}
data:
{settings}
"""


def files(count: int, *, marked: int, images: int, host: str) -> Iterator[tuple[str, str]]:
    """Give path and text of `count` files; the first `marked` of every share hold a marker."""
    step = max(1, count // marked)
    held = 0
    for number in range(count):
        is_marked = number % step == 0 and held < marked
        index = held % images
        held += is_marked
        image = f"{host}/team/app-{index}:1.0.0" if is_marked else f"{host}/team/other:2.0.0"
        marker = f'{{"$imagepolicy": "flux-system:app-{index}"}}' if is_marked else ""
        yield f"apps/group-{number % 50}/app-{number}.yaml", manifest(number, image, marker)


def write(folder: Path, count: int, *, marked: int, images: int, host: str) -> None:
    """Write the files below `folder`."""
    for path, text in files(count, marked=marked, images=images, host=host):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def policies(images: int, host: str) -> str:
    """Return a `.pilotfish.yaml` with a policy for each image."""
    lines = ["version: 1", "forge: {kind: plain}", "limits: {open: 1000, new-per-hour: 1000}"]
    lines += ["updates:", "  - {name: all, paths: [apps], group: all}", "policies:"]
    for index in range(images):
        lines += [
            f"  app-{index}:",
            f"    image: {host}/team/app-{index}",
            '    semver: ">=1.0 <2"',
        ]
    return "\n".join(lines) + "\n"
