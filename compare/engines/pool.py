"""How a run is carried out: workers that compute at the same time, and all end together."""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from compare.engines.engine import Engine
from compare.engines.process import Worker, WorkerFailed
from compare.engines.session import Session
from compare.record.measurement import Measurement

Progress = Callable[[Measurement, str], None]


@dataclass(frozen=True)
class Settings:
    """How a run is carried out.

    Args:
        device: 'cpu' or 'cuda'.
        threads: per worker.
        jobs: workers that compute at the same time.
        timeout: seconds per request; per epoch of a training.
    """

    device: str = "cpu"
    threads: int = 1
    jobs: int = 2
    timeout: float = 300.0


class Pool:
    """Workers that compute at the same time, as many as the settings allow, and all ended together."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.free, self.freed = settings.jobs, threading.Condition()
        self.waiting: list[tuple[int, int]] = []  # a heap: who has most left to do, who came first
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.workers: list[Worker] = []
        self.stopping = False

    @contextmanager
    def slot(self, left: int = 0) -> Iterator[None]:
        """One of the places to compute in. Who has most left to do gets the next one, so that no core idles at the end.

        Args:
            left: how much the caller still has to do, this included.
        """
        with self.freed:
            own = -left, next(self.numbers)
            heapq.heappush(self.waiting, own)
            self.freed.wait_for(lambda: self.free and self.waiting[0] == own)
            heapq.heappop(self.waiting)
            self.free -= 1
            self.freed.notify_all()  # another place may be free for the next one
        try:
            yield
        finally:
            with self.freed:
                self.free += 1
                self.freed.notify_all()

    def start(self, engine: Engine, device: str) -> Session:
        """A session with a new worker of that engine, which has said hello.

        Raises:
            WorkerFailed: when it does not come up.
        """
        with self.lock:
            if self.stopping:
                raise WorkerFailed("failed", "stopped")
            worker = Worker(engine, device, self.settings.threads)
            self.workers.append(worker)
        session = Session(worker, self.settings.timeout)
        session.greet(device)
        return session

    def close(self) -> None:
        """End every worker; no thread may be asking one."""
        for worker in self.workers:
            worker.close()

    def run(self, tasks: list[Callable[[], None]]) -> None:
        """Run the tasks at the same time; end every worker when all are done, or at the first exception."""
        try:
            with ThreadPoolExecutor(max(len(tasks), 1)) as threads:
                try:
                    for future in [threads.submit(task) for task in tasks]:
                        future.result()
                finally:
                    with self.lock:
                        self.stopping = True
                    for worker in self.workers:  # a thread that waits for one goes on, and ends
                        worker.kill()
        finally:
            self.close()
