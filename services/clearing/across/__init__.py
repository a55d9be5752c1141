"""What crosses partitions: rounds that ask all, parcels for one account, legs that are pursued."""
