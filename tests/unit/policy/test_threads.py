"""Policies are read by several services of one process at once, some of them in threads."""

import subprocess
import sys

PROGRAM = """
import sys
import threading
from pratique.policy.parse import parse_policy

sys.setswitchinterval(1e-6)
start = threading.Barrier(8)

def parse():
    start.wait()
    parse_policy(b"version: 1\\npolicies: [{name: a, rules: {fail_on: high}}]\\n")

threads = [threading.Thread(target=parse) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_the_first_policies_of_a_process_may_be_parsed_in_several_threads() -> None:
    for _ in range(12):
        done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
