"""The notary under the real run loop on a simulated cluster; and every lie told about its tape is found, and where."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.notary.core import SERVICE as NOTARY
from services.notary.core import Drafted, follows
from services.notary.sealer import PARTS, Sealer
from services.notary.session import Session
from tests.unit.audit_stage import TURN_US, Stage, Tape
from truetape import messages as m
from truetape.audit.evidence import EvidenceAudit
from truetape.audit.findings import Findings
from truetape.audit.report import EvidenceReport
from truetape.codec import encode
from truetape.errors import EvidenceError, ProofInvalid, SetupError, TapeGap
from truetape.evidence import keys, proof, published, witness
from truetape.evidence.checkpoint import Checkpoint, Head, SignedCheckpoint, parse
from truetape.evidence.forest import nodes_path
from truetape.evidence.leaf import CHAIN_START, leaf_of, linked
from truetape.evidence.tree import Peaks
from truetape.happenings import Part, Record
from truetape.runner import Runner
from truetape.simbroker import SimBroker

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = "clearing.entries"


class Office:
    """The notary of a stage: its runner, its session, and its folder."""

    def __init__(self, tape: Tape, folder: Path) -> None:
        keys.create(folder)
        self.broker, self.folder = tape.broker, folder
        log = tape.broker.log("notary-session")
        self.sealer = Sealer(log, folder, keys.load(folder), every_seconds=0.05, every_records=40)
        self.runner: Runner[Any]
        self.session = Session(lambda *offer: self.runner.offer(*offer), lambda: self.sealer)
        if isinstance(tape, Stage):  # It runs already, and only lacks its effects.
            self.runner = tape.runners["notary"]
            self.session.resume(0, NOTARY.initial())
        else:
            self.runner = Runner(NOTARY, tape.broker.log("notary-again"), tape.settings)
            self.runner.start()
        self.runner.effects = self.session

    def settle(self, turns: int = 200) -> None:
        """Let the notary sign what there is."""
        for _ in range(turns):
            self.broker.advance(TURN_US)
            self.runner.turn(0.0)
            self.session.turn(self.sealer, 0.0)

    def close(self) -> None:
        """Let go of its files."""
        self.sealer.release()

    def events(self) -> list[m.CheckpointSigned]:
        """What it put on its topic."""
        return [event for _, event in published.published(self.broker.log("reader"), 5.0)]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tape, Path]:
    """A tape that was traded on and sealed, and the notary's folder."""
    folder = tmp_path_factory.mktemp("notary")
    stage = Stage()
    office = Office(stage, folder)
    office.settle(60)
    stage.trade()
    office.settle()
    office.close()
    return stage, folder


@pytest.fixture
def tape(sealed: tuple[Tape, Path]) -> Tape:
    return sealed[0].copy()


@pytest.fixture
def folder(sealed: tuple[Tape, Path]) -> Path:
    return sealed[1]


def check(tape: Tape, folder: Path, **options: Any) -> tuple[EvidenceReport, list[tuple[str, str]]]:
    findings = Findings()
    report = EvidenceAudit(folder, **options).run(tape.broker.log("auditor"), findings, 5.0)
    return report, [(one.where, one.what) for one in findings.kept]


def busiest(tape: Tape) -> Part:
    """The partition of entries with the most records."""
    return max((part for part in PARTS if part.topic == ENTRIES), key=lambda part: len(tape.broker.records(part)))


# -- a true tape -------------------------------------------------------------------------------------------------


def test_a_true_tape_is_equal_and_covered(tape: Tape, folder: Path) -> None:
    report, found = check(tape, folder)
    assert found == []
    everything = sum(len(tape.broker.records(part)) for part in PARTS)
    assert (report.verdict, report.covered, report.uncovered, report.pinned) == ("equal", everything, 0, True)
    assert report.checkpoints == report.witnessed > 3


def test_checkpoints_are_numbered_chained_and_in_the_witness(sealed: tuple[Tape, Path]) -> None:
    tape, folder = sealed
    events = [event for _, event in published.published(tape.broker.log("reader"), 5.0)]
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [parse(event.note).previous for event in events[1:]] == [event.digest for event in events[:-1]]
    lines = list(witness.read(folder / witness.WITNESS_FILE))
    assert [(line.number, line.digest) for line in lines] == [(event.number, event.digest) for event in events]


