"""Sections that describe augmentation: generator, augmentor and one section an operation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from flexunet.config.section import Centers, Floats, Positive, Section, Texts, input_path, output_path


class GeneratorSection(Section):
    """Online augmentation, and the inputs of the published mask generators."""

    augmentation: bool = True
    """Whether training images are augmented, where [model] generator is on."""
    images_dirs: Texts | None = input_path()
    """Folders of original images."""
    segmentation_file: str | None = input_path()
    """Table of hand-drawn outlines."""
    annotation_file: str | None = input_path()
    """Table of annotations."""
    output_dir: str | None = output_path()
    """Output folder of the mask generator."""
    resize: Positive = 512
    """Width and height of the masks that the mask generator writes."""


class AugmentorSection(Section):
    """Augmentation: which operations are applied, and their parameters."""

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
    """Fill of the area uncovered by rotation, shrinking and shearing: pixel [2][2] as published, or black."""
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
    cropping: bool = False
    """Whether random parts of images are cropped and enlarged to the size of the image."""
    images_dir: str | None = input_path()
    """Image folder of the barrel distortion tool."""
    masks_dir: str | None = input_path()
    """Mask folder of the barrel distortion tool."""
    output_dir: str | None = output_path()
    """Output folder of the barrel distortion tool."""
    centers: Centers | None = None
    """Centres of distortion of the barrel distortion tool, as fractions of width and height."""
    radius: float | None = Field(default=None, gt=0)
    """Radius of the barrel distortion tool, as a fraction of the width."""
    radii: Floats | None = None
    """Radii of the barrel distortion tool, as fractions of the width; several instead of `radius`."""
    amount: float | None = None
    """Strength of the barrel distortion tool."""
    amounts: Floats | None = None
    """Strengths of the barrel distortion tool; several instead of `amount`."""


class DeformationSection(Section):
    """Elastic deformation."""

    alpha: float = 1300
    """Strength of the deformation."""
    sigmoids: Floats = Field(default=[8.0])
    """Standard deviations of the Gaussian that smooths the random field, in pixels."""


class DistortionSection(Section):
    """Distortion by a smooth random field."""

    gaussian_filter_rsigma: float = Field(default=40, gt=0)
    """Standard deviation of the Gaussian that smooths the field, in pixels of a 512-pixel image."""
    gaussian_filter_sigma: float = Field(default=0.5, gt=0)
    """Standard deviation of the Gaussian that smooths the random noise, in pixels."""
    distortions: Floats = Field(default=[0.02])
    """Maximum displacements, as fractions of the image size."""
    images_dir: str | None = input_path()
    """Image folder of the distortion tool."""
    output_dir: str | None = output_path()
    """Output folder of the distortion tool."""


class BarrDistortionSection(Section):
    """Barrel distortion."""

    radius: float = Field(default=0.5, gt=0)
    """Radius of the distorted disc, as a fraction of the width."""
    amount: float = 0.5
    """Strength of the barrel distortion; negative values give a pincushion."""
    centers: Centers = Field(default=[(0.5, 0.5)])
    """Centres of the distortion, as fractions of width and height."""
    cumulative: bool = False
    """Whether each copy also has the distortions of the previous centres, as published."""
    images_dir: str | None = input_path()
    """Image folder of the barrel distortion tool."""
    output_dir: str | None = output_path()
    """Output folder of the barrel distortion tool."""


class PincDistortionSection(Section):
    """Pincushion distortion."""

    radius: float = Field(default=0.5, gt=0)
    """Radius of the distorted disc, as a fraction of the width."""
    amount: float = -0.5
    """Strength of the pincushion distortion; positive values give a barrel."""
    centers: Centers = Field(default=[(0.5, 0.5)])
    """Centres of the distortion, as fractions of width and height."""
    cumulative: bool = False
    """Whether each copy also has the distortions of the previous centres, as published."""


class SharpeningSection(Section):
    """Sharpening."""

    k: float = 1.0
    """Weight of the eight neighbours in the sharpening kernel."""


class BrighteningSection(Section):
    """Brightening."""

    alpha: float = 1.2
    """Factor by which each grey value is multiplied."""
    beta: float = 10
    """Grey levels that are added after the multiplication."""


class CroppingSection(Section):
    """Random crop, enlarged to the size of the image; the mask is cropped with it."""

    smallest: float = Field(default=0.6, gt=0, le=1)
    """Minimum side of the crop, as a fraction of the side of the image; the maximum is the whole side."""
    copies: Positive = 1
    """Number of crops per image in copies on disk. Training draws a new crop each time."""


class OperationSections(BaseModel):
    """One section an operation; what a configuration has of them is what stands here."""

    deformation: DeformationSection = DeformationSection()
    distortion: DistortionSection = DistortionSection()
    barrdistortion: BarrDistortionSection = BarrDistortionSection()
    pincdistortion: PincDistortionSection = PincDistortionSection()
    sharpening: SharpeningSection = SharpeningSection()
    brightening: BrighteningSection = BrighteningSection()
    cropping: CroppingSection = CroppingSection()
