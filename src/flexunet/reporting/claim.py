"""CLAIM, the Checklist for Artificial Intelligence in Medical Imaging, update of 2024: 44 items.

Source: Tejani, A. S. et al. (2024), Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024
Update, Radiology: Artificial Intelligence 6(4), e240300. Topics are in this project's words.
"""

from __future__ import annotations

from flexunet.reporting import fill_data as data
from flexunet.reporting import fill_model as model
from flexunet.reporting import fill_results as results
from flexunet.reporting.answers import Checklist, Item, known_in_part, person

_STUDY, _DATA, _REFERENCE = "Methods: study design", "Methods: data", "Methods: reference standard"
_PARTITIONS, _TESTING, _MODEL = "Methods: data partitions", "Methods: testing data", "Methods: model"
_TRAINING, _EVALUATION = "Methods: training", "Methods: evaluation"
_RESULTS_DATA, _RESULTS, _OTHER = "Results: data", "Results: model performance", "Other information"

CLAIM = Checklist(
    "claim",
    "CLAIM 2024",
    "Tejani et al. (2024), Radiology: Artificial Intelligence 6(4), e240300",
    (
        Item(
            "1",
            "Title",
            "The title says that the study is about AI, and of which kind",
            known_in_part(model.architecture, "a title that names deep learning and the task"),
        ),
        Item(
            "2",
            "Abstract",
            "Summary of design, methods, results and conclusions",
            known_in_part(
                results.performance, "a structured abstract; the numbers here belong into its results"
            ),
        ),
        Item(
            "3",
            "Introduction",
            "Background, what the AI is for, and its role",
            person("background and intended role"),
        ),
        Item(
            "4",
            "Introduction",
            "Aims, objectives and hypotheses",
            person("aims and hypotheses, stated before the study"),
        ),
        Item(
            "5", _STUDY, "Prospective or retrospective", person("whether data were collected for this study")
        ),
        Item(
            "6",
            _STUDY,
            "Goal of the study, such as making a model, feasibility, non-inferiority",
            person("the goal"),
        ),
        Item("7", _DATA, "Where the data come from", data.sources),
        Item("8", _DATA, "Who was included and who was not", data.excluded),
        Item("9", _DATA, "How images were prepared", data.preparation),
        Item(
            "10",
            _DATA,
            "Parts of the data that were selected",
            known_in_part(data.assigned, "why these parts of the data"),
        ),
        Item(
            "11",
            _DATA,
            "How identities were removed",
            person("how images and tables were de-identified, and by whom"),
        ),
        Item(
            "12",
            _DATA,
            "What was done about missing data",
            person("how missing images, masks and characteristics were handled"),
        ),
        Item(
            "13",
            _DATA,
            "How images were acquired",
            known_in_part(data.characteristics, "scanners, settings and protocol of the acquisition"),
        ),
        Item(
            "14",
            _REFERENCE,
            "How the reference standard was obtained",
            person("how the reference masks were made"),
        ),
        Item("15", _REFERENCE, "Why this reference standard", person("why these masks are taken as true")),
        Item("16", _REFERENCE, "Who made the reference annotations", data.annotators),
        Item(
            "17",
            _REFERENCE,
            "How the test images were annotated",
            known_in_part(data.annotators, "whether test masks were drawn otherwise than training masks"),
        ),
        Item("18", _REFERENCE, "Variability between and within annotators", data.reader_variability),
        Item("19", _PARTITIONS, "How data were assigned to partitions", data.assigned),
        Item("20", _PARTITIONS, "Level on which partitions share nothing", data.disjoint),
        Item("21", _TESTING, "Sample size that was intended", results.sample_size),
        Item("22", _MODEL, "Description of the model", model.architecture),
        Item("23", _MODEL, "Software with versions", model.software),
        Item("24", _MODEL, "How weights were initialised", model.initial_weights),
        Item("25", _TRAINING, "How the model was trained", model.training),
        Item("26", _TRAINING, "How the final model was chosen", model.selection),
        Item("27", _TRAINING, "Ensembles", model.ensemble),
        Item("28", _EVALUATION, "Performance metrics", results.metrics),
        Item("29", _EVALUATION, "Uncertainty and significance", results.uncertainty),
        Item("30", _EVALUATION, "Robustness or sensitivity analysis", results.robustness),
        Item(
            "31",
            _EVALUATION,
            "Explainability or interpretability",
            person("whether such methods were used; the output itself is a mask that a reader sees"),
        ),
        Item("32", _EVALUATION, "Evaluation on internal data", results.internal_test),
        Item(
            "33",
            _EVALUATION,
            "Testing on external data",
            results.other_tests,
        ),
        Item(
            "34",
            _EVALUATION,
            "Registration as a clinical trial",
            person("the registration number, or that it is no trial"),
        ),
        Item("35", _RESULTS_DATA, "Numbers included and excluded", data.included_and_excluded),
        Item("36", _RESULTS_DATA, "Characteristics of the cases in each partition", data.characteristics),
        Item("37", _RESULTS, "Performance with its uncertainty", results.performance),
        Item("38", _RESULTS, "Diagnostic performance with its precision", results.diagnostic),
        Item("39", _RESULTS, "Analysis of failures", results.failures),
        Item("40", "Discussion", "Limitations", results.limits),
        Item("41", "Discussion", "What it means for practice", person("implications, intended use and role")),
        Item(
            "42",
            _OTHER,
            "Where the full protocol or technical details are",
            known_in_part(
                model.plan_of, "a reference to the protocol; the run folder holds the technical details"
            ),
        ),
        Item("43", _OTHER, "Availability of software, model and data", model.availability),
        Item("44", _OTHER, "Funding and the role of funders", person("funding and the role of funders")),
    ),
    (
        ("Calibration of probabilities", results.calibration),
        ("Performance by subgroup", results.subgroups),
        ("Rarity of lesions", data.class_balance),
        ("From probabilities to masks", model.decision),
        ("Images unlike those of the training", model.low_quality_input),
    ),
)
