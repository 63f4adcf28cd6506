"""Sections that describe what is run: training, validation, test, prediction and evaluation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from flexunet.config.section import (
    Code,
    Codes,
    Floats,
    Fraction,
    Pair,
    Positive,
    Section,
    Texts,
    input_path,
    output_path,
)

Engine = Literal["auto", "keras", "openvino", "openvino-int8", "onnx", "onnx-int8", "litert"]


class TrainSection(Section):
    """Training: images, length, learning rate, and the files that are written."""

    images_dir: str | None = input_path()
    """Folder of training images."""
    masks_dir: str | None = input_path()
    """Folder of training masks."""
    drafts: bool = False
    """Whether drafts that no person has checked may be trained on; otherwise they are refused."""
    dataset_splitter: bool = False
    """Whether validation images are taken from the training folder where [valid] names no folder."""
    epochs: Positive = 100
    """Maximum number of epochs."""
    batch_size: Positive = 4
    """Images per training step."""
    steps_per_epoch: Positive | None = None
    """Steps per epoch with augmentation, crop or lesion_share. Default: enough for every image."""
    lesion_share: float | None = Field(default=None, gt=0, le=1)
    """Share of images, or crops, with a lesion in every batch. Default: as they come."""
    crop: Literal["none", "random"] = "none"
    """Whether training uses whole images (resized) or random crops at full resolution."""
    crop_size: Positive | None = None
    """Width and height of a crop, in pixels of the image. Default: [model] image_width."""
    monitor: str = "val_loss"
    """Figure by which the best epoch is chosen: val_loss, or a metric such as val_dice_per_image_mean."""
    patience: Positive = 10
    """Number of epochs without a better monitored figure after which training stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """Minimum change of the monitored figure that counts as better when training decides whether to stop."""
    min_steps: int = Field(default=0, ge=0)
    """Number of training steps before training may stop early or the reducer may act."""
    metrics: Texts = Field(default=[])
    """Names of the curves that are written. Default: the metrics of [model], for training and validation."""
    statistics_batches: int | None = Field(default=None, ge=0)
    """Training batches that re-estimate batch normalisation before validation. Default: 20 where needed."""
    learning_rate_reducer: bool = False
    """Whether the learning rate is reduced when the monitored figure stops improving."""
    reducer_factor: float = Field(default=0.4, gt=0, lt=1)
    """Factor by which the learning rate is multiplied at each reduction."""
    reducer_patience: Positive = 4
    """Number of epochs without a better monitored figure after which the learning rate is reduced."""
    learning_rate_schedule: Literal["constant", "cosine", "polynomial"] = "constant"
    """Schedule of the learning rate after the warm-up: constant, cosine or polynomial decay."""
    learning_rate_end: float = Field(default=0.0, ge=0)
    """Learning rate at the end of a cosine or polynomial schedule."""
    schedule_power: float = Field(default=0.9, gt=0)
    """Power of the polynomial schedule; 1 gives a linear decay."""
    warmup_steps: int = Field(default=0, ge=0)
    """Length of the warm-up, in updates of the weights; 0 means no warm-up."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Length of the warm-up, in epochs; 0 means no warm-up."""
    ema_momentum: float | None = Field(default=None, ge=0, lt=1)
    """Momentum of the moving average of the weights (EMA), used for validation. Default: no average."""
    accumulate_steps: Positive = 1
    """Number of steps whose gradients are accumulated for one update of the weights."""
    model_dir: str = output_path("./models")
    """Folder of the best model."""
    eval_dir: str = output_path("./eval")
    """Folder of the training curves."""
    save_weights_only: bool = False
    """Whether the best model is saved as weights only (best_model.weights.h5) instead of best_model.keras."""
    epoch_change_infer: bool = True
    """Whether a few images are predicted after each epoch."""
    epoch_change_infer_dir: str = output_path("./epoch_change_infer")
    """Folder of the predictions after each epoch."""
    num_infer_images: int = Field(default=6, ge=0)
    """Number of images predicted after each epoch."""
    epoch_change_images_dir: str | None = input_path()
    """Folder of the images predicted after each epoch. Default: those of [infer] and [tiledinfer]."""
    epoch_change_tiled_infer: bool = False
    """Whether a few images are predicted tile by tile after each epoch."""
    epoch_change_tiled_infer_dir: str = output_path("./epoch_change_tiled_infer")
    """Folder of the tiled predictions after each epoch."""
    tensorboard: bool = False
    """Whether scalars and predictions are written for TensorBoard, into RUN/tensorboard."""
    mlflow: bool = False
    """Whether parameters and metrics are logged to MLflow."""
    mlflow_uri: str | None = None
    """Address of the MLflow server. Default: the file mlflow.db of the run; nothing leaves the machine."""
    mlflow_experiment: str = "flexunet"
    """Name of the MLflow experiment."""

    run_dir: str = Field(default=".", json_schema_extra={"path": "run"})
    """Run folder; output paths are relative to it, and it is relative to this file."""
    seed: int = Field(default=137, ge=0)
    """Seed of all random numbers."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Number format of the computation; auto means mixed_bfloat16 where the processor supports it."""
    jit_compile: bool | Literal["auto"] = "auto"
    """Whether the engine compiles the training step with XLA."""
    workers: int = Field(default=2, ge=0)
    """Number of threads that prepare batches."""
    checkpoint_steps: Positive | None = None
    """Number of steps between two checkpoints within an epoch. Default: only checkpoint_minutes counts."""
    checkpoint_minutes: float = Field(default=10.0, gt=0)
    """Minutes between two checkpoints within an epoch; a checkpoint is also written after every epoch."""
    cache_dir: str | None = output_path()
    """Folder of the cache of decoded images. Default: the user's cache folder."""

    def moves_learning_rate(self) -> bool:
        """Whether a schedule moves the learning rate from update to update."""
        return self.learning_rate_schedule != "constant" or self.warmup_steps > 0 or self.warmup_epochs > 0


