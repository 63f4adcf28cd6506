"""Fixtures for all tests: the shared reference data, and what makes runs repeatable."""

import html
import itertools
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flexunet.machine import BFLOAT16_FLAGS, usable_flags
from flexunet.svg import text_width

SHARED = Path(__file__).resolve().parents[2] / "shared"

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Tests side by side share the cores; more threads than cores wait for each other.
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, threads)

# The same examples everywhere, however slow or loaded the machine is: a failure is a fault, and comes again.
settings.register_profile(
    "anywhere",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
settings.load_profile("anywhere")


# Rooms whose files take long, longest first.
LONG = ("cluster", "end_to_end", "training", "inference", "deployment", "models", "serve")


def pytest_collection_modifyitems(items):
    """Put long files first where tests run side by side; pass over what the processor is kept from."""
    if workers:
        rooms = {item: item.path.relative_to(Path(__file__).parent).parts[0] for item in items}
        items.sort(key=lambda item: LONG.index(rooms[item]) if rooms[item] in LONG else len(LONG))
    # Where ONEDNN_MAX_CPU_ISA takes bfloat16 from oneDNN, what computes in it fails at the first convolution.
    if not usable_flags(frozenset(BFLOAT16_FLAGS), os.environ):
        for item in items:
            if item.get_closest_marker("bfloat16"):
                item.add_marker(pytest.mark.skip(reason="ONEDNN_MAX_CPU_ISA leaves oneDNN without bfloat16"))


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory):
    """Decoded images go to a folder of this test session, not to the user's."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference and real data beside the project."""
    if not SHARED.is_dir():
        message = f"the reference data is not here: {SHARED} is missing"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Inputs and outputs of the published system."""
    return shared / "reference"


@pytest.fixture(scope="session")
def mammograms(shared: Path) -> Path:
    """Real mammograms with masks."""
    return shared / "data"


@pytest.fixture(scope="session")
def start_browser():
    """Start a real browser, that of the system: `with start_browser() as browser`."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = Path("/usr/bin/chromium")
    if not chromium.is_file():
        message = f"a page is tested in a real browser: {chromium} is missing"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

    @contextmanager
    def start():
        with api.sync_playwright() as play:
            started = play.chromium.launch(executable_path=str(chromium), args=flags)
            yield started
            started.close()

    return start


@pytest.fixture
def browser(start_browser):
    """A real browser for one test."""
    with start_browser() as started:
        yield started


@pytest.fixture
def open_page(browser):
    """Open an address at a width of the window; at the end, the page must have had no error."""
    pages = []

    def open_at(address, width):
        page = browser.new_page(viewport={"width": width, "height": 850})
        page.wrong, page.asked = [], []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda said: page.wrong.append(said.text))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        pages.append(page)
        return page

    yield open_at
    wrong = [text for page in pages for text in page.wrong]
    for page in pages:
        page.close()
    assert not wrong


