"""Diagnosis of someone else's hand-written backprop."""

from diagnosis.answer import Answer
from diagnosis.diagnose import diagnose, diagnose_file

__all__ = ["Answer", "diagnose", "diagnose_file"]
