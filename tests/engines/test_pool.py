"""The places of a pool: never more at a time than jobs, and the next one goes to whom most is left to do."""

import threading
import time

import pytest

from compare.engines.pool import Pool, Settings

SOON = 30  # seconds; only what hangs takes so long


def wait_until(condition):
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("left", "order"), [([1, 3, 2], [1, 2, 0]), ([0, 0, 0], [0, 1, 2]), ([5, 7, 5], [1, 0, 2])], ids=str
)
def test_who_has_most_left_to_do_comes_next_and_of_equals_the_first(left, order):
    pool, done, threads = Pool(Settings(jobs=1)), [], []

    def work(number):
        with pool.slot(left[number]):
            done.append(number)

    with pool.slot():
        for number in range(3):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            wait_until(lambda count=number + 1: len(pool.waiting) == count)
    for thread in threads:
        thread.join(SOON)
    assert done == order


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_work_at_a_time_as_there_are_jobs(jobs):
    pool, lock, now, most = Pool(Settings(jobs=jobs)), threading.Lock(), [0], [0]
    enough = threading.Event()

    def work(number):
        with pool.slot(number):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
                if now[0] == jobs:
                    enough.set()
            enough.wait(SOON)
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert (most[0], now[0], pool.free, pool.waiting) == (jobs, 0, jobs, [])


def test_what_fails_gives_its_place_back():
    pool = Pool(Settings(jobs=1))
    with pytest.raises(ValueError, match="broken"), pool.slot():
        raise ValueError("broken")
    with pool.slot():
        assert pool.free == 0
    assert pool.free == 1
