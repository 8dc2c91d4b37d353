import pytest

from flows.yaml_files import read_mapping
from strikelake.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        path = tmp_path / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_mapping(path)

    return write_and_read


def test_a_mapping_is_read(read):
    assert read("a: {b: 1}\nc: [x, y]\n") == {"a": {"b": 1}, "c": ["x", "y"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: {b: 1\n", r"is no YAML, line 2: expected ',' or '}'"),
        ("a:\n\tb: 1\n", r"is no YAML, line 2: .*'\\t'"),
        ("a: {b: 1}\nc: 2\na: {d: 3}\n", "is no YAML, line 3: 'a' comes twice"),
        ("a:\n  b: 1\n  b: 2\n", "is no YAML, line 3: 'b' comes twice"),
        ("a: !!python/object:os.system {}\n", "is no YAML, line 1: could not determine a constructor"),
        ("a: \x00\n", "is no YAML .*special characters"),
        ("", "holds nothing, not `key: value` lines"),
        ("- a\n", "holds a list, not"),
        ("hello\n", "holds a str, not"),
        (b"a: \xe9\n", r"is no UTF-8 \(byte 3\): save it as such"),
    ],
)
def test_what_is_no_mapping_is_named_with_its_line(read, content, said):
    with pytest.raises(ConfigError, match=rf"config\.yaml {said}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml does not read .No such file.*: restore it"):
        read_mapping(tmp_path / "nothing.yaml")
