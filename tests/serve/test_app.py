"""Real services over real connections: every format, every error, limits, token, shutdown."""

import asyncio
import base64
import io
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from flexunet.config.files import load_config
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.inference.folder import infer_folder
from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation
from flexunet.inference.predict.predictor import Predictor
from flexunet.serve.app import Limits, make_app
from flexunet.serve.figures import Figures

from .conftest import TOKEN, draw

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def inferred(run, images, tmp_path_factory):
    """What `flexunet infer` writes for the same images: folder of masks, and records by file."""
    folder = tmp_path_factory.mktemp("inferred") / "masks"
    config = load_config(run, [f"infer.output_dir={str(folder)!r}"])
    result = infer_folder(config, inputs=[images])
    assert not result.failures
    assert all(result.foreground_pixels.values())
    predictor = Predictor.load(config)
    for name in ("a.png", "b.png", "c.tif", "d.dcm"):
        certainty = np.abs(predictor(read_image(images / name, 3))[..., 1] - 0.5)
        assert certainty.min() > 5e-6, f"{name}: a pixel so near a tie may fall on either side"
    lines = (folder.parent / "masks_lesions" / "journal.jsonl").read_text().splitlines()
    return folder, {record["file"]: record for record in map(json.loads, lines)}


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


@pytest.mark.parametrize("name", ["a.png", "b.png", "c.tif", "d.dcm"])
def test_every_format_is_what_infer_writes(client, images, inferred, name):
    folder, records = inferred
    content = (images / name).read_bytes()
    mask = client.post("/predict", params={"format": "mask"}, content=content)
    assert (mask.status_code, mask.headers["content-type"]) == (200, "image/png")
    assert mask.content == (folder / f"{name[0]}.png").read_bytes()

    overlay = client.post("/predict", params={"format": "overlay"}, content=content)
    expected = read_image(folder.parent / "masks_overlay" / f"{name[0]}.png")
    with Image.open(io.BytesIO(overlay.content)) as picture:
        assert np.array_equal(np.asarray(picture), expected)

    answer = client.post("/predict", content=content).json()
    outlines = [row.pop("outline") for row in answer["lesions"]]
    assert len(answer["lesions"]) == len(records[name]["lesions"])
    for row, record in zip(answer["lesions"], records[name]["lesions"], strict=True):
        for probability in ("mean_probability", "max_probability"):
            assert row.pop(probability) == pytest.approx(record[probability], abs=1e-4)
        assert row == {key: value for key, value in record.items() if "probability" not in key}
    assert outlines == [one["segmentation"][0] for one in records[name]["contours"]]
    assert answer["foreground_pixels"] == records[name]["foreground_pixels"]
    assert answer["pixel_spacing_mm"] == ([0.5, 0.25] if name == "d.dcm" else None)


def test_dicom_comes_back_as_segmentation_object(client, images, inferred, tmp_path):
    content = (images / "d.dcm").read_bytes()
    for asked in ({"params": {"format": "segmentation"}}, {"headers": {"Accept": "application/dicom"}}):
        answer = client.post("/predict", content=content, **asked)
        assert answer.headers["content-type"] == "application/dicom"
        (tmp_path / "seg.dcm").write_bytes(answer.content)
        with Image.open(inferred[0] / "d.png") as mask:
            assert np.array_equal(read_segmentation(tmp_path / "seg.dcm"), np.asarray(mask))


def test_accept_decides_where_no_format_is_asked_for(client, images, inferred):
    content = (images / "a.png").read_bytes()
    mask = (inferred[0] / "a.png").read_bytes()
    assert client.post("/predict", content=content, headers={"Accept": "image/png"}).content == mask
    accept = "application/json;q=0.4, image/*;q=0.5, text/html"
    assert client.post("/predict", content=content, headers={"Accept": accept}).content == mask
    assert client.post("/predict", content=content, headers={"Accept": "text/html"}).status_code == 406


def test_a_form_is_read_whatever_its_file_is_called(client, images, inferred):
    mask = (inferred[0] / "a.png").read_bytes()
    content = (images / "a.png").read_bytes()
    for name in ("a.png", "../../etc/passwd", "SECRET.dcm", 'ä\x00\\";x'):
        answer = client.post("/predict?format=mask", files={"image": (name, content, "text/html")})
        assert answer.content == mask
    with_fields = client.post("/predict?format=mask", files={"image": ("a", content)}, data={"note": "x"})
    assert with_fields.content == mask


