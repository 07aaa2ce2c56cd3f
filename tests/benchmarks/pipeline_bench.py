"""Images per second of `pipeline.preprocess` against a plain Pillow loop of the same work, and its memory."""

import io
import os
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from PIL import Image

TITLE = (
    "Pipeline: decode, crop, resize to 128, PNG of ImageNet photographs; start-up not counted; ratio = of one worker "
    "against a loop with Pillow that writes PNG, of two against one. Memory: peak of all processes, CIFAR-10 at 32"
)
SHARED = Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data"
COPIES = 6  # of the 500 photographs, so that a run lasts long enough to be timed
ROUNDS = 2
POLL_S = 0.05


def measure() -> list[dict]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photographs = SHARED / "imagenet_samples_500.tar"
        if photographs.exists():
            rows += throughput(_unpacked(photographs, root / "photographs"), root)
        else:
            rows.append({"what": f"throughput: skipped, {photographs} is missing (set BIGGAN_TF_SHARED)"})
        cifar = SHARED / "cifar10_train_jpeg.tar.gz"
        if cifar.exists():
            rows += memory(_unpacked(cifar, root / "cifar"), root)
        else:
            rows.append({"what": f"memory: skipped, {cifar} is missing (set BIGGAN_TF_SHARED)"})
    return rows


def throughput(photographs: Path, root: Path) -> list[dict]:
    """Rounds take turns, so that a busy moment of the machine meets all of them."""
    files = sorted(photographs.rglob("*.JPEG"))
    table = root / "table.csv"
    # The same path may not be listed twice: each copy is a link of another name.
    for copy in range(COPIES):
        (root / f"copy{copy}").symlink_to(photographs)
    lines = [
        f"{root / f'copy{copy}' / file.relative_to(photographs)},{file.parent.name}"
        for copy in range(COPIES)
        for file in files
    ]
    table.write_text("path,label\n" + "\n".join(lines) + "\n")
    runs = {"1 worker": (1, "png"), "2 workers": (2, "png"), "1 worker, WebP": (1, "webp")}
    rates: dict[str, list[float]] = {name: [] for name in ("pillow loop", *runs)}
    for _ in range(ROUNDS):
        rates["pillow loop"].append(_pillow_rate(files * 2))
        for name, (workers, image_format) in runs.items():
            arguments = ["--source=table", f"--input={table}", "--resolutions=128"]
            arguments += [f"--direct_num_workers={workers}", f"--image_format={image_format}"]
            rates[name].append(_run(arguments, root / "out", len(lines), workers)["images_per_s"])
    median = {name: statistics.median(values) for name, values in rates.items()}
    # Ratios within a round: all of it saw the same machine.
    against = {"1 worker": "pillow loop", "2 workers": "1 worker", "1 worker, WebP": "pillow loop"}
    ratios = {"pillow loop": [1.0]}
    for name, other in against.items():
        ratios[name] = [rate / its for rate, its in zip(rates[name], rates[other], strict=True)]
    return [
        {
            "what": name,
            "images_per_s": median[name],
            "ratio": statistics.median(ratios[name]),
            "ratios": " ".join(f"{value:.2f}" for value in ratios[name]),
        }
        for name in rates
    ]


def memory(cifar: Path, root: Path) -> list[dict]:
    """Peak memory of 500 and of 50,000 images, two workers."""
    rows = []
    for count in (500, 50_000):
        files = sorted(cifar.rglob("*.jpg"))
        table = root / "cifar.csv"
        step = max(1, len(files) // count)
        table.write_text("path,label\n" + "".join(f"{file},{file.parent.name}\n" for file in files[::step]))
        arguments = [
            "--source=table",
            f"--input={table}",
            "--resolutions=32",
            "--direct_num_workers=2",
            "--num_shards=64",
        ]
        result = _run(arguments, root / "out", len(files[::step]), 2)
        peak = result["peak_mb"]
        rows.append({"what": f"{len(files[::step])} images", "peak_mb": peak, "images_per_s": result["images_per_s"]})
    rows[1]["ratio"] = rows[1]["peak_mb"] / rows[0]["peak_mb"]
    return rows


def _pillow_rate(files: list[Path]) -> float:
    contents = [file.read_bytes() for file in files[: len(files) // 2]]
    start = time.perf_counter()
    for content in contents * 2:
        image = Image.open(io.BytesIO(content)).convert("RGB")
        side = min(image.size)
        left, upper = round((image.width - side) / 2), round((image.height - side) / 2)
        image = image.crop((left, upper, left + side, upper + side)).resize((128, 128), Image.Resampling.BILINEAR)
        image.save(io.BytesIO(), "PNG")
    return 2 * len(contents) / (time.perf_counter() - start)


def _run(arguments: list[str], output: Path, num_images: int, workers: int) -> dict[str, float]:
    """Runs the command; the rate is taken between the first and the last tenth of the images."""
    subprocess.run(["rm", "-rf", str(output)], check=True)
    command = [sys.executable, "-m", "pipeline.preprocess", f"--output={output}", "--noprogress", *arguments]
    peaks: dict[int, int] = {}
    marks: list[tuple[float, int]] = []
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None:
                time.sleep(POLL_S)
                files = [file.stat().st_size for file in output.glob(".staging-*/progress/*")]
                if len(files) >= workers and min(files):
                    marks.append((time.perf_counter(), sum(files)))
                peaks.update(_peaks(process.pid, peaks))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        log.seek(0)
        if process.returncode not in (0, 3):
            raise RuntimeError(log.read()[-2000:])
    middle = [mark for mark in marks if 0.1 * num_images <= mark[1] <= 0.9 * num_images] or marks
    (start, first), (stop, last) = middle[0], middle[-1]
    return {"images_per_s": (last - first) / max(stop - start, 1e-9), "peak_mb": sum(peaks.values()) / 1024}


def _peaks(session: int, known: dict[int, int]) -> dict[int, int]:
    """Peak resident kB of every process of a session."""
    found = dict(known)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) != session:
                continue
            for line in (entry / "status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    found[int(entry.name)] = int(line.split()[1])
        except (OSError, ValueError):
            continue  # it ended meanwhile
    return found


def _unpacked(archive: Path, target: Path) -> Path:
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")
    return target
