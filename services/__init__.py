"""The services, in the order in which an order meets them: gateway, risk, router, clearing.

Beside them: pricing, reconciler and notary.
"""
