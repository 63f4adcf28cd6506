"""Sections that describe augmentation: generator, augmentor and one section an operation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flexunet.config.section import Centers, Floats, Positive, Section, Texts, input_path, output_path


class GeneratorSection(Section):
    """Augmentation while training, and the inputs of the published mask generators."""

    augmentation: bool = True
    """Whether the generator augments what it draws."""
    images_dirs: Texts | None = input_path()
    """Folders of original images."""
    segmentation_file: str | None = input_path()
    """Table of hand-drawn outlines."""
    annotation_file: str | None = input_path()
    """Table of annotations."""
    output_dir: str | None = output_path()
    """Folder that the mask generator writes."""
    resize: Positive = 512
    """Width and height of what the mask generator writes."""


class AugmentorSection(Section):
    """Which operations are applied, and with what strengths."""

    vflip: bool = True
    """Whether images are flipped upside down."""
    hflip: bool = True
    """Whether images are flipped left to right."""
    rotation: bool = True
    """Whether images are rotated."""
    angles: Floats = Field(default=[90, 180, 270])
    """Angles of rotation, in degrees counter-clockwise."""
    shrinks: Floats = Field(default=[0.8])
    """Factors of shrinking."""
    shears: Floats = Field(default=[])
    """Factors of shearing."""
    fill: Literal["corner", "black"] = "corner"
    """What rotation, shrinking and shearing uncover: the value of pixel [2][2] as published, or black."""
    deformation: bool = False
    """Whether images are deformed elastically."""
    distortion: bool = False
    """Whether images are distorted by a smooth random field."""
    barrdistortion: bool = False
    """Whether images get barrel distortion."""
    pincdistortion: bool = False
    """Whether images get pincushion distortion."""
    sharpening: bool = False
    """Whether images are sharpened."""
    brightening: bool = False
    """Whether images are brightened."""
    images_dir: str | None = input_path()
    """Folder of images of the barrel distortion tool."""
    masks_dir: str | None = input_path()
    """Folder of masks of the barrel distortion tool."""
    output_dir: str | None = output_path()
    """Folder that the barrel distortion tool writes."""
    centers: Centers | None = None
    """Centres of distortion of the barrel distortion tool, as fractions of width and height."""
    radius: float | None = Field(default=None, gt=0)
    """Radius of distortion of the barrel distortion tool, as a fraction of the width."""
    radii: Floats | None = None
    """Radii of distortion of the barrel distortion tool, in place of one."""
    amount: float | None = None
    """Strength of distortion of the barrel distortion tool."""
    amounts: Floats | None = None
    """Strengths of distortion of the barrel distortion tool, in place of one."""


class DeformationSection(Section):
    """Elastic deformation."""

    alpha: float = 1300
    """Strength of the deformation."""
    sigmoids: Floats = Field(default=[8.0])
    """Widths of the Gaussian that smooths the random field, in pixels."""


class DistortionSection(Section):
    """Distortion by a smooth random field."""

    gaussian_filter_rsigma: float = Field(default=40, gt=0)
    """Width of the Gaussian that smooths the field, for images of 512 pixels."""
    gaussian_filter_sigma: float = Field(default=0.5, gt=0)
    """Width of the Gaussian that smooths the drawn noise, in pixels."""
    distortions: Floats = Field(default=[0.02])
    """Largest displacements, as fractions of the image's size."""
    images_dir: str | None = input_path()
    """Folder of images of the distortion tool."""
    output_dir: str | None = output_path()
    """Folder that the distortion tool writes."""


class BarrDistortionSection(Section):
    """Barrel distortion."""

    radius: float = Field(default=0.5, gt=0)
    """Radius of the distorted disc, as a fraction of the width."""
    amount: float = 0.5
    """Strength; negative values pinch instead of bulge."""
    centers: Centers = Field(default=[(0.5, 0.5)])
    """Centres, as fractions of width and height."""
    cumulative: bool = False
    """Whether each copy also has the distortions of the centres before its own, as published."""
    images_dir: str | None = input_path()
    """Folder of images of the barrel distortion tool."""
    output_dir: str | None = output_path()
    """Folder that the barrel distortion tool writes."""


class PincDistortionSection(Section):
    """Pincushion distortion."""

    radius: float = Field(default=0.5, gt=0)
    """Radius of the distorted disc, as a fraction of the width."""
    amount: float = -0.5
    """Strength; positive values bulge instead of pinch."""
    centers: Centers = Field(default=[(0.5, 0.5)])
    """Centres, as fractions of width and height."""
    cumulative: bool = False
    """Whether each copy also has the distortions of the centres before its own, as published."""


class SharpeningSection(Section):
    """Sharpening."""

    k: float = 1.0
    """Weight of the eight neighbours in the sharpening kernel."""


class BrighteningSection(Section):
    """Brightening."""

    alpha: float = 1.2
    """Factor on each grey value."""
    beta: float = 10
    """Grey levels added after it."""
