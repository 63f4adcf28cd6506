"""Sections that describe what is run: training, validation, test, prediction and evaluation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from flexunet.config.section import Floats, Fraction, Pair, Positive, Section, Texts, input_path, output_path

Engine = Literal["keras", "openvino", "openvino-int8", "onnx", "onnx-int8", "litert"]


class TrainSection(Section):
    """Training: data, length, and what is written."""

    images_dir: str | None = input_path()
    """Folder of training images."""
    masks_dir: str | None = input_path()
    """Folder of training masks."""
    dataset_splitter: bool = False
    """Whether validation images are split off the training folder when [valid] names none."""
    epochs: Positive = 100
    """Most epochs to train."""
    batch_size: Positive = 4
    """Images per step."""
    steps_per_epoch: Positive | None = None
    """Batches per epoch with [model] generator, crop or lesion_share; none: enough to show all images."""
    lesion_share: float | None = Field(default=None, gt=0, le=1)
    """Share of every batch that holds a lesion: of its images, or crops; none: as they come."""
    crop: Literal["none", "random"] = "none"
    """Whether the model sees whole images, resized to it, or random crops of larger ones."""
    crop_size: Positive | None = None
    """Width and height of a crop in pixels of the image; none: those of the model."""
    patience: Positive = 10
    """Epochs without a better validation loss before training stops."""
    metrics: Texts = Field(default=[])
    """Curves that are written; empty: the metrics of [model], each with its val_ twin."""
    learning_rate_reducer: bool = False
    """Whether the learning rate falls when the validation loss stops improving."""
    reducer_factor: float = Field(default=0.4, gt=0, lt=1)
    """Factor that a reduction multiplies the learning rate by."""
    reducer_patience: Positive = 4
    """Epochs without a better validation loss before the learning rate falls."""
    learning_rate_schedule: Literal["constant", "cosine", "polynomial"] = "constant"
    """How the learning rate falls over the run, update by update, after the warm-up."""
    learning_rate_end: float = Field(default=0.0, ge=0)
    """Learning rate that a cosine or polynomial schedule falls to."""
    schedule_power: float = Field(default=0.9, gt=0)
    """Power of the polynomial schedule; 1 is a straight line."""
    warmup_steps: int = Field(default=0, ge=0)
    """Updates over which the learning rate rises to [model] learning_rate first; 0: no warm-up."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """The same in epochs."""
    ema_momentum: float | None = Field(default=None, ge=0, lt=1)
    """Momentum of a moving average of the weights, which is validated and kept; none: no average."""
    accumulate_steps: Positive = 1
    """Steps whose gradients make one update of the weights."""
    model_dir: str = output_path("./models")
    """Folder of checkpoints."""
    eval_dir: str = output_path("./eval")
    """Folder of curves."""
    save_weights_only: bool = False
    """Whether the best model is kept as best_model.weights.h5, weights alone, not as best_model.keras."""
    epoch_change_infer: bool = True
    """Whether chosen images are predicted after each epoch."""
    epoch_change_infer_dir: str = output_path("./epoch_change_infer")
    """Folder of those predictions."""
    num_infer_images: int = Field(default=6, ge=0)
    """Images predicted after each epoch."""
    epoch_change_tiled_infer: bool = False
    """Whether chosen images are predicted by tiles after each epoch."""
    epoch_change_tiled_infer_dir: str = output_path("./epoch_change_tiled_infer")
    """Folder of those tiled predictions."""
    tensorboard: bool = False
    """Whether figures and chosen images go into the folder tensorboard of the run, for TensorBoard."""
    mlflow: bool = False
    """Whether settings and figures are logged to MLflow."""
    mlflow_uri: str | None = None
    """Tracking server of MLflow; none: the file mlflow.db of the run, and nothing leaves the machine."""
    mlflow_experiment: str = "flexunet"
    """Experiment of MLflow that the run belongs to."""

    run_dir: str = Field(default=".", json_schema_extra={"path": "run"})
    """Folder that every output path starts from, relative to this file."""
    seed: int = Field(default=137, ge=0)
    """Seed of everything drawn at random."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Number format of the computation; auto: mixed_bfloat16 where the processor has it."""
    jit_compile: bool | Literal["auto"] = "auto"
    """Whether the engine compiles the training step."""
    workers: int = Field(default=2, ge=0)
    """Threads that prepare batches."""
    checkpoint_steps: Positive | None = None
    """Steps between two checkpoints within an epoch; none: checkpoint_minutes alone decides."""
    checkpoint_minutes: float = Field(default=10.0, gt=0)
    """Minutes between two checkpoints within an epoch; one is written at the end of every epoch too."""
    cache_dir: str | None = output_path()
    """Folder of the decoded-image cache; none: the user's cache folder."""

    def moves_learning_rate(self) -> bool:
        """Whether a schedule moves the learning rate from update to update."""
        return self.learning_rate_schedule != "constant" or self.warmup_steps > 0 or self.warmup_epochs > 0


