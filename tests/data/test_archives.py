import pytest

from gaborscope.data.layouts import archives
from gaborscope.errors import InputError


def test_every_address_is_its_authors():
    hosts = {"people.csail.mit.edu", "saliency.mit.edu", "www-sop.inria.fr", "github.com"}
    for group in archives.ARCHIVES.values():
        assert {archive.url.split("/")[2] for archive in group} <= hosts


def test_a_data_set_is_pending_until_its_record_lies_there(tmp_path):
    settings = {"type": "toronto", "path": str(tmp_path), "download": True}
    assert archives.pending("t", settings, "/")
    (tmp_path / archives.RECORD).write_text("[]")
    assert not archives.pending("t", settings, "/")


def test_nothing_is_pending_unless_it_is_asked_for(tmp_path):
    assert not archives.pending("t", {"type": "toronto", "path": str(tmp_path)}, "/")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("salicon", "in a browser"), ("folder", "types with a download are mit1003")],
)
def test_what_cannot_be_fetched_says_so(kind, reason):
    with pytest.raises(InputError, match=reason):
        archives.pending("s", {"type": kind, "path": "x", "download": True}, "/")


def test_a_download_needs_a_path():
    with pytest.raises(InputError, match="needs a path"):
        archives.pending("t", {"type": "toronto", "download": True}, "/")
