"""What Prefect hands a retry condition, and so whether our tasks are tried again for the right errors."""

import pytest
from prefect import flow, task

from flows.ingest import worth_another_try
from strikelake.errors import BadFileError, VendorUnavailableError


@pytest.mark.usefixtures("prefect_api")
@pytest.mark.parametrize(("error", "tries"), [(VendorUnavailableError, 3), (BadFileError, 1)])
def test_only_a_vendor_that_may_answer_later_is_asked_again(error, tries):
    seen = []

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=worth_another_try)
    def ask():
        seen.append(1)
        raise error("the vendor said so")

    @flow
    def asking():
        ask()

    with pytest.raises(error):
        asking()
    assert len(seen) == tries
