"""Answers about the model: what it is, how it was trained, on what, and where it can be had."""

from __future__ import annotations

from flexunet.errors import counted
from flexunet.inference.predict.passes import most_turns
from flexunet.reporting.answers import Answer, filled, unknown
from flexunet.reporting.facts import RunFacts


def architecture(facts: RunFacts) -> Answer:
    """Architecture, input, output and number of parameters."""
    model = facts.config.model
    parts = [
        f"Architecture {model.model}: input {model.image_width} x {model.image_height} pixels, "
        f"{counted(model.image_channels, 'channel')}; output: probabilities of "
        f"{counted(model.num_classes, 'class', 'classes')}."
    ]
    if model.model in ("flexunet", "TensorFlowFlexUNet"):
        limit = f", at most {model.max_filters}" if model.max_filters else ""
        layer = model.normalization_layer if model.normalization else "no"
        parts.append(
            f"{counted(model.num_layers, 'level')}, {model.base_filters} filters at the first, doubling "
            f"with each{limit}; "
            f"kernels {model.base_kernels}; {layer} normalisation; activation {model.activation}; "
            f"{model.encoder_blocks} encoder; dropout {model.dropout_rate:g}."
        )
    if parameters := facts.environment.get("parameters"):
        parts.append(f"{parameters:,} parameters.")
    return filled(" ".join(parts), "config.toml: [model]; environment.json; `flexunet inspect RUN`")


def initial_weights(facts: RunFacts) -> Answer:
    """Where training started."""
    model = facts.config.model
    if start := model.initial_weights or model.weights:
        frozen = model.freeze_encoder_levels
        text = f"Weights were initialised from {start}" + (
            f", {counted(frozen, 'encoder level')} frozen." if frozen else "."
        )
    else:
        text = f"Weights were initialised at random (seed {facts.config.train.seed})."
    return filled(text, "config.toml: [model] initial_weights, weights; [train] seed")


def training(facts: RunFacts) -> Answer:
    """Loss, optimizer, schedule, batches, augmentation and length of the training."""
    model, train = facts.config.model, facts.config.train
    epochs = len(facts.history.get("loss", ()))
    ran = f"{epochs} of at most {train.epochs} epochs" if epochs else f"at most {train.epochs} epochs"
    steps = f", {counted(train.steps_per_epoch, 'step')} each" if train.steps_per_epoch else ""
    parts = [
        f"Loss {model.loss}; {model.optimizer}, learning rate {model.learning_rate:g} "
        f"({train.learning_rate_schedule}), weight decay {model.weight_decay:g}; batches of "
        f"{train.batch_size}; "
        f"{ran}{steps}; early stopping after {counted(train.patience, 'epoch')}; seed {train.seed}.",
        _augmentation(facts),
    ]
    if train.ema_momentum:
        parts.append(f"Moving average of the weights with momentum {train.ema_momentum:g}.")
    if model.deep_supervision:
        parts.append("Deep supervision.")
    if precision := facts.environment.get("precision"):
        parts.append(f"Computed in {precision}.")
    return filled(" ".join(parts), "config.toml: [model], [train], [random_transform]; history.json")


def _augmentation(facts: RunFacts) -> str:
    transform = facts.config.random_transform
    if transform.enabled:
        used = [
            name.removesuffix("_probability").replace("_", " ")
            for name in type(transform).model_fields
            if name.endswith("_probability") and getattr(transform, name) > 0
        ]
        return f"Random transforms while training: flips ({transform.flip}), {', '.join(used)}."
    if facts.config.model.generator and facts.config.generator.augmentation:
        return "Augmentation operations of [augmentor] while training."
    return "No augmentation while training."


