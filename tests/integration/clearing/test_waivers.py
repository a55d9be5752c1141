"""A member in default has orders of which the venue says nothing. The house lets the default go on without them: by the
API, by the client and by the command line; they stay UNKNOWN until the venue speaks again."""

import pytest

from tests.integration.clearing.house import SECONDS, House, Lost, refused
from tests.integration.gateway.desk import await_true

pytestmark = pytest.mark.timeout(300)


def test_a_default_goes_on_without_orders_that_stay_unknown(house: House, lost: Lost) -> None:
    member, (one, two, three) = lost.member, lost.order_ids
    path = f"/v1/admin/defaults/{lost.default_id}"
    assert lost.early == ("default_refused", "STATE_WRONG"), "the venue is waited for first"

    def stands() -> tuple[str, list[str]]:
        found = house.admin.default(lost.default_id).default
        return found.state, found.waived

    await_true(lambda: "have not ended" in house.say("default", "show", member.name), 2 * SECONDS)
    assert stands() == ("DECLARED", []) and lost.statuses() == {"UNKNOWN"}
    body = {"account_id": member.name, "order_ids": [one], "reason": "the venue is gone"}
    assert house.admin.administer("POST", f"{path}/waivers", body)["waived"] == [one]
    again = refused(lambda: house.admin.waive_orders(member.name, lost.default_id, [one, two], "both"))
    assert again == ("default_refused", "NUMBERS_WRONG"), "one is waived already"
    assert house.admin.waive_orders(member.name, lost.default_id, [two], "this one too").waived == [one, two]
    assert stands() == ("DECLARED", [one, two]), "the third is waited for"
    said = house.say(
        "default", "waive", member.name, lost.default_id, three, "--reason", "and the last", "--yes", "--by", "olga"
    )
    assert f"does not wait for {one}, {two}, {three} any more" in said
    await_true(lambda: stands() == ("ENDED", [one, two, three]), SECONDS)

    assert lost.statuses() == {"UNKNOWN"}, "nobody has said anything of them"
    assert reserved(lost) >= 180, "they may still fill"
    history = house.admin.default(lost.default_id).records
    words = {record.detail for record in history}
    assert {"the venue is gone", "this one too", "and the last"} <= words, "who said it and why is on the tape"
    assert history[-1].waived_by == "operator:olga" and history[-1].state == "ENDED"
    over = refused(lambda: house.admin.waive_orders(member.name, lost.default_id, ["0" * 32], "one more"))
    assert over == ("default_refused", "STATE_WRONG")

    house.speak()
    await_true(lambda: "UNKNOWN" not in lost.statuses(), SECONDS)
    await_true(lambda: reserved(lost) == 0)
    assert stands() == ("ENDED", [one, two, three]) and member.cash() == "1000"


def reserved(lost: Lost) -> float:
    """USDT that its orders may use."""
    return sum(float(one.reserved) for one in lost.member.client.balances() if one.asset == "USDT")
