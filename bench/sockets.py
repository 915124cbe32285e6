#!/usr/bin/env python3
"""Sockets for the benchmarks: many that are only held, or some connections that talk. Runs until it is ended.

    sockets.py hold PROCESSES SOCKETS        processes with so many UDP sockets each, which do nothing
    sockets.py serve ADDRESS PORT            answers what comes in
    sockets.py talk ADDRESS PORT CONNECTIONS EXCHANGES     a second, over all of them
"""
import asyncio
import os
import signal
import socket
import sys

REQUEST, ANSWER = 200, 200


def hold(processes, sockets):
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            held = []
            for _ in range(sockets):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind(("127.0.0.1", 0))
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pause()
        children.append(child)

    def end(*_):
        for child in children:
            os.kill(child, signal.SIGTERM)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.pause()


async def serve(address, port):
    async def answer(reader, writer):
        try:
            while await reader.readexactly(REQUEST):
                writer.write(bytes(ANSWER))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(answer, address, port) as server:
        await server.serve_forever()


async def talk(address, port, connections, exchanges):
    async def one(number):
        reader, writer = await asyncio.open_connection(address, port)
        pause = connections / exchanges
        await asyncio.sleep(pause * number / connections)
        while True:
            begun = asyncio.get_running_loop().time()
            writer.write(bytes(REQUEST))
            await reader.readexactly(ANSWER)
            await asyncio.sleep(max(0.0, pause - (asyncio.get_running_loop().time() - begun)))

    await asyncio.gather(*(one(number) for number in range(connections)))


def main():
    what, *rest = sys.argv[1:]
    if what == "hold":
        hold(*map(int, rest))
    elif what == "serve":
        asyncio.run(serve(rest[0], int(rest[1])))
    elif what == "talk":
        asyncio.run(talk(rest[0], int(rest[1]), int(rest[2]), float(rest[3])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
