"""A Hugging Face Hub on the loopback interface, which speaks the protocol of the real one.

It has one user and one token. It stores repositories of models in memory: creation, list of files,
upload modes, Git LFS and commits.

Reference:
    https://huggingface.co/docs/hub/api and
    https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

USER, TOKEN = "ada", "hf_token-of-ada"
LFS_SUFFIXES = (".keras", ".tflite")  # as .gitattributes of a repository names them


class FakeHub(ThreadingHTTPServer):
    """The server.

    Attributes:
        files: Content of the files of each repository, by its name.
        visibility: Whether a repository is `public` or `private`, by its name.
        commits: Summaries of all commits.
        lfs: Objects of Git LFS by SHA-256.
        requests: Method and path of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.visibility: dict[str, str] = {}
        self.commits: list[str] = []
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        """Value of HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"


class _RefusalError(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str, code: str = "", **document: object) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.document = {"error": message, **document}


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.server.requests.append(f"{self.command} {path}")
        body = self._body()
        headers = {}
        try:
            status, document = 200, self._route(path)(body)
        except _RefusalError as error:
            status, document = error.status, error.document
            headers = {"X-Error-Message": str(error), "X-Error-Code": error.code}
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _route(self, path: str) -> Callable[[bytes], Any]:
        """Return the handler of a request, after a check of the token."""
        if found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):  # signed addresses need no token
            return lambda body: self._store(found[1], body)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _RefusalError(401, "Invalid credentials in Authorization header")
        routes: dict[str, Callable[[bytes, str], Any]] = {
            r"POST /api/repos/create()": self._create,
            r"POST /api/validate-yaml()": self._validate,
            r"GET /api/models/([^/]+/[^/]+)": self._info,
            r"GET /api/models/([^/]+/[^/]+)/tree/main": self._tree,
            r"POST /api/models/([^/]+/[^/]+)/preupload/main": self._preupload,
            r"POST /api/models/([^/]+/[^/]+)/commit/main": self._commit,
            r"POST /([^/]+/[^/]+)\.git/info/lfs/objects/batch": self._batch,
            r"POST /lfs/verify()": self._verify,
        }
        for pattern, handle in routes.items():
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                name = found[1]
                return lambda body: handle(body, name)
        raise _RefusalError(404, f"No such address: {path}")

    def _files(self, name: str, *, write: bool = False) -> dict[str, bytes]:
        """Return the files of a repository."""
        if name not in self.server.files:
            raise _RefusalError(404, "Repository not found", "RepoNotFound")
        if write:
            self._require_owner(name.partition("/")[0])
        return self.server.files[name]

    def _require_owner(self, namespace: str) -> None:
        if namespace != USER:
            raise _RefusalError(403, f'You don\'t have the rights to write to "{namespace}"')

    def _create(self, body: bytes, _: str) -> Any:
        wanted = json.loads(body)
        self._require_owner(wanted["organization"])
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.server.files:
            raise _RefusalError(409, "You already created this model repo", url=self._url(name))
        self.server.files[name] = {".gitattributes": b"*.keras filter=lfs\n"}
        self.server.visibility[name] = wanted.get("visibility", "public")
        return {"url": self._url(name), "name": name, "id": name}

    def _url(self, name: str) -> str:
        return f"{self.server.endpoint}/{name}"

    def _validate(self, body: bytes, _: str) -> Any:
        content = json.loads(body)["content"]
        found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        errors = []
        try:
            metadata = yaml.safe_load(found[1]) if found else None
            if not isinstance(metadata, dict):
                errors = [{"message": "empty or missing yaml metadata"}]
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
        if errors:
            raise _RefusalError(400, "Invalid metadata", errors=errors)
        return {"errors": [], "warnings": []}

    def _info(self, _: bytes, name: str) -> Any:
        siblings = [{"rfilename": path} for path in self._files(name)]
        return {"id": name, "sha": "0" * 40, "siblings": siblings, "tags": []}

    def _tree(self, _: bytes, name: str) -> Any:
        return [
            {"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)}
            for path, data in self._files(name).items()
        ]

    def _preupload(self, body: bytes, name: str) -> Any:
        self._files(name, write=True)
        return {
            "files": [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if each["path"].endswith(LFS_SUFFIXES) else "regular",
                    "shouldIgnore": False,
                }
                for each in json.loads(body)["files"]
            ]
        }

    def _batch(self, body: bytes, name: str) -> Any:
        self._files(name, write=True)
        objects = []
        for each in json.loads(body)["objects"]:
            upload = {"href": f"{self.server.endpoint}/lfs/{each['oid']}"}
            verify = {"href": f"{self.server.endpoint}/lfs/verify"}
            known = each["oid"] in self.server.lfs
            actions = {} if known else {"actions": {"upload": upload, "verify": verify}}
            objects.append({"oid": each["oid"], "size": each["size"], **actions})
        return {"transfer": "basic", "objects": objects}

    def _store(self, oid: str, body: bytes) -> Any:
        if hashlib.sha256(body).hexdigest() != oid:
            raise _RefusalError(400, "The content does not have this hash")
        self.server.lfs[oid] = body
        return {}

    def _verify(self, body: bytes, _: str) -> Any:
        wanted = json.loads(body)
        if len(self.server.lfs.get(wanted["oid"], b"")) != wanted["size"]:
            raise _RefusalError(404, "Object does not exist")
        return {}

    def _commit(self, body: bytes, name: str) -> Any:
        files = dict(self._files(name, write=True))
        summary = ""
        for line in body.decode().splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                summary = value["summary"]
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile" and value["oid"] in self.server.lfs:
                files[value["path"]] = self.server.lfs[value["oid"]]
            elif item["key"] == "deletedFile" and value["path"] in files:
                del files[value["path"]]
            else:
                raise _RefusalError(
                    400, f"{item['key']} of {PurePosixPath(value['path'])} is missing"
                )
        self.server.files[name] = files
        self.server.commits.append(summary)
        oid = hashlib.sha1(body).hexdigest()
        return {"commitUrl": f"{self.server.endpoint}/{name}/commit/{oid}", "commitOid": oid}


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Run the server in a thread."""
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
