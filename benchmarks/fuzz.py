"""Feed damaged files to every reader: how many give a message, a traceback, or no answer.

    python benchmarks/fuzz.py                             1,000 files of each area, a fresh seed
    python benchmarks/fuzz.py weights dicom --files 3000 --seed 7

A valid small file of the area is written, then damaged: bytes flipped, cut, repeated, swapped for numbers at
the limits, or pieces of another file put in. The reader must answer with a value or with an error of FlexUNet
that names the file; anything else that is raised is a traceback, and an answer that takes longer than the
limit is a hang. Each area runs in a process of its own, whose peak memory is printed; a process that hangs is
killed, and the next goes on behind the file at fault.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import plistlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

LIMIT_SECONDS = 30.0
LIMITS = [0, 1, 127, 128, 255, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40]
TEXTS = [b"", b"\0", b"\x1b[31m", b"nan", b"-1", b"1e999", b"9" * 5000, b"[" * 2000, b"\xff\xfe", b"../../x"]


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A file with one to four faults."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(0, max(1, len(changed))))
        kind = int(rng.integers(0, 7))
        if kind == 0:
            for at in rng.integers(0, max(1, len(changed)), 8):
                if len(changed):
                    changed[int(at) % len(changed)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del changed[place:]
        elif kind == 2:
            changed[place:place] = changed[place : place + int(rng.integers(1, 200))]
        elif kind == 3:
            size = int(rng.choice([1, 2, 4, 8]))
            value = int(rng.choice(LIMITS)) & ((1 << 8 * size) - 1)
            changed[place : place + size] = value.to_bytes(size, str(rng.choice(["little", "big"])))
        elif kind == 4:
            changed[place : place + int(rng.integers(0, 20))] = TEXTS[int(rng.integers(0, len(TEXTS)))]
        elif kind == 5:
            start = int(rng.integers(0, max(1, len(other))))
            changed[place : place + 64] = other[start : start + int(rng.integers(1, 200))]
        else:
            del changed[place : place + int(rng.integers(1, 64))]
    return bytes(changed)


def archived(name: str, content: bytes) -> bytes:
    """A zip archive of one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


# Each area: seeds to damage, as (name of the file, content), and the reader.
Area = tuple[list[tuple[str, bytes]], Callable[[Path], object]]


def configuration(folder: Path) -> Area:
    """TOML and published configurations."""
    from flexunet.config.files import load_config, save_config
    from flexunet.config.schema import Config

    save_config(Config(), folder / "seed.toml")
    toml = (folder / "seed.toml").read_bytes()
    short = b'[model]\nmodel = "flexunet"\nimage_width = 64\n[train]\nepochs = 3\nimages_dir = "./a"\n'
    short += b'[mask]\nrgb_map = {"0,0,0" = 0, "255,255,255" = 1}\n'
    ini = b"[model]\nmodel = 'TensorFlowFlexUNet'\nbase_kernels = (7,7)\n[train]\nepochs = 3 ; three\n"
    ini += b"images_dir = './a'\n[mask]\nrgb_map = {(0,0,0):0,(255,255,255):1,}\n"
    return [("a.toml", toml), ("a.toml", short), ("a.config", ini)], load_config


def images(folder: Path) -> Area:
    """Images of every kind that Pillow and OpenCV write."""
    import cv2
    from PIL import Image

    from flexunet.data.images.files.header import image_size
    from flexunet.data.images.files.read import read_image

    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (24, 16), np.uint8)
    seeds = []
    for name, picture in {
        "a.png": Image.fromarray(grey),
        "b.png": Image.fromarray(grey.astype(np.uint16) * 200),
        "c.png": Image.fromarray(grey).convert("P"),
        "a.jpg": Image.fromarray(np.repeat(grey[..., None], 3, axis=2)),
        "a.tif": Image.fromarray(grey.astype(np.uint16) * 200),
        "a.bmp": Image.fromarray(grey),
    }.items():
        picture.save(folder / name)
        seeds.append((name, (folder / name).read_bytes()))
    for suffix, options in ((".tif", [cv2.IMWRITE_TIFF_COMPRESSION, 5]), (".pgm", [])):
        done, encoded = cv2.imencode(suffix, grey, options)
        assert done
        seeds.append((f"d{suffix}", encoded.tobytes()))

    def read(path: Path) -> object:
        image_size(path)
        return read_image(path)

    return seeds, read


