"""Load on `flexunet serve`: many requests at a time, their latency, and whether memory grows.

    python benchmarks/serve.py                              # 1,000 requests, 16 at a time; up to 5 minutes
    python benchmarks/serve.py --requests 100 --batch 1 4   # a smaller run, without batches and with
    python benchmarks/serve.py --run RUN --images FOLDER    # a model and images of one's own
    python benchmarks/serve.py --requests 200 --slow 32     # beside 32 bodies that send a byte per second

The service runs in a process of its own, as the command starts it. Without --run its model is that of
configs/mammogram-small.toml with random weights, balanced so that masks are neither empty nor full; without
--images, drawn films of 512 x 512 are sent. Every request is checked: status 200, and for masks the bytes of
the first answer for that image. Formats take turns: mask, lesions, overlay; raw bodies and forms. Resident
memory of the service is sampled four times a second; its growth is the slope of a line through the samples
of the last three quarters of the run.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import httpx
import numpy as np

FORMATS = ("mask", "lesions", "overlay")


def draw_film(seed: int, size: int = 512) -> bytes:
    """A PNG with a few bright bodies on tissue."""
    rng = np.random.default_rng(seed)
    tissue = cv2.GaussianBlur(rng.normal(90, 60, (size, size)).astype(np.float32), (0, 0), 12)
    film = 90 + 6 * (tissue - tissue.mean()) + rng.normal(0, 4, (size, size))
    rows, columns = np.mgrid[:size, :size]
    for y, x, radius in rng.uniform((60, 60, 8), (size - 60, size - 60, 40), (3, 3)):
        film += 90 * np.exp(-((((rows - y) ** 2 + (columns - x) ** 2) / radius**2) ** 2))
    return cv2.imencode(".png", np.clip(film, 0, 255).astype(np.uint8))[1].tobytes()


def make_run(folder: Path) -> Path:
    """A run with the small shipped model and random weights."""
    import keras

    from flexunet.config.files import load_config
    from flexunet.config.writing import write_config
    from flexunet.models.registry import build_model
    from flexunet.run_folder import RunFolder

    shipped = Path(__file__).parents[1] / "configs" / "mammogram-small.toml"
    config = load_config(shipped, [f"train.run_dir={str(folder)!r}", "infer.min_lesion_pixels=64"])
    keras.utils.set_random_seed(3)
    model = build_model(config)
    side = config.model.image_width
    grey = cv2.imdecode(np.frombuffer(draw_film(0), np.uint8), cv2.IMREAD_GRAYSCALE)
    pixels = np.repeat(cv2.resize(grey, (side, side))[None, ..., None], config.model.image_channels, axis=3)
    probabilities = model.predict_on_batch(pixels.astype(np.float32))
    odds = np.log(probabilities[..., 1] / probabilities[..., 0])
    bias = model.layers[-1].weights[-1]
    bias.assign(bias.numpy() - np.array([0, np.quantile(odds, 0.95)], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    write_config(config, folder / "config.toml")
    return folder


def start(run: Path, batch: int, engine: str) -> tuple[subprocess.Popen, str]:
    """Start the service; the process and its address."""
    options = ["--port", "0", "--batch", str(batch), "--engine", engine]
    process = subprocess.Popen(
        [sys.executable, "-m", "flexunet", "serve", str(run), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found = re.search(r"at (http://\S+)", process.stdout.readline())
    if not found:
        raise SystemExit("the service did not start")
    return process, found.group(1)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


class MemoryWatch:
    """Samples of a process's resident memory with the number of requests answered by then."""

    def __init__(self, pid: int, answered: list[float]):
        self.samples: list[tuple[int, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid, answered))
        self._thread.start()

    def _watch(self, pid: int, answered: list[float]) -> None:
        while not self._stop.wait(0.25):
            self.samples.append((len(answered), resident_mib(pid)))

    def stop(self) -> None:
        """No more samples."""
        self._stop.set()
        self._thread.join()

    def growth(self, requests: int) -> float:
        """MiB per 1,000 requests, by least squares over the last three quarters."""
        late = np.array([sample for sample in self.samples if sample[0] >= requests / 4])
        return float(np.polyfit(late[:, 0], late[:, 1], 1)[0] * 1000)