class ValidSection(Section):
    """Images that decide which epoch was best."""

    images_dir: str | None = input_path()
    """Folder of validation images."""
    masks_dir: str | None = input_path()
    """Folder of validation masks."""


class TestSection(Section):
    """Images that the finished model is measured on."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    images_dir: str | None = input_path()
    """Folder of test images."""
    masks_dir: str | None = input_path()
    """Folder of test masks."""


class InferSection(Section):
    """Prediction of a folder of images."""

    images_dir: str | None = input_path()
    """Folder of images to predict."""
    output_dir: str = output_path("./mini_test_output")
    """Folder of predicted masks."""
    overlay_dir: str | None = output_path()
    """Folder of images with the outline drawn on them; none: output_dir with _overlay added."""
    probabilities: Literal["none", "png", "npz"] = "none"
    """Whether probabilities are written: 16-bit PNG of each foreground class, or arrays of all classes."""
    threshold: Literal["none", "run"] | Fraction = "none"
    """Foreground probability from which a pixel is lesion; none: the likeliest class; run: as fitted."""
    temperature: Literal["none", "run"] | Annotated[float, Field(gt=0)] = "none"
    """Divisor of the logits of probabilities that are written; run: as evaluate fitted it."""
    fill_holes: bool = False
    """Whether background that a lesion encloses becomes lesion."""
    min_lesion_pixels: int = Field(default=0, ge=0)
    """Predicted lesions of fewer pixels are dropped."""
    min_lesion_mm2: float = Field(default=0.0, ge=0)
    """Predicted lesions of less area are dropped, where the pixel spacing is known."""
    dicom_seg: bool = True
    """Whether a DICOM image gets a DICOM Segmentation object as well."""
    film_masks: bool = True
    """Whether images that derive cut out of films get a mask of the whole film as well."""
    fit: Literal["resize", "pad"] = "resize"
    """How whole images come to the model's size: stretched, or in their own proportions and padded."""
    test_time_augmentation: bool = False
    """Whether flips and quarter turns of an image are predicted too, and the mean is taken."""
    ensemble: Texts = Field(default=[], json_schema_extra={"path": "input"})
    """Run folders that predict together, in place of this run's model; the mean is taken."""
    monte_carlo: int = Field(default=0, ge=0)
    """Predictions of an image with dropout at work, and the mean is taken; 0: one without dropout."""
    uncertainty: Literal["auto", "none", "entropy", "mutual_information"] = "auto"
    """Map of doubt that is written; auto: mutual_information with monte_carlo, else none."""
    engine: Engine = "keras"
    """What computes predictions: Keras, or an export of the run (docs/export.md)."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Number format of predictions; auto: float32 in Keras, in an export the one it was checked in."""


class TiledInferSection(Section):
    """Prediction of images that are larger than the model."""

    images_dir: str | None = input_path()
    """Folder of images to predict by tiles."""
    output_dir: str = output_path("./mini_test_output_tiled")
    """Folder of masks predicted by tiles."""
    split_size: Positive = 512
    """Width and height of a tile, in pixels of the image."""
    overlapping: int = Field(default=64, ge=0)
    """Pixels that a tile shares with each neighbour."""
    bitwise_blending: bool = True
    """No effect: `blending` says how tiles are joined."""
    blending: Literal["gaussian", "paste"] = "gaussian"
    """How tiles are joined: by a smooth window, or side by side as published, their margins cut off."""
    breast_only: bool = False
    """Whether tiles of nothing but air are left out; they become background."""
    batch_size: Positive | None = None
    """Tiles in one model call; none: as many as memory allows."""


def _opencv_name(value: Any) -> Any:
    """The name with `cv2.` before it, which may be left out."""
    return f"cv2.{value}" if isinstance(value, str) and value.startswith("ROTATE_") else value


SliceRotation = Literal["cv2.ROTATE_90_CLOCKWISE", "cv2.ROTATE_180", "cv2.ROTATE_90_COUNTERCLOCKWISE"]


