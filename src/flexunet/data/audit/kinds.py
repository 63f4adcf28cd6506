"""The kinds of findings, in plain words: heading, and why it matters. One row a kind."""

KINDS: dict[str, tuple[str, str]] = {
    "leak": (
        "One picture in two splits",
        "The model is tested on a picture it was trained on (perhaps flipped, rotated or bent). The score "
        "tells how well it remembers, not how well it does on new patients.",
    ),
    "patient-in-two-splits": (
        "One patient in two splits",
        "The breasts of one person resemble each other; two views or exposures of one lesion even more.",
    ),
    "patients-doubtful": (
        "Patients that are no persons",
        "Placeholders, and numbers that lost their zeros, do not identify the patients of a split.",
    ),
    "patients-unknown": (
        "Unknown patients",
        "Images of one person resemble each other. If the patients are unknown, one may be in two splits.",
    ),
    "mask-draft": (
        "Drafts that no person has accepted",
        "A score against masks of a model says how far one model agrees with another.",
    ),
    "mask-misplaced": (
        "Masks outside the breast",
        "At least half of a marked area lies where no lesion can be: on black, off the breast.",
    ),
    "mask-partly-outside": (
        "Masks partly outside the breast",
        "A part of a marked area lies on black or off the breast. Coarse circles near the chest "
        "wall do that; shifted masks as well.",
    ),
    "mask-on-ordinary-tissue": (
        "Masks on tissue that looks ordinary",
        "In this data set, marked areas usually differ from the tissue around them. These areas do not.",
    ),
    "mask-size": ("Masks of another size", "Image and mask do not have the same size: perhaps a wrong pair."),
    "orientation": (
        "Images turned by a tag, masks not",
        "Programs that ignore the tag draw the mask on the unturned picture; here it is then upside down.",
    ),
    "mask-off-map": (
        "Colours that the map lacks",
        "A class is missing from the map, or the mask is damaged.",
    ),
    "unreadable-mask": ("Unreadable masks", "The mask cannot be read."),
    "unreadable": ("Unreadable images", "The image cannot be read."),
    "image-without-mask": (
        "Images without a mask",
        "It is not known whether they hold a lesion, so they are of no use for training or testing.",
    ),
    "mask-without-image": ("Masks without an image", "A mask that belongs to no image."),
    "name-twice": ("One name, two files", "Names pair images with masks, so each may occur once."),
    "missing-file": ("Files of the manifest are missing", "manifest.csv names files that do not exist."),
    "manifest-doubtful": ("A damaged manifest", "Rows of manifest.csv lack values: patients may be wrong."),
    "no-lesion": ("Nothing to find", "Without a lesion in any mask, no lesion score can be computed."),
    "class-missing": ("A class is missing", "What is not in a split cannot be learned or measured there."),
    "copies": (
        "Copies of one picture",
        "Copies count one picture more than once. Copies belong in training only, and all in one split.",
    ),
    "intensity-drift": ("Other grey levels", "Splits differ in the brightness of their images."),
    "lesion-size-drift": ("Other lesion sizes", "Splits differ in the size of their lesions."),
    "balance-drift": ("Other share of lesions", "Splits differ in how many images have a lesion."),
    "mask-full": ("Masks that mark nearly everything", "Often swapped or inverted colours."),
    "blank-image": ("Blank images", "Images without content."),
    "grey-range": (
        "Part of the grey range",
        "16-bit files that hold 10, 12 or 14 bits look black where all 16 are expected.",
    ),
    "range-varies": (
        "Several ranges of grey",
        "Of 16-bit files, those of 12 bits look black beside those of 16.",
    ),
    "depth-varies": (
        "8 and 16 bit mixed",
        "The same tissue has different grey levels in 8-bit and 16-bit images.",
    ),
    "size-varies": ("Several image sizes", "All images are resized to one size before training."),
    "colour-varies": ("Grey and coloured images", "A mammogram has no colour."),
    "mask-antialiased": ("Soft edges of masks", "Edges of masks have colours between those of the classes."),
    "mask-empty": ("Empty masks", "Images whose mask marks nothing."),
    "other-files": ("Other files", "Files among the images that are no images."),
    "colours-guessed": (
        "Colours of the classes",
        "No configuration or option gave the class of each colour.",
    ),
    "colours-by-hue": (
        "Colours taken by their hue",
        "Masks hold other shades than the map; each is taken for the class of its hue.",
    ),
    "no-masks": ("No masks", "Only images were found."),
}
