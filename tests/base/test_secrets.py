"""What counts as a secret, and what does not."""

import logging

import pytest

from ae_pipelines.base.secrets import Discreet, secrets_among, without_secrets

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
SECRETS = [
    "postgresql://me:s3cr3t@db.example.org/runs",
    "s3://user:p@ss@bucket/key",
    "redis://:s3cr3t@host",
    "postgresql://me:a1/s3cr3t/x@db/runs",
    "http://me:a/p@ss@host:5000/",
    "https://host/file?sig=abcdef&x=1",
    "Server=a;Password=s3cr3t;",
    "Server=a;Pwd={s3;cr3t};",
    "Endpoint=sb://a/;SharedAccessKeyName=a;SharedAccessKey=s3cr3t",
    "host=a password='s3 cr3t'",
    "{'user': 'me', 'password': 's3cr3t'}",
    '{"passphrase": "s3cr3t"}',
    "PGPASSWORD=s3cr3t",
    "Authorization: Basic s3cr3t==",
    "https:/me:s3cr3t@host/x.npy",
    "AKIA" + "Q" * 16,
    "x ASIA" + "1" * 16,
    TOKEN,
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1" * 20,
    "hf_" + "a" * 34,
    "xoxb-123456789012-abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----MIIE",
]
HARMLESS = [
    "/data/me@home/a:b@c.csv",
    "C:/data/a:b@c.csv",
    "unexpected token: 'x'",
    "me@example.org",
    "http://host:8080/a@b",
    "http://host:8080/a/b@c@d/e",
    "https://me@host/x",
    "a" * 64,
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "passages",
    "password_length",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "sqlite:////home/me/mlflow.db",
    "C:\\data",
    "tokens/train.csv",
    "sk-learn-digits-of-the-year-2024-images",
    "2026-01-01 12:30",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_found_wherever_it_is_and_not_shown(text):
    assert list(secrets_among({"a": {"b": [1, {"c": text}]}})) == ["a.b.1.c"]
    shown = without_secrets(f"cannot read {text} today")
    assert "***" in shown
    assert not any(part in shown for part in ("cr3t", "p@ss", "abcdef&", "QQQQ", "1111", "MIIE", "a1a1", "aaaa"))
    assert shown.startswith("cannot read ")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_users_give_is_no_secret(text):
    assert list(secrets_among({"search": {"ids": [text]}, "source": {"path": text}})) == []
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db_pwd", "dsn", "source.dsn", "access_key", "aws_secret_access_key", "private_key"),
        *("credentials", "connection_string", "api_key", "apikey", "hf_token", "secret"),
    ],
)
def test_a_secret_is_known_by_its_name_in_lists_too(name):
    assert list(secrets_among({"a": [{name: 1}]})) == [f"a.0.{name}"]


def test_a_name_that_is_a_secret_is_not_shown():
    assert list(secrets_among({"a": {"AKIA" + "Q" * 16: 1}})) == ["a.***"]


@pytest.mark.parametrize("name", ["cwd", "pwdx_less", "dsns", "key", "keys", "seed"])
def test_other_names_are_no_secrets(name):
    assert list(secrets_among({name: 1})) == []


def test_an_address_keeps_all_but_its_password():
    assert without_secrets("postgresql://me:s3cr3t@db/runs") == "postgresql://me:***@db/runs"
    assert without_secrets("postgresql://me:s3/cr3t@db:1/runs?x=a@b") == "postgresql://me:***@db:1/runs?x=a@b"
    assert without_secrets("two: a://b:c@d, e://f:g@h") == "two: a://b:***@d, e://f:***@h"


def test_log_lines_and_their_tracebacks_are_written_without_secrets():
    try:
        raise OSError("cannot reach postgresql://me:s3cr3t@db")
    except OSError as error:
        record = logging.LogRecord("a", 30, "a.py", 1, "at %s", ("s3://me:s3cr3t@x",), (OSError, error, None))
    written = Discreet(logging.Formatter("%(levelname)s %(message)s")).format(record)
    assert written == "WARNING at s3://me:***@x\nOSError: cannot reach postgresql://me:***@db"


@pytest.mark.parametrize("piece", ["a", "a+", "ab:/", "a://b:", "eyJ-", "password={", "x.:"])
def test_long_texts_are_read_in_time_that_grows_with_their_length(piece):
    text = piece * (1_000 if piece == "a://b:" else 100_000 // len(piece))
    assert without_secrets(text).startswith(piece[:2])  # without bounds this takes minutes
