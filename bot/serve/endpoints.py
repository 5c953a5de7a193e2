"""What the server answers about itself: `/healthz`, `/readyz`, `/metrics`.

By default on the loopback interface alone (S10). Nothing here does or starts anything.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from bot.errors import ConfigError
from bot.serve.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from bot.serve.metrics import Metrics

_log = logging.getLogger(__name__)
_SHUTDOWN_S = 1.0


@contextlib.asynccontextmanager
async def listening(
    host: str,
    port: int,
    *,
    metrics: Metrics,
    refresh: Callable[[], None],
    unready: Callable[[], str],
) -> AsyncIterator[int]:
    """Answer at `host` and `port` until the end; gives the port, which may be 0 to choose one.

    `refresh` is called before figures are printed; `unready` says why the server is not ready,
    empty when it is.

    Raises:
        ConfigError: The address cannot be had.
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        why = unready()
        return web.Response(text=f"{why or 'ready'}\n", status=503 if why else 200)

    async def figures(_: web.Request) -> web.Response:
        refresh()
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=1 << 10)
    app.add_routes(
        [web.get("/healthz", health), web.get("/readyz", ready), web.get("/metrics", figures)]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, shutdown_timeout=_SHUTDOWN_S)
        try:
            await site.start()
        except OSError as fault:
            raise ConfigError(
                f"nothing can listen at {host}:{port} ({fault.strerror})",
                where="server.listen",
                hint="Stop what listens there, or name another address",
            ) from fault
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
