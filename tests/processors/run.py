"""Runs the tests marked `processor` as other processors would, and those marked `emulated` on other processors.

python -m tests.processors.run            # a choice of the settings in which each value appears: half of the time
python -m tests.processors.run all        # oneDNN off, and with the kernels of smaller processors; 1, 2 threads; qemu
python -m tests.processors.run AVX2 qemu  # the settings whose names have one of the words

TensorFlow chooses the kernels for a processor while it starts, so each setting is a process of its own. qemu emulates
the instructions of a processor, up to AVX2, and the caches that it reports; what an emulated process starts is not
emulated. The whole output of each setting is in out/processors; PYTEST_ADDOPTS adds options of pytest's.
"""

import concurrent.futures
import dataclasses
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).parents[2]
OUTPUT = ROOT / "out" / "processors"
EMULATOR = "qemu-x86_64"
# The files with tests that carry a marker: no other is imported, which is most of the time under qemu.
MARKER = re.compile(r"mark\.(processor|emulated)\b")
# On a processor with AVX-512 TensorFlow 2.21 gives bfloat16 to oneDNN whatever oneDNN is told to be, and crashes in a
# matmul; one without AVX-512 computes it without oneDNN, as the settings "oneDNN off" do.
_WITHOUT_BFLOAT16 = ("SSE41", "AVX2")


@dataclasses.dataclass(frozen=True)
class Setting:
    """A way to run the tests.

    Attributes:
        name: For the table.
        threads: Of TensorFlow's kernels.
        environment: What TensorFlow reads.
        processor: For qemu to emulate; "": the one at hand.
        without: Tests whose names hold this word are left out; "": none.
    """

    name: str
    threads: int
    environment: dict[str, str]
    processor: str = ""
    without: str = ""

    @property
    def marker(self):
        return "emulated" if self.processor else "processor"


def _has_avx512():
    """Whether the processor has AVX-512; where its flags cannot be read, it counts as one that has."""
    try:
        return "avx512f" in pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def settings():
    """All of them, slow ones first. Eigen, which computes with oneDNN off, cuts its sums by the size of the caches."""
    emulated = [
        Setting(f"qemu {processor}, oneDNN {'on' if on == '1' else 'off'}", 1, {"TF_ENABLE_ONEDNN_OPTS": on}, processor)
        for processor, on in (("Haswell", "1"), ("Haswell", "0"), ("EPYC", "1"), ("EPYC", "0"))
    ]
    off = [Setting("oneDNN off", threads, {"TF_ENABLE_ONEDNN_OPTS": "0"}) for threads in (1, 2)]
    on = [
        Setting(
            f"oneDNN {most}",
            threads,
            {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": most},
            without="bfloat16" if most in _WITHOUT_BFLOAT16 else "",
        )
        # A processor without AVX-512 computes the same by DEFAULT as by the two in between.
        for most in (("SSE41", "AVX2", "AVX512_CORE", "DEFAULT") if _has_avx512() else ("SSE41", "DEFAULT"))
        for threads in (1, 2)
    ]
    return emulated + off + on


def choice():
    """Each emulated processor once, with oneDNN or without; the levels of oneDNN with 2 threads and 1 in turn."""
    emulated = [setting for setting in settings() if setting.processor]
    threads = itertools.cycle((2, 1))
    of_level = {level: next(threads) for level in dict.fromkeys(s.name for s in settings() if not s.processor)}
    alternating = [setting for setting in settings() if of_level.get(setting.name) == setting.threads]
    return [emulated[0], emulated[-1], *alternating]  # the first with oneDNN, the last without


def marked_files(marker):
    """The test files in which the marker stands."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*_test.py"))
        if marker in MARKER.findall(path.read_text())
    ]


def run(setting):
    """(passed, failed, seconds, lines that name what failed) of a setting."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / re.sub(r"\W+", "_", f"{setting.name} {setting.threads}")
    report = file.with_suffix(".xml")
    report.unlink(missing_ok=True)
    command = [EMULATOR, "-cpu", setting.processor] if setting.processor else []
    command += [sys.executable, "-m", "pytest", "-m", setting.marker, "-v", "--tb=short", f"--junitxml={report}"]
    command += ["--timeout=1800", "-p", "no:cacheprovider", *marked_files(setting.marker)]
    command += ["-k", f"not {setting.without}"] if setting.without else []
    threads = {name: str(setting.threads) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **threads, **setting.environment}
    begin = time.monotonic()
    with open(file.with_suffix(".log"), "w") as log:
        status = subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False).returncode
    seconds = time.monotonic() - begin
    if not report.exists():
        return 0, 1, seconds, [f"pytest ended with status {status}: see {log.name}"]
    passed, lines = read(report)
    return passed, len(lines), seconds, lines


def read(report):
    """(number of tests that passed, a line for each that failed) of a file in JUnit's format."""
    passed, lines = 0, []
    for case in ElementTree.parse(report).iter("testcase"):
        broken = [part for part in case if part.tag in ("failure", "error")]
        passed += not len(case)
        for part in broken:
            told = " ".join(part.get("message", "").split())
            lines.append(f"{case.get('classname')}::{case.get('name')}: {told[:200]}")
    return passed, lines


def say(line):
    """A line, at once: the settings take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_all(chosen):
    """Each setting with its result, in the order in which they end: as many at a time as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = {pool.submit(run, setting): setting for setting in chosen}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()


def main(words):
    """Prints a line for each setting, then what failed; returns the exit status."""
    named = [setting for setting in settings() if any(word in setting.name for word in words)]
    chosen = settings() if words == ["all"] else named if words else choice()
    if not chosen:
        say(f"A word must be part of a setting's name. Received: {words}; the names are:")
        say("\n".join(sorted({setting.name for setting in settings()})))
        return 2
    missing = [setting for setting in chosen if setting.processor and not shutil.which(EMULATOR)]
    chosen = [setting for setting in chosen if setting not in missing]
    say(f"{'setting':<28}{'threads':>8}{'passed':>8}{'failed':>8}{'seconds':>9}")
    all_lines = []
    for setting, (passed, failed, seconds, lines) in run_all(chosen):
        say(f"{setting.name:<28}{setting.threads:>8}{passed:>8}{failed:>8}{seconds:>9.0f}")
        all_lines += [f"{setting.name}, threads {setting.threads}: {line}" for line in lines]
    say("\n".join(all_lines))
    if missing:
        say(f"NOT RUN, as there is no {EMULATOR} (apt-get install qemu-user): " + "; ".join(m.name for m in missing))
    return 1 if all_lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
