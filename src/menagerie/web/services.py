"""What every route serves with. The composition root makes it once, at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection

from menagerie.grounding.sharing import Places
from menagerie.web.branding import Branding, neutral
from menagerie.web.rates import RateLimits
from menagerie.web.uploading import UploadLimits

if TYPE_CHECKING:
    from menagerie.batches.service import Batches
    from menagerie.conversation.live import LiveTurns
    from menagerie.conversation.turn import Turns
    from menagerie.embeddings.service import Embeddings
    from menagerie.engines.figures import Figures
    from menagerie.engines.residency import Engines
    from menagerie.grounding.facts.service import FactBases
    from menagerie.grounding.uploads import Uploads
    from menagerie.models.catalogue import Catalogue
    from menagerie.personas.directory import PersonaDirectory
    from menagerie.personas.resolve import Resolver
    from menagerie.settings import Settings
    from menagerie.store.database import Store

EXPORTS: Final = 2
"""Files of conversations that are made at a time; each keeps a processor busy."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one running service. The application holds it as `app.state.services`."""

    settings: Settings
    personas: PersonaDirectory
    catalogue: Catalogue
    store: Store
    engines: Engines
    turns: Turns
    live: LiveTurns
    resolver: Resolver
    embeddings: Embeddings
    figures: Figures
    batches: Batches
    uploads: Uploads
    facts: FactBases
    rates: RateLimits = field(default_factory=RateLimits)
    branding: Branding = field(default_factory=neutral)
    exporting: Places = field(default_factory=lambda: Places(EXPORTS))
    uploading: UploadLimits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "uploading", UploadLimits(2 * self.settings.max_document))


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that got this request or websocket."""
    services: Services = connection.app.state.services
    return services
