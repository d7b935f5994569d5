"""The numbers of the residency policy, and the bound that follows from them. Pure."""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """The numbers of the policy."""

    queue_length: int = 256
    patience_loads: float = 4.0
    least_patience_s: float = 2.0
    most_patience_s: float = 30.0
    stay_swaps: float = 2.0
    most_stay_s: float = 120.0
    lull_loads: float = 0.1
    stale_s: float = 600.0
    """Unused for so long, an engine leaves before another has to start smaller."""
    batch_patience_s: float = 30.0
    people_stay_s: float = 60.0
    """For so long after a person has come or was done, batches leave them half of an engine's slots."""
    rests_s: tuple[float, ...] = (0.0, 1.0)
    """Rest after the first, the second failure in a row; after the next one an engine is set aside."""
    set_aside_s: float = 60.0
    """Doubled with every further failure, up to ten times as much."""
    lived_well_s: float = 30.0
    """An engine that dies later than this after its load begins a new count of failures."""

    def patience_s(self, load_s: float) -> float:
        """For how long a request that needs a swap may be overtaken."""
        return min(max(self.patience_loads * load_s, self.least_patience_s), self.most_patience_s)

    def stay_s(self, swap_s: float) -> float:
        """For how long an engine serves before it has to leave for others, if it is asked; `swap_s` is what it costs
        to have it: its load, and the turns that have to end before it leaves."""
        return min(self.stay_swaps * swap_s, self.most_stay_s)

    def lull_s(self, load_s: float) -> float:
        """After being unused for so long an engine may leave though it has not stayed: whoever asks without a pause
        has not left."""
        return self.lull_loads * load_s

    def rest_s(self, failures: int) -> float:
        """Rest after so many failures in a row."""
        if failures <= len(self.rests_s):
            return self.rests_s[failures - 1]
        return min(self.set_aside_s * float(2 ** (failures - len(self.rests_s) - 1)), 10 * self.set_aside_s)

    def longest_wait_s(self, engines: int, turn_s: float, load_s: float) -> float:
        """The bound on how long the line for one engine stands still, from one grant (or its first request) to the
        next, with so many engines, turns of `turn_s` at most, and `load_s` for an end and a load at most. A batch's
        line counts from when it goes with people's.

        Why: an engine that has to leave ends at most a turn after its last grant. From then on its line waits for
        patience at most until its time has come; from then on, what it needs is kept for it, and no line that came
        after it can begin in that memory. What loads at that moment is there after a load. Whoever is there has to
        leave once it has stayed and its turns have ended; then the next line's engine is loaded: stay + turn + load
        make a round. In every round, the line that stands still for longest is served, and an engine that leaves
        queues anew, behind. So each of the others is waited for in one round at most.
        """
        return self.most_patience_s + turn_s + load_s + (engines - 1) * (self.most_stay_s + turn_s + load_s)
