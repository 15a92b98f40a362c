"""Hydra's way into this project: a sweeper that knows zip and only, a launcher that stacks runs."""
