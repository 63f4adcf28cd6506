"""mini-MIAS: circles counted from below, facts by number of the film."""

import shutil

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, NORMAL, UNKNOWN, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE
from flexunet.data.collections.drawing import draw_mask

TABLE = """words before

mdb001 G CIRC B 100 924 30
mdb002 F NORM
mdb003 D MISC B 80 512 20
mdb003 D SPIC M 180 512 20
mdb004 F CALC M *NOTE 3*
"""


def test_films_circles_and_facts(make, tmp_path):
    root = tmp_path / "mias"
    for number in (1, 2, 3, 4):
        film = make.breast(1024, 1024, side="L" if number % 2 == 0 else "R")
        make.picture(root / f"mdb00{number}.png", film)
    (root / "Info.txt").write_text(TABLE)
    _, contents = make.read(root)
    films = make.by_name(contents)
    states = [films[f"mdb00{number}"].annotation.state for number in (1, 2, 3, 4)]
    assert states == [ANNOTATED, NORMAL, ANNOTATED, UNKNOWN]
    columns = {name: film.annotation.columns for name, film in films.items()}
    assert columns["mdb001"] == {
        "dataset": "mini-mias",
        "patient": "mias001",
        "side": "R",
        "view": "MLO",
        "tissue": "fatty-glandular",
        "finding": "circumscribed mass",
        "pathology": "benign",
    }
    assert [columns[f"mdb00{number}"]["patient"][-1] for number in (1, 2, 3, 4)] == ["1", "1", "2", "2"]
    assert (columns["mdb002"]["side"], columns["mdb002"]["pathology"]) == ("L", "normal")
    assert columns["mdb003"]["pathology"] == "benign+malignant"
    assert columns["mdb003"]["finding"] == "ill-defined mass+spiculated mass"
    assert contents.gaps == {}
    rows, report = make.derived(root, tmp_path / "out")
    assert rows["mdb001"]["mask_origin"] == "circle"
    assert abs(int(rows["mdb001"]["raw_lesion_pixels"]) - np.pi * 30**2) < 30
    assert rows["mdb004"]["state"] == "excluded"
    side = 0.2 * int(rows["mdb001"]["crop_height"]) / 64  # mm of a pixel of the image made
    assert rows["mdb001"]["pixel_spacing_mm"] == f"{side:.6g},{side:.6g}"
    assert report.counts["labelled"] == 3


def test_what_is_missing_is_named(make, tmp_path):
    make.picture(tmp_path / "mdb005.png", make.breast())
    (tmp_path / "Info.txt").write_text(TABLE)
    _, contents = make.read(tmp_path)
    assert contents.gaps == {
        NO_OUTLINE: ["mdb005.png"],
        NO_FILM: ["mdb001", "mdb003"],
        NEITHER: ["mdb002", "mdb004"],
    }
    (tmp_path / "Info.txt").unlink()
    _, contents = make.read(tmp_path)
    assert contents.films[0].annotation.state == UNMARKED


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    shutil.copyfile(formats / "mini_mias" / "Info.txt", tmp_path / "Info.txt")
    names = {word for word in (tmp_path / "Info.txt").read_text().split() if word.startswith("mdb")}
    for name in names:
        (tmp_path / f"{name}.pgm").write_bytes(b"only its name counts here")
    collection, contents = make.read(tmp_path)
    films = make.by_name(contents)
    assert len(films) == 18
    circles = [(shape.x, shape.y, shape.radius) for shape in films["mdb005"].annotation.shapes]
    assert circles == [(477, 891, 30), (500, 856, 26)]
    assert len(films["mdb226"].annotation.shapes) == 3
    first = films["mdb001"].annotation.shapes[0]
    assert (first.x, first.y, first.radius) == (535, 599, 197)
    states = {state: set() for state in (ANNOTATED, NORMAL, UNKNOWN)}
    for name, film in films.items():
        states[film.annotation.state].add(name)
    assert states[NORMAL] == {"mdb003", "mdb004", "mdb006", "mdb322"}
    assert states[UNKNOWN] == {"mdb059", "mdb216", "mdb233", "mdb245"}
    assert films["mdb144"].annotation.columns["pathology"] == "benign+malignant"
    assert len([note for note in contents.notes if "lies on the black" in note]) == 2
    assert np.count_nonzero(draw_mask(films["mdb212"], collection, 1024, 1024)) > 20
