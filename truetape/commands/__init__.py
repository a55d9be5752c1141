"""The nouns of the `truetape` command, one module each; truetape.cli finds them by themselves."""
