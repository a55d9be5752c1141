"""Margin: how every account stands, who is short, and who is called."""