def test_without_any_checkpoint_there_is_nothing_to_compare(tmp_path: Path) -> None:
    empty = Tape(SimBroker(1))
    assert check(empty, tmp_path)[0].verdict == "none"
    assert check(empty, tmp_path, required=True)[1] == [("audit.checkpoints/0", "checkpoints")]


def test_what_came_after_the_last_checkpoint_is_not_proven(tape: Tape, folder: Path) -> None:
    tape.broker.produce(busiest(tape), b"", b"later")
    assert check(tape, folder)[0].uncovered == 1


# -- lies, each with the place where it is found -----------------------------------------------------------------


def records_of(tape: Tape, part: Part) -> list[Record]:
    return tape.broker.partition(part)._records


def flip(value: bytes | None, at: int = -1) -> bytes:
    changed = bytearray(value or b"\0")
    changed[at] ^= 1
    return bytes(changed)


def renumber(records: list[Record]) -> None:
    records[:] = [record._replace(offset=offset) for offset, record in enumerate(records)]


def change_value(records: list[Record], at: int) -> None:
    records[at] = records[at]._replace(value=flip(records[at].value))


def change_key(records: list[Record], at: int) -> None:
    records[at] = records[at]._replace(key=(records[at].key or b"") + b"x")


def change_header(records: list[Record], at: int) -> None:
    records[at] = records[at]._replace(headers=[("event_type", b"Other")])


def delete(records: list[Record], at: int) -> None:
    del records[at]
    renumber(records)


def insert(records: list[Record], at: int) -> None:
    records.insert(at, records[at - 1])
    renumber(records)


def reorder(records: list[Record], at: int) -> None:
    records[at], records[at + 1] = records[at + 1], records[at]
    renumber(records)


def replace_by_another_place(records: list[Record], at: int) -> None:
    records[at] = records[at - 1]._replace(offset=at)


LIES: tuple[Callable[[list[Record], int], None], ...] = (
    change_value, change_key, change_header, delete, insert, reorder, replace_by_another_place,
)  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_found_at_its_first_record(tape: Tape, folder: Path, lie: Callable[[list[Record], int], None]) -> None:
    part = busiest(tape)
    records = records_of(tape, part)
    at = len(records) // 2
    lie(records, at)
    report, found = check(tape, folder)
    assert report.verdict == "differs"
    assert found[0] == (f"{part}@{at}", "the record")


@pytest.mark.parametrize("at", [0, 1, -1])
def test_the_first_and_the_last_record_are_covered_too(tape: Tape, folder: Path, at: int) -> None:
    part = busiest(tape)
    records = records_of(tape, part)
    change_value(records, at)
    assert check(tape, folder)[1] == [(f"{part}@{at % len(records)}", "the record")]


def test_without_the_trees_a_lie_is_found_between_two_checkpoints(tape: Tape, folder: Path, tmp_path: Path) -> None:
    part = busiest(tape)
    records = records_of(tape, part)
    at = len(records) // 2
    change_value(records, at)
    [(where, what)] = check(tape, tmp_path)[1]
    first = int(where.rpartition("@")[2])
    last = int(what.partition(" (")[0].rpartition(" ")[2])
    assert first <= at <= last and what.endswith("(the notary has no tree here)")


def test_a_changed_tree_is_not_believed(tape: Tape, folder: Path, tmp_path: Path) -> None:
    part = busiest(tape)
    copy = tmp_path / "notary"
    (copy / "trees").mkdir(parents=True)
    data = bytearray(nodes_path(folder, part).read_bytes())
    data[0] ^= 1
    nodes_path(copy, part).write_bytes(data)
    assert check(tape, copy)[1] == [], "a tree is only asked where the tape differs"
    change_value(records_of(tape, part), 0)
    [(where, what)] = check(tape, copy)[1]
    assert where == f"{part}@0" and what.endswith("(the notary's tree is not what was signed)")


def test_a_truncated_tape_is_found_at_its_end(tape: Tape, folder: Path) -> None:
    part = busiest(tape)
    end = len(records_of(tape, part))
    tape.broker.partition(part).cut(3)
    assert check(tape, folder)[1] == [(f"{part}@{end - 3}", "records that are cut off")]


def test_expired_records_are_found(tape: Tape, folder: Path) -> None:
    part = busiest(tape)
    tape.broker.partition(part).expire(2)
    assert check(tape, folder)[1] == [(f"{part}@0", "its first records")]