def masks(folder: Path) -> Area:
    """Masks as PNG and as arrays."""
    from flexunet.data.images.color_map import ColorMap
    from flexunet.data.images.masks.read import read_mask
    from flexunet.data.images.masks.write import write_mask

    colors = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2})
    mask = np.random.default_rng(0).integers(0, 3, (24, 16)).astype(np.uint8)
    write_mask(folder / "a.png", mask, colors)
    np.savez(folder / "a.npz", mask=mask)
    np.savez_compressed(folder / "b.npz", mask=np.eye(3, dtype=np.float32)[mask])
    seeds = [(name, (folder / name).read_bytes()) for name in ("a.png", "a.npz", "b.npz")]
    return seeds, lambda path: read_mask(path, colors)


def annotations(folder: Path) -> Area:
    """Forms of other programs as text, and MIAS tables; drawn as masks."""
    from PIL import Image

    from flexunet.data.annotations.read import read_annotations
    from flexunet.data.annotations.shapes import UNKNOWN
    from flexunet.data.derive.film_table import read_film_table

    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "mass"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 30, 1, 30, 30, 1, 30]]},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 1,
                "segmentation": {"size": [64, 64], "counts": [9, 4, 4083]},
            },
        ],
    }
    labelme = {
        "imagePath": "a.png",
        "imageWidth": 64,
        "imageHeight": 64,
        "shapes": [{"label": "mass", "shape_type": "polygon", "points": [[1, 1], [30, 1], [30, 30]]}],
    }
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(stream, "PNG")
    masked = labelme | {
        "shapes": [
            {
                "label": "mass",
                "shape_type": "mask",
                "points": [[1, 1], [9, 9]],
                "mask": base64.b64encode(stream.getvalue()).decode(),
            }
        ]
    }
    region = {"Name": "Mass", "NumberOfPoints": 3, "Point_px": ["(1, 1)", "(30, 1)", "(30, 30)"]}
    polygon = {"name": "polygon", "all_points_x": [1, 30, 30], "all_points_y": [1, 1, 30]}
    via = {"a": {"filename": "a.png", "regions": [{"shape_attributes": polygon, "region_attributes": {}}]}}
    drawn = {"points": [[1, 1], [50, 1], [50, 50]], "polygonlabels": ["mass"]}
    # 4 values of 8 bits, each written out: 32 bits of count, 5 of width, 4 lengths of 2 bits, then the run.
    packed = [0, 0, 0, 4, 56, 136, 136, 192, 0, 0, 63, 192]
    brush = {"format": "rle", "rle": packed, "brushlabels": ["mass"]}
    regions = [
        {"type": kind, "original_width": side, "original_height": side, "value": value}
        for kind, side, value in (("polygonlabels", 64, drawn), ("brushlabels", 1, brush))
    ]
    studio = [
        {"data": {"image": f"{name}.png"}, "annotations": [{"result": [region]}]}
        for name, region in zip("ab", regions, strict=True)
    ]
    cvat = (
        '<annotations><image id="0" name="a.png" width="64" height="64">'
        '<polygon label="m" points="1,1;30,1;30,30"/><box label="m" xtl="1" ytl="1" xbr="9" ybr="9"/>'
        '<ellipse label="m" cx="20" cy="20" rx="8" ry="3" rotation="45"/>'
        '<mask label="m" rle="1, 2, 1, 4" left="5" top="7" width="4" height="2"/></image></annotations>'
    )
    circles = "image;x;y;radius;label\na;10,5;12;5;m\u00fcde\nb;20;22;6;\n"
    seeds = [
        ("coco.json", json.dumps(coco).encode()),
        ("a.json", json.dumps(labelme).encode()),
        ("b.json", json.dumps(masked).encode()),
        ("a.xml", plistlib.dumps({"Images": [{"ROIs": [region]}]})),
        ("cvat.xml", cvat.encode()),
        ("via.json", json.dumps(via).encode()),
        ("studio.json", json.dumps(studio).encode()),
        ("yolo.txt", b"1 0.25 0.5 0.75 0.5 0.75 1.0 0.25 1.0\n"),
        ("a.csv", b"image,x,y,radius\na,10,12,5\nb,20,22,6\n"),
        ("b.csv", circles.encode("utf-16")),
        ("c.csv", circles.encode("cp1252")),
        ("Info.txt", b"mdb001 G CIRC B 535 425 197\nmdb002 G CIRC B 522 280 69\nmdb003 D NORM\n"),
    ]

    def read(path: Path) -> object:
        films = read_annotations(path)
        if path.suffix == ".csv":
            read_film_table(path)
        return [film.rasterise(64, 64) for film in films.values() if film.state != UNKNOWN]

    return seeds, read


