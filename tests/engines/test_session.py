"""What a worker answers is checked on receipt: whatever it writes, one measurement fails, and it says why."""

import inspect
import json
import random
import signal
from pathlib import Path

import numpy as np
import pytest

from compare.engines import answers
from compare.engines.answers import Malformed, parse
from compare.engines.process import Worker, WorkerFailed, one_measurement
from compare.engines.session import Session
from compare.worker.serve import GROUPS, operation
from tests.helpers.told_worker import answering, told
from twin import arrays
from twin.bridge import BridgeError
from twin.errors import TwinError

LEAF = {"path": "dense", "kind": "Linear", "shapes": {"weight": [2, 3]}, "trainable": ["weight"], "options": {}}
SHAPE = (2, 3)
TRAINED = {
    "losses": {"loss": [0.5, float("nan")]},
    "provenance": "made",
    "rows": 4,
    "seconds": 0.1,
    "epoch_seconds": [0.05, 0.05],
    "value": 0.9,
    "shown": {"pictures": []},
}
GOOD = {  # operation -> what kind its result is, and one that is right
    "hello": (answers.Hello, {"versions": {"torch": "2"}, "device": "cpu"}),
    "build": (answers.Built, {"leaves": [LEAF]}),
    "load": (answers.Nothing, {}),
    "activations": (answers.Order, {"order": ["dense"]}),
    "layers": (
        answers.LayerShapes,
        {"sizes": {"": ["MLP", 6], "dense": ["Linear", 6]}, "ran": [["dense", [4, 3], [4, 2]]], "outputs": {"y": [4]}},
    ),
    "calls": (answers.Calls, {"calls": [["dense", True, "dense", "", [[4, 2]], [0], [1]]], "stopped": ""}),
    "gradients": (answers.PhaseLosses, {"losses": {"loss": 1}}),
    "steps": (answers.Curve, {"curve": [{"loss": 1.5}, {"loss": float("inf")}]}),
    "warm_up": (
        answers.Warm,
        {"first_step": 2.0, "second_step": 1.0, "unsteady": ["loop"], "repetitions": {"step": 100}},
    ),
    "timed_loop": (answers.Seconds, {"seconds": 1e-3}),
    "peak_memory": (answers.PeakMemory, {"peak_memory_mib": 100.0}),
    "multiply_adds": (answers.MultiplyAdds, {"multiply_adds": 416_520}),
    "fit": (answers.Trained, TRAINED),
    "ran": (answers.Ran, {"ran": ["MLP.forward"]}),
    "default_of": (answers.Default, {"default": "1e-05"}),
    "loss": (answers.Value, {"value": 0.5, "text": "mean"}),
}
NOT_AN_ANSWER = {  # what a worker writes -> what the reason must name
    b"3": "should be an object",
    b"[]": "should be an object",
    b"null": "should be an object",
    b'"ok"': "should be an object",
    b"{}": "Field required",
    b'{"ok": true}': "result: Field required",
    b'{"result": {"seconds": 1}}': "Field required",
    b'{"ok": "yes", "result": {"seconds": 1}}': "ok",
    b'{"ok": true, "result": null}': "result",
    b'{"ok": true, "result": [1]}': "result",
    b'{"ok": true, "result": {}}': "result.seconds: Field required",
    b'{"ok": true, "result": {"seconds": "1"}}': "result.seconds: Input should be a valid number",
    b'{"ok": true, "result": {"seconds": 0}}': "result.seconds: Input should be greater than 0",
    b'{"ok": true, "result": {"seconds": NaN}}': "result.seconds: Input should be",
    b'{"ok": true, "result": {"seconds": true}}': "result.seconds: Input should be a valid number",
    b'{"ok": false}': "Field required",
    b'{"ok": false, "status": "ok", "reason": ""}': "status: Input should be",
    b'{"ok": false, "status": "failed", "reason": 7}': "reason: Input should be a valid string",
    b'{"event": "epoch"}': "Field required",
    b'{"event": "lunch", "epoch": 1, "epochs": 2, "losses": {}}': "event",
    b"\xff\xfe": "Invalid JSON",
    b"[" * 100_000: "recursion limit",
    b"": "Invalid JSON",
}


def line(result) -> bytes:
    return json.dumps({"ok": True, "result": result}).encode() + b"\n"


