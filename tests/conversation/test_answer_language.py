"""In which language an answer is said to be."""

from __future__ import annotations

import pytest

from menagerie.conversation.answer_language import language_of_answer


@pytest.mark.parametrize(
    ("answer", "language"),
    [
        ("The capital of Canada is Ottawa.", "en"),
        ("La capitale du Canada est Ottawa.", "fr"),
        ("C’est une ville qui se trouve dans l’est de l’Ontario.", "fr"),
        ("Ottawa.", ""),
        ("Oui.", ""),
        ("", ""),
        ("42 + 17 = 59", ""),
        ("```python\nfor one in the_list_of(all): print(one) and not this or that\n```", ""),
        ("Voici la commande que vous cherchez :\n```sh\nfind . -name it -or -name that\n```", "fr"),
        ("Das ist ein Satz, der hier zum Testen geschrieben steht.", ""),
        ("El gato come pescado todos los días en la cocina de la casa.", ""),
        ("I gatti mangiano il pesce tutti i giorni nella cucina di casa nostra.", ""),
        ("O gato come peixe todos os dias na cozinha da casa.", ""),
    ],
)
def test_it_is_told_where_it_is_clear(answer: str, language: str) -> None:
    assert language_of_answer([answer]) == language
    assert language_of_answer(list(answer)) == language


def test_the_beginning_of_a_long_answer_is_enough() -> None:
    assert language_of_answer(["It is what the people of the town say. "] * 100_000) == "en"
