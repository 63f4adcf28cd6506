"""A tiny run, films of two studies, and peers: a real Orthanc, a store, a port that says nothing."""

import gc
import json
import shutil
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.models.registry import build_model
from flexunet.run_folder import RunFolder

pytest.importorskip("pynetdicom")
pytest.importorskip("highdicom")

ORTHANC = Path("/usr/sbin/Orthanc")
WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
STUDIES = ("1.2.3.1", "1.2.3.2")


def pytest_collection_modifyitems(items):
    """pynetdicom leaves sockets of associations that failed to the garbage collector, which warns of them."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings(
                    r"ignore:Exception ignored in. <socket\.socket:pytest.PytestUnraisableExceptionWarning"
                )
            )


@pytest.fixture
def sockets_collected():
    """No such socket is left to a test that does not know of it."""
    yield
    gc.collect()


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of random weights."""
    folder = tmp_path_factory.mktemp("clinic") / "run"
    size = {"image_width": 32, "image_height": 32, "num_layers": 2, "base_filters": 2, "base_kernels": (3, 3)}
    config = Config(model=size, train={"run_dir": str(folder)})
    keras.utils.set_random_seed(3)
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    build_model(config).save(RunFolder.of(config).best_model)
    write_config(config, folder / "config.toml")
    return folder


@pytest.fixture
def films(tmp_path, write_dicom):
    """Write films, every second of the other study: `films(4)`; their paths."""

    def write(count, name="film"):
        paths = []
        for number in range(count):
            stored = np.random.default_rng(number).integers(0, 4096, (40, 56)).astype(np.uint16)
            path = tmp_path / "films" / f"{name}{number}.dcm"
            path.parent.mkdir(exist_ok=True)
            write_dicom(
                path,
                stored,
                BitsStored=12,
                StudyInstanceUID=STUDIES[number % 2],
                SeriesInstanceUID=f"{STUDIES[number % 2]}.7",
                SOPInstanceUID=f"{STUDIES[number % 2]}.7.{number}",
                InstanceNumber=number + 1,
                ImagerPixelSpacing=[0.5, 0.25],
            )
            paths.append(path)
        return paths

    return write


class Orthanc:
    """An archive in a process of its own."""

    def __init__(self, folder, listener_port):
        self.folder, self.dicom, self.http = folder, free_port(), free_port()
        self.title = "ORTHANC"
        settings = {
            "Name": "tests",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": self.title,
            "DicomPort": self.dicom,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomModalities": {"flexunet": ["FLEXUNET", "127.0.0.1", listener_port]},
            "Plugins": [str(WEB_PLUGIN)] if WEB_PLUGIN.is_file() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        folder.mkdir()
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.process = subprocess.Popen(
            [ORTHANC, folder / "orthanc.json"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "Orthanc has started" in line:
                break
        else:
            pytest.fail("".join(said))
        # What it says later must not fill the pipe.
        self._reader = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    @property
    def peer(self):
        return f"{self.title}@127.0.0.1:{self.dicom}"

    @property
    def web(self):
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def ask(self, path, body=None):
        import httpx

        with httpx.Client(base_url=f"http://127.0.0.1:{self.http}", timeout=120, trust_env=False) as client:
            answer = client.get(path) if body is None else client.post(path, content=body)
            answer.raise_for_status()
            return answer.json()

    def find(self, modality):
        """UIDs of the objects of a modality that it has."""
        body = json.dumps({"Level": "Instance", "Expand": True, "Query": {"Modality": modality}})
        return {each["MainDicomTags"]["SOPInstanceUID"] for each in self.ask("/tools/find", body)}

    def stop(self):
        self.process.terminate()
        with self.process:
            self.process.wait()
        self._reader.wait()


@pytest.fixture(scope="module")
def listener_port():
    """The port at which the archive calls us."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, listener_port):
    if not ORTHANC.is_file():
        pytest.skip(f"a real archive takes part: {ORTHANC} is missing (apt install orthanc orthanc-dicomweb)")
    started = Orthanc(tmp_path_factory.mktemp("archive") / "orthanc", listener_port)
    yield started
    started.stop()


@pytest.fixture
def silent_port(sockets_collected):
    """A port that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def end():
    """End a server of pynetdicom; an abort would disturb associations that are ending by themselves."""

    def end(entity, server):
        server.shutdown()
        for association in entity.active_associations:
            if not association.is_established:
                association.join(2)
        entity.shutdown()

    return end


@pytest.fixture
def store(end):
    """Start a store of pynetdicom: `with store("PEER", [class]) as (port, received)`."""
    from pynetdicom import AE, evt

    @contextmanager
    def start(title, classes, status=0x0000, calling=()):
        received = []
        entity = AE(ae_title=title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(calling)
        for each in classes:
            entity.add_supported_context(each)

        def take(event):
            received.append(event.encoded_dataset())
            return status

        handlers = [(evt.EVT_C_STORE, take)]
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        try:
            yield server.socket.getsockname()[1], received
        finally:
            end(entity, server)

    return start


class Station:
    """`flexunet dicom listen` in a process of its own."""

    def __init__(self, run, out, port, *options):
        command = ["-m", "flexunet", "dicom", "listen", run, out, "--port", port, "--sr", *options]
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = []
        self.wait_for("listening as")

    def wait_for(self, text):
        """Read what it says until a line has the text."""
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return line
        return pytest.fail("".join(self.said))

    def kill(self):
        """As the system kills: no word, no tidying."""
        self.process.kill()
        with self.process:
            self.process.wait()

    def stop(self):
        self.process.terminate()
        with self.process:
            return self.process.wait()


@pytest.fixture
def start_station(run):
    """Start a listener: `start_station(out, port, "--forward", peer)`."""
    started = []

    def start(out, port, *options):
        started.append(Station(run, out, port, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.kill()


@pytest.fixture
def dcmtk():
    """Run a tool of DCMTK: `dcmtk("echoscu", "-aet", ...)`; its exit code and what it said."""

    def call(name, *arguments):
        tool = shutil.which(name)
        if tool is None:
            pytest.skip(f"{name} of DCMTK is not installed")
        done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return call