async def send_slowly(address: str) -> None:
    """Begin an image, and send a byte of it per second until the connection ends."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode())
    try:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)
    finally:
        writer.close()


async def load(
    address: str, films: list[bytes], requests: int, concurrency: int, seconds: list[float], slow: int = 0
) -> int:
    """Send the requests, beside so many slow ones; the number of answers that were wrong."""
    senders = [asyncio.create_task(send_slowly(address)) for _ in range(slow)]
    await asyncio.sleep(1 if slow else 0)
    gate = asyncio.Semaphore(concurrency)
    masks: dict[int, bytes] = {}
    wrong = 0

    async def one(client: httpx.AsyncClient, number: int) -> None:
        nonlocal wrong
        film, form = number % len(films), FORMATS[number // len(films) % len(FORMATS)]
        body = {"files": {"image": films[film]}} if number % 2 else {"content": films[film]}
        async with gate:
            started = time.perf_counter()
            try:
                answer = await client.post("/predict", params={"format": form}, **body)
                right = answer.status_code == 200
                if form == "mask":
                    right = right and masks.setdefault(film, answer.content) == answer.content
            except httpx.HTTPError:
                right = False
            seconds.append(time.perf_counter() - started)
            wrong += not right

    limits = httpx.Limits(max_connections=concurrency)
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits, trust_env=False) as client:
        await asyncio.gather(*(one(client, number) for number in range(requests)))
        ready = await client.get("/health/ready")
    for sender in senders:
        sender.cancel()
    return wrong + (ready.status_code != 200)


def measure(
    run: Path, films: list[bytes], requests: int, concurrency: int, batch: int, engine: str, slow: int
) -> dict[str, float]:
    """One service under load."""
    process, address = start(run, batch, engine)
    try:
        at_start = resident_mib(process.pid)
        seconds: list[float] = []
        watch = MemoryWatch(process.pid, seconds)
        started = time.perf_counter()
        wrong = asyncio.run(load(address, films, requests, concurrency, seconds, slow))
        wall = time.perf_counter() - started
        watch.stop()
        figures = httpx.get(f"{address}/metrics", trust_env=False).text
    finally:
        process.terminate()
        exit_code = process.wait(60)

    def figure(name: str) -> float:
        return float(re.search(rf"^{name} (\S+)$", figures, re.MULTILINE).group(1))

    quantiles = np.quantile(seconds, (0.5, 0.95, 0.99, 1))
    quarter = [mib for count, mib in watch.samples if count >= requests / 4]
    return {
        "engine": engine,
        "batch": batch,
        "requests": requests,
        "concurrency": concurrency,
        "slow_bodies": slow,
        "errors": wrong,
        "exit_code": exit_code,
        "seconds": round(wall, 1),
        "images_per_second": round(requests / wall, 2),
        "latency_ms": {
            name: round(1000 * float(value))
            for name, value in zip(("p50", "p95", "p99", "max"), quantiles, strict=True)
        },
        "mean_batch": round(figure("flexunet_batch_images_sum") / figure("flexunet_batch_images_count"), 2),
        "model_busy": round(figure("flexunet_model_seconds_sum") / wall, 3),
        "resident_mib": {
            "start": round(at_start),
            "after_a_quarter": round(quarter[0]),
            "end": round(watch.samples[-1][1]),
            "peak": round(max(mib for _, mib in watch.samples)),
            "growth_per_1000_requests": round(watch.growth(requests), 1),
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--batch", type=int, nargs="+", default=[4], help="most images of a batch")
    parser.add_argument("--engine", nargs="+", default=["keras"], help="as of `flexunet serve`")
    parser.add_argument("--slow", type=int, default=0, help="bodies that arrive slowly beside")
    parser.add_argument("--run", type=Path, help="run to serve; the small shipped model without")
    parser.add_argument("--images", type=Path, help="folder of images to send; drawn ones without")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if options.images:
        films = [path.read_bytes() for path in sorted(options.images.iterdir()) if path.is_file()]
    else:
        films = [draw_film(seed) for seed in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or make_run(Path(folder) / "run")
        arms = [
            measure(run, films, options.requests, options.concurrency, batch, engine, options.slow)
            for engine in options.engine
            for batch in options.batch
        ]
    document = {
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        "load_average": os.getloadavg(),
        "arms": arms,
    }
    print(json.dumps(document, indent=2))
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