class Infer3dSection(Section):
    """Prediction of volumes, slice by slice: label volumes, videos and a table of lesions."""

    images_dir: str | None = input_path()
    """Folder of volumes to predict."""
    output_dir: str = output_path("./mini_test_3d_output")
    """Folder of label volumes."""
    mask_overlay: bool = True
    """Whether the mask is laid over the slices of the video; otherwise the video shows masks alone."""
    overlay_alpha: float = Field(default=0.5, ge=0)
    """Weight of the slice where the mask lies over it."""
    overlay_beta: float = Field(default=0.5, ge=0)
    """Weight of the mask's colour there."""
    overlay_gamma: float = 0.0
    """Brightness added there."""
    slice_normalize: bool = True
    """Whether each slice is stretched to 0..255; otherwise its values are taken for grey levels."""
    slice_resize: Pair | None = (512, 512)
    """Size that slices are resized to, width and height; none: as they are."""
    slice_rotation: Annotated[SliceRotation | None, BeforeValidator(_opencv_name)] = "cv2.ROTATE_90_CLOCKWISE"
    """Rotation of each slice, by its OpenCV name; none: as it is."""
    slice_shape_order: Literal["hwd", "whd", "hdw", "wdh", "dhw", "dwh"] = "hwd"
    """What the axes of a volume are, in the order of the file: height, width and depth of its slices."""
    video_dir: str = output_path("./video_3d")
    """Folder of videos."""
    video_fileformat: Literal[".mp4", ".gif"] = ".mp4"
    """Form of the video."""
    video_fps: Positive = 10
    """Slices per second of video."""
    video_type: Literal["overlays", "masks", "none"] = "overlays"
    """What the video shows: slices with their masks, masks alone, or none: no video."""
    min_lesion_mm3: float = Field(default=0.0, ge=0)
    """Predicted lesions of less volume are dropped."""


class EvaluateSection(Section):
    """Rules of the evaluation beyond the two published figures."""

    output_dir: str = output_path("./evaluation")
    """Folder of the evaluation's tables and figures."""
    batch_size: Positive | None = None
    """Images per step of the evaluation; none: that of [train]."""
    empty_masks: Literal["exclude", "one", "zero"] = "exclude"
    """Score of an image whose truth and prediction are both empty: left out, 1 or 0."""
    bootstrap_samples: int = Field(default=2000, ge=0)
    """Resamplings behind each confidence interval; 0: no intervals."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Confidence level of the intervals."""
    lesion_match: Literal["iou", "overlap", "centre"] = "iou"
    """What makes a predicted lesion a hit: its intersection over union, any overlap, or its centre."""
    lesion_iou: float = Field(default=0.1, gt=0, le=1)
    """Least intersection over union of a hit; 0.1 as in Baumgartner et al. (2021), nnDetection."""
    connectivity: Literal[4, 8] = 8
    """Neighbours that join pixels into one lesion."""
    min_lesion_pixels: int = Field(default=0, ge=0)
    """Lesions smaller than this are left out, in truth and prediction alike."""
    candidate_threshold: float = Field(default=0.1, ge=0, le=1)
    """Probability above which a component with no predicted pixel is still a doubtful candidate (FROC)."""
    candidate_score: Literal["mean", "max"] = "mean"
    """Confidence of a candidate: mean or largest probability over its pixels."""
    size_bands_px: Floats = Field(default=[16, 32, 64])
    """Edges of the lesion size bands: diameter of a disc of equal area, in pixels."""
    size_bands_mm: Floats = Field(default=[10, 20, 50])
    """The same in mm, where the pixel spacing is known; by default the T1, T2 and T3 limits of TNM."""
    subgroups: Texts = Field(default=[])
    """Columns of manifest.csv to report separately."""
    surface_scores: bool = True
    """Whether surface distances are measured too."""
    boundary_tolerance: float = Field(default=2, ge=0)
    """Distance in pixels up to which two boundaries agree, for the boundary Dice."""
    calibration_bins: int = Field(default=15, ge=2, le=1000)
    """Bins of the calibration curve."""


class SegmentationSection(Section):
    """Colours of one-class masks in the older published system."""

    colorize: bool = False
    """Whether the mask is written in the two colours below."""
    black: str = "black"
    """Colour of the background."""
    white: str = "white"
    """Colour of the foreground."""
    blursize: Annotated[Pair | None, BeforeValidator(lambda value: value or None)] = None
    """Size of the blur of the written mask; none: not blurred."""


class DebugSection(Section):
    """Diagnosis."""

    verbose: bool = False
    """Whether more is printed."""
