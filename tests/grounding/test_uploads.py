"""Files that users handed over are documents, for their owners only, and read once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.documents import Documents
from menagerie.grounding.uploads import KEPT_WITH_REQUEST, Uploads
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.folder import FileFolder
from tests.grounding import files

ANN, BOB = User(("ann",)), User(("bob",))


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[Uploads]:
    store, documents = await Store.open("", tmp_path), Documents(Settings())
    yield Uploads(store.files, FileFolder(tmp_path / "files"), documents)
    await documents.close()
    await store.close()


async def test_a_file_is_a_document_for_its_owner_and_for_nobody_else(uploads: Uploads) -> None:
    file = await uploads.keep(files.word(title="Guide"), "guide.docx", ANN)
    document = await uploads.document(file.id, ANN)
    assert (document.title, document.parts[0].heading, document.read) == ("Guide", ("Fees",), file.created_at)
    for user, name in ((BOB, file.id), (User(), file.id), (ANN, "file-" + "0" * 32), (ANN, "../etc/passwd")):
        with pytest.raises(MenagerieError) as caught:
            await uploads.document(name, user)
        assert caught.value.code == ErrorCode.FILE_UNKNOWN


async def test_a_file_without_a_title_is_called_by_its_name(uploads: Uploads) -> None:
    file = await uploads.keep(b"a,b\n1,2\n", "prix.csv", ANN)
    document = await uploads.document(file.id, ANN)
    assert (document.title, document.text) == ("prix", "| a | b |\n| --- | --- |\n| 1 | 2 |")


async def test_a_file_is_read_once_however_often_it_is_asked_for(uploads: Uploads) -> None:
    file = await uploads.keep(files.CANAL.encode(), "a.txt", ANN)
    document = await uploads.document(file.id, ANN)
    uploads.folder.path(file.id).write_bytes(b"Something else.")
    assert await uploads.document(file.id, ANN) == document


async def test_what_cannot_be_read_is_kept_and_says_why_when_it_is_to_be_read(uploads: Uploads) -> None:
    file = await uploads.keep(files.scanned(2), "scan.pdf", ANN)
    with pytest.raises(MenagerieError) as caught:
        await uploads.document(file.id, ANN)
    assert caught.value.code == ErrorCode.DOCUMENT_SCANNED


async def test_a_file_whose_content_is_gone_is_unknown(uploads: Uploads) -> None:
    file = await uploads.keep(b"Text.", "a.txt", ANN)
    await uploads.folder.delete(file.id)
    with pytest.raises(MenagerieError) as caught:
        await uploads.document(file.id, ANN)
    assert caught.value.code == ErrorCode.FILE_UNKNOWN


async def test_what_came_within_a_request_is_kept_for_a_day(uploads: Uploads) -> None:
    file = await uploads.keep(b"Text.", "a.txt", ANN)
    assert file.expires_at is not None
    assert abs(file.expires_at - datetime.now(UTC) - KEPT_WITH_REQUEST).total_seconds() < 60


async def test_a_failure_names_the_file_that_it_is_about_on_one_short_line(uploads: Uploads) -> None:
    body = files.word()[:300]
    hostile = await uploads.keep(body, "a\u202e\n<b>" + "x" * 300 + ".docx", ANN)
    good = await uploads.keep(b"a,b\n1,2\n", "prix.csv", ANN)
    broken = await uploads.keep(body, "rapport.docx", ANN)
    await uploads.document(good.id, ANN)
    with pytest.raises(MenagerieError) as caught:
        await uploads.document(broken.id, ANN)
    assert caught.value.code == ErrorCode.DOCUMENT_BROKEN
    assert caught.value.message("en").startswith("“rapport.docx” — This file could not be read")
    assert caught.value.message("fr").startswith("«\u00a0rapport.docx\u00a0» — Ce fichier n’a pas pu être lu")
    with pytest.raises(MenagerieError) as caught:
        await uploads.document(hostile.id, ANN)
    assert caught.value.file.startswith("a <b>xxx")
    assert caught.value.file.endswith(".docx")
    assert len(caught.value.file) == 80
    with pytest.raises(MenagerieError) as caught:
        await uploads.picture(good.id, ANN)
    assert caught.value.code == ErrorCode.PICTURE_UNSUPPORTED
    assert "“prix.csv”" in caught.value.message("en")
