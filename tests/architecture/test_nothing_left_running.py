"""The fixture that looks for leftovers finds them, and is quiet otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

LOOKS = (Path(__file__).parents[1] / "leftovers.py").read_text()
LEFTOVERS = """
import subprocess, sys, threading

KEPT = []

def test_that_leaves_a_process():
    KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

def test_that_leaves_a_thread():
    threading.Timer(1, print).start()

def test_that_ends_what_it_started():
    subprocess.run([sys.executable, "-c", ""], check=True)
    thread = threading.Thread()
    thread.start()
    thread.join()

def test_that_leaves_a_daemon_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


def test_a_thread_or_process_left_running_fails_its_test_and_no_other(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(LOOKS.replace("SECONDS_TO_END = 2.0", "SECONDS_TO_END = 0.05"))
    pytester.makepyfile(LEFTOVERS)
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider", "-rE")
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(["ERROR *::test_that_leaves_a_process*", "ERROR *::test_that_leaves_a_thread*"])