def dicom(folder: Path) -> Area:
    """DICOM in four transfer syntaxes."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

    from flexunet.data.images.files.read import read_image

    seeds = []
    pixels = (np.arange(24 * 16).reshape(24, 16) * 11 % 4096).astype("<u2")
    for number, syntax in enumerate(
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless)
    ):
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 24, 16, 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.WindowCenter, dataset.WindowWidth, dataset.Modality = "2048", "4096", "MG"
        dataset.ImagerPixelSpacing, dataset.PatientID = [0.07, 0.07], "P1"
        dataset.PixelData = (
            pixels.astype(">u2").tobytes() if syntax == ExplicitVRBigEndian else pixels.tobytes()
        )
        dataset["PixelData"].VR = "OW"
        if syntax == RLELossless:
            dataset.compress(RLELossless)
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        seeds.append((path.name, path.read_bytes()))
    return seeds, read_image


def volumes(folder: Path) -> Area:
    """NIfTI and MetaImage."""
    import SimpleITK

    from flexunet.data.volumes.read import read_volume

    image = SimpleITK.GetImageFromArray((np.arange(3 * 12 * 10).reshape(3, 12, 10) * 7).astype(np.int16))
    seeds = []
    for name in ("a.nii", "a.nii.gz", "a.mha"):
        SimpleITK.WriteImage(image, str(folder / name))
        seeds.append((name, (folder / name).read_bytes()))
    return seeds, read_volume


def weights(folder: Path) -> Area:
    """Weights of Keras 2 and 3, and archives of them."""
    import h5py

    from flexunet.models.weights.file import open_weights

    rng = np.random.default_rng(0)
    with h5py.File(folder / "a.h5", "w") as file:
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"conv2d", b"conv2d_1"])
        group.attrs["keras_version"] = b"2.12.0"
        for name in ("conv2d", "conv2d_1"):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()])
            layer.create_dataset(f"{name}/kernel:0", data=rng.normal(size=(3, 3, 1, 2)).astype(np.float32))
            layer.create_dataset(f"{name}/bias:0", data=np.zeros(2, np.float32))
    with h5py.File(folder / "b.weights.h5", "w") as file:
        for name in ("conv2d", "conv2d_1"):
            held = file.create_group(f"layers/{name}/vars")
            held.create_dataset("0", data=rng.normal(size=(3, 3, 1, 2)).astype(np.float32))
            held.create_dataset("1", data=np.zeros(2, np.float32))
    inside = (folder / "b.weights.h5").read_bytes()
    seeds = [("a.h5", (folder / "a.h5").read_bytes()), ("b.weights.h5", inside)]
    seeds.append(("c.keras", archived("model.weights.h5", inside)))

    def read(path: Path) -> object:
        with open_weights(path) as stored:
            return [array.read(path) for layer in stored.layers for array in layer.arrays]

    return seeds, read


AREAS = {area.__name__: area for area in (configuration, images, masks, annotations, dicom, volumes, weights)}


def cases(
    seeds: list[tuple[str, bytes]], seed: int, area: str, start: int, stop: int
) -> Iterator[tuple[str, bytes]]:
    """Damaged files, each from a generator of its own, so that one can be made again alone."""
    for number in range(start, stop):
        rng = np.random.default_rng([seed, zlib.crc32(area.encode()), number])
        name, content = seeds[number % len(seeds)]
        other = seeds[int(rng.integers(0, len(seeds)))][1]
        if name.endswith(".keras") and rng.random() < 0.7:
            yield name, archived("model.weights.h5", damaged(seeds[1][1], other, rng))
        else:
            yield name, damaged(content, other, rng)


def work(area: str, seed: int, start: int, stop: int) -> None:
    """In a process of its own: read each file, and say what came of it in a line of JSON."""
    from flexunet.errors import FlexUNetError

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "seeds").mkdir()
        seeds, read = AREAS[area](folder / "seeds")
        for name, content in seeds:  # what is not damaged must be read
            (folder / name).write_bytes(content)
            read(folder / name)
        for number, (name, content) in enumerate(cases(seeds, seed, area, start, stop), start):
            place = folder / "case"
            place.mkdir()
            path = place / name
            path.write_bytes(content)
            sys.stdout.write(json.dumps({"begins": number}) + "\n")
            sys.stdout.flush()
            began, fault = time.perf_counter(), ""
            try:
                read(path)
                came = "read"
            except FlexUNetError as error:
                came = (
                    "refused" if name.split(".")[0] in str(error) or place.name in str(error) else "unnamed"
                )
                fault = str(error) if came == "unnamed" else ""
            except BaseException:
                came, fault = "traceback", traceback.format_exc()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            told = {"number": number, "came": came, "fault": fault[-1500:], "peak": peak}
            sys.stdout.write(json.dumps(told | {"seconds": time.perf_counter() - began}) + "\n")
            shutil.rmtree(place)


def run(area: str, seed: int, files: int) -> dict[str, float]:
    """Read all files of an area, in as many processes as hangs make needed."""
    import selectors

    counts: dict[str, float] = dict.fromkeys(("read", "refused", "unnamed", "traceback", "hang"), 0)
    peak, slowest, start = 0.0, 0.0, 0
    while start < files:
        command = [
            sys.executable,
            __file__,
            area,
            "--seed",
            str(seed),
            "--files",
            str(files),
            "--from",
            str(start),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        selector = selectors.DefaultSelector()
        selector.register(process.stdout, selectors.EVENT_READ)
        at, came = start, ""
        while selector.select(LIMIT_SECONDS + 30):
            line = process.stdout.readline()
            if not line:
                came = "traceback" if process.wait() else "end"
                break
            told = json.loads(line)
            at = told.get("begins", at)
            if "came" in told:
                counts[told["came"]] += 1
                peak, slowest = max(peak, told["peak"]), max(slowest, told["seconds"])
                if told["fault"]:
                    print(f"{area} {told['number']}: {told['fault']}", file=sys.stderr)
                start = told["number"] + 1
        process.kill()
        process.wait()
        if came == "end":
            break
        counts[came or "hang"] += 1
        print(f"{area} {at}: {came or 'hang'} of the process", file=sys.stderr)
        start = at + 1
    return counts | {"peak MiB": round(peak), "slowest s": round(slowest, 2)}


def main() -> None:
    """Read the options, and print a row for each area."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(AREAS))
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--from", dest="start", type=int)
    options = parser.parse_args()
    if options.start is not None:
        work(options.areas[0], options.seed, options.start, options.files)
        return
    print(f"seed {options.seed}, {options.files} files of each area")
    head = ("read", "refused", "unnamed", "traceback", "hang", "peak MiB", "slowest s")
    print("| area | " + " | ".join(head) + " |\n|---|" + "---|" * len(head))
    for area in options.areas or AREAS:
        counts = run(area, options.seed, options.files)
        print(f"| {area} | " + " | ".join(str(counts[key]) for key in head) + " |", flush=True)


if __name__ == "__main__":
    main()
