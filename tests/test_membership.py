import pytest

from flexunet.errors import ConfigError
from flexunet.membership import Membership, check_divides, choose_memberships, membership


def test_one_process_is_none_to_start():
    assert choose_memberships(None, None, None, None) == []
    assert choose_memberships(1, None, None, None) == []


def test_each_process_of_one_machine_has_a_device_of_its_own():
    chosen = choose_memberships(3, None, None, None)
    assert [(each.processes, each.place, each.device) for each in chosen] == [(3, 0, 0), (3, 1, 1), (3, 2, 2)]


@pytest.mark.parametrize("coordinator", ["node1:5123", "10.0.0.1:80", "[fd00::1]:5123"])
def test_a_machine_of_several_starts_one(coordinator):
    assert choose_memberships(None, coordinator, 4, 3) == [Membership(coordinator, 4, 3)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((0, None, None, None), "--processes 0"),
        ((2, "node1:5123", 2, 0), "one or the other"),
        ((None, "node1:5123", None, 0), "--num-processes missing"),
        ((None, None, 2, 0), "--coordinator missing"),
        ((None, "node1", 2, 0), "HOST:PORT"),
        ((None, "node1:70000", 2, 0), "HOST:PORT"),
        ((None, "node1:5; rm -r x", 2, 0), "HOST:PORT"),
        ((None, "node1:5123", 2, 2), "from 0 to 1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        choose_memberships(*options)


@pytest.mark.parametrize("device", [None, 1])
def test_a_membership_survives_the_environment(monkeypatch, device):
    told = Membership("[fd00::1]:5123", 4, 1, device)
    for name, value in told.environment().items():
        monkeypatch.setenv(name, value)
    assert membership() == told


@pytest.mark.parametrize(("batch_size", "nearest"), [(5, "4 or 6"), (1, "to 2."), (7, "6 or 8")])
def test_a_batch_that_does_not_divide_is_refused_with_the_nearest(batch_size, nearest):
    with pytest.raises(ConfigError, match=nearest):
        check_divides(batch_size, 2, "the 2 processes")


def test_a_batch_that_divides_is_taken():
    check_divides(6, 3, "the 3 processes")
