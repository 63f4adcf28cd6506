"""The configuration: one section a table, one field a key, under their published names.

config = load_config("train_eval_infer.config")
config.model.image_width, config.train.batch_size, config.mask.rgb_map
config.resolve(config.train.images_dir)      # input paths: relative to the file
config.output(config.train.model_dir)        # output paths: relative to [train] run_dir
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator

from flexunet.config.augment_sections import (
    AugmentorSection,
    GeneratorSection,
    OperationSections,
    RandomTransformSection,
)
from flexunet.config.model_sections import (
    DatasetSection,
    ImageSection,
    MaskColorSection,
    MaskSection,
    ModelSection,
)
from flexunet.config.run_sections import (
    DebugSection,
    DicomSection,
    EvaluateSection,
    Infer3dSection,
    InferSection,
    SegmentationSection,
    TestSection,
    TiledInferSection,
    TrainSection,
    ValidSection,
)
from flexunet.config.section import Color, Section
from flexunet.errors import ConfigError


class _SectionsBeforeOperations(BaseModel):
    model: ModelSection = ModelSection()
    dataset: DatasetSection = DatasetSection()
    train: TrainSection = TrainSection()
    valid: ValidSection = ValidSection()
    test: TestSection = TestSection()
    infer: InferSection = InferSection()
    tiledinfer: TiledInferSection = TiledInferSection()
    infer3d: Infer3dSection = Infer3dSection()
    image: ImageSection = ImageSection()
    mask: MaskSection = MaskSection()
    generator: GeneratorSection = GeneratorSection()
    augmentor: AugmentorSection = AugmentorSection()


class Config(OperationSections, _SectionsBeforeOperations):
    """A whole configuration; every section and key has a default.

    Sizes are in pixels, height and width of the model; docs/configuration.md lists all keys.

    Raises:
        ConfigError: by `load_config`, for a key or value that cannot be used; in Python, pydantic's
            ValidationError.

    Examples:
        >>> config = flexunet.Config(model={"image_width": 128, "image_height": 128, "num_layers": 5})
        >>> config.model.num_classes
        2
    """

    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)

    # After the sections of the two classes above, those of _SectionsBeforeOperations first.
    random_transform: RandomTransformSection = RandomTransformSection()
    evaluate: EvaluateSection = EvaluateSection()
    dicom: DicomSection = DicomSection()
    segmentation: SegmentationSection = SegmentationSection()
    maskcolor: MaskColorSection = MaskColorSection()
    debug: DebugSection = DebugSection()

    _source: Path | None = PrivateAttr(None)
    _notes: list[str] = PrivateAttr(default_factory=list)
    _overrides: list[str] = PrivateAttr(default_factory=list)
    _unread: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)

    @property
    def source(self) -> Path | None:
        """The file that the configuration came from."""
        return self._source

    @property
    def overrides(self) -> list[str]:
        """What replaced values of the file, as `section.key=value`."""
        return self._overrides

    @property
    def notes(self) -> list[str]:
        """What a reader should know about how the file was read, one sentence each."""
        return self._notes

    @property
    def unread(self) -> dict[tuple[str, str], str]:
        """Keys whose values are not readable, so that the default is used; each as the file gives it."""
        return self._unread

    @property
    def folder(self) -> Path:
        """The folder that input paths are relative to: that of the file, else the working folder."""
        return self._source.parent if self._source else Path.cwd()

    def resolve(self, text: str | None) -> Path:
        """The file or folder that an input path means.

        Args:
            text: A path as written in the configuration; `~` and Windows backslashes are understood.

        Raises:
            ConfigError: if the configuration gives no path.
        """
        if not text:
            raise ConfigError(f"{self._name()}: an input path is wanted that the configuration lacks")
        return _path(self.folder, text)

    def input_folder(self, section: str, key: str) -> Path:
        """The folder that an input key names, with an error that names the key where it is not set.

        Raises:
            ConfigError: if the key is not set.
        """
        text = getattr(getattr(self, section), key)
        if not text:
            raise ConfigError(
                f"{self._name()}: [{section}] {key} is not set; set it, or give --set {section}.{key}=FOLDER"
            )
        return _path(self.folder, text)

    def input_folders(self, section: str, key: str) -> list[Path]:
        """The folders that an input key names; `*` in it stands for any folder name, as in published files.

        Raises:
            ConfigError: if the key is not set, or its `*` finds no folder.
        """
        folder = self.input_folder(section, key)
        if "*" not in str(folder):
            return [folder]
        fixed = Path(*folder.parts[: next(i for i, part in enumerate(folder.parts) if "*" in part)])
        found = sorted(path for path in fixed.glob(str(folder.relative_to(fixed))) if path.is_dir())
        if not found:
            raise ConfigError(f"{self._name()}: [{section}] {key}: no folder is named like {folder}")
        return found

    @property
    def run_dir(self) -> Path:
        """The folder that output paths start from."""
        return _path(self.folder, self.train.run_dir)

    def output(self, text: str | None) -> Path:
        """The file or folder that an output path means.

        Raises:
            ConfigError: if the configuration gives no path.
        """
        if not text:
            raise ConfigError(
                f"{self._name()}: an output path is wanted that the configuration does not give"
            )
        return _path(self.run_dir, text)

    @property
    def computed_metrics(self) -> list[str]:
        """Names of the metrics that training computes: those of [model], and what [train] monitor watches."""
        watched = self.train.monitor.removeprefix("val_")
        own = self.model.metrics
        return [*own] if watched in ("loss", *own) else [*own, watched]

    @property
    def overlay_dir(self) -> Path:
        """The folder of overlays: [infer] overlay_dir, else output_dir with `_overlay` added."""
        text = self.infer.overlay_dir or self.infer.output_dir.rstrip("/\\") + "_overlay"
        return self.output(text)

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Name and content of each section, in the order of the schema."""
        for name in type(self).model_fields:
            yield name, getattr(self, name)

    def _name(self) -> str:
        return str(self._source) if self._source else "configuration"

    @model_validator(mode="after")
    def _fill_dependent_defaults(self) -> Self:
        if not self.mask.rgb_map:
            self.mask.__dict__["rgb_map"] = default_rgb_map(self.model.num_classes)
        if not self.train.metrics:
            followed = [name for metric in self.computed_metrics for name in (metric, f"val_{metric}")]
            self.train.__dict__["metrics"] = followed
        return self

    def __eq__(self, other: object) -> bool:
        """Whether all keys are equal; where they came from does not count."""
        return isinstance(other, Config) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]


def default_rgb_map(num_classes: int) -> dict[Color, int]:
    """Colours of the classes of a configuration that names none.

    One or two classes: black and white. More: the four colours the published system falls back to, then
    distinct colours made from the bits of the class index.
    """
    if num_classes <= 2:
        return {(0, 0, 0): 0, (255, 255, 255): 1}
    colors: list[Color] = [(0, 0, 0), (0, 255, 0), (255, 0, 0), (0, 0, 255)]
    index = 0
    while len(colors) < num_classes:
        index += 1
        color = _bit_color(index)
        if color not in colors:
            colors.append(color)
    return {color: index for index, color in enumerate(colors[:num_classes])}


def _bit_color(index: int) -> Color:
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


def _path(folder: Path, text: str) -> Path:
    path = Path(text.replace("\\", "/")).expanduser()
    return path if path.is_absolute() else Path(folder, path)


def section_class(name: str) -> type[Section]:
    """The class of a section.

    Raises:
        KeyError: if there is no such section.
    """
    annotation: Any = Config.model_fields[name].annotation
    return annotation


def default_of(section: str, key: str) -> Any:
    """The value of a key that is not set."""
    return section_class(section).model_fields[key].get_default(call_default_factory=True)
