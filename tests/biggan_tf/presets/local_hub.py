"""A stand-in for a model hub on this machine: the part of its HTTP protocol that presets need."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import urllib.parse


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `server.repositories`: {name: {path: bytes}}; `server.seen` lists (method, path)."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self._answer_get()

    def do_HEAD(self):
        self._answer_get()

    def _answer_get(self):
        path = urllib.parse.unquote(self.path.partition("?")[0]).strip("/")
        self.server.seen.append((self.command, path))
        parts = path.split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            return self._repository("/".join(parts[2:4]), parts[4:])
        if len(parts) > 4 and parts[2] == "resolve":
            return self._file("/".join(parts[:2]), "/".join(parts[4:]))
        return self._send(404, {"error": "not found"})

    def _repository(self, name, rest):
        held = self.server.repositories.get(name)
        if held is None:
            return self._send(401, {"error": "no such repository"}, {"X-Error-Code": "RepoNotFound"})
        if rest[:1] == ["tree"]:
            return self._send(200, [self._entry(path, content) for path, content in sorted(held.items())])
        siblings = [{"rfilename": path} for path in sorted(held)]
        return self._send(200, {"id": name, "sha": _commit(held), "siblings": siblings, "private": False})

    def _entry(self, path, content):
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _file(self, name, path):
        held = self.server.repositories.get(name, {})
        if path not in held:
            return self._send(404, {"error": "no such file"}, {"X-Error-Code": "EntryNotFound"})
        digest = hashlib.sha1(held[path]).hexdigest()
        return self._send(200, held[path], {"ETag": f'"{digest}"', "X-Repo-Commit": _commit(held)})

    def do_POST(self):
        path = urllib.parse.unquote(self.path.partition("?")[0]).strip("/")
        self.server.seen.append(("POST", path))
        body = self._body()
        parts = path.split("/")
        if path == "api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if path == "api/repos/create":
            values = json.loads(body)
            name = f"{values['organization']}/{values['name']}" if values.get("organization") else values["name"]
            self.server.repositories.setdefault(name, {})
            return self._send(200, {"url": f"{self.server.address}/{name}", "id": name})
        name = "/".join(parts[2:4])
        if parts[4:5] == ["preupload"]:
            files = json.loads(body)["files"]
            answers = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            return self._send(200, {"files": answers})
        if parts[4:5] == ["commit"]:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.server.repositories[name][entry["value"]["path"]] = content
                if entry["key"] == "deletedFile":
                    del self.server.repositories[name][entry["value"]["path"]]
            commit = _commit(self.server.repositories[name])
            url = f"{self.server.address}/{name}/commit/{commit}"
            return self._send(200, {"success": True, "commitOid": commit, "commitUrl": url})
        return self._send(404, {"error": "not found"})

    def _body(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status, content, headers=()):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _commit(held):
    return hashlib.sha1(b"".join(path.encode() + content for path, content in sorted(held.items()))).hexdigest()


@contextlib.contextmanager
def running():
    """The server, with `address`, `repositories` and `seen`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.repositories, server.seen = {}, []
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
