"""Versions of a model: whole or not at all, swapped in one step, rolled back to what was in use."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grid.units import UnitsError
from pipeline.errors import ModelError
from pipeline.forecasting.versions import KEPT, ModelVersions, ModelWatch, current_folder

START = datetime(2024, 5, 1, 12, tzinfo=UTC)


def add(versions: ModelVersions, text: str, minutes: int = 0) -> str:
    def write(folder: Path) -> None:
        (folder / "content").write_text(text)

    return versions.add(write, content_hash=text * 20, now=START + timedelta(minutes=minutes))


def in_use(directory: Path) -> str:
    return (current_folder(directory) / "content").read_text()


@pytest.fixture
def versions(tmp_path: Path) -> ModelVersions:
    return ModelVersions(tmp_path / "model")


def test_the_version_that_was_added_last_is_in_use_and_the_others_stay(versions: ModelVersions) -> None:
    first, second = add(versions, "a"), add(versions, "b", 1)
    assert versions.names() == [first, second]
    assert first == "20240501T120000.000000Z-aaaaaaaaaaaa"
    assert versions.current() == second
    assert in_use(versions.directory) == "b"


def test_a_directory_without_versions_is_its_own_folder(tmp_path: Path) -> None:
    assert current_folder(tmp_path) == tmp_path
    assert ModelVersions(tmp_path).current() is None
    assert ModelVersions(tmp_path / "none").names() == []


def test_rolling_back_leads_to_what_was_in_use_before_and_never_to_what_was_rolled_back_from(
    versions: ModelVersions,
) -> None:
    good, bad = add(versions, "a"), add(versions, "b", 1)
    assert versions.roll_back() == good
    assert in_use(versions.directory) == "a"
    add(versions, "c", 2)
    assert versions.roll_back() == good
    assert bad in versions.names()


def test_there_must_be_something_to_roll_back_to(versions: ModelVersions) -> None:
    with pytest.raises(ModelError, match="no earlier version"):
        versions.roll_back()
    only = add(versions, "a")
    with pytest.raises(ModelError, match="no earlier version"):
        versions.roll_back()
    assert versions.current() == only


def test_a_version_that_could_not_be_written_changes_nothing(versions: ModelVersions) -> None:
    first = add(versions, "a")

    def fail(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        versions.add(fail, content_hash="f" * 64, now=START)
    assert versions.names() == [first]
    assert versions.current() == first
    assert len(list((versions.directory / "versions").iterdir())) == 1


def test_a_writer_that_was_killed_leaves_no_version(versions: ModelVersions) -> None:
    first = add(versions, "a")
    versions.folder("20240501T130000.000000Z-dead.part").mkdir()
    assert versions.names() == [first]


@pytest.mark.parametrize("content", ["", "{}", '{"history": []}', '{"history": ["a"], "format": 2}', "\x00"])
def test_a_damaged_pointer_is_told(versions: ModelVersions, content: str) -> None:
    add(versions, "a")
    (versions.directory / "current").write_text(content)
    with pytest.raises(ModelError, match="current: damaged"):
        current_folder(versions.directory)
    with pytest.raises(ModelError, match="current: damaged"):
        add(versions, "b", 1)


def test_a_pointer_must_name_a_version_inside_its_directory(versions: ModelVersions) -> None:
    add(versions, "a")
    (versions.directory / "current").write_text('{"history": ["../../elsewhere"]}')
    with pytest.raises(ModelError, match="current: damaged"):
        versions.current()


def test_a_version_that_vanished_is_told_and_can_be_rolled_back_from(versions: ModelVersions) -> None:
    first, second = add(versions, "a"), add(versions, "b", 1)
    versions.folder(second).rename(versions.directory / "gone")
    with pytest.raises(ModelError, match="is not there; roll back"):
        current_folder(versions.directory)
    assert versions.roll_back() == first


def test_old_versions_are_removed_but_never_one_that_can_be_rolled_back_to(versions: ModelVersions) -> None:
    names = [add(versions, "abcdefghijklmnop"[place], place) for place in range(KEPT + 3)]
    assert versions.names() == names[3:]
    while versions.current() != names[-2]:
        versions.roll_back()
    assert versions.roll_back() == names[-3]


def test_a_watch_tells_each_swap_once(versions: ModelVersions) -> None:
    watch = ModelWatch(versions.directory)
    assert not watch.changed()
    add(versions, "a")
    assert watch.changed()
    assert not watch.changed()
    add(versions, "b", 1)
    versions.roll_back()
    assert watch.changed()
    assert not watch.changed()


def test_a_naive_time_is_an_error(versions: ModelVersions) -> None:
    with pytest.raises(UnitsError, match="now"):
        versions.add(lambda _: None, content_hash="a", now=datetime(2024, 5, 1))  # noqa: DTZ001
