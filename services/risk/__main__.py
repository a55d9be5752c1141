"""Runs risk: python -m services.risk"""

from services.risk.core import SERVICE
from truetape.process import main

if __name__ == "__main__":
    main(SERVICE)
