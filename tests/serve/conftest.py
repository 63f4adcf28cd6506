"""A small run whose model marks about half of each image, images, and services in processes of their own."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.data.images.files.write import write_image
from flexunet.models.registry import build_model
from flexunet.run_folder import RunFolder

SIZE = 32
OFF_BALANCE = 0.009  # of the 800 steps of 0.0002 around the balance, the one that leaves most room around 0.5
TOKEN = "correct-horse-battery-staple"


def draw(seed, height=40, width=56):
    """Blobs of light, uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    picture = np.full((height, width), 20.0)
    for y, x, radius in rng.uniform((4, 4, 3), (height - 4, width - 4, 9), (4, 3)):
        picture += 200 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / radius**2)
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_run(folder):
    """A run folder with a model of random weights, balanced so that its masks are neither empty nor full.

    Images that are predicted together are summed in another order than one alone, so a pixel at 0.5 could
    fall on either side. `OFF_BALANCE` keeps the pixels of all images of these tests 1e-5 away from 0.5.
    """
    config = Config(
        model={
            "image_width": SIZE,
            "image_height": SIZE,
            "num_layers": 2,
            "base_filters": 4,
            "base_kernels": (3, 3),
        },
        train={"run_dir": str(folder)},
    )
    keras.utils.set_random_seed(3)
    model = build_model(config)
    pixels = np.stack([np.repeat(draw(seed, SIZE, SIZE)[..., None], 3, axis=2) for seed in range(8)])
    probabilities = model.predict_on_batch(pixels.astype(np.float32))
    bias = model.layers[-1].weights[-1]
    odds = np.log(probabilities[..., 1] / probabilities[..., 0])
    bias.assign(bias.numpy() - np.array([0, np.median(odds) - OFF_BALANCE], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    write_config(config, folder / "config.toml")
    return folder


@dataclass
class Running:
    """A service in a process of its own."""

    process: subprocess.Popen
    address: str
    log: Path
    temporary: Path

    def client(self, **options):
        return httpx.Client(base_url=self.address, timeout=300, trust_env=False, **options)

    def stop(self):
        """Ask it to end; its exit code."""
        self.process.terminate()
        with self.process:
            return self.process.wait()


def start(run, folder, *options):
    """Start `flexunet serve` and wait for its address."""
    temporary = folder / "tmp"
    temporary.mkdir()
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "flexunet", "serve", str(run), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
    told = process.stdout.readline()
    found = re.search(r"at (http://\S+)", told)
    assert found, told + log.read_text()
    return Running(process, found.group(1), log, temporary)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("served") / "run")


@pytest.fixture(scope="session")
def images(tmp_path_factory, write_dicom):
    """Two PNG files of different sizes, a 16-bit TIFF and a DICOM mammogram."""
    folder = tmp_path_factory.mktemp("images")
    write_image(folder / "a.png", draw(1))
    write_image(folder / "b.png", draw(2, 64, 48))
    write_image(folder / "c.tif", draw(3).astype(np.uint16) * 257)
    write_dicom(
        folder / "d.dcm",
        draw(4).astype(np.uint16) * 16,
        BitsStored=12,
        ImagerPixelSpacing=[0.5, 0.25],
        PatientID="SECRET-PATIENT",
    )
    return folder


@pytest.fixture(scope="session")
def service(run, tmp_path_factory):
    """On loopback, without a token."""
    running = start(run, tmp_path_factory.mktemp("service"))
    yield running
    code = running.stop()
    assert code == 0, running.log.read_text()
    assert list(running.temporary.rglob("*")) == []
    assert "SECRET" not in running.log.read_text()


@pytest.fixture(scope="session")
def guarded(run, tmp_path_factory):
    """Open to other machines, with a token and narrow limits."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "token").write_text(TOKEN + "\n")
    options = ("--host", "0.0.0.0", "--token-file", str(folder / "token"))
    options += ("--waiting", "1", "--max-megabytes", "1", "--max-megapixels", "1")
    running = start(run, folder, *options)
    running.address = running.address.replace("0.0.0.0", "127.0.0.1")
    yield running
    assert running.stop() == 0, running.log.read_text()
    assert TOKEN not in running.log.read_text()