@pytest.fixture
def session(tmp_path):
    """Makes a session with a worker that answers so."""
    open_ones = []

    def make(*written: bytes, timeout=30.0):
        open_ones.append(Session(Worker(answering(tmp_path, *written)), timeout))
        return open_ones[-1]

    yield make
    for each in open_ones:
        each.close()


@pytest.mark.parametrize(("written", "says"), NOT_AN_ANSWER.items(), ids=range(len(NOT_AN_ANSWER)))
def test_json_that_is_no_answer_is_a_crash_that_says_what_is_wrong(written, says, session):
    asked = session(written + b"\n")
    with pytest.raises(WorkerFailed, match="the worker wrote what is no answer") as failure:
        asked.ask(answers.Seconds, "timed_loop")
    assert (failure.value.status, failure.value.alive) == ("crashed", False)
    assert says in failure.value.reason
    assert "\n" not in failure.value.reason
    assert asked.closed


@pytest.mark.parametrize("op", GOOD)
def test_a_right_answer_is_read_into_its_dataclass(op):
    kind, result = GOOD[op]
    answer = parse(line(result), kind)
    assert isinstance(answer, answers.Result)
    assert isinstance(answer.result, kind)


def mutated(rng: random.Random, written: bytes) -> bytes:
    """A line with one thing wrong: a byte, a piece, or a value of it changed."""
    how = rng.randrange(4)
    if how == 0:
        at = rng.randrange(len(written) - 1)
        return written[:at] + bytes([rng.randrange(256)]) + written[at + 1 :]
    if how == 1:
        first, last = sorted(rng.sample(range(len(written) - 1), 2))
        return written[:first] + written[last:]
    found = json.loads(written)
    places = [(found, key) for key in found]
    for holder, key in places:  # grows while it is walked: every place within
        inside = holder[key]
        if isinstance(inside, dict | list):
            places += [(inside, each) for each in (inside if isinstance(inside, dict) else range(len(inside)))]
    holder, key = rng.choice(places)
    if how == 2:
        holder[key] = rng.choice([None, -1, "text", [], {}, [[]], {"a": 1}, True, 1e400, "\ud800"])
    else:
        del holder[key]
    return json.dumps(found).encode() + b"\n"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_changed_in_an_answer_it_is_an_answer_or_a_crash(seed, tmp_path):
    """Two hundred changes, ten a seed: each gives a result of the right kind or a failure with a status."""
    rng = random.Random(seed)
    for number in range(10):
        op = rng.choice(list(GOOD))
        kind, result = GOOD[op]
        written = mutated(rng, line(result))
        folder = tmp_path / str(number)
        folder.mkdir()
        asked = Session(Worker(answering(folder, written)), 0.5)
        try:
            status, alive = type(asked.ask(kind, op)).__name__, True
        except WorkerFailed as failure:
            status, alive = failure.status, failure.alive
        finally:
            asked.close()
        try:
            right = {kind.__name__} if isinstance(parse(written.split(b"\n")[0], kind), answers.Result) else {"failed"}
        except Malformed:
            right = {"crashed"}
        assert status in right, written
        assert alive == (status != "crashed"), written


