"""TRIPOD+AI: reporting of studies that make or evaluate a prediction model, 27 items with their parts.

Source: Collins, G. S. et al. (2024), TRIPOD+AI statement, BMJ 385, e078378. Topics are in this project's
words. A segmentation model is reported as one that predicts where lesions are, from an image.
"""

from __future__ import annotations

from flexunet.reporting import fill_data as data
from flexunet.reporting import fill_model as model
from flexunet.reporting import fill_results as results
from flexunet.reporting.answers import Checklist, Item, known_in_part, not_applicable, person

_INTRO, _METHODS, _OPEN, _RESULTS, _DISCUSSION = (
    "Introduction",
    "Methods",
    "Open science",
    "Results",
    "Discussion",
)
_IMAGE_ONLY = "The image is the only predictor."

TRIPOD = Checklist(
    "tripod",
    "TRIPOD+AI 2024",
    "Collins et al. (2024), BMJ 385, e078378",
    (
        Item(
            "1",
            "Title",
            "Model made or evaluated, population and outcome named",
            person("a title that says so"),
        ),
        Item(
            "2",
            "Abstract",
            "Abstract by TRIPOD+AI for Abstracts",
            known_in_part(results.performance, "the abstract"),
        ),
        Item("3a", _INTRO, "Context of care and why a model", person("the context, and models that exist")),
        Item("3b", _INTRO, "For whom, and where in the pathway of care", person("population, use and users")),
        Item("3c", _INTRO, "Known inequalities between groups of people", person("known inequalities")),
        Item("4", _INTRO, "Objectives", person("objectives: making a model, evaluating it, or both")),
        Item("5a", _METHODS, "Sources of training and test data", data.sources),
        Item("5b", _METHODS, "Dates of the data", person("first and last date of the images")),
        Item("6a", _METHODS, "Setting, centres, places", person("setting, number and place of the centres")),
        Item("6b", _METHODS, "Criteria of eligibility", data.excluded),
        Item(
            "6c",
            _METHODS,
            "Treatments",
            person("treatments that matter, such as surgery or implants, or that there were none"),
        ),
        Item("7", _METHODS, "Preparation and quality checks, alike for all groups", data.preparation),
        Item(
            "8a",
            _METHODS,
            "Outcome and how it was assessed",
            known_in_part(data.annotators, "what counts as a lesion, and when it was assessed"),
        ),
        Item("8b", _METHODS, "Qualification of those who assessed it", data.annotators),
        Item(
            "8c",
            _METHODS,
            "Blinding of the assessment",
            person("whether annotators knew model results or the pathology"),
        ),
        Item("9a", _METHODS, "Choice of predictors", not_applicable(_IMAGE_ONLY)),
        Item(
            "9b",
            _METHODS,
            "Definition and measurement of predictors",
            known_in_part(data.preparation, "scanners and acquisition of the images"),
        ),
        Item("9c", _METHODS, "Qualification of those who assessed predictors", not_applicable(_IMAGE_ONLY)),
        Item("10", _METHODS, "Sample size", results.sample_size),
        Item("11", _METHODS, "Missing data", person("missing images, masks and characteristics")),
        Item("12a", _METHODS, "How data were used and divided", data.assigned),
        Item("12b", _METHODS, "Handling of predictors", data.preparation),
        Item(
            "12c",
            _METHODS,
            "Kind of model, its making, hyperparameters and internal validation",
            model.training,
        ),
        Item(
            "12d",
            _METHODS,
            "Differences between clusters such as hospitals",
            known_in_part(results.subgroups, "how differences between centres were handled"),
        ),
        Item("12e", _METHODS, "Measures and plots of performance", results.metrics),
        Item(
            "12f",
            _METHODS,
            "Updating of the model",
            person("whether the model was updated after it was evaluated"),
        ),
        Item("12g", _METHODS, "How predictions were computed in the evaluation", model.decision),
        Item("13", _METHODS, "Class imbalance", data.class_balance),
        Item(
            "14",
            _METHODS,
            "Fairness between groups",
            known_in_part(results.subgroups, "which groups matter and why"),
        ),
        Item("15", _METHODS, "Output of the model and thresholds", model.decision),
        Item(
            "16",
            _METHODS,
            "How training and test data differ",
            known_in_part(data.characteristics, "differences in setting, eligibility and outcome"),
        ),
        Item("17", _METHODS, "Ethical approval", person("approval and consent")),
        Item("18a", _OPEN, "Funding", person("funding and the role of funders")),
        Item("18b", _OPEN, "Conflicts of interest", person("conflicts of interest")),
        Item("18c", _OPEN, "Protocol", person("where the protocol is, or that there is none")),
        Item("18d", _OPEN, "Registration", person("registration, or that the study is not registered")),
        Item("18e", _OPEN, "Data sharing", person("where the data can be had, and their licence")),
        Item("18f", _OPEN, "Code sharing", model.availability),
        Item(
            "19",
            "Patient and public involvement",
            "Who was involved and how",
            person("involvement, or that there was none"),
        ),
        Item("20a", _RESULTS, "Flow of participants", data.included_and_excluded),
        Item("20b", _RESULTS, "Characteristics of participants", data.characteristics),
        Item("20c", _RESULTS, "Comparison of test and training data", data.characteristics),
        Item("21", _RESULTS, "Participants and outcomes in each analysis", data.included_and_excluded),
        Item(
            "22",
            _RESULTS,
            "The whole model, so that it can be used",
            known_in_part(
                model.architecture,
                "where the weights can be had; configuration and weights are in the run folder",
            ),
        ),
        Item(
            "23a", _RESULTS, "Performance with intervals, by group too", results.performance_and_calibration
        ),
        Item("23b", _RESULTS, "Differences of performance between clusters", results.subgroups),
        Item("24", _RESULTS, "Results of an update", person("results of an update, or that there was none")),
        Item(
            "25",
            _DISCUSSION,
            "Interpretation, fairness included",
            person("interpretation beside earlier studies"),
        ),
        Item("26", _DISCUSSION, "Limitations", results.limits),
        Item("27a", _DISCUSSION, "What happens with poor or missing input", model.low_quality_input),
        Item(
            "27b",
            _DISCUSSION,
            "What users do, and what they must know",
            person("interaction and expertise of users"),
        ),
        Item("27c", _DISCUSSION, "Next steps", person("further research, and where the model would apply")),
    ),
)
