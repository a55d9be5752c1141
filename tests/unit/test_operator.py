"""What the command line's deposits tell when they are repeated: risk does not answer an approved transfer again."""

import pytest

from tests.unit.desk import ANN, START_US, transfer
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.operator import NoAnswer, Operator, Refused
from truetape.simbroker import SimBroker
from truetape.simlog import SimLog
from truetape.topics import ORDERS_COMMANDS, ORDERS_DECISIONS, REFERENCE_EVENTS

PART = Part(ORDERS_DECISIONS.name, ids.partition_of(ANN, ORDERS_DECISIONS.partitions))


@pytest.fixture
def hand() -> Operator:
    """On a tape where one deposit of 5 USDT is approved, behind it a void approval of another; risk is away."""
    broker = SimBroker(1, (REFERENCE_EVENTS, ORDERS_COMMANDS, ORDERS_DECISIONS))
    log = SimLog(broker, "risk")
    for event in (
        m.Began(meta(2, 0), "risk"),
        m.TransferApproved(meta(2, 1), transfer("5")),
        m.TransferApproved(meta(1, 1), transfer("7", reference="of a zombie")),
    ):
        log.append(PART, ANN.encode(), encode(event), [], None)
    log.flush(1.0)
    broker.advance(1_000_000)
    return Operator(SimLog(broker, "operator"))


def meta(epoch: int, sequence: int) -> m.Meta:
    cause = m.Cause(ORDERS_COMMANDS.name, PART.partition, sequence, "")
    return m.Meta(epoch, sequence, cause, START_US, ids.event_id(PART.topic, cause), "")


def test_a_repeated_deposit_gets_the_approval_that_it_had(hand: Operator) -> None:
    assert hand.transfer(transfer("5"), seconds=0.01).transfer == transfer("5")


def test_a_repeated_deposit_is_looked_for_long_before_waiting_ends(
    hand: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("truetape.operator.SOON_SECONDS", 0.01)
    assert hand.transfer(transfer("5"), seconds=1e9).transfer == transfer("5")


@pytest.mark.parametrize("other", [transfer("6"), transfer("5", asset="BTC"), transfer("5", location="bank:main")])
def test_a_reference_used_for_other_terms_is_refused_with_those_it_had(hand: Operator, other: m.TransferTerms) -> None:
    with pytest.raises(Refused, match="'1' belongs to a transfer of 5 USDT at venue:alpha"):
        hand.transfer(other, seconds=0.01)


def test_what_nobody_approved_has_no_answer(hand: Operator) -> None:
    for asked in (transfer("5", reference="new"), transfer("7", reference="of a zombie")):
        with pytest.raises(NoAnswer, match="is it running"):
            hand.transfer(asked, seconds=0.01)
