"""Programs that move known bytes, for tests of who owns them. Each prints what it did, a JSON object a line.

    traffic.py CASE [ARGUMENT...]
"""
import array
import ctypes
import json
import os
import socket
import struct
import sys
import time

HOST = "127.0.0.1"
libc = ctypes.CDLL(None, use_errno=True)


def call_oneself(name):
    libc.prctl(15, name.encode(), 0, 0, 0)


def say(**what):
    # one write: several processes share the pipe
    os.write(1, (json.dumps(what) + "\n").encode())


def child(name, job, *arguments):
    pid = os.fork()
    if pid == 0:
        try:
            call_oneself(name)
            job(*arguments)
            os._exit(0)
        except BaseException as error:
            say(failed=name, error=repr(error))
            os._exit(1)
    return pid


def wait(*children):
    for pid in children:
        os.waitpid(pid, 0)


def read_all(connection):
    while connection.recv(65536):
        pass


def prefork(pattern):
    """Four workers of one listener; each says which connections it took. Patterns: both, sink, push, nameless."""
    listener = socket.create_server((HOST, 7500), backlog=512)

    def take():
        if pattern != "nameless":
            return listener.accept()
        # accept without asking for the peer's address
        descriptor = libc.accept4(listener.fileno(), None, None, 0)
        connection = socket.socket(fileno=descriptor)
        return connection, None

    def worker():
        while True:
            connection, peer = take()
            if pattern != "push":
                read_all(connection)
            if pattern != "sink":
                connection.sendall(b"r" * 5000)
            peer = peer or connection.getpeername()
            connection.close()
            say(port=peer[1], pid=os.getpid())

    def client():
        for _ in range(25):
            connection = socket.create_connection((HOST, 7500))
            if pattern != "push":
                connection.sendall(b"x" * 5000)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)

    workers = [child(f"worker{number}", worker) for number in range(4)]
    wait(*[child("client", client) for _ in range(4)])
    time.sleep(0.2)
    for pid in workers:
        os.kill(pid, 9)
    wait(*workers)


def many_peers(peers):
    """One unconnected socket sends to so many addresses, another one receives it all."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("0.0.0.0", 7600))

    def send():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((HOST, 7601))
        for number in range(int(peers)):
            sender.sendto(b"x" * 100, (f"127.1.{number // 250}.{number % 250 + 1}", 7600))
            if number % 50 == 0:
                time.sleep(0.002)

    wait(child("sender", send))
    time.sleep(0.2)


def reuse(rounds):
    """Two programs speak the same 5-tuple one after the other, milliseconds apart."""

    def echo():
        answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        answering.bind((HOST, 7701))
        answering.settimeout(3)
        try:
            while True:
                data, peer = answering.recvfrom(2000)
                answering.sendto(data, peer)
        except OSError:
            pass

    def speak(size):
        speaking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        speaking.bind((HOST, 7700))
        speaking.settimeout(2)
        for _ in range(5):
            speaking.sendto(b"x" * size, (HOST, 7701))
            speaking.recv(2000)

    echoing = child("echo", echo)
    time.sleep(0.2)
    for _ in range(int(rounds)):
        wait(child("first", speak, 500))
        wait(child("second", speak, 1000))
        time.sleep(0.013)
    wait(echoing)


def handed_over():
    """A connected socket goes to a child, and another one through a Unix socket to a stranger."""
    listener = socket.create_server((HOST, 7800))

    def sink():
        for _ in range(2):
            connection, _ = listener.accept()
            read_all(connection)

    sinking = child("sink", sink)
    ours, theirs = socket.socketpair()

    def stranger():
        message, ancillary, _, _ = theirs.recvmsg(16, socket.CMSG_SPACE(4))
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2][:4])
        connection = socket.socket(fileno=descriptors[0])
        connection.sendall(b"s" * 20000)
        connection.close()

    def maker():
        inherited = socket.create_connection((HOST, 7800))
        say(inherited=inherited.getsockname()[1], maker=os.getpid())

        def inheritor():
            say(inheritor=os.getpid())
            inherited.sendall(b"c" * 20000)

        wait(child("inheritor", inheritor))
        inherited.close()
        handed = socket.create_connection((HOST, 7800))
        say(handed=handed.getsockname()[1])
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handed.fileno()]))])
        time.sleep(0.3)
        handed.close()

    receiving = child("stranger", stranger)
    wait(child("maker", maker), receiving, sinking)


def netfilter_queue():
    """A program that reads an NFQUEUE sends on what others have sent. Needs a rule that queues to number 3."""
    queue = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    queue.bind((0, 0))

    def attribute(kind, data):
        return struct.pack("<HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)

    def send(kind, family, attributes):
        body = struct.pack(">BBH", family, 0, 3) + attributes
        queue.send(struct.pack("<IHHII", 16 + len(body), (3 << 8) | kind, 1, 1, 0) + body)

    def verdicts():
        send(2, 0, attribute(1, struct.pack(">BBH", 1, 0, 2)))
        send(2, 0, attribute(2, struct.pack(">IB", 0, 1)))
        queue.settimeout(0.2)
        end = time.time() + 3
        say(queueing=os.getpid())
        while time.time() < end:
            try:
                data = queue.recv(65536)
            except OSError:
                continue
            offset = 0
            while offset + 16 <= len(data):
                length, kind = struct.unpack_from("<IH", data, offset)
                if kind == 3 << 8:
                    packet = data[offset + 24 : offset + 28]
                    send(1, 2, attribute(2, struct.pack(">I", 1) + packet))
                offset += (length + 3) & ~3

    def receive():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((HOST, 7901))
        receiver.settimeout(1.5)
        try:
            while True:
                data, peer = receiver.recvfrom(2000)
                receiver.sendto(data, peer)
        except OSError:
            pass

    def speak():
        speaking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        speaking.bind((HOST, 7900))
        speaking.settimeout(1)
        for _ in range(5):
            speaking.sendto(b"x" * 500, (HOST, 7901))
            speaking.recv(2000)

    queueing = child("queue", verdicts)
    time.sleep(0.3)
    receiving = child("receiver", receive)
    time.sleep(0.1)
    wait(child("speaker", speak), receiving, queueing)


def steady():
    """Talks to itself until it is killed, half a minute at most."""
    call_oneself("steady")
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((HOST, 7300))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(1500):
        sender.sendto(b"x" * 100, (HOST, 7300))
        receiver.recv(2000)
        time.sleep(0.02)


def conversation(address, port):
    """One TCP connection to a server that stands elsewhere."""
    connection = socket.create_connection((address, int(port)))
    say(port=connection.getsockname()[1], pid=os.getpid())
    connection.sendall(b"x" * 20000)
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


def server(address, port):
    """Takes one connection and answers it."""
    listener = socket.create_server((address, int(port)))
    say(ready=True)
    connection, _ = listener.accept()
    read_all(connection)
    connection.sendall(b"r" * 20000)
    connection.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
