"""Sends a frame again and again from a ring that is shared with the kernel (packet(7), PACKET_TX_RING).

Arguments: interface, version of the ring (1 to 3), frames to send, and the frame in hexadecimal.
"""

import mmap
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VERSION, PACKET_TX_RING = 263, 10, 13
SEND_REQUEST = 1
PLACE, PLACES = 2048, 16
# by version: where the status lies, its format; where the length lies; the bytes before the frame
LAYOUTS = {1: (0, "L", 8, 32), 2: (0, "I", 4, 32), 3: (20, "I", 16, 48)}

interface, version, frames, frame = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
with open("/proc/self/comm", "w", encoding="ascii") as name:
    name.write("ring-sender")
ring = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
ring.setsockopt(SOL_PACKET, PACKET_VERSION, version - 1)
wanted = [PLACE * PLACES, 1, PLACE, PLACES] + [0, 0, 0] * (version == 3)
ring.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack(f"{len(wanted)}I", *wanted))
ring.bind((interface, 0))
shared = mmap.mmap(ring.fileno(), PLACE * PLACES)
status, form, length, before = LAYOUTS[version]
for number in range(frames):
    place = number % PLACES * PLACE
    shared[place + before : place + before + len(frame)] = frame
    shared[place + length : place + length + 4] = struct.pack("I", len(frame))
    written = struct.pack(form, SEND_REQUEST)
    shared[place + status : place + status + len(written)] = written
    ring.send(b"")
    time.sleep(0.01)
