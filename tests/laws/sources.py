"""Every source, for chains to begin with."""

from tests.readers.test_generator import CASE as FROM_GENERATOR
from tests.readers.test_json_lines import CASE as FROM_JSON_LINES
from tests.readers.test_parquet import CASE as FROM_PARQUET
from tests.readers.test_random_numbers import CASE as RANDOM
from tests.readers.test_ranges import COUNTER, RANGE
from tests.readers.test_tensors import FROM_LIST, FROM_TENSOR_SLICES, FROM_TENSORS
from tests.readers.test_text_lines import CASE as TEXT_LINES

SOURCES = [
    *(RANGE, COUNTER, FROM_TENSOR_SLICES, FROM_TENSORS, FROM_LIST, FROM_GENERATOR, RANDOM),
    *(TEXT_LINES, FROM_JSON_LINES, FROM_PARQUET),
]
