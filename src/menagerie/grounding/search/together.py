"""Several places searched at once: their results in turn, and a failure only where none answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.search.answers import OURS
from menagerie.grounding.source import Candidate

AT_A_TIME: Final = 2
SECONDS: Final = 15.0
"""For all of them; who has not answered by then counts as failed."""


async def searched_together(
    searches: Sequence[Coroutine[Any, Any, Sequence[Candidate]]], most: int, seconds: float = SECONDS
) -> Sequence[Candidate]:
    """At most so many candidates, the first of each place before the second of any.

    Raises `search.failed` where no place answers; `queue.full` and `source.off` where that is why.
    """
    free = asyncio.Semaphore(AT_A_TIME)

    async def one(search: Coroutine[Any, Any, Sequence[Candidate]]) -> Sequence[Candidate] | MenagerieError:
        try:
            async with asyncio.timeout(seconds), free:
                return await search
        except MenagerieError as failure:
            return failure
        except TimeoutError:
            return MenagerieError(ErrorCode.SEARCH_FAILED)
        finally:
            search.close()

    answers = await asyncio.gather(*(one(search) for search in searches))
    found = [answer for answer in answers if not isinstance(answer, MenagerieError)]
    failures = [answer for answer in answers if isinstance(answer, MenagerieError)]
    if failures and not found:
        raise next((one for one in failures if one.code in OURS), MenagerieError(ErrorCode.SEARCH_FAILED))
    in_turn = chain.from_iterable(zip_longest(*found))
    by_address: dict[str, Candidate] = {}
    for candidate in in_turn:
        if candidate is not None:
            by_address.setdefault(candidate.address, candidate)
    return list(by_address.values())[:most]