class ValidSection(Section):
    """Validation: the images by which the best epoch is chosen."""

    images_dir: str | None = input_path()
    """Folder of validation images."""
    masks_dir: str | None = input_path()
    """Folder of validation masks."""


class TestSection(Section):
    """Test: the images on which the trained model is evaluated."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    images_dir: str | None = input_path()
    """Folder of test images."""
    masks_dir: str | None = input_path()
    """Folder of test masks."""


class InferSection(Section):
    """Inference on a folder of images."""

    images_dir: str | None = input_path()
    """Folder of images to predict."""
    output_dir: str = output_path("./mini_test_output")
    """Folder of predicted masks."""
    overlay_dir: str | None = output_path()
    """Folder of overlays: images with outlined lesions. Default: output_dir with _overlay added."""
    npy_slice_index: int = Field(default=1, ge=0)
    """Channel of .npy images that is written to npy_slices_dir as a picture, counted from 0."""
    npy_slices_dir: str | None = output_path()
    """Folder of pictures of one channel of each .npy image. Default: none are written."""
    probabilities: Literal["none", "png", "npz"] = "none"
    """Probabilities to write: none, 16-bit PNG per foreground class, or arrays of all classes (npz)."""
    threshold: Literal["none", "run"] | Fraction = "none"
    """Minimum probability of a lesion pixel; none: most probable class; run: fitted threshold."""
    temperature: Literal["none", "run"] | Annotated[float, Field(gt=0)] = "none"
    """Temperature that scales the written probabilities; run means the temperature fitted by `evaluate`."""
    postprocess: Literal["none", "run"] = "none"
    """Filled holes and removed small regions of predicted masks; run: as fitted on the validation split."""
    fill_holes: bool = False
    """Whether holes in predicted lesions are filled."""
    min_lesion_pixels: int = Field(default=0, ge=0)
    """Minimum size of a predicted lesion, in pixels; smaller ones are removed."""
    min_lesion_mm2: float = Field(default=0.0, ge=0)
    """Minimum area of a predicted lesion, in mm2; used where the pixel spacing is known."""
    dicom_seg: bool = True
    """Whether a DICOM Segmentation object is written for each DICOM image."""
    film_masks: bool = True
    """Whether a mask of the whole film is written for each image that `derive` cropped from a film."""
    fit: Literal["resize", "pad"] = "resize"
    """How images are fitted to the model: resized (stretched), or padded with their proportions kept."""
    test_time_augmentation: bool = False
    """Whether probabilities are averaged over flips and quarter turns of each image."""
    test_time_passes: Positive | None = None
    """Flips and turns averaged at most. Default: those of an enabled [random_transform] flip, or else all."""
    ensemble: Texts = Field(default=[], json_schema_extra={"path": "input"})
    """Run folders whose probabilities are averaged, instead of the model of this run."""
    monte_carlo: int = Field(default=0, ge=0)
    """Number of averaged predictions with active dropout (Monte Carlo dropout); 0 means without."""
    uncertainty: Literal["auto", "none", "entropy", "mutual_information"] = "auto"
    """Uncertainty map to write; auto means mutual_information with monte_carlo, otherwise none."""
    engine: Engine = "auto"
    """Engine of predictions: keras, an export of the run, or auto: an export that predicts as keras does."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Number format of predictions; auto means float32, or what a named export was checked in."""


