"""How positions of an account that is short end: liquidation, auction, deleveraging."""
