"""What a volume costs besides the model: time and memory of `infer3d` around a model that takes no time.

    python benchmarks/volumes.py --slices 200

A body with one ellipsoid lesion in every third slice, 16 bits, NIfTI packed and MetaImage not. The model is a
step at half of a slice's range, so what is measured is reading, slices, labels, lesions, video and writing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from flexunet.config.schema import Config
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.volumes.run import infer_volumes
from flexunet.models.registry import build_model

MODEL = {"image_width": 128, "image_height": 128, "num_layers": 2, "base_filters": 2}


class Step(Predictor):
    """Foreground is what is brighter than half of the range."""

    def forward(self, prepared):
        """A step at 127.5."""
        bright = [(image[..., :1] > 127.5).astype(np.float32) for image in prepared]
        return [np.concatenate([1 - each, each], axis=2) for each in bright]


def write(path: Path, slices: int, size: int) -> None:
    """Write the volume."""
    import SimpleITK as sitk  # noqa: N813 - its own examples call it so

    rows, columns = np.mgrid[:size, :size] / size - 0.5
    body = (rows / 0.45) ** 2 + (columns / 0.4) ** 2 <= 1
    voxels = np.zeros((slices, size, size), np.int16)
    random = np.random.default_rng(0)
    for index in range(slices):
        voxels[index] = np.where(body, random.normal(100, 8, body.shape), -1000)
        reach = 1 - ((index - slices / 2) / (slices / 6)) ** 2
        if reach > 0:
            voxels[index][(rows / 0.05) ** 2 + (columns / 0.04) ** 2 <= reach] = 2000
        voxels[index, 2:4, 2:4] = 2000
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.7, 1.5))
    sitk.WriteImage(image, str(path))


def peak_mib() -> float:
    """Greatest memory of this process so far; what `resource` tells includes its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(path: Path, video: str) -> None:
    """Predict one volume and print what it took."""
    config = Config(
        model=MODEL,
        infer3d={
            "output_dir": str(path.parent / f"out_{path.name}{video}"),
            "video_dir": str(path.parent / "video"),
            "video_type": "none" if video == "none" else "overlays",
            "video_fileformat": ".mp4" if video == "none" else video,
        },
    )
    predictor = Step(build_model(config), config)
    before, started = peak_mib(), time.perf_counter()
    result = infer_volumes(config, inputs=[path], predictor=predictor)
    taken = time.perf_counter() - started
    assert not result.failures
    print(f"{path.name}, video {video}: {taken:.1f} s, {peak_mib() - before:.0f} MiB above {before:.0f} MiB")


def main() -> None:
    """Write the volumes, then measure each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--one", nargs=2, metavar=("PATH", "VIDEO"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(Path(options.one[0]), options.one[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("volume.nii.gz", "volume.mha"):
            write(Path(folder, name), options.slices, options.size)
        for name, video in (
            ("volume.nii.gz", ".mp4"),
            ("volume.mha", ".mp4"),
            ("volume.mha", ".gif"),
            ("volume.mha", "none"),
        ):
            subprocess.run([sys.executable, __file__, "--one", str(Path(folder, name)), video], check=True)


if __name__ == "__main__":
    main()
