"""A team of one; teams of two are real processes: end_to_end/test_processes.py."""

import os
import signal

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.models.registry import build_model
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.processes.distribution import Team, check_batch, explained_losses, join
from flexunet.training.processes.leading import AgreedStop, LeaderPredictor, SilentStore


def test_alone_where_nothing_else_is_told():
    team = join()
    assert (team.place, team.processes, team.devices, team.leads) == (0, 1, 1, True)
    assert team.agree(True)
    assert not team.agree(False)
    team.check_same({"a setting": "1"})


def test_a_signal_stops_a_team_of_one():
    with AgreedStop(Team()) as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop
        assert stop.received == signal.SIGTERM


def test_devices_share_a_batch_evenly():
    check_batch(Config(train={"batch_size": 8}), Team(processes=2, devices=4))
    with pytest.raises(ConfigError, match=r"batch_size = 6 .* the 4 devices .* 4 or 8"):
        check_batch(Config(train={"batch_size": 6}), Team(processes=2, devices=4))


def test_errors_of_one_process_are_its_own():
    with pytest.raises(ValueError, match="Gloo"), explained_losses(Team()):
        raise ValueError("Gloo AllGather failed")


def test_who_does_not_lead_leaves_the_checkpoints_alone(tmp_path):
    CheckpointStore(tmp_path).write({"epoch": 1}, {"model": [np.ones(3)]})
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    silent = SilentStore(tmp_path)
    silent.write({"epoch": 2}, {"model": [np.zeros(3)]})
    silent.keep_newest()
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    assert silent.read().state["epoch"] == 1


@pytest.mark.bfloat16
def test_the_leader_predicts_in_the_precision_of_training_with_heads_too():
    keys = {"image_width": 32, "image_height": 32, "num_layers": 3, "base_filters": 4}
    config = Config(model={**keys, "deep_supervision": True})
    trained = supervise_deeply(build_model(config, policy="mixed_bfloat16"), config)
    predictor = LeaderPredictor(trained, config)
    assert predictor.model.dtype_policy.name == "mixed_bfloat16"
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        predictor.predict_batch(images), trained.main.predict_on_batch(images).astype(np.float32)
    )
