"""The service as it is, but for answers that do not stop before the asked length."""

from __future__ import annotations

from typing import Any

import msgspec

import menagerie.personas.resolve
from menagerie import app
from menagerie.engines.plan import Local, plan
from menagerie.settings import Settings


def _fixed_length(*args: Any, **kwargs: Any) -> Local:
    local = plan(*args, **kwargs)
    return msgspec.structs.replace(
        local, forms=tuple(msgspec.structs.replace(form, fixed_length=True) for form in local.forms)
    )


vars(menagerie.personas.resolve)["plan"] = _fixed_length

if __name__ == "__main__":
    raise SystemExit(app.serve(Settings()))
