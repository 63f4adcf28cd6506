"""Which decoders of DICOM frames survive damaged ones: a decoder that crashes takes the whole batch with it.

    python benchmarks/damaged_frames.py --files *.dcm --plugins pylibjpeg pyjpegls pillow
    python benchmarks/damaged_frames.py --files *.dcm --plugins gdcm      # where python-gdcm is installed

Each file is read 150 times a seed, with bytes changed or its end zeroed, in a process of its own, by pydicom
with one decoding plugin. `ok` are the times that it gave an image, `errors` that it raised; a process that
ended otherwise is named by its signal. The files of the ledger were frames of 200 x 200, a wave with noise,
compressed by python-gdcm; they are not part of the project.
"""

from __future__ import annotations

import argparse
import io
import random
import signal
import subprocess
import sys
from pathlib import Path

import pydicom
from pydicom.pixels import get_decoder

TIMES = 150


def damage(path: Path, plugin: str, seed: int) -> None:
    """Read damaged copies of a file; print how it went."""
    whole = path.read_bytes()
    found = [whole.find(mark) for mark in (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")]
    start = min(place for place in found if place >= 0)
    chance = random.Random(seed)
    ok = errors = 0
    for number in range(TIMES):
        content = bytearray(whole)
        if number % 3 == 0:
            cut = chance.randrange(start + 4, len(content))
            content[cut:] = bytes(len(content) - cut)
        else:
            for _ in range(chance.choice((1, 3, 20))):
                reach = chance.choice((64, 600, len(content) - start))
                content[min(len(content) - 1, start + chance.randrange(reach))] = chance.randrange(256)
        try:
            dataset = pydicom.dcmread(io.BytesIO(bytes(content)), force=True)
            dataset.pixel_array_options(decoding_plugin=plugin)
            _ = dataset.pixel_array
            ok += 1
        except Exception:
            errors += 1
    print(f"{ok} ok, {errors} errors")


def main() -> None:
    """Each file, plugin and seed in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=Path, nargs="+", required=True)
    parser.add_argument("--plugins", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        damage(options.files[0], options.plugins[0], options.seeds[0])
        return
    for path in options.files:
        decoder = get_decoder(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        for plugin in (plugin for plugin in options.plugins if plugin in decoder.available_plugins):
            for seed in options.seeds:
                command = [
                    sys.executable,
                    __file__,
                    "--one",
                    "--files",
                    path,
                    "--plugins",
                    plugin,
                    "--seeds",
                    str(seed),
                ]
                try:
                    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
                    came = done.stdout.strip().rpartition("\n")[2]
                    if done.returncode < 0:
                        came = f"crashed: {signal.Signals(-done.returncode).name}"
                except subprocess.TimeoutExpired:
                    came = "did not end within 300 s"
                print(f"{path.name} {plugin} seed {seed}: {came}", flush=True)


if __name__ == "__main__":
    main()