def selection(facts: RunFacts) -> Answer:
    """How the epoch was chosen."""
    monitor = facts.config.train.monitor
    text = f"The weights of the epoch with the best {monitor} were kept"
    epoch, values = facts.best_epoch, facts.history.get(monitor, ())
    if epoch is None or not 1 <= epoch <= len(values):
        return filled(f"{text}.", "config.toml: [train] monitor")
    return filled(
        f"{text}: epoch {epoch}, {values[epoch - 1]:.4f}.", "config.toml: [train] monitor; history.json"
    )


def ensemble(facts: RunFacts) -> Answer:
    """Whether several models predict together."""
    infer = facts.config.infer
    if infer.ensemble:
        return filled(
            f"Probabilities of {counted(len(infer.ensemble), 'run')} are averaged.",
            "config.toml: [infer] ensemble",
        )
    if infer.test_time_augmentation and most_turns(facts.config) != 1:
        return filled(
            "One model, its probabilities averaged over orientations of the image.",
            "config.toml: [infer] test_time_augmentation",
        )
    return Answer("not applicable", "One model predicts.", "config.toml: [infer] ensemble")


def software(facts: RunFacts) -> Answer:
    """Libraries with their versions, and the machine."""
    environment = facts.environment
    if not environment:
        return unknown("libraries and versions: the run has no environment.json")
    packages = environment.get("packages") or {}
    listed = ", ".join(f"{name} {version}" for name, version in packages.items())
    text = (
        f"FlexUNet {environment.get('flexunet')}, Python {environment.get('python')}, engine "
        f"{environment.get('engine')}; {listed}. Machine: {environment.get('processor')}, "
        f"{environment.get('cores')} cores, {environment.get('platform')}."
    )
    return filled(text, "environment.json")


def availability(facts: RunFacts) -> Answer:
    """What can be said of code and weights; where they are published is for a person."""
    commit = facts.environment.get("git_commit")
    text = (
        f"Software: FlexUNet {facts.scores.flexunet} (Apache 2.0). The run folder holds configuration, "
        "weights and "
        "environment."
    )
    if commit:
        text += f" Git commit of the configuration: {commit}."
    return Answer(
        "person", text, "environment.json", "where code, weights and data can be had, and their licences"
    )


def decision(facts: RunFacts) -> Answer:
    """What the model gives, and by which rule a mask is made of it."""
    infer, calibration = facts.config.infer, facts.calibration
    rule = {
        "none": "each pixel gets the most probable class",
        "run": "pixels count as lesion from the threshold fitted on validation images",
    }.get(str(infer.threshold), f"pixels count as lesion from a probability of {infer.threshold}")
    text = f"The model gives a probability of each class for each pixel; {rule}."
    if calibration is not None:
        text += (
            f" Fitted on {counted(calibration.images, f'{calibration.split} image')}: temperature "
            f"{calibration.temperature:.3f}, threshold {calibration.threshold:.3f}."
        )
    return filled(text, "config.toml: [infer]; calibration.json")


def plan_of(facts: RunFacts) -> Answer:
    """Reasons of a planned configuration."""
    if facts.plan is None:
        return unknown("why these hyperparameters were chosen")
    decisions = facts.plan.get("decisions") or []
    told = "; ".join(
        f"{one.get('key')} = {one.get('value')} ({one.get('reason')})"
        for one in decisions
        if isinstance(one, dict)
    )
    return filled(f"The configuration was planned from the data set by `flexunet init`: {told}.", "plan.json")


def low_quality_input(facts: RunFacts) -> Answer:
    """What happens to inputs that the model was not made for."""
    looked_at = [origin for origin in facts.tables.origins if origin.unlike_training is not None]
    unlike = sum(bool(origin.unlike_training) for origin in looked_at)
    found = f"{unlike} of {counted(len(looked_at), 'image')} scored here" if looked_at else "not known here"
    text = (
        "`infer` and `evaluate` compare grey levels and sizes of each image with the training images and "
        "name "
        f"those that are unlike them ({found}); `infer` names images that cannot be read, and goes on."
    )
    return filled(text, "training_appearance.json; per_image.csv, column unlike_training")
