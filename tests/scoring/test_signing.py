"""Keys, and versions that are signed by them or not."""

import os
import stat
import subprocess

import pytest
from click.testing import CliRunner
from versions import assembled

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring import signing
from ae_pipelines.scoring.model import SIGNATURE, ScoringModel
from ae_pipelines.scoring.promotion import PromoteOptions
from ae_pipelines.scoring.scoring_contract import ScoreOptions
from ae_pipelines.tracking.__main__ import main

SHA256 = "ab" * 32


@pytest.fixture
def keys(tmp_path):
    """The path of a private key, beside which the public one lies."""
    signing.new_keys(tmp_path / "key")
    return tmp_path / "key"


def test_without_keys_nothing_is_signed_and_everything_is_opened():
    assert signing.signature(SHA256) is None
    signing.refuse_unsigned(SHA256, None, "it")
    signing.refuse_unsigned(SHA256, "of somebody", "it")


def test_what_the_private_key_signs_both_keys_take(keys, monkeypatch):
    monkeypatch.setenv(signing.SIGNS, str(keys))
    made = signing.signature(SHA256)
    assert made is not None
    assert len(made) == signing.LENGTH
    signing.refuse_unsigned(SHA256, made, "it")
    monkeypatch.delenv(signing.SIGNS)
    monkeypatch.setenv(signing.VERIFIES, f"{keys}.pub")
    signing.refuse_unsigned(SHA256, made, "it")
    for other, signature in ((SHA256, None), ("cd" * 32, made), (SHA256, "no digits"), (SHA256, made[:-2])):
        with pytest.raises(InputError, match="it is not signed|the signature of it is not by this key"):
            signing.refuse_unsigned(other, signature, "it")


def test_a_machine_with_the_public_key_alone_signs_nothing(keys, monkeypatch):
    monkeypatch.setenv(signing.VERIFIES, f"{keys}.pub")
    with pytest.raises(InputError, match="so none can be made here"):
        signing.signature(SHA256)


def test_a_folder_for_keys_is_made_for_its_owner_alone(tmp_path):
    signing.new_keys(tmp_path / "keys/ae")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_keys_that_do_not_belong_together_are_refused_before_anything_is_done(keys, tmp_path, monkeypatch):
    signing.new_keys(tmp_path / "other")
    monkeypatch.setenv(signing.SIGNS, str(keys))
    for options in (PromoteOptions(), ScoreOptions()):
        options.check()
    monkeypatch.setenv(signing.VERIFIES, str(tmp_path / "other.pub"))
    for options in (PromoteOptions(), ScoreOptions()):
        with pytest.raises(InputError, match="is not the public half"):
            options.check()


@pytest.mark.parametrize("there", ["new", "new.pub"])
def test_where_one_half_is_there_the_other_is_not_made(there, tmp_path):
    (tmp_path / there).touch()
    with pytest.raises(InputError, match=f"no key is written to .*{there} "):
        signing.new_keys(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == [there]


@pytest.mark.parametrize("variable", [signing.SIGNS, signing.VERIFIES])
def test_a_bad_key_is_refused_in_one_sentence_that_does_not_tell_it(variable, keys, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    given = {"empty": b"", "short": b"0123", "text": b"my password", "not text": bytes(range(256))}
    for name, content in given.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "cut").write_bytes(keys.read_bytes()[:-40])
    swapped = keys if variable == signing.VERIFIES else tmp_path / "key.pub"
    files = [*given, "cut", "fifo", "nowhere", "", swapped.name]
    values = [str(tmp_path / name) if name else "" for name in files] + [keys.read_text(), "a" * 10_000, "~nobody/x"]
    for value in values:
        monkeypatch.setenv(variable, value)
        with pytest.raises(InputError) as refused:
            signing.check()
        said = str(refused.value)
        assert said.startswith(f"{variable}: ")
        assert "\n" not in said
        assert len(said) < 300
        assert "password" not in said


def test_a_new_key_is_its_owner_s_alone_and_replaces_none(tmp_path):
    made = CliRunner().invoke(main, ["key", str(tmp_path / "key")])
    assert made.exit_code == 0
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    before = (tmp_path / "key").read_bytes()
    assert "PRIVATE" not in made.output
    again = CliRunner().invoke(main, ["key", str(tmp_path / "key")])
    assert again.exit_code == 1
    assert "give another path" in again.output
    assert (tmp_path / "key").read_bytes() == before


def test_keys_of_openssl_serve_too(tmp_path, monkeypatch):
    key, public = tmp_path / "key", tmp_path / "public"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs openssl")
    monkeypatch.setenv(signing.SIGNS, str(key))
    monkeypatch.setenv(signing.VERIFIES, str(public))
    signing.check()


def test_a_signed_version_opens_with_its_key_and_without_any(digits, recipe, keys, tmp_path, monkeypatch):
    unsigned = assembled(tmp_path / "unsigned", digits, recipe)
    monkeypatch.setenv(signing.SIGNS, str(keys))
    with pytest.raises(InputError, match="is not signed, and AE_SIGNING_KEY is set"):
        ScoringModel(unsigned.folder)
    signed = assembled(tmp_path / "signed", digits, recipe)
    assert (signed.folder / SIGNATURE).exists()
    assert SIGNATURE not in signed.contract.files
    monkeypatch.delenv(signing.SIGNS)
    ScoringModel(signed.folder)
