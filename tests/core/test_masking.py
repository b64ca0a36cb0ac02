"""No password, and no token, is said."""

from __future__ import annotations

import pytest

from mlpipeline.core.masking import masked, without_access
from mlpipeline.core.variables import resolved


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:pa/ss@host", "https://***@host"),
        ("https://oauth2:tok@en@host/x.git", "https://***@host/x.git"),
        ("https://u:p@ss/w@h", "https://***@h"),
        ("https://u:p?w@h/x", "https://***@h/x"),
        ("https://tok@host:80/x@y", "https://***@host:80/x@y"),
        ("https://host/x?private_token=abc", "https://host/x?***"),
        ("https://host/x?abc#folder", "https://host/x?***#folder"),
        ("?private_token=abc", "?***"),
        ("https://u:p@ss@h", "https://***@h"),
        ("ssh://git:secret@host/x", "ssh://git:***@host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@host:x.git", "git@host:x.git"),
        ("https://host/x@v1", "https://host/x@v1"),
        ("https://host:5000/path", "https://host:5000/path"),
        ("sqlite:////me@work/x.db", "sqlite:////me@work/x.db"),
    ],
)
def test_what_gives_access_is_masked_also_amid_a_text(address, said):
    assert masked(address) == said
    assert masked(f"fatal: '{address}' (no) or {address} a@b") == (
        f"fatal: '{said}' (no) or {said} a@b"
    )


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@host:5000/path?token=secret", "https://host:5000/path"),
        ("https://user:pa/ss@host", "https://host"),
        ("https://oauth2:tok@en@host", "https://host"),
        ("https://host?private_token=abc", "https://host"),
        ("postgresql+psycopg2://me:se@cret@host/db", "postgresql+psycopg2://host/db"),
        ("postgresql://me@host/db", "postgresql://host/db"),
        ("sqlite:////folder/a b.db", "sqlite:////folder/a b.db"),
        ("sqlite:////me@work/x.db", "sqlite:////me@work/x.db"),
        ("databricks", "databricks"),
    ],
)
def test_an_address_is_told_apart_without_its_secrets(uri, shown):
    assert without_access(uri) == shown


@pytest.mark.parametrize(
    ("text", "meant"),
    [("$URI", "https://x"), ("${URI}", "https://x"), ("$NO", ""), ("https://$URI", "https://$URI")],
)
def test_a_setting_may_name_a_variable(text, meant):
    assert resolved(text, {"URI": " https://x\n"}) == meant
