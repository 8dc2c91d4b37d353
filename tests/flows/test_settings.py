from decimal import Decimal

import pytest

from flows import misspelt, settings
from strikelake.errors import ConfigError, MissingCredentialsError


def test_defaults_come_from_the_yaml_and_hold_no_secrets():
    loaded = settings.load()
    assert loaded.lake.root == "data/lake"
    assert loaded.trading_mode == "paper"
    assert loaded.api_key is None


@pytest.mark.parametrize("vendor", ["POLYGON", "MASSIVE"])
def test_both_spellings_of_the_vendor_work(monkeypatch, vendor):
    monkeypatch.setenv(f"{vendor}_API_KEY", "k")
    monkeypatch.setenv(f"{vendor}_S3_ACCESS_KEY", "a")
    monkeypatch.setenv(f"{vendor}_S3_SECRET_KEY", "s")
    monkeypatch.setenv(f"{vendor}_S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(f"{vendor}_S3_BUCKET", "b")
    loaded = settings.load()
    assert loaded.vendor_key() == "k"
    assert loaded.flat_file_keys() == ("a", "s")
    assert (loaded.s3_endpoint, loaded.s3_bucket) == ("http://127.0.0.1:1", "b")


def test_two_spellings_that_differ_are_refused(monkeypatch):
    monkeypatch.setenv("POLYGON_API_KEY", "one")
    monkeypatch.setenv("MASSIVE_API_KEY", "two")
    with pytest.raises(ConfigError, match="POLYGON_API_KEY and MASSIVE_API_KEY are both set and differ"):
        settings.load()


def test_every_yaml_key_can_be_set_from_the_environment(monkeypatch):
    monkeypatch.setenv("STRIKELAKE_RESEARCH__SEED", "11")
    monkeypatch.setenv("ACCOUNT_BALANCE", "999.99")
    loaded = settings.load()
    assert (loaded.research.seed, loaded.account_balance) == (11, Decimal("999.99"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("STRIKELAKE_LAKE__ROTO", "did you mean 'STRIKELAKE_LAKE__ROOT'"),
        ("POLYGON_S3_ACESS_KEY", "did you mean 'POLYGON_S3_ACCESS_KEY'"),
        ("RISK_TOLERENCE", "did you mean 'RISK_TOLERANCE'"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_name(monkeypatch, name, hint):
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=hint):
        settings.load()


def test_other_programs_variables_are_none_of_our_business(monkeypatch):
    monkeypatch.setenv("RISK_OFFICE_ADDRESS", "1 Wall St")
    assert settings.load().risk_tolerance == "medium"


def test_an_unknown_yaml_key_is_refused_with_the_nearest_name(monkeypatch, tmp_path):
    text = (settings.home() / "config" / "config.yaml").read_text()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(text.replace("  root: data/lake", "  rot: data/lake"))
    monkeypatch.setenv("STRIKELAKE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"unknown setting 'lake\.rot'.*did you mean 'root'"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RISK_TOLERANCE", "reckless", "'low', 'medium' or 'high'"),
        ("TRADING_MODE", "yolo", "'paper' or 'live'"),
        ("ACCOUNT_BALANCE", "-1", "greater than or equal to 0"),
        ("STRIKELAKE_RESEARCH__EMBARGO_HORIZONS", "0", "greater than or equal to 1"),
    ],
)
def test_a_value_out_of_range_is_refused(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        settings.load()


def test_a_half_key_pair_names_the_missing_half(monkeypatch):
    monkeypatch.setenv("POLYGON_S3_ACCESS_KEY", "a")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    loaded = settings.load()
    with pytest.raises(MissingCredentialsError, match="POLYGON_S3_SECRET_KEY is not set"):
        loaded.flat_file_keys()
    with pytest.raises(MissingCredentialsError, match="ALPACA_API_KEY is not set"):
        loaded.broker_keys()
    with pytest.raises(MissingCredentialsError, match="POLYGON_API_KEY is not set"):
        loaded.vendor_key()


def test_secrets_never_print_and_settings_are_frozen(monkeypatch):
    monkeypatch.setenv("POLYGON_API_KEY", "hush-hush")
    loaded = settings.load()
    assert "hush-hush" not in repr(loaded)
    with pytest.raises(Exception, match="frozen"):
        loaded.reports = "elsewhere"


def test_the_example_environment_file_names_only_variables_we_read():
    lines = (settings.home() / ".env.example").read_text().splitlines()
    named = {line.split("=")[0] for line in lines if "=" in line and not line.startswith("#")}
    assert named <= set(misspelt.NAMED_VARIABLES)