def test_a_hole_in_the_offsets_is_found(tape: Tape, folder: Path) -> None:
    part = busiest(tape)
    del records_of(tape, part)[4]
    where, what = check(tape, folder)[1][0]
    assert (where, what) == (f"{part}@4", "records that are gone")


def resign(tape: Tape, folder: Path, cut_by: int) -> int:
    """Who has the key and the broker cuts entries off, drops the checkpoints that knew them, and signs what is left
    anew. The number of the first false checkpoint."""
    part = busiest(tape)
    tape.broker.partition(part).cut(cut_by)
    end = len(records_of(tape, part))
    events = [event for _, event in published.published(tape.broker.log("r"), 5.0)]
    sizes = [parse(event.note).heads.get(part, Head(0, "", "")).size for event in events]
    keep = next(number for number, size in enumerate(sizes) if size > end)
    tape.broker.partition(published.CHECKPOINTS).cut(len(events) - keep)
    last = [event for _, event in published.published(tape.broker.log("r"), 5.0)][-1]
    heads: dict[Part, Head] = {}
    for one in PARTS:
        peaks = Peaks()
        chain = CHAIN_START
        for record in tape.broker.records(one):
            peaks.append(leaf_of(record))
            chain = linked(chain, leaf_of(record))
        if peaks.size:
            heads[one] = Head(peaks.size, peaks.root().hex(), chain.hex())
    forged = Checkpoint(last.number + 1, last.digest, parse(last.note).at_us + 1, heads)
    signed = keys.sign(keys.load(folder), forged)
    meta = msgspec.structs.replace(last.meta, sequence=last.meta.sequence + 1)
    event = m.CheckpointSigned(meta, forged.number, signed.digest, signed.note, signed.signature, signed.public_key)
    tape.broker.produce(published.CHECKPOINTS, b"", encode(event))
    return forged.number


def test_a_head_that_was_cut_off_and_signed_again_is_found_by_the_witness_alone(
    tape: Tape, folder: Path, tmp_path: Path
) -> None:
    count = sum(1 for _ in published.published(tape.broker.log("r"), 5.0))
    part = busiest(tape)
    end = len(records_of(tape, part))
    first = resign(tape, folder, cut_by=3)
    (tmp_path / keys.PUBLIC_FILE).write_text((folder / keys.PUBLIC_FILE).read_text())
    report, found = check(tape, tmp_path)
    assert (report.verdict, found) == ("equal", []), "all that is inside Kafka agrees with itself"
    report, found = check(tape, folder)
    assert report.verdict == "differs"
    assert (f"{part}@{end - 3}", "records that are cut off") in found
    path = folder / witness.WITNESS_FILE
    assert (f"{path}, checkpoint {first}", "another checkpoint of this number") in found
    assert first == count or (f"{path}, checkpoint {count}", "a checkpoint that is no longer on the tape") in found


def test_a_line_of_the_operators_log_is_a_witness_too(tape: Tape, folder: Path, tmp_path: Path) -> None:
    lines = list(witness.read(folder / witness.WITNESS_FILE))
    log = tmp_path / "notary.log"
    shipped = [{"event": "owner", "partition": 0}] + [
        {"event": "checkpoint", "number": line.number, "digest": line.digest, "level": "info"} for line in lines
    ]
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in shipped))
    elsewhere = tmp_path / "elsewhere"
    assert check(tape, elsewhere, witnesses=[log])[1] == []
    first = resign(tape, folder, cut_by=3)
    found = check(tape, elsewhere, witnesses=[log])[1]
    assert (f"{log}, checkpoint {first}", "another checkpoint of this number") in found


def test_two_checkpoints_of_one_size_are_a_fork(tape: Tape, folder: Path) -> None:
    part = busiest(tape)
    lines = list(witness.read(folder / witness.WITNESS_FILE))
    true = next(parse(line.note) for line in lines if part in parse(line.note).heads)
    false = {one: head._replace(root="ab" * 32) if one == part else head for one, head in true.heads.items()}
    forged = keys.sign(keys.load(folder), Checkpoint(true.number, true.previous, true.at_us, false))
    other = folder.parent / "other.jsonl"
    other.write_bytes(msgspec.json.encode(witness.testimony(true.number, forged)) + b"\n")
    size = true.heads[part].size
    found = check(tape, folder, witnesses=[other])[1]
    assert (f"{part}@{size}", f"two checkpoints of {size} records") in found


