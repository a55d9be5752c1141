"""Defaults: from their declaration through the waterfall to what comes back, the funds that pay, and porting."""
