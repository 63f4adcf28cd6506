"""Sections that describe augmentation: generator, augmentor, one section an operation; random_transform."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from flexunet.config.section import (
    Centers,
    Floats,
    Positive,
    Probability,
    Range,
    RangeAbove0,
    RangeFrom0,
    RangeUpTo1,
    Section,
    Texts,
    input_path,
    output_path,
)


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


class RandomTransformSection(Section):
    """Augmentation while training that composes random changes; not one of the published operations.

    Each change has a probability of its own, and its strength is drawn from a range.
    """

    enabled: bool = False
    """Whether training images are changed in this way, in place of the operations of [augmentor]."""
    flip: Literal["never", "horizontal", "both"] = "horizontal"
    """Whether images are mirrored left to right, or also upside down; each half of the time."""
    fill: Literal["black", "nearest", "mirror"] = "black"
    """What lies beyond the border: black with class 0, the outermost pixels, or the mirror image."""
    rotation: Range = (-15.0, 15.0)
    """Angles of rotation, in degrees counter-clockwise."""
    rotation_probability: Probability = 0.2
    """Probability of a rotation."""
    scale: RangeAbove0 = (0.7, 1.4)
    """Factors of enlargement; below 1 the image shrinks."""
    scale_probability: Probability = 0.2
    """Probability of scaling."""
    shear: Range = (-0.1, 0.1)
    """Factors of shearing."""
    shear_probability: Probability = 0.1
    """Probability of shearing."""
    shift: Range = (-0.1, 0.1)
    """Shifts, as fractions of width and height."""
    shift_probability: Probability = 0.2
    """Probability of a shift."""
    elastic: RangeFrom0 = (0.005, 0.015)
    """Standard deviations of the shifts of control points, as fractions of the longer side."""
    elastic_probability: Probability = 0.1
    """Probability of an elastic deformation."""
    elastic_spans: Positive = 6
    """Distances between control points of an elastic deformation along the longer side."""
    noise: RangeFrom0 = (0.0, 0.3)
    """Standard deviations of Gaussian noise, as fractions of the standard deviation of the image."""
    noise_probability: Probability = 0.1
    """Probability of noise."""
    blur: RangeFrom0 = (0.5, 1.0)
    """Standard deviations of the Gaussian that blurs the image, in pixels."""
    blur_probability: Probability = 0.2
    """Probability of blur."""
    brightness: RangeFrom0 = (0.75, 1.25)
    """Factors by which grey values are multiplied."""
    brightness_probability: Probability = 0.15
    """Probability of a change of brightness."""
    contrast: RangeFrom0 = (0.75, 1.25)
    """Factors by which the distances of grey values from their mean are multiplied."""
    contrast_probability: Probability = 0.15
    """Probability of a change of contrast."""
    low_resolution: RangeUpTo1 = (0.5, 1.0)
    """Factors of the resolution to which an image is reduced and from which it is enlarged again."""
    low_resolution_probability: Probability = 0.25
    """Probability of a low resolution."""
    gamma: RangeAbove0 = (0.7, 1.5)
    """Exponents of grey values between black (0) and white (1)."""
    gamma_probability: Probability = 0.3
    """Probability of a gamma change."""
    inverted_gamma: RangeAbove0 = (0.7, 1.5)
    """Exponents of the inverted image's grey values."""
    inverted_gamma_probability: Probability = 0.1
    """Probability of a gamma change of the inverted image."""
    lesion_paste: RangeFrom0 = (0.8, 1.2)
    """Factors of the contrast of a lesion that is taken from another image of the batch."""
    lesion_paste_probability: Probability = 0.0
    """Probability that a lesion (anything but class 0) of another image is laid over this breast."""
    cutmix: RangeUpTo1 = (0.1, 0.5)
    """Areas of a box that is taken from another image of the batch, as fractions of the image."""
    cutmix_probability: Probability = 0.0
    """Probability that a box is taken from another image, image and mask alike (CutMix)."""

    @property
    def orientations(self) -> int | None:
        """In how many orientations the model is shown an image; None: not known, as this is switched off."""
        return {"never": 1, "horizontal": 2, "both": 4}[self.flip] if self.enabled else None
