"""Packages for tests: wheels that hold one module, and an index of them that lets nobody in without a password."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outboard.bundle.environment import own_requirements

__all__ = ("PASSWORD", "USER", "PrivateIndex", "own_wheels", "private_index", "wheel")

USER, PASSWORD = "somebody", "pl4nted-s3cret"

_DATE = (1980, 1, 1, 0, 0, 0)


def wheel(folder: Path, name: str, version: str, *requires: str, module: str = "") -> Path:
    """Write a wheel with one module and nothing else."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{name.replace('-', '_')}.py": module or f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join(record) + f"{info}/RECORD,,\n"
    file = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as opened:
        for path, text in files.items():
            opened.writestr(zipfile.ZipInfo(path, _DATE), text)
    return file


def own_wheels(folder: Path) -> None:
    """Stand-ins for outboard's own libraries, under the names that it declares, each also in a version that is too old."""
    for requirement in own_requirements():
        name, _, version = requirement.partition(">=")
        wheel(folder, name, version)
        wheel(folder, name, "0.1")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class PrivateIndex:
    """An index on this machine, of the wheels in a folder.

    Attributes:
        address: of its list of packages, without a user.
        asked: the paths that were asked for with the right password.
        turned_away: how many requests had another one, or none.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}/simple"
        self.asked: list[str] = []
        self.turned_away = 0

    def address_for(self, user: str = f"{USER}:{PASSWORD}", path: str = "simple") -> str:
        """The address with a user in it."""
        return f"http://{user}@127.0.0.1:{self.port}/{path}"


@contextmanager
def private_index(wheels: Path) -> Iterator[PrivateIndex]:
    """Serve a folder of wheels."""
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != expected:
                index.turned_away += 1
                self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="packages"'})
                return
            index.asked.append(self.path)
            *_, kind, name = self.path.rstrip("/").split("/")
            if kind == "simple":
                files = sorted(wheels.glob(f"{name.replace('-', '_')}-*.whl"))
                page = "".join(f'<a href="/files/{file.name}">{file.name}</a>\n' for file in files)
                self._answer(200 if files else 404, page.encode(), {"Content-Type": "text/html"})
            else:
                file = wheels / name
                self._answer(*((200, file.read_bytes()) if file.is_file() else (404, b"")), {})

        do_HEAD = do_GET

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index = PrivateIndex(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
