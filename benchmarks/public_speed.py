"""Our twins beside public implementations of the same networks, timed by the bench.

    python benchmarks/public_speed.py [--pair resnet50-torch ...] [--process-runs 10] [--side 64] [--batch 8]
                                      [--device cpu] [--timeout 300]

The public implementations are those of transformers, torchvision (pip install --no-deps torchvision) and
`torch.nn.Transformer` in PyTorch, and of keras.applications and keras_hub (pip install --no-deps keras-hub) in Keras.
The script prints their time divided by ours, for a training step and for inference, with the interval; below 0.97, ours
is slower than necessary. Tests in tests/twins/test_public_implementations.py and test_chapter_5.py show that both
compute the same. Dropout is off on both sides, except that EfficientNetB0 of keras.applications drops 0.2 and rescales
its pictures. It is no test, because it depends on times.
"""

import argparse
from dataclasses import replace
from importlib.util import find_spec

from compare.bench import run as bench
from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.record.record import RunRecord
from compare.record.results import Quantity, SpeedRatio
from twin.catalogue import find

FRAMES = 4  # of a clip
ASKED_FOR = {"ssd-torch": "torchvision", "transformer-keras-torch": "keras_hub", "transformer-keras-jax": "keras_hub"}
PAIRS = (
    ("resnet50", "torch"),
    ("vit", "torch"),
    ("efficientnet_b0", "torch"),
    ("transformer", "torch"),
    ("video_vit", "torch"),
    ("ssd", "torch"),
    ("transformer", "keras-torch"),
    ("transformer", "keras-jax"),
    ("resnet", "keras-jax"),
    ("vgg16", "keras-jax"),
    ("resnet", "keras-torch"),
    ("vgg16", "keras-torch"),
    ("resnet", "keras-tensorflow"),
    ("vgg16", "keras-tensorflow"),
    ("efficientnet_b0", "keras-tensorflow"),
)


def measure(
    name: str, engine_name: str, device: str, process_runs: int, side: int, batch: int, timeout: float
) -> dict[Quantity, SpeedRatio]:
    """The speeds of the public implementation, with ours as the reference."""
    twin = find(name)
    assert twin.paper_size is not None
    arguments = dict(twin.paper_size.arguments)
    if "image_shape" in arguments and name != "ssd":  # its default boxes are those of its own size
        arguments["image_shape"] = (side, side, 3)
    if "clip_shape" in arguments:
        arguments["clip_shape"] = (FRAMES, side, side, 3)
    arguments |= {name: 0.0 for name in arguments if name.startswith("drop")}
    twin = replace(twin, paper_size=replace(twin.paper_size, arguments=arguments), batch_size=batch)
    ours = ENGINES[engine_name]
    theirs = replace(ours, name=f"{ours.name}:public", module="benchmarks.public_worker")
    measurements = bench.plan([twin], [ours, theirs], device, 0, "paper", ours.name)
    options = bench.Options(ours.name, quantities=("step", "batch_inference"), process_runs=process_runs)
    engines = {engine.name: engine for engine in (ours, theirs)}
    record = RunRecord("bench", measurements, None)
    bench.Bench(
        twin, measurements, engines, record, Settings(jobs=1, timeout=timeout), options, lambda measurement, word: None
    ).run()
    for measurement in measurements:
        if measurement.status not in ("ok", "unstable"):
            raise SystemExit(f"{measurement.twin} on {measurement.engine}: {measurement.reason}")
    return measurements[1].result.ratios


def main() -> None:
    names = ["-".join(pair) for pair in PAIRS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", action="append", choices=names)
    parser.add_argument("--process-runs", type=int, default=10)
    parser.add_argument("--side", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds a request; a published size takes long")
    options = parser.parse_args()
    if options.process_runs < 3:
        parser.error(f"an interval needs at least 3 process runs; received {options.process_runs}")
    for name, engine in PAIRS:
        if options.pair and f"{name}-{engine}" not in options.pair:
            continue
        package = ASKED_FOR.get(f"{name}-{engine}")
        if package and find_spec(package) is None:
            print(f"{name} on {engine}: {package} is not installed", flush=True)
            continue
        speeds = measure(
            name, engine, options.device, options.process_runs, options.side, options.batch, options.timeout
        )
        for quantity, found in speeds.items():
            print(
                f"{name} on {engine}, {quantity}: theirs / ours {found.estimate:.3f} "
                f"[{found.low:.3f}, {found.high:.3f}], band {found.noise_band:.3f}, {found.process_runs} process runs",
                flush=True,
            )


if __name__ == "__main__":
    main()
