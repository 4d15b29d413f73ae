"""Columns of stars and light curves as Arrow arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ensemble import Ensemble
from ..errors import MissingExtraError
from ..lightcurve import LightCurves
from ..taxonomy import PARAMETERS

__all__ = ["arrow", "light_curve_array", "metadata_of", "need_arrow", "nested_schema", "nested_table"]

_LIGHT_CURVE = {"mjd": "d", "band": "", "mag": "mag", "mag_err": "mag", "flux": "nJy", "flux_err": "nJy"}


def need_arrow(purpose: str) -> None:
    """Refuse to begin without pyarrow.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    arrow(purpose)


def arrow(purpose: str = "this format") -> Any:
    """The module pyarrow, with ``parquet`` and ``csv``."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", purpose) from None
    return pyarrow


def metadata_of(provenance: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Where the stars come from, for the metadata of a Parquet file."""
    return {b"lcgen": json.dumps(dict(provenance), sort_keys=True).encode()}


def nested_schema(ensemble: Ensemble, *, nested: str, metadata: Mapping[bytes, bytes], index: str = "") -> Any:
    """One row a star, with a column of structs of lists for its light curve.

    Parameters
    ----------
    ensemble : Ensemble
    nested : str
        Name of the column with the light curves.
    metadata : mapping
        Of the file.
    index : str
        Name of a column of 64-bit numbers that comes first; none where empty.
    """
    pa = arrow()
    sample = ensemble.columns(None, 0, 1)
    fields = [pa.field(index, pa.int64())] if index else []
    for name, values in sample.items():
        unit = PARAMETERS[name].unit if name in PARAMETERS else ""
        fields.append(pa.field(name, _arrow_type(values), metadata={b"unit": unit.encode()} if unit else None))
    fields.append(pa.field(nested, pa.struct(_light_curve_fields(ensemble))))
    return pa.schema(fields, metadata=metadata)


def nested_table(block: LightCurves, schema: Any, *, nested: str, extra: Mapping[str, Any] | None = None) -> Any:
    """The stars of a block as a table of that schema."""
    pa = arrow()
    values: dict[str, Any] = {**block.columns, **(extra or {})}
    arrays = [
        light_curve_array(block, field.type) if field.name == nested else pa.array(values[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def light_curve_array(block: LightCurves, struct: Any) -> Any:
    """The light curves of a block as an array of structs of lists."""
    pa = arrow()
    offsets = pa.array(np.asarray(block.offsets, dtype=np.int32))
    lists = []
    for field in struct:
        if field.name == "band":
            names = pa.array(list(block.band_names), pa.string())
            flat = pa.DictionaryArray.from_arrays(pa.array(block.band_index, pa.int8()), names).dictionary_decode()
        else:
            flat = pa.array(np.asarray(getattr(block, field.name)), field.type.value_type, from_pandas=False)
        lists.append(pa.ListArray.from_arrays(offsets, flat))
    return pa.StructArray.from_arrays(lists, fields=list(struct))


def _light_curve_fields(ensemble: Ensemble) -> Sequence[Any]:
    pa = arrow()
    kinds = {"mjd": pa.float64(), "band": pa.string()}
    fields = [
        pa.field(name, pa.list_(kinds.get(name, pa.float32())), metadata={b"unit": unit.encode()} if unit else None)
        for name, unit in _LIGHT_CURVE.items()
    ]
    if ensemble[:1].detected is not None:
        fields.append(pa.field("detected", pa.list_(pa.bool_())))
    return fields


def _arrow_type(values: Any) -> Any:
    pa = arrow()
    return pa.string() if values.dtype.kind == "U" else pa.from_numpy_dtype(values.dtype)
