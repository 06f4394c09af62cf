"""Where conversations rest: beside the model while few do, otherwise in main memory, and never lost for it."""

from svc_chat.engine.backend import Batch
from svc_chat.engine.base import Sampling
from svc_chat.engine.fake_backend import FakeBackend
from svc_chat.engine.sampling import Chooser
from svc_chat.engine.sequence import Sequence
from svc_chat.engine.slots import Place, Slots
from svc_chat.engine.spill import SpillStore
from svc_chat.engine.textstream import TextStream

TOKEN_BYTES = 4
"""What the fake backend saves of a token."""


def sequence(tokens: list[int]) -> Sequence:
    return Sequence(tokens, Chooser.of(Sampling(), tokens), TextStream(), lambda item: None, 10, 1e9)


def visit(slots: Slots, backend: FakeBackend, tokens: list[int]) -> int:
    """Let a conversation come, read what is new and go; return how many tokens it found."""
    visitor = sequence(tokens)
    assert slots.place(visitor) is Place.TAKEN
    found = visitor.cached
    assert visitor.slot is not None and slots.grow(visitor.pending)
    batch = Batch()
    batch.add(visitor.slot, visitor.read, tokens[visitor.read :], last_row=True)
    backend.decode(batch)
    slots.read(visitor, visitor.pending)
    slots.leave(visitor)
    return found


def made(resting_cells: int, spill_bytes: int = 1 << 20) -> tuple[Slots, FakeBackend]:
    backend = FakeBackend(cells=2000, context_tokens=400, batch_tokens=400)
    return Slots(backend, SpillStore(spill_bytes), resting_cells), backend


FIRST, SECOND, THIRD = ([kind] * 100 for kind in (1, 2, 3))


def test_conversations_that_rest_move_out_of_the_models_memory_the_oldest_first() -> None:
    slots, backend = made(resting_cells=200)
    for tokens in (FIRST, SECOND):
        visit(slots, backend, tokens)
        slots.thin_out()
    assert backend.used == 200
    visit(slots, backend, THIRD)
    slots.thin_out()
    assert backend.used == 200
    assert visit(slots, backend, [*THIRD, 9]) == 100
    assert visit(slots, backend, [*FIRST, 9]) == 100


def test_one_conversation_moves_at_a_time() -> None:
    slots, backend = made(resting_cells=0)
    for tokens in (FIRST, SECOND, THIRD):
        visit(slots, backend, tokens)
    left = []
    for _ in range(4):
        slots.thin_out()
        left.append(backend.used)
    assert left == [200, 100, 0, 0]


def test_what_finds_no_room_in_main_memory_stays_beside_the_model() -> None:
    slots, backend = made(resting_cells=0, spill_bytes=150 * TOKEN_BYTES)
    for tokens in (FIRST, SECOND):
        visit(slots, backend, tokens)
        slots.thin_out()
        slots.thin_out()
    assert backend.used == 100
    assert visit(slots, backend, [*FIRST, 9]) == 100
    assert visit(slots, backend, [*SECOND, 9]) == 100


def test_without_main_memory_nothing_moves() -> None:
    slots, backend = made(resting_cells=0, spill_bytes=0)
    visit(slots, backend, FIRST)
    slots.thin_out()
    assert backend.used == 100
    assert visit(slots, backend, [*FIRST, 9]) == 100


def test_a_common_beginning_in_main_memory_serves_another_without_costing_its_owner() -> None:
    slots, backend = made(resting_cells=0)
    visit(slots, backend, FIRST + SECOND)
    slots.thin_out()
    assert backend.used == 0
    assert visit(slots, backend, FIRST + THIRD) == 100
    slots.thin_out()
    assert visit(slots, backend, [*FIRST, *SECOND, 9]) == 200


def test_a_short_prefix_is_not_worth_moving() -> None:
    slots, backend = made(resting_cells=0)
    visit(slots, backend, FIRST[:40])
    slots.thin_out()
    assert backend.used == 40
