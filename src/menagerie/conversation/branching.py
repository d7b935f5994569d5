"""Where a turn goes on: at the end of its session, or after any turn of its conversation."""

from __future__ import annotations

from menagerie.conversation.running import TurnRequest
from menagerie.store.sessions import Sessions


async def going_on(sessions: Sessions, request: TurnRequest) -> str | None:
    """The session in which a turn goes on; None begins one. Raises `session.unknown` where it may not go on there."""
    if request.after is None:
        return request.session
    if request.session:
        return await sessions.branch(request.session, request.after, request.user)
    return await sessions.after(request.after, request.user) if request.after else None
