"""Desks over small folders of images and masks, and readers who ask of them through the real application."""

import os
import threading
import uuid
from contextlib import ExitStack, contextmanager

import httpx
import numpy as np
import pytest
import sqlalchemy
import uvicorn

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.review.desk import Desk
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Given
from flexunet.review.web.app import make_app
from flexunet.serve.server import listen

TOKEN = "a-token-of-the-tests"
HEIGHT, WIDTH = 60, 80


def picture(seed):
    return np.random.default_rng(seed).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)


def square(left=10, top=20, side=8):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def write_folder(root, names=("a", "b", "c"), masks=("a", "b")):
    """Images, some with a mask of one square."""
    for number, name in enumerate(names):
        write_image(root / "images" / f"{name}.png", picture(number))
        if name in masks:
            write_mask(root / "masks" / f"{name}.png", square(), ColorMap.binary())
    return root


@contextmanager
def served(app):
    """The application behind a socket of this machine; its address."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Reader:
    """A browser with a session; changes carry the token against forgery."""

    def __init__(self, address, token=TOKEN, cookies=None):
        self.address = address
        self.client = httpx.Client(base_url=address, trust_env=False, timeout=60, cookies=cookies)
        if token:
            assert self.client.get("/", params={"token": token}).status_code == 303
        if token or cookies:
            self.csrf = self.get("/api/session")["csrf"]

    def get(self, path, /, **parameters):
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def labels(self, path, /, **parameters):
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return np.frombuffer(answer.content, np.uint8).reshape(HEIGHT, WIDTH)

    def post(self, path, body, status=200):
        answer = self.client.post(path, json=body, headers={"X-Desk-CSRF": self.csrf})
        assert answer.status_code == status, answer.text
        return answer.json()

    def put(self, path, body, status=200):
        answer = self.client.put(path, json=body, headers={"X-Desk-CSRF": self.csrf})
        assert answer.status_code == status, answer.text
        return answer.json()

    def numbers(self, **wish):
        """Numbers of the items by name."""
        return {item["name"]: item["id"] for item in self.get("/api/queue", limit=1000, **wish)["items"]}

    def draw(self, number, base, left, top, width, height, label=1, status=200):
        """A filled box."""
        box = {"x": left, "y": top, "width": width, "height": height}
        form = {"base_version": base, "box": box, "runs": [label, width * height], "tool": "brush"}
        return self.post(f"/api/items/{number}/strokes", form, status)


@pytest.fixture
def database_of():
    """The database of the desk of a folder: None is SQLite beside it.

    With `FLEXUNET_TEST_DATABASE=postgresql+psycopg://USER@HOST/NAME` it is a new database of that server.
    """
    server = os.environ.get("FLEXUNET_TEST_DATABASE")
    if not server:
        yield lambda path: None
        return
    made = {}
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")

    def database_of(path):
        if path not in made:
            made[path] = f"desk_{uuid.uuid4().hex}"
            with engine.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {made[path]}")
        url = sqlalchemy.make_url(server).set(database=made[path])
        return url.render_as_string(hide_password=False)

    yield database_of
    with engine.connect() as connection:
        for name in made.values():
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def open_desk(database_of):
    """Open desks, closed at the end of the test."""
    opened = []

    def open_it(path, **settings):
        settings.setdefault("database", database_of(path))
        given = {
            name: settings.pop(name) for name in ("masks", "second", "audit", "known") if name in settings
        }
        opened.append(Desk(DeskSettings(Given(path, **given), **settings)))
        return opened[-1]

    yield open_it
    for desk in opened:
        desk.close()


@pytest.fixture
def serve_desk():
    """Put desks behind sockets until the end of the test; their addresses."""
    with ExitStack() as stack:

        def serve(desk, **options):
            given = {"token": TOKEN, "reader": "ann", "hosts": {"127.0.0.1"}, **options}
            return stack.enter_context(served(make_app(desk, **given)))

        yield serve


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "films")


@pytest.fixture
def desk(open_desk, folder):
    return open_desk(folder)


@pytest.fixture
def address(serve_desk, desk):
    return serve_desk(desk)


@pytest.fixture
def sign_in():
    """Browsers with sessions, closed at the end of the test: `sign_in(address, token=..., cookies=...)`."""
    with ExitStack() as stack:

        def sign_in(address, **options):
            reader = Reader(address, **options)
            stack.callback(reader.client.close)
            return reader

        yield sign_in


@pytest.fixture
def reader(address, sign_in):
    return sign_in(address)
