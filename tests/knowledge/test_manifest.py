"""The manifest of public documents."""

import pytest

from knowledge.errors import KnowledgeError
from knowledge.manifest import documents, find_document, official_address

NEEDED = {
    "BAL-001-2", "BAL-002-3", "BAL-003-2", "EOP-011-4", "TOP-001-6", "IRO-001-4",
    "IRO-008-3", "CIP-002-5.1a", "CIP-003-9", "CIP-004-7", "CIP-005-7", "CIP-006-6",
    "CIP-007-6", "CIP-008-6", "CIP-009-6", "CIP-010-4", "CIP-011-3", "CIP-012-2",
    "CIP-013-2", "CIP-014-3", "CIP-015-1", "FERC-841", "FERC-2222", "FERC-881",
    "FERC-888", "FERC-1920",
}  # fmt: skip


def test_the_documents_that_matter_are_in_it() -> None:
    assert {document.id for document in documents()} >= NEEDED


def test_every_document_has_official_addresses_a_reason_and_a_file_name_of_its_own() -> None:
    hosts = {"NERC": "https://www.nerc.com/", "FERC": "https://www.govinfo.gov/"}
    for document in documents():
        assert document.addresses
        assert all(address.startswith(hosts[document.publisher]) for address in document.addresses)
        assert document.expect
        assert len(document.why) > 15
    assert len({document.file_name for document in documents()}) == len(documents())


def test_every_document_is_known_to_the_table_of_standards_and_none_is_superseded() -> None:
    for document in documents():
        assert document.status is not None
        assert document.status.standard == document.standard
        assert document.status.replaced_by is None


def test_a_document_is_found_by_its_id_in_any_case() -> None:
    assert find_document(" bal-003-2 ").title == "Frequency Response and Frequency Bias Setting"
    assert find_document("FERC-841").file_name == "FERC_841.pdf"


def test_an_unknown_id_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(KnowledgeError, match=r"'BAL-009-9' is not in the manifest; it has BAL-001-2, "):
        find_document("BAL-009-9")


def test_the_official_address_of_a_standard_or_order() -> None:
    assert official_address("FERC Order No. 841") == (
        "https://www.govinfo.gov/content/pkg/FR-2018-03-06/pdf/2018-03708.pdf"
    )
    assert official_address("BAL-009-9") is None
