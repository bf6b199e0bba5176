"""The engines: what runs a twin. Keras chooses its backend when imported, so an engine is a process."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from compare.engines import guard
from compare.record.machine import PRECISION
from twin.errors import TwinError, unknown
from twin.paths import ROOT

ANSWER_SECONDS = 60.0  # that another interpreter has to say what it can import
CACHES = ("TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")  # where compilers would find what they made before


# What would have an engine compute something else than its name says.
CHANGING = (
    *("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"),
    *("JAX_ENABLE_X64", "JAX_DISABLE_JIT", "JAX_DEFAULT_DTYPE_BITS", "JAX_DEBUG_NANS"),
    *("JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION"),
    *("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"),
)


@dataclass(frozen=True)
class Engine:
    """A framework, its backend and the interpreter that has it.

    Args:
        name: as on the command line.
        side: 'keras' or 'torch', the folder of its implementations.
        backend: Keras's backend; "" for native PyTorch.
        packages: what must be importable.
        colours: on light and on dark pages; Paul Tol's bright scheme, which the colour-blind can tell apart.
        marker: SVG in a box of 8 by 8 units, so that no meaning rests on colour.
        dashes: of its lines, as SVG has them; `border` the same as CSS has it.
        python: the interpreter; this one by default.
        module: what a worker process runs.
        mode: a way to run it other than its stock one: 'compile', 'channels-last' or 'eager'.
    """

    name: str
    side: str
    backend: str
    packages: tuple[str, ...]
    colours: tuple[str, str]
    marker: str
    dashes: str
    border: str
    python: str = sys.executable
    module: str = "compare.worker"
    mode: str = ""

    def command(self) -> list[str]:
        """The worker's command line."""
        return [self.python, "-m", self.module, self.name]

    def environment(self, device: str, threads: int) -> dict[str, str]:
        """The worker's environment: one backend, one device, so many threads, no TF32, no compiler's earlier work."""
        left_out = {"PYTHONPATH", *CACHES, *CHANGING}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONSAFEPATH": "1",  # nothing of the working folder, whose json.py or torch.py would be run
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",  # a thread that waits spinning takes the core from one that works
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **PRECISION,
        }
        if threads == 1:
            settings["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".lstrip()
        if self.backend:
            settings["KERAS_BACKEND"] = self.backend
        if device == "cpu":
            settings |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
        else:  # the processes of a round share the card, and the first would take it whole
            settings |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        return inherited | settings

    @property
    def compiled(self) -> bool:
        """Whether the step runs as one compiled program; Keras compiles on TensorFlow and JAX by default."""
        return self.mode == "compile" or (self.backend in ("tensorflow", "jax") and self.mode != "eager")

    def missing(self) -> tuple[str, ...]:
        """The packages that its interpreter cannot import."""
        if self.python == sys.executable:
            return tuple(package for package in self.packages if find_spec(package) is None)
        return _missing_elsewhere(self.python, self.packages)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name="torch",
            side="torch",
            backend="",
            packages=("torch",),
            colours=("#b8322a", "#ff8a80"),
            marker='<circle cx="4" cy="4" r="3"/>',
            dashes="none",
            border="solid",
        ),
        Engine(
            name="keras-tensorflow",
            side="keras",
            backend="tensorflow",
            packages=("keras", "tensorflow"),
            colours=("#9a6700", "#f0b64a"),
            marker='<path d="M1.3 1.3h5.4v5.4h-5.4z"/>',
            dashes="2 3",
            border="dotted",
        ),
        Engine(
            name="keras-jax",
            side="keras",
            backend="jax",
            packages=("keras", "jax"),
            colours=("#2b63a8", "#86b6f2"),
            marker='<path d="M4 .8l3.4 6h-6.8z"/>',
            dashes="6 3",
            border="dashed",
        ),
        Engine(
            name="keras-torch",
            side="keras",
            backend="torch",
            packages=("keras", "torch"),
            colours=("#7b3f8c", "#d39be3"),
            marker='<path d="M4 .5l3.5 3.5l-3.5 3.5l-3.5-3.5z"/>',
            dashes="9 3 2 3",
            border="dashed",
        ),
    )
}
REFERENCE = "torch"
# What people also call them.
OTHER_NAMES = {
    "pytorch": "torch",
    "jax": "keras-jax",
    "tf": "keras-tensorflow",
    "tensorflow": "keras-tensorflow",
    "keras-tf": "keras-tensorflow",
    "keras-pytorch": "keras-torch",
}
FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch"}  # by side
MODES = {"torch": ("compile", "channels-last"), "keras-torch": ("compile",), "keras-tensorflow": ("eager",)}


