"""The shared numbers of published margin methods, run against the models: `python -m tests.vectors`."""
