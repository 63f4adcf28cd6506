"""Draws phantoms.jpg: the films of four phantom patients. Run it from anywhere."""

from pathlib import Path

from flexunet.data.images.contact_sheet import contact_sheet
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import plan_films

films = plan_films(4, seed=21)
pictures = [(f"{film.name}", film.draw(440, 512, labels=True).image) for film in films]
sheet = contact_sheet(pictures, columns=8, cell=180)
write_image(Path(__file__).with_suffix(".jpg"), sheet, quality=85)
