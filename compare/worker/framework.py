"""What a worker's framework answers with no model built: versions and device, defaults, exercises, differences."""

import inspect
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.worker.context import Context
from twin import arrays, catalogue


@dataclass
class Framework:
    """Operations on the framework itself."""

    context: Context

    def hello(self, device: str) -> dict[str, Any]:
        """Choose the device; say what is installed."""
        train = self.context.train  # imported here: what it brings along is installed
        versions = {"python": sys.version.split()[0], "numpy": np.__version__}
        for package in ("keras", "tensorflow", "jax", "torch"):
            if package in sys.modules:
                versions[package] = sys.modules[package].__version__
        self.context.device = device
        return {"versions": versions, "device": train.describe_device(device)}

    def default_of(self, twin: str, callee: str, keyword: str) -> dict[str, Any]:
        """The value that a framework's function takes for a keyword that is left out; "" where it does not say."""
        found: Any = self.context.train.load_module(catalogue.find(twin))
        try:
            for name in callee.split("."):
                found = getattr(found, name)
            return {"default": repr(inspect.signature(found).parameters[keyword].default)}
        except (AttributeError, KeyError, TypeError, ValueError):
            return {"default": ""}

    def exercise(self, twin: str, inputs: str, dtype: str, out: str) -> dict[str, Any]:
        """An exercise's named outputs."""
        arrays.write(out, self.context.train.exercise(catalogue.find(twin), arrays.read(inputs), dtype))
        return {}

    def probe(self, topic: str, function: str, inputs: str, out: str) -> dict[str, Any]:
        """What a function of the catalogue of differences returns."""
        arrays.write(out, {"y": self.context.side_module("differences").probe(topic, function, arrays.read(inputs))})
        return {}
