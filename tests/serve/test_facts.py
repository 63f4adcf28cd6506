"""What is told about the model."""

import json

from flexunet.config.schema import Config
from flexunet.data.images.files.write import write_image
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.scores.registry import shown_in
from flexunet.serve.facts import evaluation_of, model_facts

from .conftest import draw


def test_figures_are_those_of_the_evaluation(tmp_path):
    for seed in range(2):
        truth = (draw(seed) > 120) * 255
        predicted = truth.copy()
        predicted[:, :28] = 0
        write_image(tmp_path / "masks" / f"{seed}.png", truth.astype("uint8"))
        write_image(tmp_path / "predicted" / f"{seed}.png", predicted.astype("uint8"))
    found = score_folders(tmp_path / "masks", tmp_path / "predicted", out=tmp_path / "evaluation")
    config = Config(train={"run_dir": str(tmp_path)})
    told = evaluation_of(config)
    assert told["images"] == 2
    assert told["dice_per_image_mean"]["value"] == found.scores.foreground.dice_per_image_mean.value
    assert 0 < told["dice_pooled"]["value"] < 1
    assert told["lesion_sensitivity"]["value"] == found.scores.lesions.sensitivity.value
    scores = {score.key for score in shown_in("tiles")} - {"sensitivity"} | {"lesion_sensitivity"}
    assert set(told) == {"split", "created", "images", "patients"} | scores
    facts = json.loads(json.dumps(model_facts(config, "abc", tiled=True)))
    assert facts["evaluation"] == json.loads(json.dumps(told))
    assert facts["classes"][1] == {"index": 1, "name": "lesion", "color": [255, 255, 255]}
    assert str(tmp_path) not in json.dumps(facts).replace(told["created"], "")


def test_a_run_without_evaluation_or_with_one_of_another_version_tells_none(tmp_path):
    config = Config(train={"run_dir": str(tmp_path)})
    assert evaluation_of(config) is None
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "scores.json").write_text('{"schema": "other"}')
    assert evaluation_of(config) is None
