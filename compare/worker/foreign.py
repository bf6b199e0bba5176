"""A user's own model, loss or optimizer: open it, give it weights, examine it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from compare.worker import user_code, weight_files
from compare.worker.context import Context
from twin import arrays, seam


@dataclass
class Foreign:
    """Operations on what a user names as file.py:callable, or on a stock loss or optimizer by its name."""

    context: Context
    subject: seam.Subject | None = None  # the opened model
    # How often each was built; each time has a seed of its own, so that a verdict can be had again.
    built: Counter[str] = field(default_factory=Counter)

    def open(self, model: str, kwargs: dict[str, Any], inputs: str) -> dict[str, Any]:
        """Build a user's own model to examine it."""
        given = user_code.listed(arrays.read(inputs))
        tracing: seam.Tracing = self.context.side_module("tracing")
        what = f"{model}({kwargs})"
        tracing.seed(self.built[what])
        self.built[what] += 1
        self.subject = tracing.Subject(user_code.model(self.context.side, model, kwargs), given)
        return {"leaves": [vars(leaf) for leaf in self.subject.leaves()]}

    def open_loss(self, reference: str, inputs: str) -> dict[str, Any]:
        """Make a loss the opened model: of outputs and targets."""
        criteria: seam.Criteria = self.context.side_module("criteria")
        tracing: seam.Tracing = self.context.side_module("tracing")
        found = user_code.find(reference) if ":" in reference else reference
        self.subject = tracing.Subject(criteria.loss_model(found), user_code.listed(arrays.read(inputs)))
        return {"leaves": []}

    def read_weights(self, file: str) -> dict[str, Any]:
        """Set the opened model's weights from a file."""
        user_code.load_weights(self.context.side, self.subject, file)
        return {}

    def save_weights(self, file: str) -> dict[str, Any]:
        """Write the opened model's weights."""
        weight_files.save(self.subject, file)
        return {}

    def examine(self, method: str, fields: dict[str, Any], out: str = "", **files: str) -> dict[str, Any]:
        """One method of the opened model's Subject; its arrays come and go in files."""
        given: dict[str, Any] = {name: arrays.read(file) for name, file in files.items()}
        if "inputs" in given:
            given["inputs"] = user_code.listed(given["inputs"])
        found = getattr(self.subject, method)(**fields, **given)
        if method == "load":
            return {}
        if isinstance(found, list) or method == "regularizers":
            return {"found": found}
        packed, values = found.pack() if method == "trace" else ({}, found)
        arrays.write(out, values)
        return packed

    def loss(
        self, reference: str, given: str, transform: str, out: str, changes: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A user's own loss, or a stock one, on given outputs."""
        criteria: seam.Criteria = self.context.side_module("criteria")
        found = user_code.find(reference) if ":" in reference else reference
        more = [changes] if changes else []
        value, gradient, text = criteria.loss(found, arrays.read(given), transform, *more)
        arrays.write(out, {"gradient": gradient})
        return {"value": value, "text": text}

    def updates(self, reference: str, given: str, changes: dict[str, Any], out: str) -> dict[str, Any]:
        """A user's own optimizer, or a stock one, on given gradients."""
        criteria: seam.Criteria = self.context.side_module("criteria")
        values = arrays.read(given)
        found = user_code.find(reference) if ":" in reference else reference
        start = {name.removeprefix("weights/"): a for name, a in values.items() if name.startswith("weights/")}
        steps = {name: values[f"gradients/{name}"] for name in start}
        count = len(next(iter(steps.values()), ()))
        gradients = [{name: array[step] for name, array in steps.items()} for step in range(count)]
        told, after = criteria.updates(found, start, gradients, changes)
        arrays.write(out, after)
        return told
