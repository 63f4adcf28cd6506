"""The model card as a list of questions: nine parts of Mitchell et al. (2019).

`MODEL_CARD.md` of a run is the short card that `evaluate` writes; this one says also what a person must add.

Source: Mitchell, M. et al. (2019), Model Cards for Model Reporting, FAT*, 220-229.
"""

from __future__ import annotations

from flexunet.reporting import fill_data as data
from flexunet.reporting import fill_model as model
from flexunet.reporting import fill_results as results
from flexunet.reporting.answers import Checklist, Item, known_in_part, person

_DETAILS, _USE, _FACTORS, _METRICS = "Model details", "Intended use", "Factors", "Metrics"
_ANALYSES, _ETHICS, _CAVEATS = "Quantitative analyses", "Ethical considerations", "Caveats"

MODELCARD = Checklist(
    "modelcard",
    "Model card",
    "Mitchell et al. (2019), Model Cards for Model Reporting, FAT*",
    (
        Item(
            "1a",
            _DETAILS,
            "Who made it, when, and which version",
            known_in_part(model.software, "who made it, and its version"),
        ),
        Item("1b", _DETAILS, "What kind of model", model.architecture),
        Item("1c", _DETAILS, "Training, parameters, constraints", model.training),
        Item("1d", _DETAILS, "Paper, citation, licence, contact", model.availability),
        Item("2a", _USE, "Primary uses and users", person("what it is for, and who uses it")),
        Item(
            "2b",
            _USE,
            "Uses out of scope",
            person("what it must not be used for; FlexUNet is for research, no medical device"),
        ),
        Item(
            "3a",
            _FACTORS,
            "Groups, devices and surroundings that matter",
            person("factors that are expected to matter"),
        ),
        Item("3b", _FACTORS, "Factors that were evaluated", results.subgroups),
        Item("4a", _METRICS, "Performance measures", results.metrics),
        Item("4b", _METRICS, "Thresholds", model.decision),
        Item("4c", _METRICS, "Uncertainty and variation", results.uncertainty),
        Item(
            "5",
            "Evaluation data",
            "Data sets, reasons, preparation",
            known_in_part(results.internal_test, "why these data"),
        ),
        Item(
            "6",
            "Training data",
            "Data sets and their distribution",
            known_in_part(data.characteristics, "origin of the data"),
        ),
        Item("7a", _ANALYSES, "Results overall", results.performance),
        Item("7b", _ANALYSES, "Results by factor", results.subgroups),
        Item("7c", _ANALYSES, "Calibration", results.calibration),
        Item(
            "8",
            _ETHICS,
            "Sensitive data, risks, harms",
            person("risks and harms, and what is done about them"),
        ),
        Item("9", _CAVEATS, "Caveats and recommendations", results.limits),
    ),
)
