"""What a prediction depends on: the engine too. (The rest of the journal is tested through folders.)"""

import os
import subprocess
import sys

import pytest

from flexunet.config.schema import Config
from flexunet.inference.journal import settings_digest

DIGESTS = """
from flexunet.config.schema import Config
from flexunet.inference.journal import settings_digest
for engine in ("keras", "openvino"):
    print(settings_digest(Config(infer={"engine": engine}), "weights", False))
"""


def test_masks_of_another_engine_are_not_taken_over():
    pytest.importorskip("jax")
    answer = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=True,
    )
    keras_on_jax, openvino = answer.stdout.split()
    ours = {
        engine: settings_digest(Config(infer={"engine": engine}), "weights", False)
        for engine in ("keras", "openvino")
    }
    assert openvino == ours["openvino"] != ours["keras"]
    assert keras_on_jax not in ours.values()


def test_every_way_to_join_and_to_fit_is_another():
    settings = [{}, {"infer": {"fit": "pad"}}, {"tiledinfer": {"blending": "paste"}}]
    assert len({settings_digest(Config(**each), "weights", True) for each in settings}) == 3


def test_what_a_member_of_an_ensemble_does_for_itself_counts(tmp_path):
    digests = set()
    for order in ("RGB", "BGR"):
        (tmp_path / "member.toml").write_text(f"[image]\ncolor_order = '{order}'\n")
        config = Config(infer={"ensemble": [str(tmp_path / "member.toml")]})
        digests.add(settings_digest(config, "weights", False))
    assert len(digests) == 2