@pytest.fixture(scope="session")
def write_dicom():
    """Write a small mammogram as DICOM: `write_dicom(path, stored, BitsStored=12)`; None drops one."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import (
        DigitalMammographyXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
        generate_uid,
    )

    def write(path, stored, *, syntax=ExplicitVRLittleEndian, **attributes):
        allocated = 8 * stored.dtype.itemsize
        values = {
            "SOPClassUID": DigitalMammographyXRayImageStorageForPresentation,
            "SOPInstanceUID": generate_uid(),
            "StudyInstanceUID": generate_uid(),
            "SeriesInstanceUID": generate_uid(),
            "PatientID": "P1",
            "PatientName": "Test^Person",
            "PatientBirthDate": "",
            "PatientSex": "F",
            "StudyDate": "20260102",
            "StudyTime": "030405",
            "StudyID": "1",
            "AccessionNumber": "",
            "ReferringPhysicianName": "",
            "SeriesNumber": 1,
            "InstanceNumber": 1,
            "Modality": "MG",
            "Manufacturer": "FlexUNet tests",
            "PatientOrientation": ["P", "F"],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": stored.shape[0],
            "Columns": stored.shape[1],
            "BitsAllocated": allocated,
            "BitsStored": allocated,
            "HighBit": attributes.get("BitsStored", allocated) - 1,
            "PixelRepresentation": int(stored.dtype.kind == "i"),
            "PixelData": stored.tobytes() + b"\0" * (stored.nbytes % 2),
            **attributes,
        }
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPClassUID = values["SOPClassUID"]
        dataset.file_meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"]
        for name, value in values.items():
            if value is not None:
                setattr(dataset, name, value)
        if "PixelData" in dataset:
            dataset["PixelData"].VR = "OW" if allocated > 8 else "OB"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture(scope="session")
def write_volume():
    """Write a volume: `write_volume(path, voxels, spacing, direction)`; voxels `(X, Y, Z)`."""
    sitk = pytest.importorskip("SimpleITK")

    def write(path, voxels, spacing=(0.7, 0.8, 2.5), direction=(0, -1, 0, 1, 0, 0, 0, 0, 1), **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(voxels.T.copy())
        image.SetSpacing(spacing)
        image.SetOrigin((-10.5, 20.25, 33.0))
        image.SetDirection(direction)
        sitk.WriteImage(image, str(path), **options)
        return path

    return write


@pytest.fixture
def left_by_a_killed_process():
    """Kills a process that is writing a file; gives the path of what it left half written."""

    def leave(path):
        code = (
            "import sys, time; from flexunet.files import replacing\n"
            "with replacing(sys.argv[1]) as temporary:\n"
            "    temporary.write_bytes(b'half'); print(temporary, flush=True); time.sleep(600)"
        )
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
            left = Path(process.stdout.readline().rstrip("\n"))
            assert left.is_file()
            process.kill()
        assert left.is_file()
        return left

    return leave


class Charts:
    """Where the texts of a chart stand."""

    TEXT = re.compile(r'<text x="([-\d.]+)" y="([-\d.]+)"[^>]*text-anchor="(\w+)"[^>]*>([^<]*)<')

    def boxes(self, svg):
        """Left, top, right and bottom of each horizontal text, and the text."""
        for x, y, anchor, text in self.TEXT.findall(svg):
            width = text_width(html.unescape(text))
            left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
            yield round(left, 1), float(y) - 10, left + width, float(y) + 2, text

    def collisions(self, svg):
        """Pairs of texts that lie on each other."""
        return [
            (one[4], two[4])
            for one, two in itertools.combinations(self.boxes(svg), 2)
            if one[0] < two[2] - 0.2 and two[0] < one[2] - 0.2 and one[1] < two[3] and two[1] < one[3]
        ]


@pytest.fixture(scope="session")
def charts():
    """Looks for texts of charts that lie on each other."""
    return Charts()


@pytest.fixture(scope="session")
def write_workbook():
    """Write an Excel workbook: `write_workbook(path, {"sheet": [["Name"], ["P1"]]})`; None is no cell."""
    import zipfile
    from xml.sax.saxutils import escape

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    def write(path, sheets):
        texts = []

        def cell(row, column, value):
            place = f"{chr(ord('A') + column)}{row + 1}"
            if value is None:
                return ""
            if not isinstance(value, str):
                return f'<c r="{place}"><v>{value}</v></c>'
            texts.append(value)
            return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>'

        with zipfile.ZipFile(path, "w") as archive:
            names = "".join(f'<sheet name="{name}" r:id="r{n}"/>' for n, name in enumerate(sheets))
            archive.writestr(
                "xl/workbook.xml",
                f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>',
            )
            links = "".join(f'<R Id="r{n}" Target="worksheets/s{n}.xml"/>' for n in range(len(sheets)))
            archive.writestr("xl/_rels/workbook.xml.rels", f"<Rs>{links}</Rs>")
            for n, rows in enumerate(sheets.values()):
                lines = "".join(
                    f"<row>{''.join(cell(y, x, value) for x, value in enumerate(row))}</row>"
                    for y, row in enumerate(rows)
                )
                archive.writestr(
                    f"xl/worksheets/s{n}.xml",
                    f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
                )
            items = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
            archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{items}</sst>')
        return path

    return write
