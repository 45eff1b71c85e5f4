"""Every input of the catalogue comes out as the docs say."""

import pytest
from bad_input.case import families
from bad_input.table import PAGE, page

from gaborscope.errors import InputError

ALL = [(heading, case) for heading, cases in families().items() for case in cases]


@pytest.mark.parametrize("case", [case for _, case in ALL], ids=[f"{h}: {c.given}" for h, c in ALL])
def test_input_comes_out_as_the_docs_say(case, tmp_path):
    if case.says is None:
        assert str(case.use(tmp_path)).replace(str(tmp_path), "{folder}") == case.gives
        return
    with pytest.raises(InputError) as refusal:
        case.use(tmp_path)
    assert str(refusal.value).replace(str(tmp_path), "{folder}") == case.says
    assert not list(tmp_path.rglob("*.tmp"))


def test_inputs_of_the_catalogue_differ():
    names = [(heading, case.given) for heading, case in ALL]
    assert len(set(names)) == len(names)


def test_docs_show_the_catalogue():
    assert PAGE.read_text(encoding="utf-8") == page(families()), "run `make catalogue`"
