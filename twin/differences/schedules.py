"""Schedules: the learning rates of some steps."""

from twin.differences.row import Row

SIX_EPOCHS = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5]

ROWS = (
    Row(
        name="schedule_step",
        title="What a schedule counts",
        keras="Steps of the optimizer, that is batches.",
        torch="Calls of `scheduler.step()`, which the usual loop makes once an epoch.",
        source="keras/src/optimizers/schedules/learning_rate_schedule.py; torch/optim/lr_scheduler.py",
        remedy="Call `scheduler.step()` after every batch, or count batches in Keras's `decay_steps`.",
        hides="Epochs of one batch.",
        gap=0.075,
    ),
    Row(
        name="step_decay",
        title="Decay between the steps",
        keras="`ExponentialDecay` falls a little at every step.",
        torch="`StepLR` falls at every `step_size`-th.",
        source="keras/src/optimizers/schedules/learning_rate_schedule.py, staircase; torch/optim/lr_scheduler.py, "
        "StepLR",
        remedy="`staircase=True` in Keras, or `ExponentialLR` with the root of gamma in PyTorch.",
        hides="Every second step.",
        gap=0.0293,
    ),
    Row(
        name="piecewise_boundary",
        title="On which side a boundary lies",
        keras="Step 2 still has the rate before the boundary 2.",
        torch="Step 2 has the rate after the milestone 2.",
        source="keras/src/optimizers/schedules/learning_rate_schedule.py, PiecewiseConstantDecay; "
        "torch/optim/lr_scheduler.py",
        remedy="Move the boundary by one.",
        hides="Every step but the boundary.",
        gap=0.09,
    ),
    Row(
        name="cosine_after_end",
        otherwise="Rates are compared up to a schedule's end.",
        title="A cosine after its end",
        keras="Stays at the bottom.",
        torch="Goes on: the rate rises again.",
        source="keras/src/optimizers/schedules/learning_rate_schedule.py, CosineDecay; torch/optim/lr_scheduler.py",
        remedy="Stop calling `scheduler.step()`.",
        hides="Runs that end with the schedule.",
        gap=0.1,
        inputs={"steps": list(range(9))},
        hiding={"steps": list(range(4))},
    ),
    Row(
        name="plateau_patience",
        otherwise="Waits for a metric, which a step has not.",
        title="Patience on a plateau",
        keras="`patience=2` lowers the rate after the second epoch without progress.",
        torch="After the third: it tolerates two.",
        source="keras/src/callbacks/reduce_lr_on_plateau.py; torch/optim/lr_scheduler.py, ReduceLROnPlateau",
        remedy="One more in Keras, or one less in PyTorch.",
        hides="Losses that fall.",
        gap=0.09,
        inputs={"losses": SIX_EPOCHS},
        hiding={"losses": [1.0, 0.5, 0.25, 0.125]},
    ),
    Row(
        name="plateau_threshold",
        otherwise="Waits for a metric, which a step has not.",
        title="What counts as progress",
        keras="A loss that is lower by 1e-4.",
        torch="A loss that is lower by 1e-4 of itself. (The patience is matched here: see plateau_patience.)",
        source="keras/src/callbacks/reduce_lr_on_plateau.py, min_delta; torch/optim/lr_scheduler.py, threshold_mode",
        remedy='`threshold_mode="abs"` in PyTorch, or a `min_delta` that fits the loss in Keras.',
        hides="Losses of about 1.",
        gap=0.099,
        inputs={"losses": [100.0, 99.999, 99.998]},
        hiding={"losses": [1.0, 0.99999, 0.99998]},
    ),
)
