from flexunet.clinic.commitment import ALL_KEPT, SOME_MISSING, answer_to, commitment_of, request_of


def test_a_request_is_answered_object_by_object():
    request = request_of("2.25.7", [("1.2", "1.2.1"), ("1.2", "1.2.2"), ("1.2", "1.2.3")])
    stored = {"1.2.1": "1.2", "1.2.2": "9.9"}
    kind, answer = answer_to(request, stored.get)
    assert kind == SOME_MISSING
    commitment = commitment_of(answer)
    assert commitment.transaction == "2.25.7"
    assert commitment.kept == {"1.2.1"}
    assert commitment.missing == {
        "1.2.2": "the peer has it as another kind of object",
        "1.2.3": "the peer does not have it",
    }


def test_all_kept():
    kind, answer = answer_to(request_of("2.25.7", [("1.2", "1.2.1")]), lambda _: "1.2")
    assert kind == ALL_KEPT
    assert "FailedSOPSequence" not in answer
    assert commitment_of(answer).missing == {}
