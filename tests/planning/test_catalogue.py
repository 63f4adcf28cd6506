"""The list of models: what the command prints."""

import json
import subprocess
import sys

from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.architectures import ARCHITECTURES, find_architecture
from flexunet.config.files import default_config
from flexunet.models.registry import build_model
from flexunet.planning.counts import count, counts_of, counts_of_model, listed_config


def listed(*arguments):
    result = CliRunner().invoke(app, ["models", *arguments])
    return result, result.output if result.exit_code else result.stdout


def test_two_models_as_json_with_their_times():
    keys = ["--set", "model.num_layers=3", "--set", "model.base_filters=4"]
    result, text = listed("attention-unet", "unet++", "--size", "64", "--time", "--json", *keys)
    assert result.exit_code == 0, text
    document = json.loads(text)
    assert document["size"] == 64
    first, second = document["models"]
    assert (first["name"], first["published"]) == ("attention-unet", "TensorFlowFlexAttentionUNet")
    assert (second["name"], second["published"]) == ("unetplusplus", "")
    for row in (first, second):
        assert row["parameters"] > 1000
        assert row["multiply_adds"] > 1_000_000
        assert 0 < row["seconds"] < 30


def test_a_model_that_cannot_have_the_size_says_why():
    result, text = listed("attention-unet", "--size", "72")
    assert result.exit_code == 0
    assert "multiple of 32" in " ".join(text.split())


def test_an_unknown_model_is_refused():
    result, _ = listed("attention-net")
    assert "Did you mean 'attention-unet'" in str(result.exception)


def test_the_counts_that_are_shipped_are_those_of_the_models():
    for entry in ARCHITECTURES:
        config = listed_config()
        assert counts_of(entry, config) == count(entry, config), "run: python -m flexunet.planning.counts"
        assert counts_of(entry, config).parameters > 1000


def test_counting_without_arrays_finds_what_a_model_has():
    config = default_config(["model.image_width=64", "model.image_height=64", "model.base_filters=4"])
    entry = find_architecture("attention-unet")
    counted = count(entry, config)
    model = build_model(
        config.model_copy(update={"model": config.model.model_copy(update={"model": entry.name})})
    )
    assert counted.parameters == sum(weight.numpy().size for weight in model.weights)
    assert counted == counts_of_model(model)


def test_what_was_counted_is_kept_until_the_configuration_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    entry = find_architecture("flexunet")
    config = listed_config(64)
    first = counts_of(entry, config)
    [kept] = (tmp_path / "flexunet" / "counts").iterdir()
    assert counts_of(entry, config) == first
    config.model.base_filters *= 2
    assert counts_of(entry, config).parameters > 3 * first.parameters
    kept.write_text("damaged")
    config.model.base_filters //= 2
    assert counts_of(entry, config) == first


def test_the_list_starts_no_engine():
    code = (
        "import sys\nfrom flexunet.cli import main\nsys.argv = ['flexunet', 'models', '--json']\n"
        "try:\n    main()\nfinally:\n"
        "    print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("set()")
    assert len(json.loads(done.stdout)["models"]) == len(ARCHITECTURES)
