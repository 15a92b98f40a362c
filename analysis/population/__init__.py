"""How often the rules for symptoms are wrong, measured on runs that were trained on.

`experiment=population` trains runs from sound to hopeless; its twin trains the same ones ten times
as long and so knows how they end. `python -m analysis.population` compares what the rules say early
with what the twin knows, and writes `analysis/error_rates.csv` and `docs/failure-modes.md`.
"""
