# Says READY=1 once the file `go` is there, and WATCHDOG=1 while the file `hang` is not.
import os
import socket
import time

speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
place = os.environ["NOTIFY_SOCKET"]
speaker.connect("\0" + place[1:] if place.startswith("@") else place)
while not os.path.exists("go"):
    time.sleep(0.02)
speaker.send(b"READY=1\nWATCHDOG=1")
while True:
    time.sleep(0.1)
    if not os.path.exists("hang"):
        speaker.send(b"WATCHDOG=1")
