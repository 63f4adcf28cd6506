"""A grid as an Indexed Job of Kubernetes, and a second Job that gathers.

The volume that holds data and grid must be mounted here at the path at which the pods mount it, so that the
paths of the configurations mean the same in both. A pod that is evicted saves a checkpoint; the Job starts
another one in its place, which goes on.

Source: Kubernetes 1.33, batch/v1 Job: completionMode Indexed, backoffLimitPerIndex, podFailurePolicy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flexunet.config.files import load_config
from flexunet.errors import ConfigError, PathError
from flexunet.files import templates_of, write_text
from flexunet.programs.jobs.grid import Grid

TRAIN, GATHER = "train.yaml", "gather.yaml"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGTP]i?)?")


@dataclass(frozen=True)
class Pods:
    """What the pods of a grid are like.

    Attributes:
        image: Container image that has FlexUNet.
        claim: The PersistentVolumeClaim of data and grid, which many pods may write.
        mount: Where it is mounted, in the pods and here.
        name: What the Jobs are called.
        namespace: Theirs; None leaves it to kubectl.
        cpus: Processors of each pod.
        memory: Memory of each pod, such as 16Gi.
        gpus: GPUs of each pod (nvidia.com/gpu).
        at_once: Most pods at a time; None: all.
        notice: Seconds that an evicted pod has to save.
    """

    image: str
    claim: str
    mount: Path
    name: str = "flexunet"
    namespace: str | None = None
    cpus: int = 4
    memory: str = "16Gi"
    gpus: int = 0
    at_once: int | None = None
    notice: int = 120

    def check(self) -> None:
        """Refuse names that Kubernetes would refuse, or take for something else.

        Raises:
            ConfigError: naming the first.
        """
        for option, text, pattern, expected in (
            ("name", self.name, _LABEL, "up to 53 small letters, digits and hyphens"),
            ("namespace", self.namespace, _LABEL, "up to 53 small letters, digits and hyphens"),
            ("claim", self.claim, _LABEL, "up to 53 small letters, digits and hyphens"),
            ("image", self.image, _IMAGE, "a name such as registry.example/flexunet:cuda"),
            ("memory", self.memory, _QUANTITY, "a quantity such as 16Gi"),
        ):
            if text is not None and not pattern.fullmatch(text):
                raise ConfigError(f"--{option} {text!r}: expected {expected}.")


def write_kubernetes(grid: Grid, pods: Pods) -> tuple[Path, Path]:
    """Write the Jobs of a grid into its folder.

    Args:
        grid: The grid.
        pods: What the pods are like.

    Returns:
        The files of both Jobs.

    Raises:
        ConfigError: if a name cannot be used.
        PathError: if the grid or its data do not lie on the volume.
    """
    pods.check()
    mount = pods.mount.absolute()
    _require_on_volume(grid, mount)
    environment = templates_of("flexunet.programs.jobs")
    environment.autoescape = False  # no page; every value passes `tojson`, and JSON is YAML
    facts = {"folder": str(grid.folder), "mount": str(mount), "pods": pods, "tasks": len(grid.tasks)}
    written = []
    for name in (TRAIN, GATHER):
        text = environment.get_template("job.yaml.jinja").render(**facts, gathers=name == GATHER)
        write_text(grid.folder / name, text)
        written.append(grid.folder / name)
    return written[0], written[1]


def _require_on_volume(grid: Grid, mount: Path) -> None:
    folders = {grid.folder}
    for task in grid.tasks:
        config = load_config(grid.config_file(task))
        for section in ("train", "valid", "test"):
            if getattr(config, section).images_dir:
                folders.add(config.input_folder(section, "images_dir"))
                folders.add(config.input_folder(section, "masks_dir"))
    outside = sorted(
        str(folder) for folder in folders if not folder.resolve().is_relative_to(mount.resolve())
    )
    if outside:
        raise PathError(
            f"{outside[0]} does not lie below --mount {mount}: pods would not see it. Move it onto the "
            "volume, mount that here at the same path, and give paths below it."
        )
