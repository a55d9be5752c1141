"""The audit: the whole tape read by the reader's rule, every state folded again, and compared with whatever claims to
know it: snapshots, live services, views. Reads everything, writes nothing.
"""

from truetape.audit.difference import Difference
from truetape.audit.evidence import EvidenceAudit
from truetape.audit.report import PartitionReport, Report, ViewReport
from truetape.audit.run import Audit
from truetape.audit.view import OpenView, Row, View

__all__ = ["Audit", "Difference", "EvidenceAudit", "OpenView", "PartitionReport", "Report", "Row", "View", "ViewReport"]
