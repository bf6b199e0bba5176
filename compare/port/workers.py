"""What a check asks of the engines: references, the twin's own file, and the learner's in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from compare.check import reference
from compare.check.reference import Reference
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool
from compare.engines.session import BuiltTwin, Session
from twin.errors import INCOMPLETE, TwinError
from twin.spec import Twin

ENGINE = {"keras": "keras-torch", "torch": "torch"}  # the reference needs PyTorch, so Keras can run on it too
NATIVE_TWINS = {"float32": 3, "float64": 1}  # how far rounding drives them apart decides less here than in a report
REFERENCE = 900.0  # seconds for a request of the reference, which is not the learner's doing
GRACE = 20.0  # seconds for a worker to interrupt itself before it is killed


@dataclass(frozen=True)
class File:
    """What a worker takes for the twin's file: a learner's, or some methods of it in the twin's own; "" is the own."""

    text: str = ""
    units: Sequence[str] | None = None


OWN = File()


@dataclass
class Workers:
    """The engines that check one side of one twin; several checks may share them.

    Args:
        twin, side: what is checked.
        timeout: seconds that one request of the learner's code may take.
        pool: where the workers live.
        sessions: those that there are already, by engine; new ones are added.
        owned: attributes that hold weights.
    """

    twin: Twin
    side: str
    timeout: float
    pool: Pool
    sessions: dict[str, Session]
    owned: list[str] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)

    def session(self, side: str, timeout: float) -> Session:
        """The session with a side's engine, each of whose requests may take that long.

        Raises:
            TwinError: when the engine is not installed.
            WorkerFailed: when it does not come up.
        """
        name = ENGINE[side]
        if name not in self.sessions or self.sessions[name].closed:
            engine = ENGINES[name]
            if missing := engine.missing():
                raise TwinError(
                    f"the check needs {' and '.join(missing)}, not importable in {engine.python}; "
                    f"try: pip install 'twin-suite[{name}]'",
                    INCOMPLETE,
                )
            self.sessions[name] = self.pool.start(engine, "cpu")
        self.sessions[name].timeout = timeout
        return self.sessions[name]

    def learners(self, file: File) -> Session:
        """The session with the learner's file in the twin's place, put there anew if something else is."""
        session = self.session(self.side, self.timeout + GRACE)
        if session.replaced != (self.twin.name, file.text, file.units):
            self.place(file)
        return session

    def place(self, file: File, timeout: float | None = None) -> Session:
        """Put a file in the twin's place, where it runs anew; each later request may take the timeout."""
        session = self.session(self.side, self.timeout + GRACE)
        owned = self.owned if file.text else []
        session.replace_module(self.twin.name, file.text, file.units, owned, self.timeout)
        session.timeout = timeout or self.timeout + GRACE
        return session

    def built(self, session: Session) -> BuiltTwin:
        """The twin's model in the size that the ladder climbs with."""
        return session.build(self.twin.name, self.twin.ladder_arguments("small"))

    def reference(self, dtype: str) -> Reference:
        """What an engine of that dtype is compared with; rounding noise is only drawn where it plays a part."""
        if dtype not in self.references:
            self.place(OWN)  # in PyTorch the same worker computes the reference
            native = self.session("torch", REFERENCE)
            if self.twin.kind == "exercise":
                self.references[dtype] = reference.of_exercise(native, self.twin)
            else:
                self.references[dtype] = reference.of_model(
                    native,
                    self.twin,
                    "small",
                    0,
                    with_steps=True,
                    native_twins=NATIVE_TWINS[dtype],
                    with_noise=dtype == "float32",
                )
        return self.references[dtype]
