# syntax=docker/dockerfile:1
# Two stages: the first builds from the lock file, every package by its hash; the second holds what runs.
#
#   docker build --tag pilotfish .
#   docker run --rm --volume "$PWD:/repository" pilotfish scan .

FROM docker.io/library/python:3.12-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.8 /uv /usr/local/bin/uv
ENV UV_PYTHON=/usr/local/bin/python3 \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /build
COPY pyproject.toml uv.lock README.md LICENSE ./
# The dependencies and the build backend change seldom: layers of their own.
RUN UV_PROJECT_ENVIRONMENT=/opt/venv uv sync --frozen --no-dev --all-extras --no-install-project
RUN UV_PROJECT_ENVIRONMENT=/build/backend uv sync --frozen --only-group build --no-install-project
COPY bot bot
COPY policies policies
COPY reconciler reconciler
RUN /build/backend/bin/python -m hatchling build -t wheel -d /build/dist
# By name: UV_PYTHON would send it to the interpreter above.
RUN uv pip install --python /opt/venv/bin/python --no-deps --offline /build/dist/*.whl

FROM docker.io/library/python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN install -d -o 65532 -g 65532 /home/pilotfish /repository
COPY --from=build /opt/venv /opt/venv
ENV HOME=/home/pilotfish
WORKDIR /repository
USER 65532:65532
# Isolated: neither the working directory nor PYTHONPATH can put another `bot` in our place.
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/opt/venv/bin/pilotfish"]
CMD ["--help"]