def test_pictures_can_come_with_the_lesions(client, images, inferred):
    answer = client.post(
        "/predict?embed=mask&embed=overlay&longest_side=64", content=(images / "d.dcm").read_bytes()
    ).json()
    mask, overlay = (base64.b64decode(answer[kind].partition(",")[2]) for kind in ("mask", "overlay"))
    assert mask == (inferred[0] / "d.png").read_bytes()
    with Image.open(io.BytesIO(overlay)) as picture:
        assert picture.size == (56, 40)  # never enlarged
    content = io.BytesIO()
    Image.fromarray(draw(5, 80, 200)).save(content, "PNG")
    answer = client.post("/predict?format=overlay&longest_side=100", content=content.getvalue())
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (100, 40)


def test_spacing_can_be_given_where_the_image_does_not_tell(client, images):
    for name, spacing in (("a.png", [0.1, 0.1]), ("d.dcm", [0.5, 0.25])):
        content = (images / name).read_bytes()
        answer = client.post("/predict?pixel_spacing_mm=0.1", content=content).json()
        assert answer["pixel_spacing_mm"] == spacing
        lesion = answer["lesions"][0]
        assert lesion["area_mm2"] == pytest.approx(lesion["area_px"] * spacing[0] * spacing[1], abs=1e-4)


def damaged(images, write_dicom, folder):
    png = (images / "a.png").read_bytes()
    stored = draw(1).astype(np.uint16)
    pydicom = pytest.importorskip("pydicom")
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    frames = write_dicom(folder / "frames.dcm", stored, NumberOfFrames=2, PixelData=stored.tobytes() * 2)
    huge = write_dicom(folder / "huge.dcm", stored, Rows=30000, Columns=30000)
    colour = write_dicom(folder / "colour.dcm", stored, PhotometricInterpretation="RGB", SamplesPerPixel=3)
    codec = write_dicom(
        folder / "codec.dcm",
        stored,
        syntax=pydicom.uid.HEVCMP51,
        PixelData=pydicom.encaps.encapsulate([b"01"]),
    )
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    return {
        "nothing": (b"", 400, "found nothing"),
        "text": (b"no image " * 40, 422, "the image is not a readable image"),
        "html": (b"<script>alert(1)</script>", 422, "not a readable image"),
        "truncated PNG": (png[:-30], 422, "truncated or damaged"),
        "one pixel": (small.getvalue(), 422, "1 x 1"),
        "81 million pixels in a few kB": (bomb.getvalue(), 413, "too large"),
        "truncated DICOM": ((images / "d.dcm").read_bytes()[:-300], 422, "truncated or damaged"),
        "frames": (frames.read_bytes(), 422, "frames"),
        "30000 x 30000": (huge.read_bytes(), 422, "30000"),
        "colour DICOM": (colour.read_bytes(), 422, "RGB"),
        "missing codec": (codec.read_bytes(), 422, "cannot be decoded"),
    }


def test_bad_images_get_our_message_as_a_problem(client, images, write_dicom, tmp_path):
    for name, (content, status, said) in damaged(images, write_dicom, tmp_path).items():
        answer = client.post("/predict", content=content)
        assert answer.status_code == status, name
        assert answer.headers["content-type"] == "application/problem+json", name
        problem = answer.json()
        assert set(problem) == {"type", "title", "status", "detail"}
        assert problem["status"] == status
        assert said in problem["detail"], (name, problem["detail"])
        assert "/proc" not in problem["detail"], name
        assert str(tmp_path) not in problem["detail"], name
    assert client.get("/health").json() == {"status": "ready"}  # and it goes on


def test_bad_requests_get_a_problem(client, images):
    content = (images / "a.png").read_bytes()
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    cases = [
        (client.post("/predict?format=pickle", content=content), 400, "choose one of lesions, mask"),
        (client.post("/predict?embed=all", content=content), 400, "embed"),
        (client.post("/predict?pixel_spacing_mm=nan", content=content), 400, "pixel_spacing_mm"),
        (client.post("/predict?pixel_spacing_mm=-1", content=content), 400, "pixel_spacing_mm"),
        (client.post("/predict?longest_side=1", content=content), 400, "longest_side"),
        (client.post("/predict?format=segmentation", content=content), 406, "DICOM image"),
        (client.post("/predict", content=content, headers={"Content-Encoding": "gzip"}), 415, "unpacked"),
        (client.post("/predict", content=b"--x\r\n", headers=form), 400, "the form"),
        (client.post("/predict", content=content, headers=form), 400, "the form"),
        (
            client.post("/predict", content=b"x", headers={"Content-Type": "multipart/form-data"}),
            400,
            "boundary",
        ),
        (client.post("/predict", files=[("image", b"1"), ("image", b"2")]), 400, "2 files"),
        (client.post("/predict", files=[(f"i{n}", b"1") for n in range(20)]), 400, "more than 8"),
        (client.post("/predict", data={"image": "no file"}, files={}), 422, "not a readable image"),
        (client.get("/predict"), 405, "another method"),
        (client.get("/docs"), 404, "no such address"),
        (client.get("/SECRET/../../etc/passwd"), 404, "no such address"),
    ]
    for answer, status, said in cases:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert said in answer.json()["detail"]