WEIGHTS = {"dense.weight": np.ones(SHAPE)}
KEPT = {"1/weights/dense.weight": np.ones(SHAPE), "1/moments/first/dense.weight": np.ones(SHAPE)}
X = {"x": np.ones((4, 3))}
REQUESTS = {  # operation -> a request of a built model, what the worker answers, and the arrays that it writes
    "load": (lambda model: model.load(WEIGHTS), {}, None),
    "dump": (lambda model: model.dump(), {}, WEIGHTS),
    "forward": (lambda model: model.forward(X, True), {}, {"y": np.ones((4, 2))}),
    "activations": (
        lambda model: model.activations(X),
        {"order": ["dense"]},
        {"dense/in": np.ones((4, 3)), "dense/out": np.ones((4, 2))},
    ),
    "layers": (lambda model: model.layers(X), GOOD["layers"][1], None),
    "gradients": (lambda model: model.gradients(X), {"losses": {"loss": 1.0}}, WEIGHTS),
    "steps": (lambda model: model.steps({"1/x": X["x"]}, 1, (1,), {}, []), {"curve": [{"loss": 1.0}]}, KEPT),
    "fit": (lambda model: model.fit(2, "digits", {}), TRAINED, None),
    "warm_up": (lambda model: model.warm_up(X, X, ["step"]), GOOD["warm_up"][1], None),
    "timed_loop": (lambda model: model.timed_loop("step", 3), {"seconds": 1e-3}, None),
    "peak_memory": (lambda model: model.peak_memory(), {"peak_memory_mib": 1.0}, None),
    "multiply_adds": (lambda model: model.multiply_adds((8, 8, 1)), {"multiply_adds": 7}, None),
    "call_method": (lambda model: model.call_method("encode", [X["x"]]), {}, {"y": np.ones(2)}),
    "read_file": (lambda model: model.read_file({}, Path("a.pt")), {}, WEIGHTS),
    "write_file": (lambda model: model.write_file({}, Path("a.pt"), "twin", WEIGHTS), {}, None),
    "answer_of_applications": (lambda model: model.answer_of_applications({}, Path("a.h5"), X), {}, {"y": np.ones(2)}),
    "make_batches": (
        lambda model: model.session.make_batches("mlp", "small", np.random.default_rng(0)),
        {"generator": np.random.default_rng(1).bit_generator.state},
        X,
    ),
    "exercise_inputs": (lambda model: model.session.exercise_inputs("pooling"), {}, X),
    "exercise": (lambda model: model.session.exercise("pooling", X), {}, {"y": np.ones(2)}),
    "probe": (lambda model: model.session.probe("losses", "mean", X), {}, {"y": np.ones(2)}),
    "replace_module": (lambda model: model.session.replace_module("mlp", "", None, [], 3.0), {}, None),
    "ran": (lambda model: model.session.ran(), {"ran": []}, None),
    "default_of": (lambda model: model.session.default_of("mlp", "nn.Linear", "bias"), {"default": "True"}, None),
}


@pytest.mark.parametrize("op", REQUESTS)
def test_a_request_has_the_fields_that_the_workers_operation_takes(op, session):
    request, answer, written = REQUESTS[op]
    asked = session(line({"leaves": [LEAF]}), line(answer))
    model = asked.build("mlp", {})
    sent = []
    asked.worker.ask = answer_with(asked, written, sent)
    request(model)
    ((name, fields),) = sent
    assert name == op
    inspect.signature(operation(GROUPS, op)).bind(None, **fields)


def test_an_operation_is_in_one_group():
    names = [name for group in GROUPS for name, kept in vars(group).items() if inspect.isfunction(kept)]
    operations = [name for name in names if not name.startswith("_")]
    assert len(operations) == len(set(operations))
    assert set(operations) > set(REQUESTS)
    with pytest.raises(LookupError, match="no operation 'nothing'"):
        operation(GROUPS, "nothing")