class TiledInferSection(Section):
    """Inference tile by tile, on images larger than the model."""

    images_dir: str | None = input_path()
    """Folder of images to predict tile by tile."""
    output_dir: str = output_path("./mini_test_output_tiled")
    """Folder of masks predicted tile by tile."""
    split_size: Positive = 512
    """Width and height of a tile, in pixels of the image."""
    overlapping: int = Field(default=64, ge=0)
    """Overlap of neighbouring tiles, in pixels."""
    bitwise_blending: bool = True
    """Published key without effect; see [tiledinfer] blending."""
    blending: Literal["gaussian", "paste"] = "gaussian"
    """How tiles are merged: gaussian weights them smoothly, paste cuts their margins off as published."""
    breast_only: bool = False
    """Whether tiles without breast tissue are skipped; they become background."""
    batch_size: Positive | None = None
    """Number of tiles in one model call. Default: as many as memory allows."""


def _opencv_name(value: Any) -> Any:
    """The name with `cv2.` before it, which may be left out."""
    return f"cv2.{value}" if isinstance(value, str) and value.startswith("ROTATE_") else value


SliceRotation = Literal["cv2.ROTATE_90_CLOCKWISE", "cv2.ROTATE_180", "cv2.ROTATE_90_COUNTERCLOCKWISE"]


class Infer3dSection(Section):
    """Inference on volumes, slice by slice: label volumes, videos and a table of lesions."""

    images_dir: str | None = input_path()
    """Folder of volumes to predict."""
    output_dir: str = output_path("./mini_test_3d_output")
    """Folder of label volumes."""
    mask_overlay: bool = True
    """Whether the video shows the mask over each slice; otherwise it shows only the mask."""
    overlay_alpha: float = Field(default=0.5, ge=0)
    """Weight of the slice under a mask, in the overlay of the video."""
    overlay_beta: float = Field(default=0.5, ge=0)
    """Weight of the mask's colour, in the overlay of the video."""
    overlay_gamma: float = 0.0
    """Brightness added to the overlay of the video."""
    slice_normalize: bool = True
    """Whether the values of each slice are stretched to 0..255; otherwise they are used as grey levels."""
    slice_resize: Pair | None = (512, 512)
    """Width and height to which slices are resized; none keeps their size."""
    slice_rotation: Annotated[SliceRotation | None, BeforeValidator(_opencv_name)] = "cv2.ROTATE_90_CLOCKWISE"
    """Rotation of each slice, by its OpenCV name; none means no rotation."""
    slice_shape_order: Literal["hwd", "whd", "hdw", "wdh", "dhw", "dwh"] = "hwd"
    """Axes of a volume, the fastest first (of MetaImage the slowest): height, width and depth of slices."""
    video_dir: str = output_path("./video_3d")
    """Folder of videos."""
    video_fileformat: Literal[".mp4", ".gif"] = ".mp4"
    """File type of the videos."""
    video_fps: Positive = 10
    """Number of slices per second of video."""
    video_type: Literal["overlays", "masks", "none"] = "overlays"
    """Content of the videos: overlays, only masks, or none for no video."""
    min_lesion_mm3: float = Field(default=0.0, ge=0)
    """Minimum volume of a predicted lesion, in mm3; smaller ones are removed."""


