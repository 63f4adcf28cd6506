"""Which form an answer takes; what it holds is tested over real connections in test_app.py."""

import pytest

from flexunet.serve.answers import choose_format
from flexunet.serve.problems import ProblemError


@pytest.mark.parametrize(
    ("asked", "accept", "form"),
    [
        (None, None, "lesions"),
        (None, "*/*", "lesions"),
        (None, "image/png", "mask"),
        (None, "image/avif,image/webp,*/*;q=0.8", "lesions"),
        (None, "text/html, application/dicom;q=0.5, image/png;q=0.4", "segmentation"),
        (None, "application/json;q=0, image/png;q=0.1", "mask"),
        (None, "image/png;q=nonsense, application/json", "lesions"),
        (None, "image/*, application/json", "lesions"),  # the more precise one
        ("overlay", "application/json", "overlay"),
    ],
)
def test_the_format_is_what_was_asked_for_else_what_is_accepted(asked, accept, form):
    assert choose_format(asked, accept) == form


@pytest.mark.parametrize(
    ("asked", "accept", "status"),
    [("svg", None, 400), (None, "text/html", 406), (None, "image/png;q=0", 406)],
)
def test_what_there_is_not_is_a_problem(asked, accept, status):
    with pytest.raises(ProblemError) as problem:
        choose_format(asked, accept)
    assert problem.value.status == status
