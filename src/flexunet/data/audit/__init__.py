"""Find what would make a test score untrue, on any data set.

>>> from flexunet.data.audit import audit_dataset
>>> result = audit_dataset("dataset")  # doctest: +SKIP
>>> result.scores_hold, result.summary()  # doctest: +SKIP
"""

from flexunet.data.audit.findings import AuditResult, Finding
from flexunet.data.audit.run import audit_dataset

__all__ = ["AuditResult", "Finding", "audit_dataset"]
