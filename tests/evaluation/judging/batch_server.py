"""The scripted server with OpenAI's files and batches."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.evaluation.judging.llm_server import LLMServer, _Handler, answer_to


class BatchServer(LLMServer):
    """A batch stays in progress until `work` is called; its requests are answered by the script, in their order.

    Words of the script for a line: those of `LLMServer` that are answers, "error" and "missing".
    """

    def __init__(self, script: Sequence[str] = (), **options: Any) -> None:
        super().__init__(script, **options)
        self.RequestHandlerClass = _BatchHandler
        self.files: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        #: Statuses with which the next calls fail, and whether a created batch is not told of.
        self.refusals: list[int] = []
        self.hides_created = False

    def work(self) -> None:
        """Answer every batch that is in progress."""
        for batch in self.batches.values():
            if batch["status"] not in ("in_progress", "cancelling"):
                continue
            lines: list[str] = []
            errors: list[str] = []
            for text in self.files[batch["input_file_id"]].splitlines():
                line = json.loads(text)
                found = self._line(line)
                if found:
                    (errors if found["response"]["status_code"] != 200 else lines).append(json.dumps(found))
            batch["status"] = "cancelled" if batch["status"] == "cancelling" else "completed"
            batch["output_file_id"] = self.keep("\n".join(lines))
            batch["error_file_id"] = self.keep("\n".join(errors)) if errors else None

    def _line(self, line: dict[str, Any]) -> dict[str, Any] | None:
        word = self.next_word(line["body"])
        if word == "missing":
            return None
        if word == "error":
            return {"custom_id": line["custom_id"], "response": {"status_code": 500, "body": {}}}
        text, finish, refusal = answer_to(line["body"], word, self.quality)
        message = {"role": "assistant", "content": text, "refusal": refusal}
        body = {
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            **self.usage,
        }
        return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}

    def keep(self, text: str) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = text
        return name


class _BatchHandler(_Handler):
    server: BatchServer

    def do_POST(self) -> None:  # noqa: N802  as http.server calls it
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        if server.refusals:
            return self._error(server.refusals.pop(0), "no batches here")
        if self.path == "/v1/files":
            given = re.search(rb'filename="[^"]+\.jsonl".*?\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
            name = server.keep(given[1].decode())  # type: ignore[index]
            return self._json({"id": name, "object": "file", "bytes": len(body), "created_at": 1, "purpose": "batch"})
        if self.path == "/v1/batches":
            name = f"batch_{len(server.batches)}"
            server.batches[name] = {**json.loads(body), "id": name, "object": "batch", "status": "in_progress"}
            if server.hides_created:
                self.close_connection = True
                return None
            return self._json(server.batches[name])
        name = self.path.split("/")[3]
        server.batches[name]["status"] = "cancelling"
        return self._json(server.batches[name])

    def do_GET(self) -> None:  # noqa: N802  as http.server calls it
        parts = self.path.partition("?")[0].split("/")
        if parts[2] == "files":
            return self._send(200, self.server.files[parts[3]].encode())
        if len(parts) == 3:
            return self._json({"object": "list", "data": list(self.server.batches.values()), "has_more": False})
        return self._json(self.server.batches[parts[3]])

    def _json(self, value: dict[str, Any]) -> None:
        self._send(200, json.dumps(value).encode())


@contextmanager
def serving_batches(*args: Any, **options: Any) -> Iterator[BatchServer]:
    server = BatchServer(*args, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
