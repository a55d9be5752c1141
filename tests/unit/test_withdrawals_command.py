"""A withdrawal by command: what is sent, what is refused before it is, and how each one stands on the tape."""

from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.desk import some_meta
from truetape import demo, ids
from truetape import messages as m
from truetape.cli import build
from truetape.commands import deposit, withdrawals
from truetape.errors import AccountUnknown, AssetUnknown, MoneyError, SetupError
from truetape.money import to_e8
from truetape.reference import Reference

SPOT = {one.instrument_id: one for one in demo.instruments()}


def terms(reference: str, amount: str, account: str = "ann", asset: str = "USDT") -> m.TransferTerms:
    name = ids.transfer_id(account, reference)
    return m.TransferTerms(name, account, asset, to_e8(amount), "bank:main", reference)


def booked(one: m.TransferTerms) -> m.EntryBooked:
    return m.EntryBooked(
        meta=some_meta(), entry_id=one.transfer_id, account_id=one.account_id, kind="WITHDRAWAL", rule="transfer",
        lines=(), realised_e8=0, filled_e8=0, transacted_at_us=1, external_reference=one.external_reference,
    )  # fmt: skip


def approved(one: m.TransferTerms) -> m.TransferApproved:
    return m.TransferApproved(some_meta(), one)


def refused(one: m.TransferTerms) -> m.TransferRejected:
    return m.TransferRejected(some_meta(), one, "INSUFFICIENT_FUNDS", {})


FIRST, DEPOSIT, OTHERS, SECOND, DEAR = (
    terms("r-1", "-5"), terms("d-1", "9"), terms("r-1", "-7", account="bob"), terms("r-2", "-0.5", asset="BTC"),
    terms("r-1", "-6"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("records", "stands"),
    [
        ([], ""),
        ([approved(FIRST)], "5 USDT APPROVED"),
        ([approved(FIRST), booked(FIRST)], "5 USDT BOOKED"),
        ([refused(FIRST)], "5 USDT REFUSED INSUFFICIENT_FUNDS"),
        ([approved(DEPOSIT), booked(DEPOSIT), approved(OTHERS)], ""),
        ([approved(FIRST), booked(FIRST), refused(DEAR)], "5 USDT BOOKED"),  # Its reference is taken.
        ([refused(SECOND), approved(FIRST)], "5 USDT APPROVED, 0.5 BTC REFUSED INSUFFICIENT_FUNDS"),
    ],
)
def test_how_each_withdrawal_stands(records: list[Any], stands: str) -> None:
    rows = withdrawals.withdrawals("ann", records)
    said = [" ".join(filter(None, (row["amount"], row["asset"], row["state"], row["reason"]))) for row in rows]
    assert ", ".join(said) == stands


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ann", "USDT", "-5", "--reference", "r"], MoneyError),
        (["ann", "USDT", "0", "--reference", "r"], MoneyError),
        (["ann", "USDT", "5", "--reference", "r", "--location", "mars"], SetupError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(words: list[str], error: type[Exception]) -> None:
    found = CliRunner().invoke(build(), ["withdrawals", "request", *words])
    assert isinstance(found.exception, error), found.exception


def test_what_is_sent_takes_the_amount_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    class Hand:
        reference = Reference(instruments=SPOT, accounts={"ann": "Ann"})

        def __enter__(self) -> "Hand":
            return self

        def __exit__(self, *_: object) -> None: ...

        def transfer(self, one: m.TransferTerms) -> None:
            sent.append(one)

    monkeypatch.setattr(deposit, "operator", lambda _: Hand())
    words = ["withdrawals", "request", "ann", "USDT", "5", "--reference", "r-1", "--location", "bank:main"]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0 and "5 USDT of ann are approved" in done.output
    assert sent == [FIRST]
    for name, asset, error in (("ann", "FOO", AssetUnknown), ("zed", "USDT", AccountUnknown)):
        found = CliRunner().invoke(build(), ["withdrawals", "request", name, asset, "5", "--reference", "r-2"])
        assert isinstance(found.exception, error), found.exception
    assert sent == [FIRST]
