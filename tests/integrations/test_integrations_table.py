"""What the documentation says was stopped is what was."""

import re

from tests.integrations.conftest import ROOT
from tests.integrations.table import RUNAWAYS, table


def test_the_table_is_that_of_the_results(outcomes_of):
    """Each row is made of what became of the runaways; none was written by hand."""
    page = (ROOT / "docs" / "integrations.md").read_text()
    (found,) = re.findall(r"<!-- runaways -->\n(.*?)\n?<!-- /runaways -->", page, re.DOTALL)
    results = {
        library: outcomes_of(group, f"tests.integrations.{module}.runaways")
        for library, (group, module) in RUNAWAYS.items()
    }
    assert found == table(results)
