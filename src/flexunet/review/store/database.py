"""The database: SQLite beside the data set, or PostgreSQL by its URL; brought to the newest tables at start.

A transaction that has ended is on the disk: SQLite writes its log with `synchronous = FULL`, PostgreSQL with
its own default. Transactions that write take SQLite's one lock for writing at their beginning, so that none
of them fails half-way because another one wrote meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from flexunet.errors import ConfigError, PathError
from flexunet.files import explaining

_WAITS = 30  # seconds that a transaction waits for the lock of another


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


class Database:
    """A database with the tables of a desk.

    Args:
        url: Where it is, as SQLAlchemy names it (`sqlite:///...`, `postgresql+psycopg://...`).

    Raises:
        ConfigError: if the URL is none, or its driver is not installed.
        PathError: if the database cannot be opened.
    """

    def __init__(self, url: str):
        try:
            address = make_url(url)
            if address.get_backend_name() == "sqlite" and address.database:
                folder = Path(address.database).parent
                with explaining(folder):
                    folder.mkdir(parents=True, exist_ok=True)
            self.engine = _engine(address)
            self._writing = self.engine.execution_options(flexunet_writes=True)
            with self._writing.begin() as connection:
                _bring_up_to_date(connection)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigError(
                f"--database: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME with its driver "
                f"installed, found {_without_password(url)} ({error})."
            ) from error
        except CommandError as error:
            raise ConfigError(
                f"the database {_without_password(url)} was made by a newer version of FlexUNet ({error}). "
                "Install that version, or give another database."
            ) from error
        except DatabaseError as error:
            raise PathError(
                f"the database {_without_password(url)} cannot be opened: {error.orig}. Check its "
                "address and rights."
            ) from error

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database, and writes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are durable when the block ends, or undone where it raises."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """End all connections."""
        self.engine.dispose()


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True, pool_size=20, max_overflow=40)
    engine = create_engine(
        address, connect_args={"timeout": _WAITS, "check_same_thread": False}, pool_size=20, max_overflow=40
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("flexunet_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _bring_up_to_date(connection: Connection) -> None:
    config = AlembicConfig()
    with resources.as_file(resources.files("flexunet.review.store").joinpath("migrations")) as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string()
    except ArgumentError:
        return "something else"