def test_a_checkpoint_of_another_key_is_no_evidence(tape: Tape, folder: Path, tmp_path: Path) -> None:
    stranger = keys.create(tmp_path / "stranger")
    found = check(tape, folder, public_key=stranger)[1]
    assert found and all(what == "the signature" for _, what in found)


def test_a_changed_checkpoint_and_a_changed_witness_are_found(tape: Tape, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes((folder / witness.WITNESS_FILE).read_bytes().replace(b'"signature":"', b'"signature":"00', 1))
    assert check(tape, folder, witnesses=[copy])[1] == [], "the text is what the topic has, and that is signed"
    copy.write_bytes((folder / witness.WITNESS_FILE).read_bytes().replace(b"time 1", b"time 2", 1))
    assert check(tape, folder, witnesses=[copy])[1] == [(str(copy), "the witness")]
    records = tape.broker.partition(published.CHECKPOINTS)._records
    records[2] = records[2]._replace(value=(records[2].value or b"").replace(b"time 1", b"time 2"))
    wheres = [where for where, _ in check(tape, folder)[1]]
    assert "audit.checkpoints/0@2" in wheres


# -- the notary refuses ------------------------------------------------------------------------------------------


def resumed(tape: Tape, folder: Path) -> Office:
    """Another notary on the tape, as after a restart."""
    office = Office(tape, folder)
    try:
        office.settle(60)
        tape.broker.produce(busiest(tape), b"k", b"one more")
        office.settle()
    finally:
        office.close()
    return office


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of the notary's folder, for a notary that goes on."""
    copy = tmp_path / "own"
    subprocess.run(["cp", "-a", str(folder), str(copy)], check=True)
    return copy


def test_it_goes_on_after_a_restart_also_without_its_trees(tape: Tape, own: Path) -> None:
    for path in (own / "trees").iterdir():
        path.write_bytes(b"not a tree")
    before = len(list(witness.read(own / witness.WITNESS_FILE)))
    office = resumed(tape, own)
    assert len(office.events()) > before
    report, found = check(tape, own)
    assert (found, report.uncovered) == ([], 0)


def test_it_tells_a_witness_what_it_missed(tape: Tape, own: Path) -> None:
    path = own / witness.WITNESS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    resumed(tape, own)
    assert path.read_bytes().startswith(b"".join(lines))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda tape: tape.broker.partition(busiest(tape)).cut(3), TapeGap),
        (lambda tape: tape.broker.partition(published.CHECKPOINTS).cut(2), TapeGap),
    ],
    ids=["truncated", "checkpoints lost"],
)
def test_it_signs_nothing_on_a_tape_that_lost_something(
    tape: Tape, own: Path, damage: Callable[[Tape], Any], error: type[Exception]
) -> None:
    damage(tape)
    with pytest.raises(error):
        resumed(tape, own)


def test_it_signs_nothing_on_a_changed_tape_when_it_builds_its_trees_again(tape: Tape, own: Path) -> None:
    change_value(records_of(tape, busiest(tape)), 1)
    nodes_path(own, busiest(tape)).unlink()
    with pytest.raises(EvidenceError, match="not those of checkpoint"):
        resumed(tape, own)


def test_another_key_does_not_go_on_with_these_checkpoints(tape: Tape, own: Path) -> None:
    (own / keys.KEY_FILE).unlink()
    with pytest.raises(EvidenceError, match="signed by key"):
        resumed(tape, own)


def test_the_key_is_private(tmp_path: Path) -> None:
    public = keys.create(tmp_path)
    path = tmp_path / keys.KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.create(tmp_path) == public, "a second start keeps it"
    path.chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        keys.load(tmp_path)


# -- proofs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def proofs(tape: Tape, folder: Path) -> Iterator[proof.InclusionProof]:
    return every_proof(tape, folder)


def every_proof(tape: Tape, folder: Path) -> Iterator[proof.InclusionProof]:
    log, part = tape.broker.log("prover"), busiest(tape)
    found = published.of_part((event for _, event in published.published(log, 5.0)), part)
    for record in tape.broker.records(part):
        one = published.covering(found, record.offset)
        with closing(published.tree_of(log, folder, part, one.head, 5.0)) as nodes:
            yield proof.include(record, nodes, one.signed, one.head.size)


