"""Chains of all transformations: a new one joins by a row here."""

from penstock.testing import chains_of
from tests.laws.sources import SOURCES
from tests.transforms.test_apply import CASE as APPLY
from tests.transforms.test_batch import CASE as BATCH
from tests.transforms.test_batch_by_tokens import CASE as BATCH_BY_TOKENS
from tests.transforms.test_bucket_by_sequence_length import CASE as BUCKET_BY_SEQUENCE_LENGTH
from tests.transforms.test_cache import CASE as CACHE
from tests.transforms.test_choose_from_datasets import CASE as CHOOSE_FROM_DATASETS
from tests.transforms.test_concatenate import CASE as CONCATENATE
from tests.transforms.test_enumerate import CASE as ENUMERATE
from tests.transforms.test_filter import CASE as FILTER
from tests.transforms.test_flat_map import CASE as FLAT_MAP
from tests.transforms.test_ignore_errors import CASE as IGNORE_ERRORS
from tests.transforms.test_interleave import CASE as INTERLEAVE
from tests.transforms.test_map import CASE as MAP
from tests.transforms.test_map_batches import CASE as MAP_BATCHES
from tests.transforms.test_on_error import FILTER as FILTER_ON_ERROR
from tests.transforms.test_on_error import KEEP as MAP_KEEPING_FAILED
from tests.transforms.test_on_error import SKIP as MAP_SKIPPING_FAILED
from tests.transforms.test_pack import CASE as PACK
from tests.transforms.test_padded_batch import CASE as PADDED_BATCH
from tests.transforms.test_prefetch import CASE as PREFETCH
from tests.transforms.test_random_map import CASE as RANDOM_MAP
from tests.transforms.test_repeat import CASE as REPEAT
from tests.transforms.test_sample_from_datasets import CASE as SAMPLE_FROM_DATASETS
from tests.transforms.test_scan import CASE as SCAN
from tests.transforms.test_shard import CASE as SHARD
from tests.transforms.test_shuffle import CASE as SHUFFLE
from tests.transforms.test_shuffle import WHOLE as SHUFFLE_WHOLE
from tests.transforms.test_skip import CASE as SKIP
from tests.transforms.test_take import CASE as TAKE
from tests.transforms.test_take_while import CASE as TAKE_WHILE
from tests.transforms.test_unbatch import CASE as UNBATCH
from tests.transforms.test_unique import CASE as UNIQUE
from tests.transforms.test_window import CASE as WINDOW
from tests.transforms.test_zip import CASE as ZIP

CASES = [
    *(MAP, MAP, MAP_BATCHES, RANDOM_MAP, ENUMERATE),
    *(FILTER, SHUFFLE, SHUFFLE, SHUFFLE_WHOLE, REPEAT, TAKE, SKIP, SHARD, CONCATENATE, ZIP),
    *(IGNORE_ERRORS, FILTER_ON_ERROR, MAP_KEEPING_FAILED, MAP_SKIPPING_FAILED),
    *(FLAT_MAP, INTERLEAVE, BATCH, UNBATCH),
    *(PADDED_BATCH, BUCKET_BY_SEQUENCE_LENGTH, BATCH_BY_TOKENS, PACK, WINDOW),
    *(SCAN, TAKE_WHILE, UNIQUE, CHOOSE_FROM_DATASETS, SAMPLE_FROM_DATASETS),
    *(CACHE, PREFETCH, APPLY),
]

CHAINS = chains_of(SOURCES, CASES)
