"""A receiver in Python, with nothing but the standard library: it checks Standard Webhooks signatures by hand, keeps
each message once, and answers before it works.

    ./waypost endpoints create http://127.0.0.1:9091/        # prints the secret
    WEBHOOK_SECRET=whsec_… PORT=9091 python3 examples/receiver.py
    ./waypost endpoints test http://127.0.0.1:9091/          # it answers, so it becomes active
"""

import base64
import hashlib
import hmac
import json
import os
import queue
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 300
BODY_BYTES_MAX = 1024 * 1024
# Two while a secret is rotated, with a blank between.
SECRETS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in os.environ.get("WEBHOOK_SECRET", "").split()]

inbox = sqlite3.connect(os.environ.get("INBOX", "inbox.db"), check_same_thread=False)
inbox.execute("create table if not exists messages (id text primary key, body text not null, done integer not null default 0)")
inbox_lock = threading.Lock()
work: "queue.Queue[str]" = queue.Queue()


def verify(headers, body: bytes) -> "str | None":
    """What is wrong with the message; None when it is genuine."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit():
        return "webhook-id or webhook-timestamp is missing"
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in SECRETS]
    given = [part[3:] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
    # compare_digest takes the same time wherever two signatures differ.
    if not any(hmac.compare_digest(one, other) for one in given for other in wanted):
        return "no signature matches: another secret, or a changed body"
    if abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return "the message is too old, or this clock is wrong"
    return None


def store(message_id: str, body: bytes) -> bool:
    """Whether it is new. It is on disk when this returns."""
    with inbox_lock, inbox:
        return inbox.execute("insert or ignore into messages (id, body) values (?, ?)", (message_id, body.decode())).rowcount == 1


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    timeout = 120

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413, "too large")
        body = self.rfile.read(length)
        wrong = verify(self.headers, body)
        if wrong is not None:
            return self.answer(400, wrong)
        # A repeat is answered like the first: it has arrived.
        if store(self.headers["webhook-id"], body):
            work.put(self.headers["webhook-id"])
        self.answer(204)

    def answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        pass


def work_off() -> None:
    """What takes time happens here, after the answer. Types that are not known are ignored."""
    while True:
        message_id = work.get()
        with inbox_lock:
            (body,) = inbox.execute("select body from messages where id = ?", (message_id,)).fetchone()
        event = json.loads(body)
        if event["type"].startswith("job."):
            job = event["data"]["job"]
            print(event["sequence"], job["reference"], job["status"], ", ".join(event["topics"]), flush=True)
        with inbox_lock, inbox:
            inbox.execute("update messages set done = 1 where id = ?", (message_id,))


if __name__ == "__main__":
    if not SECRETS:
        sys.exit("receiver: WEBHOOK_SECRET is not set: ./waypost endpoints create http://127.0.0.1:9091/ prints one")
    # What was stored and not worked off when it was killed.
    for (left,) in inbox.execute("select id from messages where done = 0 order by rowid").fetchall():
        work.put(left)
    threading.Thread(target=work_off, daemon=True).start()
    port = int(os.environ.get("PORT", "9091"))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        sys.exit(f"receiver: port {port} cannot be had ({error.strerror}): set PORT to another one")
    print(f"Listening on http://127.0.0.1:{port}/", flush=True)
    server.serve_forever()