def test_every_record_is_proven_and_the_independent_script_agrees(
    proofs: Iterator[proof.InclusionProof], folder: Path, tmp_path: Path
) -> None:
    public = (folder / keys.PUBLIC_FILE).read_text().strip()
    for number, one in enumerate(proofs):
        proof.check_inclusion(one, public)
        if number % 7 == 0:
            path = tmp_path / "proof.json"
            path.write_bytes(msgspec.json.encode(one))
            assert third_party(path, public).returncode == 0
            path.write_bytes(msgspec.json.encode(msgspec.structs.replace(one, path=[*one.path, "00" * 32])))
            assert "NOT PROVEN" in third_party(path, public).stderr
            path.write_bytes(msgspec.json.encode(one).replace(b'"offset":', b'"offset":1', 1))
            assert third_party(path, public).returncode == 1


def third_party(path: Path, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "check_proof.py"), str(path), "--key", key]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_proof_of_something_else_is_refused(proofs: Iterator[proof.InclusionProof], folder: Path) -> None:
    public = (folder / keys.PUBLIC_FILE).read_text().strip()
    one = list(proofs)[3]
    other = msgspec.structs.replace(one.record, value="AAAA")
    for false in (
        msgspec.structs.replace(one, record=other),
        msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, offset=one.record.offset + 1)),
        msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, value="not base64")),
        msgspec.structs.replace(one, path=["zz"]),
        msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, topic="other")),
    ):
        with pytest.raises(ProofInvalid):
            proof.check_inclusion(false, public)
    with pytest.raises(EvidenceError):
        proof.check_inclusion(one, keys.create(folder.parent / "stranger"))


def test_checkpoints_are_consistent_and_a_fork_is_not(tape: Tape, folder: Path) -> None:
    log, part = tape.broker.log("prover"), busiest(tape)
    public = (folder / keys.PUBLIC_FILE).read_text().strip()
    found = published.of_part((event for _, event in published.published(log, 5.0)), part)
    assert len(found) > 1
    for old in found:
        for new in found:
            if old.number <= new.number:
                with closing(published.tree_of(log, Path("/nonexistent"), part, new.head, 5.0)) as nodes:
                    one = proof.extend(part, nodes, old.signed, new.signed, (old.head.size, new.head.size))
                proof.check_consistency(one, public)
    heads = {**parse(found[0].signed.note).heads, part: found[0].head._replace(root="cd" * 32)}
    forked = keys.sign(keys.load(folder), Checkpoint(found[0].number, "0" * 64, 1, heads))
    with pytest.raises(ProofInvalid, match="no continuation"):
        proof.check_consistency(msgspec.structs.replace(one, first=forked), public)


# -- texts -------------------------------------------------------------------------------------------------------


def test_a_text_has_one_form_only() -> None:
    heads = {Part("b", 1): Head(2, "1" * 64, "2" * 64), Part("a", 0): Head(1, "3" * 64, "4" * 64)}
    note = Checkpoint(7, "0" * 64, 5, heads).text()
    assert parse(note).text() == note
    lines = note.splitlines(keepends=True)
    for bad in (
        note + "\n", note + " ", note[:-1], note.replace("checkpoint 7", "checkpoint 07"),
        note.replace("b/1 2", "b/1 02"),
        "".join([*lines[:3], lines[4], lines[3]]), note + lines[-1], note.replace("3", "G"), "", "truetape",
        note.replace("a/0 1", "a/0  1"),
    ):  # fmt: skip
        with pytest.raises(EvidenceError):
            parse(bad)


def test_an_old_draft_writes_nothing(sealed: tuple[Tape, Path]) -> None:
    tape, _ = sealed
    events = [event for _, event in published.published(tape.broker.log("reader"), 5.0)]
    state = NOTARY.initial()
    for event in events:
        state = NOTARY.evolve(state, event)
    assert (state.number, state.digest) == (events[-1].number, events[-1].digest)
    assert not follows(state, parse(events[-1].note)) and not follows(state, parse(events[0].note))
    given: Any = type("Given", (), {"message": Drafted(SignedCheckpoint(events[0].note, "", ""))})()
    assert NOTARY.decide(state, given) is None