def test_a_page_elsewhere_cannot_use_the_service(client, images):
    content = (images / "a.png").read_bytes()
    answers = [
        client.post("/predict", content=content, headers={"Origin": "https://evil.example"}),
        client.post("/predict", content=content, headers={"Origin": "null"}),
        client.post("/predict", content=content, headers={"Origin": "http://[evil"}),
        client.get("/model", headers={"Host": "evil.example"}),
        client.options("/predict", headers={"Origin": "https://evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 421, 403]
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
    host = client.base_url.netloc.decode()
    assert client.post("/predict", content=content, headers={"Origin": f"http://{host}"}).is_success


def test_every_answer_has_the_headers_that_browsers_heed(client):
    for path in ("/", "/model", "/metrics", "/missing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_the_page_is_one_file_that_loads_nothing_from_elsewhere(client):
    page = client.get("/").text
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "http" not in page
    policy = client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "sha256-" in policy


def test_openapi_describes_the_service(client):
    document = client.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) >= {"multipart/form-data", "application/dicom"}
    assert {"200", "413", "422", "503"} <= set(predict["responses"])
    assert {one["name"] for one in predict["parameters"]} == {
        "format", "embed", "longest_side", "pixel_spacing_mm",
    }  # fmt: skip


def test_model_tells_what_it_is(client, run):
    facts = client.get("/model").json()
    assert facts["run"] == run.name
    assert [one["name"] for one in facts["classes"]] == ["background", "lesion"]
    assert re.fullmatch("[0-9a-f]{32}", facts["digest"])
    assert facts["evaluation"] is None


def test_figures_count_what_was_done(client, images):
    def figure(name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    good = 'flexunet_requests_total{method="POST",route="/predict",status="200"}'
    before, images_before = figure(good), figure("flexunet_images_total")
    for _ in range(3):
        client.post("/predict", content=(images / "a.png").read_bytes())
    assert figure(good) == before + 3
    assert figure("flexunet_images_total") == images_before + 3
    assert figure("flexunet_predictions_at_work") == 0


def test_many_at_once_each_get_their_own_mask(service, tmp_path, run):
    for seed in range(24):
        write_image(tmp_path / "images" / f"{seed}.png", draw(seed, 36 + seed % 3, 40))
    config = load_config(run, [f"infer.output_dir={str(tmp_path / 'masks')!r}"])
    infer_folder(config, inputs=[tmp_path / "images"])

    def ask(seed):
        content = (tmp_path / "images" / f"{seed}.png").read_bytes()
        return client.post("/predict?format=mask", content=content).content

    with service.client() as client, ThreadPoolExecutor(12) as pool:
        masks = list(pool.map(ask, range(24)))
    assert masks == [(tmp_path / "masks" / f"{seed}.png").read_bytes() for seed in range(24)]


def test_token_is_asked_for(guarded, images):
    content = (images / "a.png").read_bytes()
    with guarded.client() as client:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            for answer in (
                client.post("/predict", content=content, headers=given),
                client.get("/model", headers=given),
                client.get("/metrics", headers=given),
                client.get("/openapi.json", headers=given),
                client.get("/missing", headers=given),
            ):
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Bearer")
        assert client.get("/").status_code == client.get("/health").status_code == 200
        assert client.post("/predict", content=content, headers=BEARER).status_code == 200
        assert client.get("/model", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_what_is_too_large_is_refused_early(guarded):
    def unannounced():
        for _ in range(20):
            yield bytes(100_000)

    picture = io.BytesIO()
    Image.new("1", (1024, 1024)).save(picture, "PNG")
    with guarded.client(headers=BEARER) as client:
        for content in (bytes((1 << 20) + 1), unannounced()):
            answer = client.post("/predict", content=content)
            assert answer.status_code == 413
            assert "1,048,576 bytes" in answer.json()["detail"]
        answer = client.post("/predict", files={"image": bytes((1 << 20) + 1)})
        assert answer.status_code == 413
        answer = client.post("/predict", content=picture.getvalue())  # 1.05 million pixels
        assert answer.status_code == 413
        assert "1024 x 1024" in answer.json()["detail"]


def half_sent(running, content, count=1):
    """A connection that has sent half of an image, so that `count` are arriving; the other half of it."""
    host, port = running.address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /predict?format=mask HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n"
    connection.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode() + content[:50])
    with running.client(headers=BEARER) as client:
        while f"flexunet_images_arriving {count}.0" not in client.get("/metrics").text:
            time.sleep(0.01)
    return connection, content[50:]


def takes_connections(address):
    with socket.socket() as attempt:
        return attempt.connect_ex(address) == 0


def answer_on(connection):
    found = b""
    while b"IEND" not in found and (part := connection.recv(65536)):
        found += part
    connection.close()
    return found


def test_clients_that_send_slowly_hold_no_place(guarded, images, inferred):
    """The service has one place; it goes to images that are there."""
    content = (images / "a.png").read_bytes()
    others = [half_sent(guarded, content, count)[0] for count in range(1, 32)]
    connection, rest = half_sent(guarded, content, 32)
    with guarded.client(headers=BEARER) as client:
        assert client.get("/health/ready").status_code == 200
        assert client.post("/predict", content=content).status_code == 200
        connection.sendall(rest)
        assert (inferred[0] / "a.png").read_bytes()[8:] in answer_on(connection)
        for other in others:
            other.close()
        while "flexunet_images_arriving 0.0" not in client.get("/metrics").text:
            time.sleep(0.01)


class Busy:
    """Answers when it is told to."""

    def __init__(self):
        self.started, self.go_on = threading.Event(), threading.Event()

    def answer(self, content, wish):
        self.started.set()
        self.go_on.wait(60)
        return content, "image/png"


def test_more_than_may_wait_are_told_when_to_come_back():
    busy = Busy()
    app = make_app(busy, {}, Figures(), limits=Limits(waiting=1))

    async def ask():
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://here") as client,
            app.router.lifespan_context(app),
        ):
            assert (await client.get("/health/ready")).status_code == 200
            first = asyncio.create_task(client.post("/predict", content=b"image"))
            await asyncio.to_thread(busy.started.wait, 60)
            refused, ready = await client.post("/predict", content=b"image"), await client.get("/health")
            alive = await client.get("/health/live")
            busy.go_on.set()
            return await first, refused, ready, alive, await client.get("/health/ready")

    first, refused, ready, alive, again = asyncio.run(ask())
    assert first.status_code == alive.status_code == again.status_code == 200
    for answer in (refused, ready):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
    assert "1 images are waiting" in refused.json()["detail"]


def test_headers_that_do_not_come_to_an_end_close_the_connection(service):
    host, port = service.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        assert connection.recv(1024) == b""


@pytest.mark.parametrize(
    ("query", "headers", "status", "word"),
    [
        ("?pixel_spacing_mm=1e-300", {}, 400, "pixel_spacing_mm"),
        ("?pixel_spacing_mm=nan", {}, 400, "pixel_spacing_mm"),
        ("", {"Content-Type": f"multipart/form-data; boundary={'b' * 5000}"}, 400, "5000 bytes"),
        ("", {"Content-Type": "multipart/form-data; boundary=\xe4"}, 400, "form"),
    ],
)
def test_odd_requests_are_the_clients_fault(service, images, query, headers, status, word):
    content = (images / "a.png").read_bytes()
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    with service.client() as client:
        answer = client.post(f"/predict{query}", content=content, headers=headers)
        assert answer.status_code == status
        assert word in answer.json()["detail"]


def test_a_picture_that_is_too_long_is_refused_by_its_header(service):
    stream = io.BytesIO()
    Image.new("1", (1, 49_000)).save(stream, "PNG")
    with service.client() as client:
        answer = client.post("/predict", content=stream.getvalue())
        assert answer.status_code == 413
        assert "1 x 49000" in answer.json()["detail"]


def test_what_was_taken_is_answered_before_the_end(guarded, images, inferred):
    # The last of this service's tests: it ends it.
    connection, rest = half_sent(guarded, (images / "a.png").read_bytes())
    guarded.process.terminate()
    while takes_connections(connection.getpeername()):  # until nothing new is taken
        time.sleep(0.1)
    connection.sendall(rest)
    assert (inferred[0] / "a.png").read_bytes()[8:] in answer_on(connection)
    assert guarded.process.wait() == 0
