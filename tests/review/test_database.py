"""The database: its tables are those of the migrations, its writes are durable, wrong URLs are explained."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from flexunet.errors import ConfigError, PathError
from flexunet.review.store.database import Database, sqlite_url
from flexunet.review.store.tables import Base, Fact


@pytest.fixture
def database(tmp_path, database_of):
    database = Database(database_of(tmp_path) or sqlite_url(tmp_path / "a folder" / "desk.sqlite"))
    yield database
    database.close()


def test_the_migrations_make_the_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() is not None
        assert compare_metadata(context, Base.metadata) == []


def test_opening_again_changes_nothing(database):
    url = database.engine.url.render_as_string(hide_password=False)
    with database.write() as session:
        session.add(Fact(name="seed", value="x"))
    again = Database(url)
    with again.read() as session:
        assert session.get(Fact, "seed").value == "x"
    again.close()


def test_what_raises_is_undone(database):
    def fail():
        with database.write() as session:
            session.add(Fact(name="seed", value="x"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as session:
        assert session.get(Fact, "seed") is None


def test_sqlite_waits_for_the_disk(tmp_path):
    database = Database(sqlite_url(tmp_path / "desk.sqlite"))
    with database.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL


def test_a_newer_database_is_not_guessed_at(tmp_path):
    path = tmp_path / "desk.sqlite"
    Database(sqlite_url(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigError, match="newer version"):
        Database(sqlite_url(path))


@pytest.mark.parametrize("url", ["nonsense", "nosuch://host/name", "mysql://user:secret@host/name"])
def test_urls_that_name_no_database_are_explained(url):
    with pytest.raises(ConfigError, match="--database: expected sqlite") as told:
        Database(url)
    assert "secret" not in str(told.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "desk.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(PathError, match=r"desk\.sqlite"):
        Database(sqlite_url(tmp_path / "desk.sqlite"))
