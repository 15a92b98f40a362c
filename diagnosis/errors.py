"""How a subject can fail to be diagnosed, as sentences for the reader."""

from __future__ import annotations


class SubjectFailed(Exception):
    """The subject could not be run; the message is for the reader."""


class CallFailed(SubjectFailed):
    """One call of the subject's functions failed, at a point of our choosing or the author's."""
