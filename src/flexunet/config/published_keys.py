"""What the published system spells otherwise, and what it accepts to no effect: the tables, no logic."""

from __future__ import annotations

from typing import Any

Key = tuple[str, str]

# (section, key) as written -> (section, key) here. Misspellings, older names, keys in the wrong section.
ALIASES: dict[Key, Key] = {
    ("mask", "mask_datatyoe"): ("mask", "mask_datatype"),
    ("deformation", "alpah"): ("deformation", "alpha"),
    ("deformation", "sigmoid"): ("deformation", "sigmoids"),
    ("augmentor", "alpah"): ("deformation", "alpha"),
    ("augmentor", "sigmoid"): ("deformation", "sigmoids"),
    ("dataset", "datasetclass"): ("dataset", "class_name"),
    ("dataset", "color_order"): ("image", "color_order"),
    ("model", "color_order"): ("image", "color_order"),
    ("model", "base_dilation"): ("model", "dilation"),
    ("model", "epoch_change_infer"): ("train", "epoch_change_infer"),
    ("model", "epoch_change_infer_dir"): ("train", "epoch_change_infer_dir"),
    ("model", "num_infer_images"): ("train", "num_infer_images"),
    ("train", "create_backups"): ("train", "create_backup"),
    ("train", "epoch_change_tiledinfer"): ("train", "epoch_change_tiled_infer"),
    ("train", "epoch_change_tiledinfer_dir"): ("train", "epoch_change_tiled_infer_dir"),
    ("train", "image_datapath"): ("train", "images_dir"),
    ("train", "mask_datapath"): ("train", "masks_dir"),
    ("valid", "image_datapath"): ("valid", "images_dir"),
    ("valid", "mask_datapath"): ("valid", "masks_dir"),
    ("test", "image_datapath"): ("test", "images_dir"),
    ("test", "mask_datapath"): ("test", "masks_dir"),
    ("infer", "merged_dir"): ("infer", "overlay_dir"),
    ("eval", "image_datapath"): ("valid", "images_dir"),
    ("eval", "mask_datapath"): ("valid", "masks_dir"),
    ("eval", "images_dir"): ("valid", "images_dir"),
    ("eval", "masks_dir"): ("valid", "masks_dir"),
    ("eval", "output_dir"): ("evaluate", "output_dir"),
    ("eval", "batch_size"): ("evaluate", "batch_size"),
    ("eval", "eval_dir"): ("train", "eval_dir"),
}

# Of the images of [eval] in a file of the older dialect that has no [test].
EVAL_IS_TEST = (
    "read as [test] images_dir, because the file has no [test]: the older system scores these images, and "
    "holds back a fifth of the training images for validation"
)

_NEVER_READ = "the published system never reads it either"
_NO_BLUR = "masks are never blurred, so that their edges stay where they were drawn"
_AS_IT_IS = "the image reaches the model as it is in the file"

# Keys that are accepted without effect, and why; "*" stands for every key of a section. Those that are in the
# schema keep their value and are noted where it is not the default; the others are noted and left out.
NO_EFFECT: dict[Key, str] = {
    ("model", "show_summary"): "`flexunet inspect` prints the summary",
    ("model", "dropout_seed_fixing"): "everything random is drawn from [train] seed",
    ("model", "hybrid"): _NEVER_READ,
    ("model", "grid"): _NEVER_READ,
    ("model", "hidden_size"): _NEVER_READ,
    ("model", "mlp_dim"): _NEVER_READ,
    ("model", "decoder_channels"): _NEVER_READ,
    ("model", "num_skip"): _NEVER_READ,
    ("model", "pretrain"): _NEVER_READ,
    ("model", "freeze_enc_cnn"): _NEVER_READ,
    ("model", "kernel_size"): _NEVER_READ,
    ("model", "ksize"): _NEVER_READ,
    ("model", "sharp_ksize"): _NEVER_READ,
    ("dataset", "class_name"): "one reader serves all data sets",
    ("dataset", "resize_interpolation"): "images are resized linearly, masks to the nearest pixel",
    ("train", "create_backup"): "nothing of an earlier run is deleted, so nothing needs a backup",
    ("train", "validation_steps"): "every validation image is scored once",
    (
        "train",
        "save_model_file",
    ): "the best model has the name that save_weights_only says",
    ("image", "color_converter"): _AS_IT_IS,
    ("image", "gamma"): _AS_IT_IS,
    ("image", "sharpening"): _AS_IT_IS,
    ("mask", "algorithm"): "a mask is cut at its threshold",
    ("mask", "blur"): _NO_BLUR,
    ("mask", "blur_size"): _NO_BLUR,
    ("mask", "mask_datatype"): "a mask is read by its own form: colours, class indices or .npz",
    ("tiledinfer", "debug"): "intermediate tiles are not written",
    ("tiledinfer", "bitwise_blending"): "[tiledinfer] blending says how tiles are joined",
    ("segmentation", "*"): "masks are written in the colours of [mask] rgb_map",
    ("debug", "*"): "what happens is always shown",
    ("generator", "debug"): "augmented images are not written while training",
    ("generator", "verbose"): "augmented images are not written while training",
    ("generator", "generated_images_dir"): "augmented images are not written while training",
    ("generator", "generated_masks_dir"): "augmented images are not written while training",
    ("augmentor", "transformer"): _NEVER_READ,
}

# Keys whose presence shows that a file is of the older dialect.
OLDER_DIALECT: frozenset[Key] = frozenset(
    {("dataset", "datasetclass"), ("eval", "image_datapath"), ("train", "image_datapath")}
)

# Defaults in which the older dialect differs from the later one. None: the width of the model.
OLDER_DEFAULTS: dict[Key, Any] = {
    ("train", "epoch_change_infer"): False,
    ("train", "num_infer_images"): 1,
    ("train", "reducer_factor"): 0.1,
    ("tiledinfer", "overlapping"): 0,
    ("tiledinfer", "split_size"): None,
}
