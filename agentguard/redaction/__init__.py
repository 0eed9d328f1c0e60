"""Secrets and personal data are taken out of spans before they leave the process."""

from agentguard.redaction.redactor import Callback, Redactor
from agentguard.redaction.spans import SpanRedactor

__all__ = ["Callback", "Redactor", "SpanRedactor"]
