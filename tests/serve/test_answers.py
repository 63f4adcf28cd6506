"""Forms of answers, and rules of `[infer]`; what they hold is tested over connections in test_app.py."""

import json
import shutil

import pytest

from flexunet.config.files import load_config
from flexunet.errors import PathError
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.calibration import Calibration, identity_of
from flexunet.inference.predict.postprocess import ClassPostprocess, Postprocess
from flexunet.inference.predict.predictor import Predictor
from flexunet.serve.answers import Answerer, Wish, choose_format
from flexunet.serve.batching import share_models
from flexunet.serve.problems import ProblemError


@pytest.mark.parametrize(
    ("asked", "accept", "form"),
    [
        (None, None, "lesions"),
        (None, "*/*", "lesions"),
        (None, "image/png", "mask"),
        (None, "image/avif,image/webp,*/*;q=0.8", "lesions"),
        (None, "text/html, application/dicom;q=0.5, image/png;q=0.4", "segmentation"),
        (None, "application/json;q=0, image/png;q=0.1", "mask"),
        (None, "image/png;q=nonsense, application/json", "lesions"),
        (None, "image/*, application/json", "lesions"),  # the more precise one
        ("overlay", "application/json", "overlay"),
    ],
)
def test_the_format_is_what_was_asked_for_else_what_is_accepted(asked, accept, form):
    assert choose_format(asked, accept) == form


@pytest.mark.parametrize(
    ("asked", "accept", "status"),
    [("svg", None, 400), (None, "text/html", 406), (None, "image/png;q=0", 406)],
)
def test_what_there_is_not_is_a_problem(asked, accept, status):
    with pytest.raises(ProblemError) as problem:
        choose_format(asked, accept)
    assert problem.value.status == status


def test_temperature_and_threshold_count_as_in_infer(run, images, tmp_path):
    rules = ["infer.temperature=3.0", "infer.threshold=0.52"]
    config = load_config(run, [*rules, f"infer.output_dir={str(tmp_path / 'masks')!r}"])
    predictor = Predictor.load(config)
    infer_folder(config, inputs=[images / "a.png"], predictor=predictor)
    (line,) = (tmp_path / "masks_lesions" / "journal.jsonl").read_text().splitlines()
    content, media_type = Answerer(predictor, "", tiled=False).answer((images / "a.png").read_bytes(), Wish())
    assert media_type == "application/json"
    found = json.loads(content)["lesions"]
    assert [{**row, "outline": None} for row in found] == [
        {**row, "outline": None} for row in json.loads(line)["lesions"]
    ]


def test_fitted_post_processing_counts_as_in_infer(run, images, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    plain = load_config(tmp_path / "run")
    content = (images / "a.png").read_bytes()
    before = json.loads(Answerer(Predictor.load(plain), "", tiled=False).answer(content, Wish())[0])[
        "lesions"
    ]
    sizes = sorted(lesion["area_px"] for lesion in before)
    assert len(sizes) > 1
    done = Postprocess(None, (ClassPostprocess(1, min_pixels=sizes[-1]),))
    fitted = Calibration("valid", 9, 1.0, 0.5, 0.1, 0.1, 0.5, 0.5, identity_of(plain), done)
    fitted.write(tmp_path / "run")
    predictor = Predictor.load(load_config(tmp_path / "run", ["infer.postprocess=run"]))
    after = json.loads(Answerer(predictor, "", tiled=False).answer(content, Wish())[0])["lesions"]
    assert [lesion["area_px"] for lesion in after] == [size for size in sizes if size == sizes[-1]]
    (tmp_path / "run/calibration.json").unlink()
    with pytest.raises(PathError, match=r"calibration\.json does not exist"):
        Answerer(predictor, "", tiled=False)


def test_the_log_says_why_a_prediction_failed_and_the_client_is_not_told(run, images, caplog):
    predictor = Predictor.load(run)
    answerer = Answerer(predictor, "", tiled=False)
    share_models(predictor, most=1, observe=lambda images, seconds: None)()  # closed at once
    with pytest.raises(ProblemError, match="log of the service says why") as problem:
        answerer.answer((images / "a.png").read_bytes(), Wish())
    assert problem.value.status == 500
    assert "the model is closed" in caplog.text
