"""Writes camd_plain.json and camd_sealed.json: what camd says, by the specification.

Knows neither the daemon's code nor the firmware's: only hmac and hashlib.
"""

import hashlib
import hmac
import json
from pathlib import Path

HERE = Path(__file__).parent
CAM = "porch.north-2"
BOOT = "00c0ffee12345678"
KEY = bytes(range(32))
NONCE = bytes(range(0xA0, 0xB0)).hex()
CHALLENGE = bytes(range(0x50, 0x60)).hex()
SHA256 = hashlib.sha256(b"firmware").hexdigest()

MESSAGES = [
    ("ACK", "ACK 1", b""),
    ("ACK of an earlier boot", "ACK 4294967295 boot=fedcba9876543210", b""),
    ("NAK for now", "NAK 2 busy retry=1500", b""),
    ("NAK for good", "NAK 7 conflict boot=fedcba9876543210", b""),
    ("SET", "SET 12 framesize=vga quality=12 brightness=-1 interval=2.5", b""),
    ("SNAP", "SNAP 13 flash=1", b""),
    ("STREAM", "STREAM 14 fps=5", b""),
    ("STREAM off", "STREAM 15 off", b""),
    ("REBOOT", "REBOOT 16", b""),
    ("UPDATE", f"UPDATE 17 url=https://camd.example/fw%20a.bin sha256={SHA256}", b""),
    ("PING", "PING", b""),
    ("PING with a word", "PING k%3D1", b""),
    ("PONG", "PONG 17", b""),
    ("a verb of a later version, with a payload", "HINT kind=text len=12", b"PING\nACK 1\n\xff"),
    ("ERR verb", "ERR verb", b""),
    ("ERR taken", "ERR taken", b""),
]


def opening_mac(who: str) -> bytes:
    text = f"camd/2 {who} {CAM} {BOOT} {NONCE} {CHALLENGE}"
    return hmac.digest(KEY, text.encode("ascii"), "sha256")


def sealed(session: bytes, n: int, line: str, payload: bytes) -> bytes:
    text = f"camd {n} {line}\n".encode("ascii") + payload
    mac = hmac.digest(session, text, "sha256").hex()[:32]
    return f"{line} mac={mac}\n".encode("ascii") + payload


def recording(keyed: bool) -> dict[str, object]:
    welcome = "WELCOME camd/2 time=1767225600000 last=41 window=4 max=400000"
    said: list[tuple[str, bytes]] = []
    if keyed:
        said.append(("CHALLENGE", f"CHALLENGE {CHALLENGE}\n".encode("ascii")))
        welcome += f" proof={opening_mac('camd').hex()}"
    lines = [("WELCOME", welcome, b""), *MESSAGES]
    session = opening_mac("session")
    for n, (name, line, payload) in enumerate(lines):
        plain = line.encode("ascii") + b"\n" + payload
        said.append((name, sealed(session, n, line, payload) if keyed else plain))
    return {
        "format": "camd-vectors/1",
        "side": "camd",
        "cam": CAM,
        "boot": BOOT,
        "key": KEY.hex() if keyed else "",
        "nonce": NONCE,
        "challenge": CHALLENGE if keyed else "",
        "messages": [{"name": name, "bytes": data.hex()} for name, data in said],
    }


def main() -> None:
    for name, keyed in (("camd_plain.json", False), ("camd_sealed.json", True)):
        text = json.dumps(recording(keyed), indent=2) + "\n"
        (HERE / name).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
