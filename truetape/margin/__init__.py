"""Margin models behind one interface (`models.py`): pure functions of positions, market and parameters."""
