"""A venue's websocket connections over real sockets: a peer that leaves ends its own session, and nothing else."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from venues.sessions import Session, open_socket


@pytest.mark.parametrize("prepared", [True, False])
async def test_a_peer_that_is_leaving_does_not_end_the_keep_alive(prepared: bool) -> None:
    """Its transport is closing, or has not shaken hands yet, and the socket does not know: nothing is raised."""
    pinged = asyncio.get_running_loop().create_future()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        session = Session(request, open_socket(request))
        if prepared:
            await session.socket.prepare(request)
            session.abort()
        try:
            await session.ping()
        except Exception as error:
            pinged.set_exception(error)
        else:
            pinged.set_result(session.socket.closed)
        return session.socket if prepared else web.Response()

    application = web.Application()
    application.router.add_get("/", handler)
    async with TestServer(application) as server, aiohttp.ClientSession() as client:
        try:
            await client.ws_connect(server.make_url("/"))
        except aiohttp.ClientError:
            assert not prepared, "a handshake that is not answered fails at the client"
        assert not await asyncio.wait_for(pinged, 30), "the socket itself did not know that the peer leaves"
