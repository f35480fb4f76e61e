"""Dataset: the table of contents. One row per method, under headings; no logic."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Generic, TypeVar

from penstock import ends
from penstock.memory import Allocator
from penstock.node import Node
from penstock.options import Options
from penstock.readers.generator import from_generator
from penstock.readers.image_folder import from_image_folder
from penstock.readers.json_lines import from_json_lines
from penstock.readers.list_files import list_files
from penstock.readers.parquet import from_parquet
from penstock.readers.random_numbers import random_
from penstock.readers.ranges import counter, range_
from penstock.readers.tensors import from_list, from_tensor_slices, from_tensors
from penstock.readers.text_lines import from_text
from penstock.spec import Spec
from penstock.transforms.apply import apply
from penstock.transforms.batch import batch
from penstock.transforms.batch_by_tokens import batch_by_tokens
from penstock.transforms.bucket_by_sequence_length import bucket_by_sequence_length
from penstock.transforms.cache import cache
from penstock.transforms.choose_from_datasets import choose_from_datasets
from penstock.transforms.concatenate import concatenate
from penstock.transforms.enumerate import enumerate_
from penstock.transforms.filter import filter_
from penstock.transforms.flat_map import flat_map
from penstock.transforms.ignore_errors import ignore_errors
from penstock.transforms.interleave import interleave
from penstock.transforms.map import map_
from penstock.transforms.map_batches import map_batches
from penstock.transforms.pack import pack
from penstock.transforms.padded_batch import padded_batch
from penstock.transforms.prefetch import prefetch
from penstock.transforms.random_map import random_map
from penstock.transforms.repeat import repeat
from penstock.transforms.sample_from_datasets import sample_from_datasets
from penstock.transforms.scan import scan
from penstock.transforms.shard import shard
from penstock.transforms.shuffle import shuffle
from penstock.transforms.skip import skip
from penstock.transforms.take import take
from penstock.transforms.take_while import take_while
from penstock.transforms.unbatch import unbatch
from penstock.transforms.unique import unique
from penstock.transforms.window import window
from penstock.transforms.zip import zip_
from penstock.writers.parquet import to_parquet

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """An input pipeline: elements, described and not yet computed. Every method returns a new Dataset."""

    __slots__ = ("__weakref__", "_allocator", "_found_spec", "_lookup", "_node", "_options")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found_spec: Spec | None = None
        self._allocator = Allocator()
        self._lookup = ends.Lookup()
        self._options = Options()

    def _then(self, node: Node) -> Dataset[Any]:
        found = type(self)(node)
        found._options = self._options
        return found

    # Sources
    from_tensor_slices = classmethod(from_tensor_slices)
    from_tensors = classmethod(from_tensors)
    from_list = classmethod(from_list)
    from_generator = classmethod(from_generator)
    range = classmethod(range_)
    counter = classmethod(counter)
    random = classmethod(random_)
    zip = classmethod(zip_)
    choose_from_datasets = classmethod(choose_from_datasets)
    sample_from_datasets = classmethod(sample_from_datasets)
    list_files = classmethod(list_files)
    from_text = classmethod(from_text)
    from_json_lines = classmethod(from_json_lines)
    from_parquet = classmethod(from_parquet)
    from_image_folder = classmethod(from_image_folder)

    # One element to one element
    map = map_
    map_batches = map_batches
    random_map = random_map
    enumerate = enumerate_
    scan = scan

    # Which elements, in which order
    filter = filter_
    ignore_errors = ignore_errors
    unique = unique
    shuffle = shuffle
    repeat = repeat
    take = take
    take_while = take_while
    skip = skip
    shard = shard
    concatenate = concatenate

    # One element to many, many to one
    flat_map = flat_map
    interleave = interleave
    batch = batch
    padded_batch = padded_batch
    bucket_by_sequence_length = bucket_by_sequence_length
    batch_by_tokens = batch_by_tokens
    pack = pack
    window = window
    unbatch = unbatch

    # When and where elements are computed
    cache = cache
    prefetch = prefetch
    apply = apply
    with_options = ends.with_options
    options = ends.options_of

    # Ends
    __iter__ = ends.iterate
    iterator = ends.iterator
    as_numpy_iterator = ends.as_numpy_iterator
    reduce = ends.reduce
    get_single_element = ends.get_single_element
    head = ends.head
    replay = ends.replay
    to_parquet = to_parquet

    def to_keras(self, **options: Any) -> Any:
        """What `fit`, `evaluate` and `predict` of a Keras model accept; see `penstock.integrations.keras.to_keras`."""
        # Keras takes seconds to import and stays out of every program that does not use it.
        from penstock.integrations.keras import to_keras

        return to_keras(self, **options)

    # What is known
    cardinality = ends.cardinality
    element_spec = property(ends.element_spec)
    explain = ends.explain
    __len__ = ends.length
    __getitem__ = ends.getitem
    __repr__ = ends.show
    _repr_html_ = ends.show_html

    def __bool__(self) -> bool:
        return True


def _name_as_written() -> None:
    """Let errors, `help` and pickles call each method what users write, whatever its function is called."""
    for name, member in vars(Dataset).items():
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            function.__name__, function.__qualname__ = name, f"Dataset.{name}"
            function.__module__ = __name__


_name_as_written()
