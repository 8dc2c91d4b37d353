"""Progress of steps where nobody watches: lines, when they mean something."""

import pytest

from flows import progress


def test_a_step_in_a_pipe_is_a_line_once_it_has_ended(capsys):
    with progress.bars():
        step = progress.advance("flat files")
        for done in range(3):
            step(done, 2)
        assert capsys.readouterr().err == "flat files             2/2 0:00:00\n"
        step(2, 2)
    assert capsys.readouterr().err == ""


def test_a_step_that_broke_off_is_seen_at_the_end(capsys):
    def broken():
        with progress.bars():
            progress.advance("a step before it")(1, 1)
            progress.advance("flat files")(1, 2)
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        broken()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "flat files             1/2 0:00:00, not to its end"


def test_nobody_is_told_outside(capsys):
    progress.advance("flat files")(1, 1)
    assert capsys.readouterr() == ("", "")
