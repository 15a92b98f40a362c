"""Asking the diagnosis about a program, and reading its answer."""

from diagnosis.diagnose import diagnose, examine
from diagnosis.subject import given

from .truth import module

WANTED = ("params", "X", "Y", "loss", "grads")


def parts_of(text):
    """Run a program; return what it hands over, in the order that `diagnose` takes it."""
    names = module(text)
    return [names[name] for name in WANTED] + [names.get("train")]


def subject_of(text):
    """Return a program as the diagnosis asks it, in this process."""
    return given(*parts_of(text))


def of_text(text, *, fix=False):
    """Diagnose a program."""
    return examine(subject_of(text), fix=True) if fix else diagnose(*parts_of(text))


def words(answer):
    """Return the mistakes named, in order."""
    return [finding.defect for finding in answer.findings]


def wrong(answer):
    """Return the names of the arrays whose gradient is wrong."""
    return [name for name, check in answer.checks.items() if not check.ok]
