"""Tests of `eliot._libraries`: values of NumPy, pandas, polars and pydantic in the log."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any, Iterator

import pytest

from eliot._libraries import set_max_values
from eliot.json import dumps_anyway, encode


def logged(value: Any) -> Any:
    """Encode a value in both ways, and read it back."""
    line = encode({"value": value})

    assert json.loads(line) == json.loads(dumps_anyway({"value": value}))
    return json.loads(line)["value"]


@pytest.fixture
def _small() -> Iterator[None]:
    """Log only ten values of anything large."""
    set_max_values(10)
    yield
    set_max_values(10_000)


def test_limit_cannot_be_negative() -> None:
    """A wrong limit is an error that names it."""
    with pytest.raises(ValueError, match="as -1 is"):
        set_max_values(-1)
    wrong: Any = "x"
    with pytest.raises(TypeError, match="'x' is none"):
        set_max_values(wrong)


class TestNumPy:
    """Scalars, arrays, structured and masked ones, and times."""

    @pytest.fixture
    def np(self) -> Any:
        """Import it."""
        return pytest.importorskip("numpy", reason="no numpy on this interpreter")

    def test_structured(self, np: Any) -> None:
        """Records are objects with the names of their fields."""
        dtype = [("name", "U5"), ("size", "i4")]
        array = np.array([("a", 1), ("b", 2)], dtype=dtype)

        assert [{"name": "a", "size": 1}, {"name": "b", "size": 2}] == logged(array)
        assert {"name": "b", "size": 2} == logged(array[1])
        assert [[["a", 1], ["b", 2]]] == logged(array.reshape(1, 2))

    def test_times(self, np: Any) -> None:
        """Times are ISO 8601, in arrays and alone, to the nanosecond."""
        time = np.datetime64("2024-01-02T03:04:05.123456789")

        assert "2024-01-02T03:04:05.123456789" == logged(time)
        assert ["2024-01-02", "NaT"] == logged(np.array(["2024-01-02", "NaT"], "datetime64[D]"))
        assert "5 days" == logged(np.timedelta64(5, "D"))

    def test_odd_ones(self, np: Any) -> None:
        """Masked values are null, bytes are text, objects are converted in turn."""
        masked = np.ma.array([1, 2], mask=[False, True])

        assert [1, None] == logged(masked)
        assert ["ab"] == logged(np.array([b"ab"]))
        assert [[1], {"real": 1.0, "imag": 2.0}] == logged(np.array([{1}, 1 + 2j], dtype=object))
        assert isinstance(logged(np.void(b"ab")), str)

    @pytest.mark.usefixtures("_small")
    def test_large(self, np: Any) -> None:
        """Of a large array there are the first values, the shape and the type."""
        assert {
            "array_start": [*range(10)],
            "original_shape": [3, 5],
            "dtype": "int16",
        } == logged(np.arange(15, dtype=np.int16).reshape(3, 5))


class TestPandas:
    """Frames, series, indices, scalars and missing values."""

    @pytest.fixture
    def pd(self) -> Any:
        """Import it."""
        return pytest.importorskip("pandas", reason="no pandas on this interpreter")

    def test_one_dimension(self, pd: Any) -> None:
        """Series, indices and categories are lists; missing values are null."""
        assert ["a", "b"] == logged(pd.Index(["a", "b"]))
        assert ["a", "b"] == logged(pd.Categorical(["a", "b"]))
        assert [1, None] == logged(pd.Series([1, None], dtype="Int64"))
        assert [1.0, None] == logged(pd.Series([1, float("nan")]))

    @pytest.mark.usefixtures("_small")
    def test_large(self, pd: Any) -> None:
        """Of large ones there are the first values, the shape and the types."""
        assert {
            "series_start": [*range(10)],
            "original_shape": [11],
            "dtype": "int64",
        } == logged(pd.Series(range(11), dtype="int64"))
        assert {
            "frame_start": [{"a": 0, "b": 0.5}] * 5,
            "original_shape": [6, 2],
            "dtypes": {"a": "int64", "b": "float64"},
        } == logged(pd.DataFrame({"a": [0] * 6, "b": [0.5] * 6}).astype({"a": "int64"}))

    def test_columns_of_the_same_name(self, pd: Any) -> None:
        """They get numbers, so that none is lost."""
        frame = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])

        assert [{"a": 1, "b": 2, "a (2)": 3}] == logged(frame)


class TestPolars:
    """Frames and series."""

    @pytest.fixture
    def pl(self) -> Any:
        """Import it."""
        return pytest.importorskip("polars", reason="no polars on this interpreter")

    def test_missing_values(self, pl: Any) -> None:
        """Missing values are null."""
        assert [1, None] == logged(pl.Series([1, None]))

    def test_lazy(self, pl: Any) -> None:
        """A lazy frame is not computed for the sake of the log."""

        def fail(frame: Any) -> Any:
            raise AssertionError("computed")

        assert isinstance(logged(pl.DataFrame({"a": [1]}).lazy().map_batches(fail)), str)

    @pytest.mark.usefixtures("_small")
    def test_large(self, pl: Any) -> None:
        """Of large ones there are the first values, the shape and the types."""
        assert {
            "series_start": [*range(10)],
            "original_shape": [11],
            "dtype": "Int64",
        } == logged(pl.Series(range(11)))
        assert {
            "frame_start": [{"a": 0, "b": "x"}] * 5,
            "original_shape": [6, 2],
            "dtypes": {"a": "Int64", "b": "String"},
        } == logged(pl.DataFrame({"a": [0] * 6, "b": ["x"] * 6}))


class TestPydantic:
    """Models of both versions."""

    @pytest.fixture
    def pydantic(self) -> Any:
        """Import it."""
        return pytest.importorskip("pydantic", reason="no pydantic on this interpreter")

    def test_secrets_stay_secret(self, pydantic: Any) -> None:
        """What a model hides is hidden in the log."""
        model = pydantic.create_model("model", password=(pydantic.SecretStr, ...))

        assert {"password": "SecretStr('**********')"} == logged(model(password="hush"))

    @pytest.mark.filterwarnings("ignore:Core Pydantic V1 functionality:UserWarning")
    def test_first_version(self, pydantic: Any) -> None:
        """Models of version 1, which comes along with version 2, are known, too."""
        v1 = pytest.importorskip("pydantic.v1", reason="no pydantic on this interpreter")
        model = v1.create_model("model", numbers=(set, ...))

        assert {"numbers": [1]} == logged(model(numbers={1}))


class TestHalfImported:
    """Modules that look like one of the libraries."""

    @pytest.mark.parametrize("name", ["numpy", "pandas", "polars", "pydantic"])
    def test_are_passed_over(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that another thread is importing right now degrades nothing."""
        monkeypatch.setitem(sys.modules, name, ModuleType(name))

        assert b'{"value":[1]}' == encode({"value": {1}})

    def test_are_no_excuse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A value that fails in one that is complete is marked."""

        class Hostile:
            def __getattribute__(self, name: str) -> Any:
                raise ValueError

            def __repr__(self) -> str:
                return "hostile"

        module = ModuleType("pydantic")
        vars(module)["BaseModel"] = int
        monkeypatch.setitem(sys.modules, "pydantic", module)
        written = json.loads(encode({"value": Hostile()}))

        assert {"value": "hostile", "eliot:degraded": {"value": "conversion failed"}} == written
