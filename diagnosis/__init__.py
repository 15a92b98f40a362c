"""Diagnosis of someone else's hand-written backprop."""