def choose(names: list[str], pythons: Mapping[str, str] | None = None) -> list[Engine]:
    """The engines of these names, each with its interpreter.

    Args:
        names: engine names, with a mode after a colon where one is wanted; empty for all that are installed.
        pythons: engine name -> interpreter, for all its modes.

    Raises:
        TwinError: for an unknown engine, one that is not installed, or none at all.
    """
    pythons = dict(pythons or {})
    every = everything()
    names = [named(name) for name in names]
    for name in names:
        if name in ("cpu", "cuda", "gpu"):
            raise TwinError(f"{name} is no engine but a device; say --device {'cpu' if name == 'cpu' else 'cuda'}")
        if name not in every:
            raise unknown("engine", name, every)
    for name in pythons:
        if name not in ENGINES:
            raise unknown("engine", name, ENGINES)
    every = {name: replace(e, python=pythons.get(base_of(name), e.python)) for name, e in every.items()}
    if not names:
        installed = [engine for name, engine in every.items() if name in ENGINES and not engine.missing()]
        if not installed:
            raise TwinError("no engine is installed; try: pip install 'twin-suite[all]'")
        return installed
    chosen = [engine for name, engine in every.items() if name in names]
    for engine in chosen:
        if missing := engine.missing():
            raise TwinError(
                f"engine {engine.name!r} needs {' and '.join(missing)}, not importable in {engine.python}; "
                f"try: pip install 'twin-suite[{base_of(engine.name)}]'"
            )
    return chosen


def everything() -> dict[str, Engine]:
    """Every engine by name, each followed by its modes."""
    out = {}
    for name, engine in ENGINES.items():
        out[name] = engine
        out |= {f"{name}:{mode}": replace(engine, name=f"{name}:{mode}", mode=mode) for mode in MODES.get(name, ())}
    return out


def named(name: str) -> str:
    """An engine's own name for one of its names, with its mode: 'tf:eager' is 'keras-tensorflow:eager'."""
    base, colon, mode = name.lower().partition(":")
    return f"{OTHER_NAMES.get(base, base)}{colon}{mode}"


def base_of(name: str) -> str:
    """The engine of a name that may carry a mode."""
    return name.partition(":")[0]


def parse_pythons(options: list[str]) -> dict[str, str]:
    """`ENGINE=PATH` options as a dictionary.

    Raises:
        TwinError: for an option of another form, or a path that is no program.
    """
    out = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or not path:
            raise TwinError(f"--python {option!r}: expected ENGINE=PATH, such as keras-jax=/opt/jax/bin/python")
        if not os.access(path, os.X_OK) or Path(path).is_dir():
            raise TwinError(f"--python {option!r}: {path} is no program that can be run")
        out[named(name)] = path
    return out


@functools.cache
def _missing_elsewhere(python: str, packages: tuple[str, ...]) -> tuple[str, ...]:
    """Ask another interpreter; find_spec imports nothing."""
    code = "import sys, importlib.util as u; print('missing', *[p for p in sys.argv[1:] if u.find_spec(p) is None])"
    wanted = (*packages, "numpy", "safetensors")
    status, lines = _said_by(python, "-c", code, *wanted)
    says = next((line.split() for line in lines if line.split()[:1] == ["missing"]), [])
    if status != 0 or not says or not set(says[1:]) <= set(wanted):
        last = lines[-1] if lines else f"exit code {status}"
        raise TwinError(f"{python} does not run Python: {last[:200]}")
    return tuple(says[1:])


def _said_by(python: str, *arguments: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a program that may be anything: it may not end, and may write without end.

    Its pipe is read after it has ended, so one that writes more than a pipe holds has no answer. What it has started
    ends with it.

    Raises:
        TwinError: when it cannot be started, or does not end in time.
    """
    try:
        process = subprocess.Popen(
            [python, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONSAFEPATH": "1"},
            start_new_session=True,
        )
    except OSError as error:
        raise TwinError(f"{python} does not run Python: {error.strerror}") from error
    guard.watch(process.pid)
    assert process.stdout is not None
    with process.stdout as pipe:
        try:
            status = process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise TwinError(f"{python} does not run Python: no answer within {ANSWER_SECONDS:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            guard.forget(process.pid)
        os.set_blocking(pipe.fileno(), False)  # somebody may still hold its other end
        text = pipe.read() or b""
    return status, text.decode(errors="replace").strip().splitlines()