WRONG_ARRAYS = {
    "missing file": (None, "no file"),
    "damaged file": (b"not safetensors", "cannot read"),
    "missing": ({}, "no array dense.weight"),
    "another": ({"dense.weight": np.zeros(SHAPE), "other": np.zeros(1)}, "an array other that nothing has"),
    "wrong shape": ({"dense.weight": np.zeros((3, 2))}, "dense.weight has shape (3, 2); expected (2, 3)"),
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
def test_arrays_that_are_not_what_the_model_has_are_a_crash(wrong, session):
    written, says = WRONG_ARRAYS[wrong]
    asked = session(line({"leaves": [LEAF]}), line({}))
    model = asked.build("mlp", {})
    asked.worker.ask = answer_with(asked, written)
    with pytest.raises(WorkerFailed) as failure:
        model.dump()
    assert failure.value.status == "crashed"
    assert says in failure.value.reason
    assert asked.closed


def answer_with(asked, written, sent=None):
    """The worker's `ask`, which leaves what the worker would have written as its arrays, and notes what is sent."""
    ask = asked.worker.ask

    def asking(kind, op, timeout, on_epoch=None, **fields):
        if sent is not None:
            sent.append((op, fields))
        if isinstance(written, bytes):
            with open(fields["out"], "wb") as file:
                file.write(written)
        elif written is not None:
            arrays.write(fields["out"], written)
        return ask(kind, op, timeout, on_epoch, **fields)

    return asking


def test_arrays_of_an_earlier_answer_are_not_taken_for_the_next(session):
    asked = session(line({"leaves": [LEAF]}), line({}), line({}))
    model = asked.build("mlp", {})
    ask = asked.worker.ask
    asked.worker.ask = answer_with(asked, {"dense.weight": np.ones(SHAPE)})
    assert model.dump()["dense.weight"].all()
    asked.worker.ask = ask
    with pytest.raises(WorkerFailed, match="no file"):
        model.dump()


def test_a_model_cannot_be_asked_when_the_worker_has_built_another(session):
    asked = session(line({"leaves": [LEAF]}), line({"leaves": [LEAF]}))
    first = asked.build("mlp", {})
    asked.build("mlp", {})
    with pytest.raises(AssertionError, match="another model"):
        first.dump()


@pytest.mark.parametrize(
    ("number", "says"), [(signal.SIGRTMIN + 6, f"signal {signal.SIGRTMIN + 6}"), (signal.SIGSEGV, "SIGSEGV")]
)
def test_a_worker_ended_by_any_signal_is_told_by_its_number_or_name(number, says):
    asked = Session(Worker(told(f"read -r request; kill -{int(number)} $$")), 30)
    with pytest.raises(WorkerFailed, match=f"ended by {says}") as failure:
        asked.greet("cpu")
    assert failure.value.status == "crashed"


def epoch(number: int, epochs: int = 3) -> bytes:
    losses = {"loss": 1.0 / number}
    return json.dumps({"event": "epoch", "epoch": number, "epochs": epochs, "losses": losses}).encode() + b"\n"


def test_a_worker_that_stops_within_a_training_is_ended_after_the_timeout(session):
    asked = session(line({"leaves": [LEAF]}), epoch(1), timeout=0.5)
    heard = []
    with pytest.raises(WorkerFailed, match=r"nothing after epoch 1 of 3 within 0\.5 s") as failure:
        asked.build("mlp", {}).fit(3, "digits", {}, on_epoch=heard.append)
    assert failure.value.status == "timeout"
    assert [each.epoch for each in heard] == [1]
    assert asked.closed


@pytest.mark.slow  # it waits
def test_a_training_may_take_longer_than_the_timeout_while_its_epochs_end(tmp_path):
    (tmp_path / "built").write_bytes(line({"leaves": [LEAF]}))
    (tmp_path / "trained").write_bytes(line(TRAINED))
    for number in (1, 2, 3):
        (tmp_path / f"epoch-{number}").write_bytes(epoch(number))
    slowly = "; ".join(f"sleep 0.8; cat '{tmp_path}/{name}'" for name in ("epoch-1", "epoch-2", "epoch-3", "trained"))
    asked = Session(Worker(told(f"read -r request; cat '{tmp_path}/built'; read -r request; {slowly}; sleep 60")), 2.5)
    try:
        assert asked.build("mlp", {}).fit(3, "digits", {}).value == 0.9
    finally:
        asked.close()


def test_a_worker_that_repeats_an_epoch_gets_no_more_time(tmp_path):
    (tmp_path / "built").write_bytes(line({"leaves": [LEAF]}))
    (tmp_path / "epoch").write_bytes(epoch(1))
    again = f"while sleep 0.1; do cat '{tmp_path}/epoch'; done"
    asked = Session(Worker(told(f"read -r request; cat '{tmp_path}/built'; read -r request; {again}")), 1.0)
    with pytest.raises(WorkerFailed, match="nothing after epoch 1 of 3"):
        asked.build("mlp", {}).fit(3, "digits", {})


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("compare.engines.process.LONGEST_LINE", 2**20)
    asked = Session(Worker(told("read -r request; cat /dev/zero")), 30)
    with pytest.raises(WorkerFailed, match="more than 1 MiB without the end of a line"):
        asked.greet("cpu")


def test_a_worker_that_refuses_the_device_is_ended(session):
    asked = session(b'{"ok": false, "status": "failed", "reason": "PyTorch sees no GPU here"}\n')
    with pytest.raises(WorkerFailed, match="no GPU"):
        asked.greet("cuda")
    assert asked.closed


def test_an_exception_that_nobody_expected_costs_one_measurement_and_says_where_it_arose():
    with pytest.raises(WorkerFailed, match=r"KeyError: 'dense' \(test_session\.py:\d+\)") as failure, one_measurement():
        {}["dense"]
    assert (failure.value.status, failure.value.alive) == ("crashed", True)
    with pytest.raises(WorkerFailed, match="BridgeError: no partner"), one_measurement():
        raise BridgeError("no partner")
    with pytest.raises(TwinError, match="give a folder"), one_measurement():  # a user's mistake stops the run
        raise TwinError("give a folder")
