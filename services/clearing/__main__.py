"""Runs clearing: python -m services.clearing"""

from services.clearing.core import SERVICE
from truetape.process import main

if __name__ == "__main__":
    main(SERVICE)
