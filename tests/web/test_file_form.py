"""A form with a file in it: how much it may bring."""

from __future__ import annotations

import pytest

from menagerie.core.errors import ErrorCode
from menagerie.web.errors import InvalidRequestError
from menagerie.web.file_form import FileForm


def form(*names: str) -> bytes:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\na\r\n' for name in names]
    return "".join((*parts, "--x--\r\n")).encode()


def reader() -> FileForm:
    return FileForm("multipart/form-data; boundary=x", ("purpose",), ("extra",))


def test_a_form_may_have_ten_parts() -> None:
    taken = reader()
    taken.feed(form("file", "purpose", *["extra"] * 8))
    taken.end()
    assert (taken.take(), taken.values) == (b"a", {"purpose": "a"})


def test_a_form_of_more_parts_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        reader().feed(form("file", "purpose", *["extra"] * 9))
    assert refused.value.code is ErrorCode.BAD_REQUEST
