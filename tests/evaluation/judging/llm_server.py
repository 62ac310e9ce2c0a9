"""A scripted server on this machine that speaks OpenAI's chat completions, with the faults of real ones."""

import json
import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

#: What may go wrong with a request; the rest of a script's words are answers.
FAULTS = ("429", "500", "half-closed", "truncated", "not json", "wrong ids", "no completion")


ABSENT = "absent"
#: What servers that do not count tokens give as `usage`.
NOT_COUNTED: tuple[Any, ...] = (
    ABSENT,
    None,
    {},
    {"prompt_tokens": None},
    {"prompt_tokens": 0, "completion_tokens": 0},
    "n/a",
)


class LLMServer(ThreadingHTTPServer):
    """Answers every request by the next word of its script, and by "ok" after that.

    Args:
        script: words: "ok", one of `FAULTS`, "slow", "refusal", "controls", "scores" (out of range), "401", "400",
            "quota".
        modes: the types of `response_format` that it takes; the others get `refuse_status`.
        schema_in_object: whether it takes a schema beside `json_object`.
        fault_rate, seed: the share of requests beyond the script that fail, each with a fault drawn by the seed.
        quality: scores by anime id; 5 for others.
        usage: the `usage` of each answer; `ABSENT` leaves the key out.
    """

    daemon_threads = True

    def __init__(
        self,
        script: Sequence[str] = (),
        *,
        modes: Sequence[str] = ("json_schema", "json_object"),
        schema_in_object: bool = True,
        refuse_status: int = 500,
        fault_rate: float = 0.0,
        seed: int = 0,
        quality: Mapping[int, int] | None = None,
        retry_after: str = "2",
        tokens_limit_name: str = "max_tokens",
        usage: Any = MappingProxyType({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}),
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.modes, self.schema_in_object, self.refuse_status = modes, schema_in_object, refuse_status
        self.fault_rate, self.random = fault_rate, random.Random(seed)
        self.quality, self.retry_after, self.tokens_limit_name = quality or {}, retry_after, tokens_limit_name
        self.usage = {} if usage is ABSENT else {"usage": dict(usage) if isinstance(usage, Mapping) else usage}
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.running = self.most_running = 0
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next_word(self, request: dict[str, Any]) -> str:
        with self.lock:
            self.requests.append(request)
            if self.script:
                return self.script.pop(0)
            return self.random.choice(FAULTS) if self.random.random() < self.fault_rate else "ok"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: LLMServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization", ""))
        with self.server.lock:
            self.server.running += 1
            self.server.most_running = max(self.server.most_running, self.server.running)
        try:
            self._answer(request)
        finally:
            with self.server.lock:
                self.server.running -= 1

    def _answer(self, request: dict[str, Any]) -> None:
        server, form = self.server, request.get("response_format") or {}
        if self.path != "/v1/chat/completions":
            return self._error(404, "no such path")
        if form and (
            form["type"] not in server.modes
            or (form["type"] == "json_object" and "schema" in form and not server.schema_in_object)
        ):
            server.requests.append(request)
            said = "Internal Server Error" if server.refuse_status == 500 else "response_format is not supported"
            return self._error(server.refuse_status, said)
        if server.tokens_limit_name not in request:
            server.requests.append(request)
            return self._error(400, f"Unsupported parameter: use '{server.tokens_limit_name}' instead.")
        word = server.next_word(request)
        if word in {"429", "quota"}:
            limits = {"Retry-After": server.retry_after, "x-ratelimit-remaining-requests": "0"}
            return self._error(429, "insufficient_quota" if word == "quota" else "slow down", limits)
        if word.isdigit():
            return self._error(int(word), f"key {self.headers.get('Authorization')} is wrong")
        if word == "slow":
            server.released.wait(10)
        if word == "no completion":
            return self._send(200, b'{"hello": 1}')
        text, finish, refusal = answer_to(request, word, server.quality)
        if request.get("stream"):
            return self._stream(text, finish, refusal, word)
        choice = {
            "index": 0,
            "finish_reason": finish,
            "message": {"role": "assistant", "content": text, "refusal": refusal},
        }
        whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": request["model"], **server.usage}
        self._send(200, json.dumps(whole | {"choices": [choice]}).encode(), cut=word == "half-closed")

    def _stream(self, text: str | None, finish: str, refusal: str | None, word: str) -> None:
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        pieces = [text[i : i + 40] for i in range(0, len(text), 40)] if text else []
        deltas = [{"content": piece} for piece in pieces] + ([{"refusal": refusal}] if refusal else [])
        chunks = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        chunks.append(head | {"choices": [], **self.server.usage})
        if word == "half-closed":
            chunks = chunks[: len(chunks) // 2]
        body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
        body += b"" if word == "half-closed" else b"data: [DONE]\n\n"
        self._send(200, body, {"Content-Type": "text/event-stream"})

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps({"error": {"message": message, "code": None}}).encode(), headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Connection": "close"} | dict(headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = True


def answer_to(request: dict[str, Any], word: str, quality: Mapping[int, int]) -> tuple[str | None, str, str | None]:
    """The text, the finish reason and the refusal for a request, read from its data block."""
    asked = request["messages"][1]["content"]
    data = json.loads(re.search(r"\n<data>\n(.*)\n</data>", asked)[1])  # type: ignore[index]
    if "A" in data:
        means = {side: sum(quality.get(e["anime_id"], 5) for e in data[side]) / len(data[side]) for side in "AB"}
        better = "tie" if means["A"] == means["B"] else max(means, key=means.__getitem__)
        return json.dumps({"explanation": "closer in style", "preferred": better}), "stop", None
    if word == "refusal":
        return None, "stop", "I cannot judge this."
    ids = [entry["anime_id"] for entry in data["recommended"]]
    items = [{"anime_id": i, "explanation": f"because of {i}", "score": quality.get(i, 5)} for i in ids]
    if word == "wrong ids":
        items[0]["anime_id"] = -1
    if word == "scores":
        items[0]["score"] = 45
    overall = round(sum(quality.get(i, 5) for i in ids) / len(ids))
    text = json.dumps({"items": items, "summary": "likes quiet ones", "overall": overall})
    if word == "controls":
        return text.replace("because of", "because\n\tof\x01"), "stop", None
    if word == "truncated":
        return text[: len(text) // 2], "length", None
    return ("I would say: it is fine." if word == "not json" else text), "stop", None


@contextmanager
def serving(*args: Any, **options: Any) -> Iterator[LLMServer]:
    """A running server, stopped at the end."""
    server = LLMServer(*args, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
