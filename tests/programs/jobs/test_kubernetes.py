"""Jobs of Kubernetes: of the form that its own schemas demand, and what they refuse."""

import json

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.errors import ConfigError, PathError
from flexunet.programs.jobs.grid import Grid, write_grid
from flexunet.programs.jobs.kubernetes import Pods, write_kubernetes

SETTINGS = """
[train]
images_dir = "images"
masks_dir = "masks"
"""


@pytest.fixture
def volume(tmp_path):
    """A folder as a volume would be mounted, with an awkward name."""
    folder = tmp_path / 'vol "ume": {x}'
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "net.toml").write_text(SETTINGS)
    return folder


def documents(folder):
    yaml = pytest.importorskip("yaml")
    return [yaml.safe_load((folder / name).read_text()) for name in ("train.yaml", "gather.yaml")]


def test_the_command_writes_jobs_that_the_schemas_of_kubernetes_accept(volume):
    validate = pytest.importorskip("kubernetes_validate").validate
    out = volume / "grid"
    words = ["cluster", "kubernetes", volume / "net.toml", "--image", "registry.example:5000/flexunet:cuda"]
    words += ["--claim", "shared", "--mount", volume, "--out", out, "--seeds", 3, "--gpus", 1, "--at-once", 2]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    train, gather = documents(out)
    for document in (train, gather):
        validate(document, "1.33", strict=True)
    assert train["spec"]["completions"] == len(Grid.read(out).tasks) == 3
    assert train["spec"]["parallelism"] == 2
    pod = train["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["command"] == ["flexunet", "cluster", "task", str(out)]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["volumeMounts"] == [{"name": "shared", "mountPath": str(volume)}]
    assert "gpu" not in json.dumps(gather)


def test_a_task_takes_its_number_from_the_variable_of_an_indexed_job(volume):
    write_grid([volume / "net.toml"], volume / "grid", folds=None, seeds=1)
    result = CliRunner().invoke(
        app, ["cluster", "task", str(volume / "grid")], env={"JOB_COMPLETION_INDEX": "7"}
    )
    assert isinstance(result.exception, ConfigError)
    assert "there is no task 7" in str(result.exception)


def test_data_outside_the_volume_are_refused(volume, tmp_path):
    grid = write_grid([volume / "net.toml"], volume / "grid", folds=None, seeds=1)
    with pytest.raises(PathError, match="does not lie below --mount"):
        write_kubernetes(grid, Pods("flexunet", "shared", volume / "images"))


@pytest.mark.parametrize(
    "values",
    [{"image": "a b"}, {"claim": "Shared"}, {"name": "x\ny"}, {"memory": "much"}, {"namespace": "-"}],
)
def test_names_that_kubernetes_would_refuse_are_refused(values, tmp_path):
    with pytest.raises(ConfigError, match="expected"):
        Pods(**{"image": "flexunet", "claim": "shared", "mount": tmp_path} | values).check()
