"""How the result of code is told: with the words that the model was taught, of the code and its output."""

from __future__ import annotations

import pytest

from miniatures.text import chat_analysis as taught
from miniatures.text.analysis_cases import analysis_cases
from svc_chat.domain.closing import failed, printed, told, without_names
from svc_chat.domain.table_plan import Condition, TablePlan, plan_of


def test_a_result_is_told_in_the_sentence_that_the_model_was_taught() -> None:
    for case in analysis_cases(300, seed=53) + analysis_cases(100, seed=54, held_out=False):
        plan = plan_of(taught.code(case.request))
        assert plan is not None, case.request
        for output in ("12.5\n\n", "a,1\nb,2\n"):
            sentence = told(plan, case.language, output)  # type: ignore[arg-type]
            assert sentence == taught.answer(case.request, case.language, output)


@pytest.mark.parametrize("output", ["", "\n", "nan\n"])
def test_that_there_is_nothing_to_compute_is_said(output: str) -> None:
    plan = TablePlan("mean", "amount", condition=Condition("year", ">", "2019", False))
    assert told(plan, "en", output) == "There are no values to compute the mean of amount where year > 2019."
    assert told(plan, "pt", output) == "Não há valores para calcular a média de amount onde year > 2019."


def test_code_that_failed_is_told_with_the_reason() -> None:
    assert failed("en", "Traceback:\n  x\nKeyError: 'city'\n") == "The code gave no result: KeyError: 'city'"
    assert failed("pt", "\n") == "O código não deu resultado: ?"


def test_names_say_nothing_of_the_language_of_a_question() -> None:
    plan = TablePlan("sum", "Preço_Total", "região", Condition("região", "=", "são josé", True))
    asked = "Sum of preço_total by região where região is São José"
    assert without_names(asked, plan).split() == ["Sum", "of", "by", "where", "is"]


def test_code_of_which_no_plan_is_known_is_told_as_what_it_printed() -> None:
    assert printed("en", "a\nb\n\n") == "The code printed:\na\nb"
    assert printed("pt", "\n") == "O código rodou e não escreveu nada."
