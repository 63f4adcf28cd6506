"""Storage Commitment (PS3.4 J): asking a peer to answer for objects, and answering for one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

# The well-known instance of the SOP class Storage Commitment Push Model (PS3.4 J.3.5).
COMMITMENT_CLASS = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST = 1  # action type
ALL_KEPT, SOME_MISSING = 1, 2  # event types
NO_SUCH_OBJECT, CLASS_CONFLICT = 0x0112, 0x0119
_REASONS = {
    0x0110: "processing failure",
    NO_SUCH_OBJECT: "the peer does not have it",
    CLASS_CONFLICT: "the peer has it as another kind of object",
    0x0122: "the peer does not store this kind",
    0x0131: "the request is a duplicate",
    0x0213: "the peer lacks resources",
}


@dataclass(frozen=True)
class Commitment:
    """What a peer answers for.

    Attributes:
        transaction: UID of the request.
        kept: UIDs of the objects that it keeps.
        missing: Why it does not answer for others, by UID.
    """

    transaction: str
    kept: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)


def request_of(transaction: str, objects: Iterable[tuple[str, str]]) -> Dataset:
    """The request for objects, each given by SOP class and instance."""
    from pydicom import Dataset

    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = [_reference(*each) for each in objects]
    return request


def answer_to(request: Dataset, class_of: Callable[[str], str | None]) -> tuple[int, Dataset]:
    """Event type and content of the answer to a request.

    Args:
        request: What the peer asks for.
        class_of: SOP class of an object that is safely stored; None if it is not.
    """
    from pydicom import Dataset

    kept, missing = [], []
    for each in request.get("ReferencedSOPSequence") or ():
        sop_class, instance = str(each.ReferencedSOPClassUID), str(each.ReferencedSOPInstanceUID)
        reference, stored = _reference(sop_class, instance), class_of(instance)
        if stored == sop_class:
            kept.append(reference)
        else:
            reference.FailureReason = NO_SUCH_OBJECT if stored is None else CLASS_CONFLICT
            missing.append(reference)
    answer = Dataset()
    answer.TransactionUID = request.TransactionUID
    if kept:
        answer.ReferencedSOPSequence = kept
    if missing:
        answer.FailedSOPSequence = missing
    return (SOME_MISSING if missing else ALL_KEPT), answer


def commitment_of(answer: Dataset) -> Commitment:
    """What the answer of a peer means."""
    return Commitment(
        str(answer.get("TransactionUID") or ""),
        {str(each.ReferencedSOPInstanceUID) for each in answer.get("ReferencedSOPSequence") or ()},
        {
            str(each.ReferencedSOPInstanceUID): _REASONS.get(
                int(each.get("FailureReason") or 0), "the peer says no reason"
            )
            for each in answer.get("FailedSOPSequence") or ()
        },
    )


def _reference(sop_class: str, instance: str) -> Dataset:
    from pydicom import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class
    reference.ReferencedSOPInstanceUID = instance
    return reference
