"""The list of models: what the command prints."""

import json

from typer.testing import CliRunner

from flexunet.cli import app


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