class EvaluateSection(Section):
    """Evaluation: rules of the scores beside the published metrics."""

    output_dir: str = output_path("./evaluation")
    """Folder of the report, the scores and their tables."""
    batch_size: Positive | None = None
    """Number of images per step of the evaluation. Default: [train] batch_size."""
    empty_masks: Literal["exclude", "one", "zero"] = "exclude"
    """Dice of an image without lesion in truth and prediction: exclude (no value), one or zero."""
    bootstrap_samples: int = Field(default=2000, ge=0)
    """Number of bootstrap samples per confidence interval; 0 means no intervals."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Confidence level of the intervals."""
    lesion_match: Literal["iou", "overlap", "centre"] = "iou"
    """Rule that makes a predicted lesion a detection: intersection over union, overlap, or centre."""
    lesion_iou: float = Field(default=0.1, gt=0, le=1)
    """Minimum intersection over union for a detection; 0.1 as in Baumgartner et al. (2021), nnDetection."""
    connectivity: Literal[4, 8] = 8
    """Connectivity of the pixels of one lesion: 4 or 8 neighbours."""
    min_lesion_pixels: int = Field(default=0, ge=0)
    """Minimum size of a lesion, in pixels; smaller ones are ignored in truth and prediction."""
    candidate_threshold: float = Field(default=0.1, ge=0, le=1)
    """Minimum probability of a candidate that the mask does not contain, for the FROC curve."""
    candidate_score: Literal["mean", "max"] = "mean"
    """Score of a candidate: mean or maximum probability of its pixels."""
    size_bands_px: Floats = Field(default=[16, 32, 64])
    """Limits of the lesion size groups: diameter of a disc of equal area, in pixels."""
    size_bands_mm: Floats = Field(default=[10, 20, 50])
    """Limits of the lesion size groups in mm, with known pixel spacing; default: T1, T2, T3 of TNM."""
    subgroups: Texts = Field(default=[])
    """Columns of manifest.csv by which scores are also reported."""
    surface_scores: bool = True
    """Whether surface distances are computed."""
    boundary_tolerance: float = Field(default=2, ge=0)
    """Tolerance of the boundary Dice, in pixels; also of the surface Dice where pixel spacing is unknown."""
    surface_tolerance_mm: float = Field(default=1, ge=0)
    """Tolerance of the surface Dice, in mm."""
    calibration_bins: int = Field(default=15, ge=2, le=1000)
    """Number of bins of the reliability curve (`probability` in scores.json)."""


class DicomSection(Section):
    """DICOM objects that are written for each DICOM image, beside its mask."""

    segmentation: Literal["binary", "fractional", "labelmap"] = "binary"
    """Kind of the Segmentation object: binary, fractional (probabilities) or labelmap."""
    report: Literal["none", "measurements"] = "none"
    """Structured report of the lesions: none, or measurements (TID 1500 in a Comprehensive 3D SR)."""
    parametric_map: bool = False
    """Whether the probabilities are written as a Parametric Map; it needs the pixel spacing."""
    secondary_capture: bool = False
    """Whether the overlay is written as a Secondary Capture, marked as not for diagnosis."""
    category: Code = "49755003, SCT, Morphologically Abnormal Structure"
    """Coded category of all segments, as "VALUE, SCHEME, MEANING"."""
    types: Codes = Field(default=["52988006, SCT, Lesion"])
    """Coded type of the segments of each class, from class 1; the last one holds for all others."""
    region: Code | None = None
    """Coded region of the body that all segments lie in. Default: the breast, for mammograms."""


class SegmentationSection(Section):
    """Masks of one class as the older published system writes them."""

    colorize: bool = False
    """Whether the mask is written in the colours [segmentation] black and white."""
    black: str = "black"
    """Colour of the background."""
    white: str = "white"
    """Colour of the foreground."""
    blursize: Annotated[Pair | None, BeforeValidator(lambda value: value or None)] = None
    """Kernel size of the blur of the written mask. Default: no blur."""


class DebugSection(Section):
    """Diagnostic output."""

    verbose: bool = False
    """Whether more messages are printed."""
