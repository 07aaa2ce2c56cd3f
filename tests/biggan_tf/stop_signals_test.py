"""Real signals to small processes, whose main threads are where Python does not run a handler."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

from biggan_tf import stop_signals

HEAD = """
import ctypes, os, signal, sys, threading, time
from biggan_tf import stop_signals
stop_signals.take_over(__name__)
from biggan_tf.training.shutdown import Shutdown
def here():
    print("here", flush=True)
"""
BUSY = {
    "a lock": "here(); threading.Event().wait()",
    "a C function without the interpreter": "here()\nwhile True: ctypes.CDLL(None).sleep(3600)",
    "a sleep": "here(); time.sleep(3600)",
    "a write to stderr": "here()\nwhile True: sys.stderr.write('.')",
    "a block that catches all": """
        here()
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass
        """,
    "a training before its first step": """
        with Shutdown(has_work=False):
            here()
            threading.Event().wait()
        """,
}


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def start():
    """Starts a command that does something, once it says that it is there."""
    started = []

    def start(code, head=HEAD):
        program = head + textwrap.dedent(code)
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "here\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", stop_signals.SIGNALS)
@pytest.mark.parametrize("code", BUSY.values(), ids=BUSY)
def test_a_signal_ends_a_command_with_its_status_wherever_the_main_thread_is(start, code, number):
    process = start(code)
    process.send_signal(number)
    assert process.wait(timeout=30) == stop_signals.STOPPED


def test_a_signal_that_another_thread_was_given_ends_it_too(start):
    process = start(
        """
        thread = threading.Thread(target=threading.Event().wait)
        thread.start()
        here()
        signal.pthread_kill(thread.ident, signal.SIGTERM)
        threading.Event().wait()
        """
    )
    assert process.wait(timeout=30) == stop_signals.STOPPED


def test_a_training_goes_on_after_the_first_signal_and_ends_at_the_second(start):
    process = start(
        """
        with Shutdown() as shutdown:
            here()
            while not shutdown.requested:
                time.sleep(0.01)
            here()
            threading.Event().wait()
        """
    )
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "here\n"
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == stop_signals.STOPPED


def test_a_signal_after_the_training_ends_the_command(start):
    process = start("with Shutdown(): pass\nhere()\nthreading.Event().wait()")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == stop_signals.STOPPED


@pytest.mark.parametrize("number", stop_signals.SIGNALS)
def test_a_signal_while_the_interpreter_shuts_down_changes_no_status(start, number):
    # Modules are taken apart after Python has given its signal handlers up.
    process = start(
        """
        class Slow:
            def __del__(self, write=os.write, sleep=time.sleep):
                write(1, b"here\\n")
                sleep(2)
        slow = Slow()
        sys.exit(3)
        """
    )
    process.send_signal(number)
    assert process.wait(timeout=30) == 3


def test_a_pipe_that_nobody_reads_does_not_hold_a_stop_up(start):
    process = start(
        """
        read, write = os.pipe()
        os.dup2(write, 2)
        os.set_blocking(2, False)
        try:
            while True:
                os.write(2, b"." * 512)
        except BlockingIOError:
            os.set_blocking(2, True)
        here()
        sys.stderr.write("this waits for ever")
        """
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == stop_signals.STOPPED


@pytest.mark.skipif(sys.platform != "linux", reason="who started whom is in /proc")
def test_the_processes_that_a_command_has_started_end_with_it(start):
    process = start(
        """
        import subprocess
        program = "import os, subprocess, sys, time; print(os.getpid(), flush=True); time.sleep(3600)"
        shell = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{program}'; true"], stdout=subprocess.PIPE)
        pid = shell.stdout.readline().decode()
        here()
        print(pid, end="", flush=True)
        time.sleep(3600)
        """
    )
    grandchild = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == stop_signals.STOPPED
    deadline = time.monotonic() + 30
    while state_of(grandchild) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_forked_process_has_the_handlers_from_before(start):
    process = start(
        """
        child = os.fork()
        if not child:
            time.sleep(3600)
        time.sleep(0.2)
        os.kill(child, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        here()
        sys.exit(-status)
        """
    )
    assert process.wait(timeout=30) == signal.SIGTERM


def test_importing_a_command_changes_nothing():
    before = [signal.getsignal(number) for number in stop_signals.SIGNALS]
    stop_signals.take_over("biggan_tf.train", "biggan-train")
    assert [signal.getsignal(number) for number in stop_signals.SIGNALS] == before


def test_a_console_script_takes_the_signals_over(start):
    taken = "stop_signals.take_over('biggan_tf.train', 'biggan-train')"
    head = "import sys; sys.argv[0] = '/usr/bin/biggan-train'\n" + HEAD.replace(
        "stop_signals.take_over(__name__)", taken
    )
    process = start("here(); time.sleep(3600)", head)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == stop_signals.STOPPED
