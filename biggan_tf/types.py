"""The names and shapes of the tensors that the package passes around.

A shape stands in the type: `Float[Tensor, "N H W C"]`. Letters mean the same everywhere: N rows of a batch, H and W
height and width, C channels, Z values of a latent, E of an embedding, F features. The test suite runs the annotated
functions with these shapes checked; otherwise nothing is checked and the annotations cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Bool, Float, Int, UInt8


@runtime_checkable
class Tensor(Protocol):
    """A tensor or a variable of TensorFlow, Keras or JAX, or an array of NumPy."""

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __add__(self, other: Any, /) -> Any: ...

    def __radd__(self, other: Any, /) -> Any: ...

    def __sub__(self, other: Any, /) -> Any: ...

    def __rsub__(self, other: Any, /) -> Any: ...

    def __mul__(self, other: Any, /) -> Any: ...

    def __rmul__(self, other: Any, /) -> Any: ...

    def __truediv__(self, other: Any, /) -> Any: ...

    def __rtruediv__(self, other: Any, /) -> Any: ...

    def __neg__(self) -> Any: ...

    def __lt__(self, other: Any, /) -> Any: ...

    def __le__(self, other: Any, /) -> Any: ...

    def __gt__(self, other: Any, /) -> Any: ...

    def __ge__(self, other: Any, /) -> Any: ...


Images: TypeAlias = Float[Tensor, "N H W 3"]  # in [-1, 1]
ByteImages: TypeAlias = UInt8[Tensor, "N H W 3"]  # grey levels from 0 to 255
Activations: TypeAlias = Float[Tensor, "N H W C"]
Kernel: TypeAlias = Float[Tensor, "k k I O"]  # of a convolution from I to O channels
Latents: TypeAlias = Float[Tensor, "N Z"]
Embeddings: TypeAlias = Float[Tensor, "N E"]  # of classes
Features: TypeAlias = Float[Tensor, "N F"]
Logits: TypeAlias = Float[Tensor, " N"]
Labels: TypeAlias = Int[Tensor, " N"]  # classes, from 0
SmallImages: TypeAlias = Float[Tensor, "N h w 3"]  # in [-1, 1]; a generator enlarges them
ClassWeights: TypeAlias = Float[Tensor, "N classes"]  # how much of each class an image has
# What is given with an image: its class, a weight for each class, or a small image of it.
LabelsOrImages: TypeAlias = Labels | ClassWeights | SmallImages
Key: TypeAlias = Int[Tensor, " 2"]  # decides what a stateless generator draws
RowKeys: TypeAlias = Int[Tensor, "N 2"]  # a key for each row
Scalar: TypeAlias = Float[Tensor, ""]
Count: TypeAlias = Int[Tensor, ""]
Flag: TypeAlias = Bool[Tensor, ""]
Scalars: TypeAlias = Mapping[str, Scalar]
LabelledBatches: TypeAlias = Iterable[tuple[Tensor, Tensor]]  # images, in either form, and their labels
# How far latents were truncated, or styles are to be: one number for all rows, or one for each.
Truncation: TypeAlias = float | Float[Tensor, ""] | Float[Tensor, " N"]
Shape: TypeAlias = tuple[int | None, ...]  # a size is None as long as it is not known
InputShape: TypeAlias = Sequence[int | None]  # what Keras builds a layer with: a list where it loads a file
DType: TypeAlias = str | Any  # a name such as "float32", or a backend's own object
