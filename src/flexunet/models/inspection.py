"""What a model is made of: a table of its layers, Keras's summary, and a picture.

In the picture every layer is a box and resolution falls from top to bottom, so that a U-Net looks like a U.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.files import replacing, write_text
from flexunet.models.keras_private import parents_of

if TYPE_CHECKING:
    import keras

# Okabe-Ito colours: told apart by colour-blind readers too.
_COLORS = {
    "Conv2D": "#56B4E9",
    "Conv2DTranspose": "#E69F00",
    "MaxPooling2D": "#D55E00",
    "Concatenate": "#009E73",
    "BatchNormalization": "#F0E442",
    "Dropout": "#CCCCCC",
}
_OTHER = "#FFFFFF"


def describe_model(model: keras.Model) -> dict[str, Any]:
    """Name, parameters, shapes (without the batch) and layers of a model, ready for JSON."""
    return {
        "name": model.name,
        "parameters": model.count_params(),
        "trainable_parameters": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
        "input_shape": list(model.input_shape[1:]),
        "output_shape": list(model.output_shape[1:]),
        "layers": layer_table(model),
    }


def write_description(model: keras.Model, folder: Path) -> list[Path]:
    """Write `summary.txt` and `model.png`, and return their paths."""
    summary, picture = folder / "summary.txt", folder / "model.png"
    write_text(summary, summary_text(model) + "\n")
    draw_model(model, picture)
    return [summary, picture]


def summary_text(model: keras.Model) -> str:
    """Keras's table of the layers."""
    lines: list[str] = []
    model.summary(line_length=110, print_fn=lines.append)
    return "\n".join(lines)


def layer_table(model: keras.Model) -> list[dict[str, Any]]:
    """One row a layer: name, type, output shape (without the batch), parameters, names of what feeds it."""
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(_output_shape(layer)),
            "parameters": layer.count_params(),
            "inputs": _inputs_of(layer),
        }
        for layer in model.layers
    ]


def _output_shape(layer: keras.Layer) -> tuple[int | None, ...]:
    output = layer.output[0] if isinstance(layer.output, (list, tuple)) else layer.output
    return tuple(output.shape[1:])


def _inputs_of(layer: keras.Layer) -> list[str]:
    return [parent.name for parent in parents_of(layer)]


def draw_model(model: keras.Model, path: Path) -> None:
    """Draw the graph of a functional model to a PNG file.

    Layers stand from left to right in the order of computation, and lower the smaller their output is.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = layer_table(model)
    height_of_input = next((row["output_shape"][0] for row in rows if len(row["output_shape"]) == 3), 1)
    places: dict[str, tuple[float, float]] = {}
    for order, row in enumerate(rows):
        shape = row["output_shape"]
        height = shape[0] if len(shape) == 3 and shape[0] else None
        level = np.log2(height_of_input / height) if height else 0.0
        places[row["name"]] = (float(order), -float(level))

    depth = max(1.0, -min(y for _, y in places.values()))
    figure = Figure(figsize=(min(60, 3 + 0.36 * len(rows)), 2.4 + 0.9 * depth), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        x, y = places[row["name"]]
        for name in row["inputs"]:
            from_x, from_y = places[name]
            axes.annotate(
                "",
                (x - 0.32, y),
                (from_x + 0.32, from_y),
                arrowprops={"arrowstyle": "->", "color": "#555555", "lw": 0.8},
                zorder=1,
            )
        axes.text(
            x,
            y,
            f"{row['type']}\n{'x'.join(map(str, row['output_shape']))}",
            rotation=90,
            ha="center",
            va="center",
            fontsize=6.5,
            zorder=2,
            bbox={
                "boxstyle": "round,pad=0.3",
                "fc": _COLORS.get(str(row["type"]), _OTHER),
                "ec": "#333333",
                "lw": 0.6,
            },
        )
    axes.set_xlim(-1, len(rows))
    axes.set_ylim(-depth - 0.6, 0.6)
    axes.set_yticks([-level for level in range(int(depth) + 1)])
    axes.set_yticklabels([f"1/{2**level}" for level in range(int(depth) + 1)])
    axes.set_ylabel("resolution")
    axes.set_xticks([])
    axes.set_title(f"{model.name}: {model.count_params():,} parameters, {len(rows)} layers")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    used = [kind for kind in _COLORS if any(row["type"] == kind for row in rows)]
    axes.legend(
        handles=[Patch(fc=_COLORS[kind], ec="#333333", label=kind) for kind in used],
        loc="lower left",
        fontsize=7,
        frameon=False,
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
