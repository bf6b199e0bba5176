"""Records as a whole run would write them, without running anything: of any number of twins, engines and seeds."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compare.engines.engine import everything
from compare.record.machine import PRECISION, Machine
from compare.record.measurement import BenchMeasurement, CheckMeasurement, TrainMeasurement
from compare.record.record import SCHEMA, Record
from compare.record.results import (
    QUANTITIES,
    BenchResult,
    CheckResult,
    Predictions,
    ProcessRun,
    RungResult,
    SpeedRatio,
    TensorError,
    TrainResult,
    WorstError,
)
from compare.record.schema import from_plain
from compare.worker import pictures as shown
from twin.catalogue import TWINS, find
from twin.spec import Layout, Metric

METRICS = {  # name -> target, chance, margin
    "accuracy": (0.95, 0.1, 0.01),
    "localization_accuracy": (0.6, 0.02, 0.03),
    "detected_joints": (0.85, 0.257, 0.085),
    "mean_mask_iou": (0.7, 0.29, 0.02),
    "reconstruction_error": (0.045, 0.074, 0.002),
    "frechet_distance": (5.0, 44.0, 0.5),
    "mean_average_precision": (0.55, 0.0, 0.055),
    "mean_mask_average_precision": (0.7, 0.0, 0.07),
    "mean_return": (300.0, 22.0, 30.0),
    "character_error_rate": (0.2, 1.0, 0.02),
    "word_error_rate": (0.5, 1.0, 0.05),
    "heart_rate_error": (5.0, 26.0, 0.5),
    "phone_error_rate": (0.3, 1.04, 0.03),
    "bleu": (0.55, 0.217, 0.055),
}
ENGINES = tuple(everything())
SLOWNESS = dict(zip(ENGINES, (1.0, 0.8, 0.99, 0.9, 2.4, 0.7, 1.3, 1.01), strict=True))


def record(
    twins: int = 60,
    engines: Sequence[str] = ENGINES,
    seeds: int = 12,
    process_runs: int = 10,
    seed: int = 0,
    measures: Sequence[str] = ("check", "bench", "train"),
    troubles: bool = True,
    slowness: dict[str, float] = SLOWNESS,
) -> Record:
    """A record.

    Args:
        twins: so many; the catalogue's models first, then made-up names.
        engines: with modes; `torch` is the reference.
        seeds: of each training.
        process_runs: of each bench.
        seed: of everything here.
        measures: what the run did.
        troubles: whether some measurements fail, are skipped, crash, are unstable or were never reached.
        slowness: how many times as long an engine takes as native PyTorch.
    """
    names = [name for name, twin in TWINS.items() if twin.kind == "model"]
    names = [*names, *(f"network_{number:02}" for number in range(len(names), twins))][:twins]
    rng = np.random.default_rng(seed)
    measurements: list[Any] = []
    for number, name in enumerate(names):
        metric = list(METRICS)[number % len(METRICS)]
        if TWINS.get(name) and TWINS[name].metric:
            metric = TWINS[name].metric.name
        for at, engine in enumerate(engines):
            trouble = (number * 7 + at * 5) % 41 if troubles and engine != "torch" else 41
            if "check" in measures:
                measurements.append(_check(name, engine, rng, trouble))
            if "bench" in measures:
                measurements.append(_bench(name, engine, rng, trouble, process_runs, slowness[engine]))
            if "train" in measures:
                measurements += [_train(name, engine, metric, each, rng, trouble) for each in range(seeds)]
    if troubles and "check" in measures:
        exercise = _of(CheckMeasurement, "pooling", engines[0], status="skipped", reason="pooling has no size 'paper'")
        measurements += [exercise, _of(CheckMeasurement, "tensors", engines[-1])]
    return Record(
        schema=SCHEMA,
        command="compare",
        started="2026-03-01T12:00:00+00:00",
        precision=dict(PRECISION),
        machine=Machine("Linux-6.1-x86_64", "A processor of 16 cores", 16, 62.8, "3.11.9"),
        versions={
            engine: {"python": "3.11.9", "numpy": "2.4.1", "torch": "2.13.0"}
            | ({"keras": "3.15.1"} if engine.startswith("keras") else {})
            for engine in engines
        },
        settings={"threads": 2, "init": "shared", "epochs": None},
        code="0123456789abcdef",
        measurements=measurements,
    )


def _of(kind: type, twin: str, engine: str, seed: int = 0, **fields: Any) -> Any:
    return kind(twin, engine, "cpu", "float32", seed, "small", **fields)


def _check(twin: str, engine: str, rng: np.random.Generator, trouble: int) -> CheckMeasurement:
    if trouble == 3:
        return _of(CheckMeasurement, twin, engine, status="crashed", reason="the worker was ended by SIGSEGV")
    if trouble == 7:
        return _of(CheckMeasurement, twin, engine, status="skipped", reason=f"{twin} has no size 'paper'")
    rungs = [
        RungResult("structure", "ok", message="61,706 parameters"),
        RungResult("weights", "ok", message="64 arrays, bit for bit"),
    ]
    plan: dict[Any, tuple[int, float, float]] = {
        "forward": (2, 1e-5, 4e-7),
        "gradients": (64, 1e-4, 6e-7),
        "optimizer": (120, 1e-4, 2e-6),
        "trajectory": (20, 1e-3, 1e-7),
    }
    for rung, (count, limit, noise) in plan.items():
        noises = noise * np.exp(rng.normal(0, 0.5, count))
        ratios = np.exp(rng.normal(0, 0.4, count)) * (1 + np.arange(count) / count)
        fails = trouble == 1 and rung == "gradients"
        if fails:
            ratios[count // 2 :] *= 3e3
        names = [
            f"loss at step {i + 1}" if rung == "trajectory" else f"block{i // 4}.conv{i % 4}.weight"
            for i in range(count)
        ]
        tensors = [
            TensorError(name, float(f"{far * ratio:.3g}"), limit, float(f"{ratio:.3g}"), 10.0)
            for name, far, ratio in zip(names, noises, ratios, strict=True)
        ]
        far = max(tensors, key=lambda each: each.noise_ratio or 0.0)
        worst = WorstError(**vars(far), max_abs=far.rel_l2 / 10, index=[0, 1])
        message = f"{far.name}: relative L2 {far.rel_l2:.2e}, allowed <1e-04" if fails else ""
        rungs.append(RungResult(rung, "failed" if fails else "ok", worst, message, count, tensors[-40:]))
        if fails:
            reason = f"gradients: {message}"
            return _of(CheckMeasurement, twin, engine, status="failed", reason=reason, result=CheckResult(rungs))
    return _of(CheckMeasurement, twin, engine, status="ok", result=CheckResult(rungs))


def _bench(twin: str, engine: str, rng: np.random.Generator, trouble: int, count: int, slow: float) -> BenchMeasurement:
    result = BenchResult(True, 32, "torch", 2, everything()[engine].compiled)
    if trouble in (1, 3, 7):
        why = "not timed, because it does not agree: gradients: block8.conv0.weight <is> far & off"
        result.agrees = False
        return _of(BenchMeasurement, twin, engine, status="failed", reason=why, result=result)
    if trouble == 11:
        return _of(BenchMeasurement, twin, engine, status="timeout", reason="no answer within 300 s", result=result)

    def process_run() -> ProcessRun:
        machine = np.exp(rng.normal(0, 0.03))
        run = ProcessRun(
            import_seconds=round(float(2.5 * machine), 3),
            first_step=round(float((3.0 if result.compiled else 0.05) * machine), 4),
            second_step=round(float(0.01 * slow * machine), 5),
            unsteady=["step"] if trouble == 13 else [],
            repetitions=dict.fromkeys(QUANTITIES, 12),
            peak_memory_mib=round(float(400 * slow**0.5 * machine), 1),
        )
        for quantity, seconds in zip(QUANTITIES, (8e-3, 9e-3, 2e-3, 3e-4), strict=True):
            loops = seconds * slow * machine * np.exp(rng.normal(0, 0.01, 8))
            run.times[quantity] = [float(f"{each:.4g}") for each in loops]
        return run

    result.process_runs = [process_run() for _ in range(count)]
    if engine == "torch":
        result.aa_runs = [process_run() for _ in range(count)]
    for quantity in QUANTITIES:
        estimate = float(slow * np.exp(rng.normal(0, 0.01)))
        wide = 0.15 if trouble == 17 else 0.02
        low, high, band = estimate * (1 - wide), estimate * (1 + wide), 0.035
        verdict: Any = "inconclusive"
        if engine == "torch":
            verdict = "reference"
        elif count < 10:
            verdict = "none"
        elif trouble == 13:
            verdict = "unstable"
        elif high < 1 / (1 + band):
            verdict = "faster"
        elif low > 1 + band:
            verdict = "slower"
        elif low >= 1 / (1 + band) and high <= 1 + band:
            verdict = "equal"
        result.ratios[quantity] = SpeedRatio(estimate, low, high, count, band, verdict)
        if count == 1:
            result.ratios[quantity] = SpeedRatio(estimate, None, None, count, None, verdict)
    unstable = trouble == 13
    reason = "no steady state in most process runs" if unstable else ""
    return _of(BenchMeasurement, twin, engine, status="unstable" if unstable else "ok", reason=reason, result=result)


def _train(twin: str, engine: str, metric: str, seed: int, rng: np.random.Generator, trouble: int) -> TrainMeasurement:
    target, chance, margin = METRICS[metric]
    if trouble == 19 and seed % 4 == 3:
        return _of(TrainMeasurement, twin, engine, seed, status="oom_host", reason="the system killed the worker")
    span = target - chance
    value = chance + span * (1.02 + rng.normal(0, 0.008)) - (0.05 * span if trouble == 23 else 0)
    epochs = 10
    curve = 2.3 * np.exp(-np.arange(epochs) / 3) * np.exp(rng.normal(0, 0.05, epochs)) + 0.05
    result = TrainResult(
        metric=metric,
        value=float(value),
        target=target,
        chance=chance,
        margin=margin,
        epochs=epochs,
        init="shared",
        loss={"loss": [float(f"{each:.5g}") for each in curve]},
        provenance="made here (seed 7): soft spots on a dark ground",
        rows=1438,
        seconds=12.5,
        epoch_seconds=[1.2] * epochs,
        parameters=61706,
    )
    if seed == 0:
        made = _shown(metric, everything()[engine].side, int(rng.integers(3)))
        result.predictions = from_plain(Predictions, made) if made else None
    return _of(TrainMeasurement, twin, engine, seed, status="ok", result=result)


@functools.cache
def _shown(metric: str, side: str, variant: int) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:24, 0:24] / 24
    centres = rng.uniform(0.3, 0.7, (shown.ROWS, 2))
    spots = [np.exp(-30 * ((x - a) ** 2 + (y - b) ** 2)) for a, b in centres]
    pictures = np.round(np.stack(spots), 1).astype(np.float32)[..., None]
    flat = pictures[:, ::3, ::3, 0].reshape(shown.ROWS, 64)
    labels = np.arange(shown.ROWS)
    logits = np.eye(10)[np.where(labels == variant, 9, labels)]
    boxes = np.column_stack([centres - 0.2, centres + 0.2])
    masks = (pictures[..., 0] > 0.4).astype(int)
    nudge = 0.02 * variant + (0.03 if side == "torch" else 0.0)
    flat_or_none = ("reconstruction_error", "frechet_distance", "mean_return", "phone_error_rate")
    picture: Layout = "as is" if metric in flat_or_none else "images"
    twin = replace(find("mlp"), metric=Metric(metric, *METRICS[metric]), inputs={"x": picture})
    test, outputs = {
        "accuracy": ({"x": pictures, "y": labels}, {"y": logits}),
        "localization_accuracy": (
            {"x": pictures, "label": labels, "box": boxes},
            {"label": logits, "box": boxes + nudge},
        ),
        "detected_joints": ({"x": pictures, "y": boxes - 0.5}, {"y": boxes - 0.5 + nudge}),
        "mean_mask_iou": ({"x": pictures, "y": masks}, {"y": np.eye(3)[np.roll(masks, variant, axis=1)]}),
        "reconstruction_error": ({"x": flat, "y": flat}, {"y": flat.round(0) * 0.8 + nudge}),
        "frechet_distance": ({"x": flat, "real": flat}, {"y": np.roll(flat, variant, axis=1)}),
        "mean_average_precision": (
            {"x": pictures, "boxes": boxes[:, None], "classes": labels[:, None]},
            {"boxes": boxes[:, None] + nudge, "scores": np.eye(10)[labels][:, None]},
        ),
        "mean_mask_average_precision": (
            {"x": pictures, "boxes": boxes[:, None], "classes": labels[:, None], "masks": masks[..., None]},
            {
                "boxes": boxes[:, None] + nudge,
                "scores": np.eye(10)[labels][:, None],
                "masks": np.roll(masks, variant, axis=1)[..., None],
            },
        ),
        "mean_return": ({}, {}),
        "phone_error_rate": (
            {"y": labels[:, None] + 1},
            {"y": np.eye(10)[np.roll(labels, variant)[:, None] + 1], "attention": rng.dirichlet(np.ones(7), (8, 1))},
        ),
        "bleu": (
            {"x": pictures, "y": labels[:, None] + 1},
            {"y": np.eye(10)[np.roll(labels, variant)[:, None] + 1]},
        ),
        "word_error_rate": (
            {"x": pictures, "y": labels[:, None] + 1},
            {"y": np.eye(10)[np.roll(labels, variant)[:, None] + 1]},
        ),
        "character_error_rate": (
            {"x": pictures, "y": labels[:, None] + 1},
            {"y": np.eye(10)[np.roll(labels, variant)[:, None] + 1]},
        ),
        "heart_rate_error": ({"x": pictures, "y": centres[:, :1]}, {"y": centres[:, :1] + nudge}),
    }[metric]
    return shown.of_predictions(twin, test, outputs)
