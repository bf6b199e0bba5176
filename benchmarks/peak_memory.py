"""What a command needs: peak memory of all its processes together, and time.

    python benchmarks/peak_memory.py twin check crnn --size paper --jobs 1

Twice a second the script adds the proportional set sizes (PSS) of the command and of every process below it:
a page that several processes share counts once. It prints the largest sum, the largest single process, the seconds that
passed, and those that processors worked for the processes it saw. It is no test, because it depends on the machine.
"""

import subprocess
import sys
import time

import psutil

GIB = 2**30
INTERVAL = 0.5


def look(top: psutil.Process, worked: dict[int, float]) -> list[int]:
    """PSS in bytes of each process that lives; `worked` gets each one's seconds of processor time so far."""
    found = []
    for process in (top, *top.children(recursive=True)):
        try:
            found.append(process.memory_full_info().pss)
            used = process.cpu_times()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile
        worked[process.pid] = used.user + used.system
    return found or [0]


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    start, together, largest = time.monotonic(), 0, 0
    worked: dict[int, float] = {}
    child = subprocess.Popen(sys.argv[1:])
    top = psutil.Process(child.pid)
    while child.poll() is None:
        sizes = look(top, worked)
        together, largest = max(together, sum(sizes)), max(largest, *sizes)
        time.sleep(INTERVAL)
    print(
        f"{together / GIB:.2f} GiB together, {largest / GIB:.2f} GiB the largest process, "
        f"{time.monotonic() - start:.0f} s, {sum(worked.values()):.0f} s of processor time"
    )
    return child.returncode


if __name__ == "__main__":
    raise SystemExit(main())
