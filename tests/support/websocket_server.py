#!/usr/bin/env python3
"""A WebSocket server of other people's making (Debian's python3-websockets), for the tests to talk to.

    websocket_server.py [CERTIFICATE KEY]

prints its port and serves until its standard input ends. /echo answers every message with itself, /greet says three
messages at once, /close?CODE closes with that code and the reason "done".
"""
import asyncio
import ssl
import sys

import websockets


async def serve(socket):
    path, _, argument = socket.path.partition("?")
    if path == "/greet":
        for word in ("one", "two", b"three"):
            await socket.send(word)
    if path == "/close":
        await socket.close(int(argument), "done")
        return
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosedError:
        pass


async def main(arguments):
    context = None
    if arguments:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments)
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=context, subprotocols=["chat"], max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(main(sys.argv[1:]))
